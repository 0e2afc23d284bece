import { DynamoDbVolumeRepository } from "../../adapters/dynamodb/volume-repository.ts";
import { readVolume, volumeItem } from "../../adapters/dynamodb/volume-item.ts";
import type { Clock } from "../../core/ports.ts";
import type { VolumeRecord } from "../../core/records.ts";
import { InMemoryDynamoDb } from "../dynamodb/in-memory-dynamodb.ts";
import { RecordsView } from "../dynamodb/records-view.ts";
import { TABLES } from "../dynamodb/tables.ts";

/** Volumes in memory. */
export class VolumesFake extends DynamoDbVolumeRepository {
  readonly records: RecordsView<VolumeRecord>;
  /** Ids of records that are there and cannot be read. */
  readonly unreadable: RecordsView<VolumeRecord>["unreadable"];

  constructor(clock: Clock, store = new InMemoryDynamoDb(TABLES)) {
    super({ client: store.client, tableName: "volumes", clock });
    this.records = new RecordsView(store.table("volumes"), { toItem: volumeItem, read: readVolume });
    this.unreadable = this.records.unreadable;
  }
}
