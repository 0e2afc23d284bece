import { DynamoDbBackendRepository } from "../../adapters/dynamodb/backend-repository.ts";
import type { ClaimRef } from "../../core/ports.ts";
import { newId, type Store } from "./store.ts";

/** Write units of each operation on the claims of one backend, with so many open, and the size of its item. */
export type ClaimScale = {
  open: number;
  claim: number;
  settle: number;
  release: number;
  return_capacity: number;
  backend_item_bytes: number;
};

/** How many of each operation the average is of. */
const SAMPLE = 16;
/** How many deletions give capacity back at the same time. */
const AT_ONCE = 50;
/** GiB, so that no claim is refused. */
const TOTAL = 10_000_000;
const NO_LIMITS = { maxProvisionedCapacityGb: null, minFreeCapacityGb: 1 };

/**
 * Measures the operations at each number of open claims, on a backend of its own. Where they no longer fit its item, every figure is
 * Infinity.
 */
export async function claimsAtScale(store: Store, counts: readonly number[]): Promise<ClaimScale[]> {
  const results: ClaimScale[] = [];
  for (const open of counts) {
    results.push(await claimsWith(store, open).catch((error: unknown) => refused(open, error)));
  }
  return results;
}

/** @throws anything else than that an item is too large */
function refused(open: number, error: unknown): ClaimScale {
  if (!(error instanceof Error) || error.name !== "ValidationException" || !/size/i.test(error.message)) {
    throw error;
  }
  const none = Infinity;
  return { open, claim: none, settle: none, release: none, return_capacity: none, backend_item_bytes: none };
}

async function claimsWith(store: Store, open: number): Promise<ClaimScale> {
  // Of one length, so that no rounding to a KiB is taken for growth.
  const host = `scale@open${String(open).padStart(6, "0")}#pool`;
  const table = store.tableName("BackendsTableName");
  const claimsTable = store.tableName("ClaimsTableName");
  const repository = new DynamoDbBackendRepository({
    client: store.client,
    tableName: table,
    claimsTableName: claimsTable,
    clock: { now: () => new Date() },
  });
  const reportedAt = new Date().toISOString();
  await store.fill(table, [backendItem(host, reportedAt, open - 1)]);
  await store.fill(
    claimsTable,
    Array.from({ length: open - 1 }, () => claimItem(host, reportedAt)),
  );
  let backend = await repository.get(host);
  const average = async (work: (volume: string) => Promise<unknown>, volumes: readonly string[]): Promise<number> => {
    let units = 0;
    for (const volume of volumes) {
      units += (await store.measure(() => work(volume))).write;
    }
    return units / volumes.length;
  };
  const settled = Array.from({ length: SAMPLE }, newId);
  const released = Array.from({ length: SAMPLE }, newId);
  const refs = new Map<string, ClaimRef>();
  const refOf = (volume: string): ClaimRef => {
    const ref = refs.get(volume);
    if (ref === undefined) {
      throw new Error(`volume ${volume} has no claim`);
    }
    return ref;
  };
  const claim = await average(
    async (key) => {
      backend = backend && (await repository.claim(backend, { volumeId: key, attempt: 1, fence: key }, 1, NO_LIMITS));
      refs.set(key, { key, attempt: 1, claimedAt: backend?.claims[key]?.claimed_at ?? "" });
    },
    [...settled, ...released],
  );
  const settle = await average((volume) => repository.settle(host, refOf(volume)), settled);
  const release = await average((volume) => repository.release(host, refOf(volume)), released);
  const returned = await average((volume) => repository.returnCapacity(host, refOf(volume), 1), settled);
  // More at once than functions would run, none of which waits for another.
  const atOnce = Array.from({ length: AT_ONCE }, newId);
  const bytes: number[] = [];
  await Promise.all(
    atOnce.map(async (key) => {
      await repository.returnCapacity(host, { key, attempt: 1, claimedAt: reportedAt }, 1);
      bytes.push(await store.itemBytes(table, { host }));
    }),
  );
  return {
    open,
    claim,
    settle,
    release,
    return_capacity: returned,
    backend_item_bytes: Math.max(...bytes),
  };
}

/** A claim as it is stored when it stays open. */
function claimItem(host: string, at: string): Record<string, unknown> {
  const columns = { state: "open", size: 1, open_since: at };
  return { host, claim: `${newId()}#1#${at}`, ...columns };
}

/** A backend as it is stored, with so many open claims. */
function backendItem(host: string, reportedAt: string, open: number): Record<string, unknown> {
  return {
    host,
    availability_zone: "nova",
    driver: "file",
    disabled: false,
    total_capacity_gb: TOTAL,
    free_capacity_gb: TOTAL,
    allocated_capacity_gb: open,
    provisioned_capacity_gb: open,
    claimed_gb: open,
    moves: 0,
    reserved_percentage: 0,
    thin_provisioning_support: true,
    thick_provisioning_support: false,
    capabilities: { volume_backend_name: "pool", storage_protocol: "file", vendor_name: "Cinderless" },
    reported_at: reportedAt,
    claims: {},
  };
}
