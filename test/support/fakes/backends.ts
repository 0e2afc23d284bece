import type { BackendReport, BackendRepository, ClaimLimits, ClaimOwner, Clock, Owner } from "../../../core/ports.ts";
import { type BackendRecord, RETURNED_CAPACITY } from "../../../core/records.ts";

/** Backends in memory, under the contract of the port: a claim is counted once, and settled or given back once. */
export class BackendsFake implements BackendRepository {
  readonly records = new Map<string, BackendRecord>();
  /** Every claim that was settled or released, as `settle|release host volume attempt`. */
  readonly closed: string[] = [];
  readonly #clock: Clock;
  #unaskedReturns = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async list(): Promise<BackendRecord[]> {
    const backends = structuredClone([...this.records.values()]);
    return backends.toSorted((one, other) => (one.host < other.host ? -1 : 1));
  }

  async get(host: string): Promise<BackendRecord | undefined> {
    return structuredClone(this.records.get(host));
  }

  async claim(
    backend: BackendRecord,
    owner: Owner,
    size: number,
    limits: ClaimLimits,
  ): Promise<BackendRecord | undefined> {
    const found = this.records.get(backend.host);
    const claim = found?.claims[owner.volumeId];
    if (found === undefined || claim !== undefined) {
      return claim?.attempt === owner.attempt ? structuredClone(found) : undefined;
    }
    const { maxProvisionedCapacityGb, minFreeCapacityGb } = limits;
    const fits =
      !found.disabled &&
      found.reported_at === backend.reported_at &&
      found.provisioned_capacity_gb <= (maxProvisionedCapacityGb ?? Infinity) &&
      (minFreeCapacityGb === null || Number(found.free_capacity_gb) >= minFreeCapacityGb);
    if (!fits) {
      return undefined;
    }
    found.claims[owner.volumeId] = { attempt: owner.attempt, size, claimed_at: this.#clock.now().toISOString() };
    addCapacity(found, size);
    return structuredClone(found);
  }

  async settle(host: string, volumeId: string, claimedAt?: string): Promise<void> {
    const claim = this.records.get(host)?.claims[volumeId];
    if (
      claim !== undefined &&
      claim.attempt > RETURNED_CAPACITY &&
      (claimedAt ?? claim.claimed_at) === claim.claimed_at
    ) {
      this.closed.push(`settle ${host} ${volumeId} ${claim.attempt}`);
      delete this.records.get(host)?.claims[volumeId];
    }
  }

  async settleUnsent(host: string, volumeId: string, claimedAt: string): Promise<void> {
    const claim = this.records.get(host)?.claims[volumeId];
    if (claim !== undefined && claim.attempt > RETURNED_CAPACITY && claim.claimed_at === claimedAt) {
      claim.size = 0;
    }
  }

  async release(host: string, owner: ClaimOwner, claimedAt?: string): Promise<void> {
    const found = this.records.get(host);
    const claim = found?.claims[owner.volumeId];
    if (found === undefined || claim?.attempt !== owner.attempt || claim.attempt === RETURNED_CAPACITY) {
      return;
    }
    if (claimedAt !== undefined && claim.claimed_at !== claimedAt) {
      return;
    }
    this.closed.push(`release ${host} ${owner.volumeId} ${claim.attempt}`);
    addCapacity(found, -claim.size);
    delete found.claims[owner.volumeId];
  }

  async returnCapacity(host: string, volumeId: string, size: number, suspectedOrphan = false): Promise<void> {
    await this.settle(host, volumeId);
    const found = this.records.get(host);
    if (found === undefined || found.claims[volumeId] !== undefined) {
      return;
    }
    found.claims[volumeId] = {
      attempt: RETURNED_CAPACITY,
      size: 0,
      claimed_at: this.#clock.now().toISOString(),
      ...(suspectedOrphan && { suspected_orphan: true }),
    };
    found.allocated_capacity_gb -= size;
    found.provisioned_capacity_gb -= size;
  }

  async returnUnasked(
    host: string,
    volumeId: string,
    size: number,
    isStillThere: () => Promise<boolean>,
  ): Promise<void> {
    for (;;) {
      const seen = this.#unaskedReturns;
      const found = this.records.get(host);
      if (found === undefined || found.claims[volumeId] !== undefined || !(await isStillThere())) {
        return;
      }
      if (seen === this.#unaskedReturns) {
        this.#unaskedReturns += 1;
        await this.returnCapacity(host, volumeId, size);
        return;
      }
    }
  }

  async setDisabled(host: string, disabled: boolean, reason: string | null = null): Promise<boolean> {
    const { disabled_reason: _before, ...found } = this.records.get(host) ?? {};
    if (!this.records.has(host)) {
      return false;
    }
    const record = { ...found, disabled, ...(reason !== null && { disabled_reason: reason }) } as BackendRecord;
    this.records.set(host, record);
    return true;
  }

  async forgetReturned(host: string, volumeId: string): Promise<void> {
    const found = this.records.get(host);
    if (found?.claims[volumeId]?.attempt === RETURNED_CAPACITY) {
      delete found.claims[volumeId];
    }
  }

  async report(report: BackendReport): Promise<void> {
    const found = this.records.get(report.host);
    const open = Object.values(found?.claims ?? {}).reduce((sum, { size }) => sum + size, 0);
    const { free_capacity_gb: free } = report;
    this.records.set(report.host, {
      ...structuredClone(report),
      free_capacity_gb: typeof free === "number" ? free - open : free,
      allocated_capacity_gb: found?.allocated_capacity_gb ?? 0,
      provisioned_capacity_gb: found?.provisioned_capacity_gb ?? 0,
      disabled: found?.disabled ?? false,
      claims: found?.claims ?? {},
    });
  }
}

function addCapacity(backend: BackendRecord, size: number): void {
  backend.allocated_capacity_gb += size;
  backend.provisioned_capacity_gb += size;
  if (typeof backend.free_capacity_gb === "number") {
    backend.free_capacity_gb -= size;
  }
}
