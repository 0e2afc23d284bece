import { unmarshall } from "@aws-sdk/util-dynamodb";
import { BACKENDS, type Entry } from "../../adapters/dynamodb/backend-item.ts";
import { DynamoDbBackendRepository } from "../../adapters/dynamodb/backend-repository.ts";
import { claimOfItem, type ClaimItem, keyInName, nameOf, refOf } from "../../adapters/dynamodb/claim-items.ts";
import { toItem } from "../../adapters/dynamodb/table.ts";
import type { Clock } from "../../core/ports.ts";
import type { BackendRecord, CapacityClaim } from "../../core/records.ts";
import { InMemoryDynamoDb } from "../dynamodb/in-memory-dynamodb.ts";
import { RecordsView } from "../dynamodb/records-view.ts";
import { TABLES } from "../dynamodb/tables.ts";

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

/** Backends and their claims in memory. */
export class BackendsFake extends DynamoDbBackendRepository {
  /** The backends' items. Their `claims` are entries that may be closed already: see {@link openOn}. */
  readonly records: RecordsView<BackendRecord>;
  /** Hosts of records that are there and cannot be read. */
  readonly unreadable: RecordsView<BackendRecord>["unreadable"];
  readonly #store: InMemoryDynamoDb;
  /** Open claims by the host's record, as of a version of the claims. */
  #open = { asOf: -1, byRecord: new WeakMap<BackendRecord, ReadonlyMap<string, CapacityClaim>>() };

  constructor(clock: Clock, store = new InMemoryDynamoDb(TABLES)) {
    super({ client: store.client, tableName: "backends", claimsTableName: "claims", clock });
    this.#store = store;
    this.records = new RecordsView(store.table("backends"), {
      // As the first report begins the counts.
      toItem: (record) => toItem({ moves: 0, claimed_gb: 0, ...record }),
      read: BACKENDS.read,
      number: "reserved_percentage",
    });
    this.unreadable = this.records.unreadable;
  }

  /** Grows with every change of a backend or a claim. */
  get version(): number {
    return this.records.version + this.#store.table("claims").version;
  }

  /** The open claims of a backend, by name, without a call of the repository. */
  openOn(host: string): ReadonlyMap<string, CapacityClaim> {
    const record = this.records.get(host);
    if (record === undefined) {
      return new Map();
    }
    const { version: asOf } = this.#store.table("claims");
    if (this.#open.asOf !== asOf) {
      this.#open = { asOf, byRecord: new WeakMap() };
    }
    const found = this.#open.byRecord.get(record) ?? this.#findOpen(record);
    this.#open.byRecord.set(record, found);
    return found;
  }

  /** A backend with the claims that are open, by key; the last one of each key. @throws Error when there is none */
  seen(host: string): BackendRecord {
    const { moves: _moves, ...record } = this.records.get(host) ?? missing(host);
    const claims = [...this.openOn(host)].map(([name, claim]) => [keyInName(name), claim]);
    return { ...record, claims: Object.fromEntries(claims) };
  }

  /** Puts a claim without a call of the repository. The sums do not change. */
  arrangeClaim(host: string, key: string, claim: CapacityClaim): void {
    const { claims } = this.records.get(host) ?? missing(host);
    this.records.change(host, { claims: { ...claims, [key]: claim } });
  }

  /** Every claim that is settled or given back, as `settle|release host key attempt`. */
  get closed(): string[] {
    return [...this.#store.table("claims").items.values()]
      .map((item) => unmarshall(item) as ClaimItem)
      .filter(({ state }) => state !== "open")
      .map(
        ({ host, claim, state }) =>
          `${state === "settled" ? "settle" : "release"} ${host} ${claim.split("#", 2).join(" ")}`,
      );
  }

  #findOpen({ host, claims }: BackendRecord): ReadonlyMap<string, CapacityClaim> {
    const items = [...this.#store.table("claims").items.values()]
      .map((item) => unmarshall(item) as ClaimItem)
      .filter((item) => item.host === host);
    const known = new Map(items.map((item) => [item.claim, item]));
    const entries: [string, Entry][] = Object.entries(claims).map(([key, entry]) => [nameOf(refOf(key, entry)), entry]);
    const open = items.filter(({ state }) => state === "open");
    return new Map([
      ...entries.filter(([name]) => !known.has(name)),
      ...open.map((item): [string, CapacityClaim] => [item.claim, claimOfItem(item)]),
    ]);
  }
}

function missing(host: string): never {
  throw new Error(`there is no backend ${host}`);
}
