import { BatchGetItemCommand, type KeysAndAttributes } from "@aws-sdk/client-dynamodb";
import { slicesOf, type Item, type Table } from "./table.ts";

/** Most keys of one BatchGetItem. */
const BATCH_SIZE = 100;

/** How long the first wait for keys that a batch left unread is; each further one is twice as long. */
const UNREAD_KEYS_WAIT_MS = 50;

/** Batches that are read at once: a page of 1,000 volumes takes the time of one. */
const BATCHES_AT_ONCE = 10;

/**
 * The items that exist among those ids of a table whose key is `id`, read consistently, in no order.
 *
 * @param columns the only attributes to read; all without them
 */
export function getItems(table: Table, ids: readonly string[], columns?: readonly string[]): Promise<Item[]> {
  return readItems(
    table,
    [...new Set(ids)].map((id) => ({ id: { S: id } })),
    columns,
  );
}

/** The items that exist among those keys, which must differ, read consistently, in no order. @param columns as of {@link getItems} */
export async function readItems(table: Table, all: readonly Item[], columns?: readonly string[]): Promise<Item[]> {
  const found: Item[] = [];
  const asked = { ConsistentRead: true, ...(columns !== undefined && projectionOf(columns)) };
  for (const batches of slicesOf(slicesOf(all, BATCH_SIZE), BATCHES_AT_ONCE)) {
    await Promise.all(batches.map((batch) => readAll(table, { ...asked, Keys: batch }, found)));
  }
  return found;
}

function projectionOf(
  columns: readonly string[],
): Pick<KeysAndAttributes, "ProjectionExpression" | "ExpressionAttributeNames"> {
  return {
    ProjectionExpression: columns.map((column) => `#${column}`).join(", "),
    ExpressionAttributeNames: Object.fromEntries(columns.map((column) => [`#${column}`, column])),
  };
}

/** A batch, with what is read of each item. */
type Asked = KeysAndAttributes & { Keys: Item[] };

/** Reads a batch until the table has left no key unread. */
async function readAll(table: Table, asked: Asked, found: Item[]): Promise<void> {
  let unread = await readBatch(table, asked, found);
  for (let waitMs = UNREAD_KEYS_WAIT_MS; unread.length > 0; waitMs *= 2) {
    await delay(waitMs);
    unread = await readBatch(table, { ...asked, Keys: unread }, found);
  }
}

/** Reads one batch into `found`; returns the keys that the table left unread. */
async function readBatch({ client, tableName }: Table, asked: Asked, found: Item[]): Promise<Item[]> {
  const command = new BatchGetItemCommand({ RequestItems: { [tableName]: asked } });
  const { Responses, UnprocessedKeys } = await client.send(command);
  found.push(...(Responses?.[tableName] ?? []));
  return UnprocessedKeys?.[tableName]?.Keys ?? [];
}

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}
