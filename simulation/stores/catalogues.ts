import { DynamoDbSnapshotRepository, snapshotItem, SNAPSHOTS } from "../../adapters/dynamodb/snapshot-repository.ts";
import { toItem } from "../../adapters/dynamodb/table.ts";
import { DynamoDbVolumeTypeRepository, VOLUME_TYPES } from "../../adapters/dynamodb/volume-type-repository.ts";
import type { SnapshotRecord, VolumeTypeRecord } from "../../core/records.ts";
import { InMemoryDynamoDb } from "../dynamodb/in-memory-dynamodb.ts";
import { RecordsView } from "../dynamodb/records-view.ts";
import { TABLES } from "../dynamodb/tables.ts";

/** Snapshots in memory. */
export class SnapshotsFake extends DynamoDbSnapshotRepository {
  readonly records: RecordsView<SnapshotRecord>;
  /** Ids of records that are there and cannot be read. */
  readonly unreadable: RecordsView<SnapshotRecord>["unreadable"];

  constructor(store = new InMemoryDynamoDb(TABLES)) {
    super({ client: store.client, tableName: "snapshots" });
    this.records = new RecordsView(store.table("snapshots"), {
      toItem: snapshotItem,
      read: SNAPSHOTS.read,
      number: "volume_size",
    });
    this.unreadable = this.records.unreadable;
  }
}

/** Volume types in memory. */
export class VolumeTypesFake extends DynamoDbVolumeTypeRepository {
  readonly records: RecordsView<VolumeTypeRecord>;

  constructor(store = new InMemoryDynamoDb(TABLES)) {
    super({ client: store.client, tableName: "volume_types" });
    this.records = new RecordsView(store.table("volume_types"), { toItem, read: VOLUME_TYPES.read });
  }
}
