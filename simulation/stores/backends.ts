import { openClaim, type OpenClaim } from "../../core/claims.ts";
import type {
  BackendReport,
  BackendRepository,
  ClaimLimits,
  ClaimRef,
  Clock,
  OpenCapacity,
  Owner,
} from "../../core/ports.ts";
import { type BackendRecord, type CapacityClaim, RETURNED_CAPACITY } from "../../core/records.ts";

/** A thick backend in service that holds no volume and no claim, with one pool of `columns.total_capacity_gb`. */
export function backendInService(
  columns: Pick<BackendRecord, "host" | "total_capacity_gb" | "free_capacity_gb" | "reported_at"> &
    Partial<BackendRecord>,
): BackendRecord {
  return {
    availability_zone: "nova",
    driver: "file",
    disabled: false,
    allocated_capacity_gb: 0,
    provisioned_capacity_gb: 0,
    reserved_percentage: 0,
    max_over_subscription_ratio: null,
    thin_provisioning_support: false,
    thick_provisioning_support: true,
    capabilities: {},
    claims: {},
    ...columns,
  };
}

/** Backends in memory, under the contract of the port: a claim is counted once, and settled or given back once. */
export class BackendsFake implements BackendRepository {
  readonly records = new Map<string, BackendRecord>();
  /** Every claim that was settled or released, as `settle|release host volume attempt`. */
  readonly closed: string[] = [];
  readonly #clock: Clock;
  readonly #givenBack = new Set<string>();
  readonly #everClaimed = new Map<string, number>();

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
    const held = found?.claims[owner.volumeId];
    if (found === undefined || held?.attempt === owner.attempt) {
      return structuredClone(found);
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
    const claimedAt = this.#clock.now().toISOString();
    if (held !== undefined) {
      found.claims[`${owner.volumeId}#${held.attempt}`] = held;
    }
    found.claims[owner.volumeId] = { attempt: owner.attempt, size, claimed_at: claimedAt };
    this.#givenBack.delete(nameOf(backend.host, { key: owner.volumeId, attempt: owner.attempt, claimedAt }));
    addCapacity(found, size);
    this.#everClaimed.set(backend.host, (this.#everClaimed.get(backend.host) ?? 0) + size);
    return structuredClone(found);
  }

  async claimOf(host: string, key: string, attempt: number): Promise<CapacityClaim | undefined> {
    return structuredClone(this.#claimsOf(host, key).find(([, claim]) => claim.attempt === attempt)?.[1]);
  }

  async openClaims(host: string, before?: Date): Promise<OpenClaim[]> {
    return Object.entries(this.records.get(host)?.claims ?? {})
      .filter(([, { claimed_at: at }]) => before === undefined || at < before.toISOString())
      .map(([name, claim]) => openClaim(host, keyIn(name), structuredClone(claim)));
  }

  async settle(host: string, ref: ClaimRef): Promise<void> {
    const [name = "", claim] = this.#find(host, ref) ?? [];
    if (claim !== undefined) {
      this.closed.push(`settle ${host} ${ref.key} ${claim.attempt}`);
      delete this.records.get(host)?.claims[name];
    }
  }

  async settleUnsent(host: string, ref: ClaimRef): Promise<void> {
    const [, claim] = this.#find(host, ref) ?? [];
    if (claim !== undefined) {
      claim.size = 0;
    }
  }

  async release(host: string, ref: ClaimRef): Promise<void> {
    const found = this.records.get(host);
    const [name = "", claim] = this.#find(host, ref) ?? [];
    if (found !== undefined && claim !== undefined) {
      this.closed.push(`release ${host} ${ref.key} ${claim.attempt}`);
      addCapacity(found, -claim.size);
      delete found.claims[name];
      this.#givenBack.add(nameOf(host, ref));
    }
  }

  async returnCapacity(host: string, ref: ClaimRef, size: number, suspectedOrphan = false): Promise<void> {
    const found = this.records.get(host);
    if (found === undefined) {
      return;
    }
    await this.settle(host, ref);
    if (!(await this.isGivenBack(host, ref))) {
      this.#givenBack.add(nameOf(host, ref));
      found.allocated_capacity_gb -= size;
      found.provisioned_capacity_gb -= size;
    }
    if (suspectedOrphan) {
      const mark = { attempt: RETURNED_CAPACITY, size: 0, claimed_at: this.#clock.now().toISOString() };
      found.claims[ref.key] = { ...mark, suspected_orphan: true };
    }
  }

  async isGivenBack(host: string, ref: ClaimRef): Promise<boolean> {
    return this.#givenBack.has(nameOf(host, ref));
  }

  async tidy(): Promise<void> {}

  #claimsOf(host: string, key: string): [string, CapacityClaim][] {
    return Object.entries(this.records.get(host)?.claims ?? {}).filter(([name]) => keyIn(name) === key);
  }

  #find(host: string, { key, attempt, claimedAt }: ClaimRef): [string, CapacityClaim] | undefined {
    return this.#claimsOf(host, key).find(([, one]) => one.attempt === attempt && one.claimed_at === claimedAt);
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

  async openCapacity(host: string): Promise<OpenCapacity> {
    const openGib = Object.values(this.records.get(host)?.claims ?? {}).reduce((sum, { size }) => sum + size, 0);
    return { openGib, everClaimedGib: this.#everClaimed.get(host) ?? 0 };
  }

  async report(report: BackendReport, claimed?: OpenCapacity): Promise<void> {
    const found = this.records.get(report.host);
    const { openGib, everClaimedGib } = claimed ?? (await this.openCapacity(report.host));
    const open = openGib + (this.#everClaimed.get(report.host) ?? 0) - everClaimedGib;
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

/** A claim is kept under its key, and under a name that begins with it once there is a newer one. */
function keyIn(name: string): string {
  return name.split("#")[0] ?? "";
}

function nameOf(host: string, { key, attempt, claimedAt }: ClaimRef): string {
  return `${host} ${key} ${attempt} ${claimedAt}`;
}

function addCapacity(backend: BackendRecord, size: number): void {
  backend.allocated_capacity_gb += size;
  backend.provisioned_capacity_gb += size;
  if (typeof backend.free_capacity_gb === "number") {
    backend.free_capacity_gb -= size;
  }
}
