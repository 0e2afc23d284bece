import { DeleteItemCommand } from "@aws-sdk/client-dynamodb";
import type { DeadLetterRecord } from "../../core/dead-letters/dead-letters.ts";
import type { DeadLetterRepository, Page } from "../../core/ports.ts";
import { scanPage } from "./paging.ts";
import { pageOf, readerOf } from "./reading.ts";
import { find, statement, toItem, tryCreate, tryUpdate, type Table, type TableOptions } from "./table.ts";

const BEGIN_REDRIVE = statement("SET #redrive_fence = :redrive_fence", "attribute_exists(#id)");

const MARK_REDRIVEN = statement("SET #redriven_at = :redriven_at", "attribute_exists(#id)");

/** Dead letters in DynamoDB, which removes them when they have expired. */
export class DynamoDbDeadLetterRepository implements DeadLetterRepository {
  readonly #table: Table;

  constructor({ client, tableName }: Omit<TableOptions, "clock">) {
    this.#table = { client, tableName, key: "id" };
  }

  async keep(letter: DeadLetterRecord): Promise<DeadLetterRecord> {
    if (await tryCreate(this.#table, toItem(letter))) {
      return letter;
    }
    return (await this.get(letter.id)) ?? letter;
  }

  async get(id: string): Promise<DeadLetterRecord | undefined> {
    const item = await find(this.#table, id);
    return item === undefined ? undefined : DEAD_LETTERS.read(item);
  }

  async list(limit: number, from?: string): Promise<Page<DeadLetterRecord>> {
    return pageOf(await scanPage(this.#table, limit, from), DEAD_LETTERS);
  }

  async beginRedrive(id: string, fence: string): Promise<void> {
    await tryUpdate(this.#table, id, BEGIN_REDRIVE, { values: { ":redrive_fence": fence } });
  }

  async markRedriven(id: string, at: Date): Promise<void> {
    await tryUpdate(this.#table, id, MARK_REDRIVEN, { values: { ":redriven_at": at.toISOString() } });
  }

  async discard(id: string): Promise<void> {
    await this.#table.client.send(new DeleteItemCommand({ TableName: this.#table.tableName, Key: { id: { S: id } } }));
  }
}

/** A stored dead letter: what is null is absent. */
type StoredDeadLetter = Omit<DeadLetterRecord, "volume_id" | "redrive_fence" | "redriven_at"> &
  Partial<DeadLetterRecord>;

/** Reads dead letters. */
export const DEAD_LETTERS = readerOf<DeadLetterRecord>(
  "dead letter",
  { id: "text!", volume_id: "text", reason: "text!", body: "text!", redrive_fence: "text" },
  shapeOf,
);

function shapeOf(stored: StoredDeadLetter): DeadLetterRecord {
  return {
    id: stored.id,
    volume_id: stored.volume_id ?? null,
    reason: stored.reason,
    body: stored.body,
    received_count: stored.received_count,
    sent_at: stored.sent_at,
    kept_at: stored.kept_at,
    expires_at: stored.expires_at,
    redrive_fence: stored.redrive_fence ?? null,
    redriven_at: stored.redriven_at ?? null,
  };
}
