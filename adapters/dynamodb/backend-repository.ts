import type {
  BackendReport,
  BackendRepository,
  ClaimLimits,
  ClaimOwner,
  Clock,
  Listed,
  Owner,
} from "../../core/ports.ts";
import { type BackendRecord, type CapacityClaim, RETURNED_CAPACITY } from "../../core/records.ts";
import * as statements from "./backend-statements.ts";
import { scanAll } from "./paging.ts";
import { listedOf, readerOf } from "./reading.ts";
import { find, tryUpdate, type Table, type TableOptions } from "./table.ts";

/**
 * Backends in DynamoDB. Each claim is an entry of its backend's own item, so that the entry and the sums change in one write or
 * not at all: an entry that is there was counted, one that is gone is settled or given back, and a repeat finds it so.
 *
 * `open_claims_gb` on the item is the sum of the open claims. A report, which knows nothing of them, subtracts it in its own
 * write, so reports and claims need not wait for each other.
 */
export class DynamoDbBackendRepository implements BackendRepository {
  readonly #table: Table;
  readonly #clock: Clock;

  constructor({ client, tableName, clock }: TableOptions) {
    this.#table = { client, tableName, key: "host" };
    this.#clock = clock;
  }

  async list(): Promise<Listed<BackendRecord>> {
    const { records, unreadable } = BACKENDS.readEach(await scanAll(this.#table));
    return listedOf(
      records.toSorted((one, other) => (one.host < other.host ? -1 : 1)),
      unreadable,
    );
  }

  async get(host: string): Promise<BackendRecord | undefined> {
    const item = await find(this.#table, host);
    return item === undefined ? undefined : BACKENDS.read(item);
  }

  async claim(
    backend: BackendRecord,
    owner: Owner,
    size: number,
    limits: ClaimLimits,
  ): Promise<BackendRecord | undefined> {
    const { maxProvisionedCapacityGb, minFreeCapacityGb } = limits;
    const prepared = statements.claim({
      countsFree: typeof backend.free_capacity_gb === "number",
      boundsProvisioned: maxProvisionedCapacityGb !== null,
      boundsFree: minFreeCapacityGb !== null,
    });
    const claim: CapacityClaim = {
      attempt: owner.attempt,
      size,
      claimed_at: this.#clock.now().toISOString(),
    };
    const claimed = await tryUpdate(this.#table, backend.host, prepared, {
      values: {
        ":claim": claim,
        ":size": size,
        ":reported_at": backend.reported_at,
        ...(maxProvisionedCapacityGb !== null && { ":max_provisioned": maxProvisionedCapacityGb }),
        ...(minFreeCapacityGb !== null && { ":min_free": minFreeCapacityGb }),
      },
      names: { "#volume": owner.volumeId },
      returnItem: true,
    });
    if (claimed !== undefined) {
      return BACKENDS.read(claimed);
    }
    const found = await this.get(backend.host);
    return found?.claims[owner.volumeId]?.attempt === owner.attempt ? found : undefined;
  }

  async settle(host: string, volumeId: string, claimedAt?: string): Promise<void> {
    const prepared = claimedAt === undefined ? statements.SETTLE : statements.SETTLE_MADE_THEN;
    await tryUpdate(this.#table, host, prepared, {
      values: { ":claimed_at": claimedAt },
      names: { "#volume": volumeId },
    });
  }

  async settleUnsent(host: string, volumeId: string, claimedAt: string): Promise<void> {
    await tryUpdate(this.#table, host, statements.SETTLE_UNSENT, {
      values: { ":claimed_at": claimedAt },
      names: { "#volume": volumeId },
    });
  }

  /** Reads first, because only the backend's own figures show what the claim was taken from; after a report in between it starts over. */
  async release(host: string, owner: ClaimOwner, claimedAt?: string): Promise<void> {
    for (;;) {
      const backend = await this.get(host);
      const claim = backend?.claims[owner.volumeId];
      if (backend === undefined || claim?.attempt !== owner.attempt || claim.attempt === RETURNED_CAPACITY) {
        return;
      }
      if (claimedAt !== undefined && claim.claimed_at !== claimedAt) {
        return;
      }
      const released = await tryUpdate(
        this.#table,
        host,
        statements.release(typeof backend.free_capacity_gb === "number", claimedAt !== undefined),
        {
          values: { ":attempt": owner.attempt, ":reported_at": backend.reported_at, ":claimed_at": claimedAt },
          names: { "#volume": owner.volumeId },
        },
      );
      if (released !== undefined) {
        return;
      }
    }
  }

