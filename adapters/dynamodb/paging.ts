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
  const items: Item[] = [];
  const keyAttributes = table.sortKey === undefined ? [table.key] : [table.key, table.sortKey];
  let start = from === undefined ? undefined : decodeToken(from, keyAttributes);
  do {
    const command = new ScanCommand({
      TableName: table.tableName,
      Limit: filter === undefined ? limit - items.length : LARGEST_REQUEST,
      ...(start !== undefined && { ExclusiveStartKey: start }),
      ...filter,
    });
    const { Items = [], LastEvaluatedKey } = await table.client.send(command).catch(tokenError(from));
    items.push(...Items);
    start = LastEvaluatedKey;
  } while (start !== undefined && items.length < limit);
  if (items.length > limit) {
    items.length = limit;
    start = keyOf(items[limit - 1], keyAttributes);
  }
  return start === undefined ? { items } : { items, next: encodeToken(start) };
}

/** Every item of a table, read consistently. For small tables. */
export async function scanAll(table: Table): Promise<Item[]> {
  const items: Item[] = [];
  let start: Item | undefined;
  do {
    const command = new ScanCommand({
      TableName: table.tableName,
      ConsistentRead: true,
      ...(start !== undefined && { ExclusiveStartKey: start }),
    });
    const { Items = [], LastEvaluatedKey } = await table.client.send(command);
    items.push(...Items);
    start = LastEvaluatedKey;
  } while (start !== undefined);
  return items;
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
  const items: Item[] = [];
  let start = from === undefined ? undefined : decodeToken(from, keyAttributes);
  do {
    const command = new QueryCommand({
      TableName: table.tableName,
      ...input,
      Limit: limit - items.length,
      ...(start !== undefined && { ExclusiveStartKey: start }),
    });
    const { Items = [], LastEvaluatedKey } = await table.client.send(command).catch(tokenError(from));
    items.push(...Items);
    start = LastEvaluatedKey;
  } while (start !== undefined && items.length < limit);
  return start === undefined ? { items } : { items, next: encodeToken(start) };
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
