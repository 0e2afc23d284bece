import {
  BatchGetItemCommand,
  GetItemCommand,
  ScanCommand,
  type BatchGetItemCommandOutput,
  type GetItemCommandOutput,
  type ScanCommandOutput,
} from "@aws-sdk/client-dynamodb";
import { DynamoDbBackendRepository } from "../../adapters/dynamodb/backend-repository.ts";
import { DynamoDbSnapshotRepository } from "../../adapters/dynamodb/snapshot-repository.ts";
import { type DynamoDb, type Item, toItem } from "../../adapters/dynamodb/table.ts";
import { volumeItem } from "../../adapters/dynamodb/volume-item.ts";
import { DynamoDbVolumeRepository } from "../../adapters/dynamodb/volume-repository.ts";
import type { Clock, Found, Listed, Page, VolumeFilter } from "../../core/ports.ts";
import type { BackendRecord, SnapshotRecord, VolumeRecord } from "../../core/records.ts";
import { BackendsFake } from "../../test/support/fakes/backends.ts";
import { SnapshotsFake } from "../../test/support/fakes/catalogues.ts";
import { VolumesFake } from "../../test/support/fakes/volumes.ts";

/**
 * Records in memory of which some cannot be read. While there is one, the product's own repositories read: from the items of a table, so
 * that a bad item among good ones costs what it costs the product.
 */

/** A number that JavaScript does not have. */
const UNREADABLE_NUMBER = { N: "9007199254740993.5" };

/** Volumes of which those in `unreadable` cannot be read. */
export class StoredVolumes extends VolumesFake {
  readonly #repository: DynamoDbVolumeRepository;

  constructor(clock: Clock) {
    super(clock);
    const items = () =>
      [...this.records.values()].map((record) => spoiled(volumeItem(record), this.unreadable.has(record.id), "size"));
    this.#repository = new DynamoDbVolumeRepository({ client: tableOf("id", items), tableName: "volumes", clock });
  }

  override async get(volumeId: string): Promise<VolumeRecord> {
    return this.unreadable.has(volumeId) ? this.#repository.get(volumeId) : super.get(volumeId);
  }

  override async getMany(volumeIds: readonly string[]): Promise<Found<VolumeRecord>> {
    return this.unreadable.size === 0 ? super.getMany(volumeIds) : this.#repository.getMany(volumeIds);
  }

  override async list(filter: VolumeFilter, limit: number, from?: string): Promise<Page<VolumeRecord>> {
    return this.unreadable.size === 0 || Object.keys(filter).length > 0
      ? super.list(filter, limit, from)
      : this.#repository.list(filter, limit, from);
  }
}

/** Snapshots of which those in `unreadable` cannot be read. */
export class StoredSnapshots extends SnapshotsFake {
  readonly unreadable = new Set<string>();
  readonly #repository: DynamoDbSnapshotRepository;

  constructor() {
    super();
    const items = () =>
      [...this.records.values()].map((record) =>
        spoiled(toItem(record), this.unreadable.has(record.id), "volume_size"),
      );
    this.#repository = new DynamoDbSnapshotRepository({ client: tableOf("id", items), tableName: "snapshots" });
  }

  override async get(snapshotId: string): Promise<SnapshotRecord> {
    return this.unreadable.has(snapshotId) ? this.#repository.get(snapshotId) : super.get(snapshotId);
  }

  override async getMany(snapshotIds: readonly string[]): Promise<Found<SnapshotRecord>> {
    return this.unreadable.size === 0 ? super.getMany(snapshotIds) : this.#repository.getMany(snapshotIds);
  }

  override async list(limit: number, from?: string): Promise<Page<SnapshotRecord>> {
    return this.unreadable.size === 0 ? super.list(limit, from) : this.#repository.list(limit, from);
  }
}

/** Backends of which those in `unreadable` cannot be read. */
export class StoredBackends extends BackendsFake {
  readonly unreadable = new Set<string>();
  readonly #repository: DynamoDbBackendRepository;

  constructor(clock: Clock) {
    super(clock);
    const items = () =>
      [...this.records.values()].map((record) =>
        spoiled(toItem(record), this.unreadable.has(record.host), "reserved_percentage"),
      );
    this.#repository = new DynamoDbBackendRepository({ client: tableOf("host", items), tableName: "backends", clock });
  }

  override async list(): Promise<Listed<BackendRecord>> {
    return this.unreadable.size === 0 ? super.list() : this.#repository.list();
  }

  override async get(host: string): Promise<BackendRecord | undefined> {
    return this.unreadable.has(host) ? this.#repository.get(host) : super.get(host);
  }
}

function spoiled(item: Item, isUnreadable: boolean, column: string): Item {
  return isUnreadable ? { ...item, [column]: UNREADABLE_NUMBER } : item;
}

type Output = Partial<BatchGetItemCommandOutput & GetItemCommandOutput & ScanCommandOutput>;

/** The reads of DynamoDB, as far as the repositories make them: an item by its key, many by their keys, and a scan in pages. */
function tableOf(key: "id" | "host", items: () => Item[]): DynamoDb {
  const keyOf = (item: Item | undefined): string => item?.[key]?.S ?? "";
  const answer = (command: unknown): Output => {
    if (command instanceof GetItemCommand) {
      const found = items().find((item) => keyOf(item) === keyOf(command.input.Key));
      return found === undefined ? {} : { Item: found };
    }
    if (command instanceof BatchGetItemCommand) {
      const [[tableName, request] = ["", undefined]] = Object.entries(command.input.RequestItems ?? {});
      const asked = new Set((request?.Keys ?? []).map(keyOf));
      return { Responses: { [tableName]: items().filter((item) => asked.has(keyOf(item))) } };
    }
    if (command instanceof ScanCommand) {
      const all = items();
      const { ExclusiveStartKey: after, Limit: limit = all.length } = command.input;
      const start = all.findIndex((item) => keyOf(item) === keyOf(after)) + 1;
      const page = all.slice(start, start + limit);
      const isLast = start + limit >= all.length;
      return { Items: page, ...(!isLast && { LastEvaluatedKey: { [key]: { S: keyOf(page.at(-1)) } } }) };
    }
    throw new Error("a table of the fault matrix is only read");
  };
  return { send: (async (command: unknown) => answer(command)) as DynamoDb["send"] };
}
