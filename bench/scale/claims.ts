import { DynamoDbBackendRepository } from "../../adapters/dynamodb/backend-repository.ts";
import { fenceOf } from "../../core/records.ts";
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
  const host = `scale@open${open}#pool`;
  const table = store.tableName("BackendsTableName");
  const repository = new DynamoDbBackendRepository({
    client: store.client,
    tableName: table,
    clock: { now: () => new Date() },
  });
  const reportedAt = new Date().toISOString();
  await store.fill(table, [backendItem(host, reportedAt, open - 1)]);
  const backend = await repository.get(host);
  if (backend === undefined) {
    throw new Error(`${host} was not reported`);
  }
  const average = async (work: (volume: string) => Promise<unknown>, volumes: readonly string[]): Promise<number> => {
    let units = 0;
    for (const volume of volumes) {
      units += (await store.measure(() => work(volume))).write;
    }
    return units / volumes.length;
  };
  const settled = Array.from({ length: SAMPLE }, newId);
  const released = Array.from({ length: SAMPLE }, newId);
  const owner = (volumeId: string) => ({ volumeId, attempt: 1, fence: fenceOf(volumeId, 1) });
  const claim = await average(
    (volume) => repository.claim(backend, owner(volume), 1, NO_LIMITS),
    [...settled, ...released],
  );
  const bytes = await store.itemBytes(table, { host });
  return {
    open,
    claim,
    settle: await average((volume) => repository.settle(host, volume), settled),
    release: await average((volume) => repository.release(host, owner(volume)), released),
    return_capacity: await average((volume) => repository.returnCapacity(host, volume, 1), settled),
    backend_item_bytes: bytes,
  };
}

/** A backend as it is stored, with so many open claims. */
function backendItem(host: string, reportedAt: string, open: number): Record<string, unknown> {
  const claim = { attempt: 1, size: 1, claimed_at: reportedAt };
  return {
    host,
    availability_zone: "nova",
    driver: "file",
    disabled: false,
    total_capacity_gb: TOTAL,
    free_capacity_gb: TOTAL,
    allocated_capacity_gb: open,
    provisioned_capacity_gb: open,
    open_claims_gb: open,
    reserved_percentage: 0,
    thin_provisioning_support: true,
    thick_provisioning_support: false,
    capabilities: { volume_backend_name: "pool", storage_protocol: "file", vendor_name: "Cinderless" },
    reported_at: reportedAt,
    claims: Object.fromEntries(Array.from({ length: open }, () => [newId(), claim])),
  };
}
