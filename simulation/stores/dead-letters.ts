import { DEAD_LETTERS, DynamoDbDeadLetterRepository } from "../../adapters/dynamodb/dead-letter-repository.ts";
import { toItem } from "../../adapters/dynamodb/table.ts";
import type { DeadLetterRecord } from "../../core/dead-letters/dead-letters.ts";
import { InMemoryDynamoDb } from "../dynamodb/in-memory-dynamodb.ts";
import { RecordsView } from "../dynamodb/records-view.ts";
import { TABLES } from "../dynamodb/tables.ts";

/** Dead letters in memory. */
export class DeadLettersFake extends DynamoDbDeadLetterRepository {
  readonly records: RecordsView<DeadLetterRecord>;

  constructor(store = new InMemoryDynamoDb(TABLES)) {
    super({ client: store.client, tableName: "dead_letters" });
    this.records = new RecordsView(store.table("dead_letters"), { toItem, read: DEAD_LETTERS.read });
  }
}