  /** A claim that is still open is settled first; exactly its capacity is given back. */
  async returnCapacity(host: string, volumeId: string, size: number, suspectedOrphan = false): Promise<void> {
    const mark = this.#mark(suspectedOrphan);
    const names = { "#volume": volumeId };
    for (;;) {
      await this.settle(host, volumeId);
      const values = { ":mark": mark, ":size": size };
      if ((await tryUpdate(this.#table, host, statements.RETURN_CAPACITY, { values, names })) !== undefined) {
        return;
      }
      const claim = (await this.get(host))?.claims[volumeId];
      if (claim === undefined || claim.attempt === RETURNED_CAPACITY) {
        return;
      }
    }
  }

  async returnUnasked(
    host: string,
    volumeId: string,
    size: number,
    isStillThere: () => Promise<boolean>,
  ): Promise<void> {
    for (;;) {
      const item = await find(this.#table, host);
      if (item === undefined || BACKENDS.read(item).claims[volumeId] !== undefined || !(await isStillThere())) {
        return;
      }
      const returns = item["returns"]?.N;
      const values = {
        ":mark": this.#mark(false),
        ":size": size,
        ":returns": returns === undefined ? undefined : Number(returns),
        ":next_returns": Number(returns ?? 0) + 1,
      };
      const prepared = statements.returnUnasked(returns === undefined);
      if ((await tryUpdate(this.#table, host, prepared, { values, names: { "#volume": volumeId } })) !== undefined) {
        return;
      }
    }
  }

  #mark(suspectedOrphan: boolean): CapacityClaim {
    return {
      attempt: RETURNED_CAPACITY,
      size: 0,
      claimed_at: this.#clock.now().toISOString(),
      ...(suspectedOrphan && { suspected_orphan: true }),
    };
  }

  async setDisabled(host: string, disabled: boolean, reason: string | null = null): Promise<boolean> {
    const prepared = reason === null ? statements.SET_DISABLED : statements.SET_DISABLED_FOR_REASON;
    const values = { ":disabled": disabled, ...(reason !== null && { ":disabled_reason": reason }) };
    return (await tryUpdate(this.#table, host, prepared, { values })) !== undefined;
  }

  async forgetReturned(host: string, volumeId: string): Promise<void> {
    await tryUpdate(this.#table, host, statements.FORGET_RETURNED, {
      values: {},
      names: { "#volume": volumeId },
    });
  }

  async report(report: BackendReport): Promise<void> {
    const { host, ...columns } = report;
    const set = Object.entries(columns).filter(([, value]) => value !== null);
    const removed = Object.keys(columns).filter((column) => columns[column as keyof typeof columns] === null);
    const prepared = statements.report(
      set.map(([column]) => column),
      removed,
      typeof report.free_capacity_gb === "number",
    );
    const values = Object.fromEntries(set.map(([column, value]) => [`:${column}`, value]));
    await tryUpdate(this.#table, host, prepared, { values });
  }
}

/** A stored backend: null values of a report are absent. */
type StoredBackend = Pick<BackendRecord, "host" | "availability_zone" | "driver" | "reported_at"> &
  Partial<BackendRecord>;

const BACKENDS = readerOf<BackendRecord>(
  "backend",
  {
    host: "text",
    availability_zone: "text",
    allocated_capacity_gb: "number",
    provisioned_capacity_gb: "number",
    reserved_percentage: "number",
    reported_at: "text",
    capabilities: "map",
    claims: "maps",
  },
  shapeOf,
  "host",
);

function shapeOf(stored: StoredBackend): BackendRecord {
  return {
    host: stored.host,
    availability_zone: stored.availability_zone,
    driver: stored.driver,
    disabled: stored.disabled ?? false,
    ...(typeof stored.disabled_reason === "string" && { disabled_reason: stored.disabled_reason }),
    total_capacity_gb: stored.total_capacity_gb ?? null,
    free_capacity_gb: stored.free_capacity_gb ?? null,
    allocated_capacity_gb: stored.allocated_capacity_gb ?? 0,
    provisioned_capacity_gb: stored.provisioned_capacity_gb ?? 0,
    reserved_percentage: stored.reserved_percentage ?? 0,
    max_over_subscription_ratio: stored.max_over_subscription_ratio ?? null,
    thin_provisioning_support: stored.thin_provisioning_support ?? false,
    thick_provisioning_support: stored.thick_provisioning_support ?? false,
    capabilities: stored.capabilities ?? {},
    reported_at: stored.reported_at,
    claims: stored.claims ?? {},
  };
}
