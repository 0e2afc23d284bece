// @ts-nocheck
import { BatchGetItemCommand } from "@aws-sdk/client-dynamodb";
import type { Item, Table } from "./table.ts";

/** Most keys of one BatchGetItem. */
const BATCH_SIZE = 100;

/** How long the first wait for keys that a batch left unread is; each further one is twice as long. */
const UNREAD_KEYS_WAIT_MS = 50;

/** The items that exist among those ids of a table whose key is `id`, read consistently, in no order. */
export async function getItems(table: Table, ids: readonly string[]): Promise<Item[]> {
  const found: Item[] = [];
  let keys = [...new Set(ids)].map((id): Item => ({ id: { S: id } }));
  let waitMs = UNREAD_KEYS_WAIT_MS;
  while (keys.length > 0) {
    const unread = await readBatch(table, keys.slice(0, BATCH_SIZE), found);
    keys = [...unread, ...keys.slice(BATCH_SIZE)];
    if (unread.length > 0) {
      await delay(waitMs);
      waitMs *= 2;
    }
  }
  return found;
}

/** Reads one batch into `found`; returns the keys that the table left unread. */
async function readBatch({ client, tableName }: Table, keys: Item[], found: Item[]): Promise<Item[]> {
  const command = new BatchGetItemCommand({
    RequestItems: { [tableName]: { Keys: keys, ConsistentRead: true } },
  });
  const { Responses, UnprocessedKeys } = await client.send(command);
  found.push(...(Responses?.[tableName] ?? []));
  return UnprocessedKeys?.[tableName]?.Keys ?? [];
}

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}
