import { openClaim, type OpenClaim } from "../../core/claims.ts";
import type {
  BackendReport,
  BackendRepository,
  ClaimLimits,
  ClaimRef,
  Clock,
  Listed,
  OpenCapacity,
  Owner,
} from "../../core/ports.ts";
import { type BackendRecord, type CapacityClaim, RETURNED_CAPACITY } from "../../core/records.ts";
import { BackendClaims } from "./backend-claims.ts";
import { BACKENDS, stateOf } from "./backend-item.ts";
import * as statements from "./backend-statements.ts";
import { ClaimItems } from "./claim-items.ts";
import { scanAll } from "./paging.ts";
import { listedOf } from "./reading.ts";
import { find, tryUpdate, type Table, type TableOptions } from "./table.ts";

/** Backends in DynamoDB, with their claims in a second table: see {@link BackendClaims}. */
export class DynamoDbBackendRepository implements BackendRepository {
  readonly #table: Table;
  readonly #items: ClaimItems;
  readonly #claims: BackendClaims;
  readonly #clock: Clock;

  constructor({ client, tableName, claimsTableName, clock }: TableOptions & { claimsTableName: string }) {
    const now = (): Date => clock.now();
    this.#table = { client, tableName, key: "host" };
    this.#items = new ClaimItems(client, claimsTableName, now);
    this.#claims = new BackendClaims(this.#table, this.#items, now);
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

  claim(backend: BackendRecord, owner: Owner, size: number, limits: ClaimLimits): Promise<BackendRecord | undefined> {
    return this.#claims.claim(backend, owner, size, limits);
  }

  claimOf(host: string, key: string, attempt: number): Promise<CapacityClaim | undefined> {
    return this.#claims.claimOf(host, key, attempt);
  }

  async openClaims(host: string, before?: Date): Promise<OpenClaim[]> {
    const { claims } = await this.#claims.open(host, before?.toISOString());
    return claims.map(({ key, claim }) => openClaim(host, key, claim));
  }

  settle(host: string, ref: ClaimRef): Promise<void> {
    return this.#items.settle(host, ref);
  }

  settleUnsent(host: string, ref: ClaimRef): Promise<void> {
    return this.#items.settleUnsent(host, ref);
  }

  release(host: string, ref: ClaimRef): Promise<void> {
    return this.#claims.release(host, ref);
  }

  async returnCapacity(host: string, ref: ClaimRef, size: number, suspectedOrphan = false): Promise<void> {
    if (suspectedOrphan) {
      const mark = { attempt: RETURNED_CAPACITY, size: 0, claimed_at: this.#clock.now().toISOString() };
      await this.#items.enter(host, ref.key, mark);
    }
    await this.#claims.returnCapacity(host, ref, size);
  }

  isGivenBack(host: string, ref: ClaimRef): Promise<boolean> {
    return this.#claims.isGivenBack(host, ref);
  }

  async tidy(host: string): Promise<void> {
    const item = await find(this.#table, host);
    const state = item === undefined ? undefined : stateOf(item);
    if (state !== undefined && Object.keys(state.entries).length > 0) {
      await this.#claims.tidyAll(state);
    }
  }

  async setDisabled(host: string, disabled: boolean, reason: string | null = null): Promise<boolean> {
    const prepared = reason === null ? statements.SET_DISABLED : statements.SET_DISABLED_FOR_REASON;
    const values = { ":disabled": disabled, ...(reason !== null && { ":disabled_reason": reason }) };
    return (await tryUpdate(this.#table, host, prepared, { values })) !== undefined;
  }

  async openCapacity(host: string): Promise<OpenCapacity> {
    const { state, claims } = await this.#claims.open(host);
    const openGib = claims.reduce((sum, { claim }) => sum + claim.size, 0);
    return { openGib, everClaimedGib: state?.claimedGib ?? 0 };
  }

  /**
   * A driver knows nothing of open claims: the report subtracts them from what is free. A claim that is made after they were read is
   * subtracted too, because `claimed_gb` counts all that was ever claimed; one that was read in addition, or closed since, is subtracted once
   * too often until the next report, and never once too little.
   */
  async report(report: BackendReport, claimed?: OpenCapacity): Promise<void> {
    const { host, ...columns } = report;
    const { openGib, everClaimedGib } = claimed ?? (await this.openCapacity(host));
    const { free_capacity_gb: free } = report;
    const isNumber = typeof free === "number";
    const stored = { ...columns, ...(isNumber && { free_capacity_gb: free - openGib + everClaimedGib }) };
    const set = Object.entries(stored).filter(([, value]) => value !== null);
    const removed = Object.keys(columns).filter((column) => columns[column as keyof typeof columns] === null);
    const prepared = statements.report(
      set.map(([column]) => column),
      removed,
      isNumber,
    );
    const values = Object.fromEntries(set.map(([column, value]) => [`:${column}`, value]));
    await tryUpdate(this.#table, host, prepared, { values });
  }
}
