import { QueryCommand, ScanCommand, type QueryCommandInput, type ScanCommandInput } from "@aws-sdk/client-dynamodb";
import { InvalidInput } from "../../core/errors.ts";
import type { Page } from "../../core/ports.ts";
import type { Item, Table } from "./table.ts";

/**
 * Pages of a listing. The token that names where a page ends is the key of its last item, as JSON in base64url: opaque to
 * callers, and checked when it comes back, because it comes back from outside.
 */

/** Most items that one request of a filtered scan looks at: below DynamoDB's own bound of 1 MiB for the records of this flow. */
const LARGEST_REQUEST = 1_000;

/** A filter on a scan. */
export type ScanFilter = Pick<
  ScanCommandInput,
  "FilterExpression" | "ExpressionAttributeNames" | "ExpressionAttributeValues"
>;

/**
 * The next `limit` items of a table that a filter lets through, reading on until there are so many or the table ends.
 *
 * @throws InvalidInput when the limit or the token is invalid.
 */
export async function scanPage(table: Table, limit: number, from?: string, filter?: ScanFilter): Promise<Page<Item>> {
  checkLimit(limit);
  const keyAttributes = table.sortKey === undefined ? [table.key] : [table.key, table.sortKey];
  const read = (start: Item | undefined, missing: number) =>
    table.client
      .send(
        new ScanCommand({
          TableName: table.tableName,
          Limit: filter === undefined ? missing : LARGEST_REQUEST,
          ...startOf(start),
          ...filter,
        }),
      )
      .catch(tokenError(from));
  const { items, next } = await readOn(read, limit, from === undefined ? undefined : decodeToken(from, keyAttributes));
  if (items.length > limit) {
    items.length = limit;
    return { items, next: encodeToken(keyOf(items[limit - 1], keyAttributes)) };
  }
  return next === undefined ? { items } : { items, next: encodeToken(next) };
}

/** Every item of a table that a filter lets through, read consistently. For small tables. */
export async function scanAll(table: Table, filter?: ScanFilter): Promise<Item[]> {
  const read = (start: Item | undefined) =>
    table.client.send(
      new ScanCommand({ TableName: table.tableName, ConsistentRead: true, ...startOf(start), ...filter }),
    );
  return (await readOn(read, Infinity)).items;
}

/** The first `most` items of a query after `start`, read consistently. */
export async function queryAll(table: Table, query: AllQuery, most = Infinity, start?: Item): Promise<Item[]> {
  const read = (from: Item | undefined, missing: number) =>
    table.client.send(
      new QueryCommand({
        TableName: table.tableName,
        ConsistentRead: true,
        ...query,
        ...(Number.isFinite(missing) && { Limit: missing }),
        ...startOf(from),
      }),
    );
  return (await readOn(read, most, start)).items;
}

/** A query without what {@link queryAll} gives it. */
type AllQuery = Omit<QueryCommandInput, "TableName" | "ConsistentRead" | "Limit" | "ExclusiveStartKey">;

const startOf = (start: Item | undefined) => start !== undefined && { ExclusiveStartKey: start };

type Answer = { Items?: Item[] | undefined; LastEvaluatedKey?: Item | undefined };

/** Reads until there are `most` items or more, or no next page. */
async function readOn(
  read: (start: Item | undefined, missing: number) => Promise<Answer>,
  most: number,
  start?: Item,
): Promise<{ items: Item[]; next: Item | undefined }> {
  const items: Item[] = [];
  let next = start;
  do {
    const { Items = [], LastEvaluatedKey } = await read(next, most - items.length);
    items.push(...Items);
    next = LastEvaluatedKey;
  } while (next !== undefined && items.length < most);
  return { items, next };
}

/** A query of a table or an index: what it asks, and the attributes that make a key of it. */
export type PagedQuery = Pick<
  QueryCommandInput,
  | "IndexName"
  | "KeyConditionExpression"
  | "ExpressionAttributeNames"
  | "ExpressionAttributeValues"
  | "ConsistentRead"
  | "ScanIndexForward"
> & {
  keyAttributes: readonly string[];
};

/**
 * The next `limit` items of a query, in its order. A global index is eventually consistent.
 *
 * @throws InvalidInput when the limit or the token is invalid.
 */
export async function queryPage(table: Table, query: PagedQuery, limit: number, from?: string): Promise<Page<Item>> {
  checkLimit(limit);
  const { keyAttributes, ...input } = query;
  const read = (start: Item | undefined, missing: number) =>
    table.client
      .send(new QueryCommand({ TableName: table.tableName, ...input, Limit: missing, ...startOf(start) }))
      .catch(tokenError(from));
  const { items, next } = await readOn(read, limit, from === undefined ? undefined : decodeToken(from, keyAttributes));
  return next === undefined ? { items } : { items, next: encodeToken(next) };
}

const INVALID_TOKEN = "invalid page token: take the one that the page before gave, and ask for the same listing";

/** A token may have the form of one and lead nowhere in this listing: DynamoDB then refuses the key that it holds. */
function tokenError(token: string | undefined): (error: unknown) => never {
  return (error) => {
    const isRefused = error instanceof Error && error.name === "ValidationException" && token !== undefined;
    throw isRefused ? new InvalidInput(INVALID_TOKEN) : error;
  };
}

function checkLimit(limit: number): void {
  if (!Number.isSafeInteger(limit) || limit < 1) {
    throw new InvalidInput(`limit must be a positive integer, not ${limit}`);
  }
}

function keyOf(item: Item | undefined, attributes: readonly string[]): Item {
  const entries = attributes.map((name) => [name, item?.[name]] as const);
  return Object.fromEntries(
    entries.filter((entry): entry is [string, NonNullable<(typeof entry)[1]>] => entry[1] !== undefined),
  );
}

/** All keys here are strings, so a token holds them plainly. */
function encodeToken(key: Item): string {
  const plain = Object.fromEntries(Object.entries(key).map(([name, value]) => [name, value.S]));
  return Buffer.from(JSON.stringify(plain)).toString("base64url");
}

function decodeToken(token: string, attributes: readonly string[]): Item {
  let plain: unknown;
  try {
    plain = JSON.parse(Buffer.from(token, "base64url").toString("utf8"));
  } catch {
    plain = undefined;
  }
  if (typeof plain !== "object" || plain === null || Object.keys(plain).length !== attributes.length) {
    throw new InvalidInput(INVALID_TOKEN);
  }
  const values = plain as Record<string, unknown>;
  return Object.fromEntries(
    attributes.map((name) => {
      const value = Object.hasOwn(values, name) ? values[name] : undefined;
      if (typeof value !== "string" || value === "") {
        throw new InvalidInput(INVALID_TOKEN);
      }
      return [name, { S: value }];
    }),
  );
}
