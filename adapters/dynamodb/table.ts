import {
  GetItemCommand,
  PutItemCommand,
  UpdateItemCommand,
  type AttributeValue,
  type DynamoDBClient,
} from "@aws-sdk/client-dynamodb";
import { marshall } from "@aws-sdk/util-dynamodb";
import type { Clock } from "../../core/ports.ts";
import type { Expendable } from "../../core/requests/record-room.ts";

/**
 * Shared by the repositories: one table with a string key, and writes that are one conditional UpdateItem each. Errors of the SDK
 * (throttling, time-outs, a missing table) pass through under their own names, which the error table routes as uncertain; only a failed
 * condition is an answer.
 */

/** The SDK takes a map with the key `constructor` for an instance of a class, which it refuses unless it may make a map of it. */
const MARSHALLING = { removeUndefinedValues: true, convertClassInstanceToMap: true } as const;

/** The required part of the client. */
export type DynamoDb = Pick<DynamoDBClient, "send">;

/** Dependencies of a repository. The clock stamps `updated_at`. */
export type TableOptions = { client: DynamoDb; tableName: string; clock: Clock };

/** An item as DynamoDB has it. */
export type Item = Record<string, AttributeValue>;

/** One table and the name of its key; the sort key only where pages of the table are read. */
export type Table = {
  client: DynamoDb;
  tableName: string;
  key: "id" | "host" | "project_id" | "source";
  sortKey?: string;
};

/** An update and its condition, which may be empty, with the attribute names and the constants that both use. */
export type Statement = {
  readonly update: string;
  readonly condition: string;
  readonly names: Readonly<Record<string, string>>;
  readonly constants: Item;
  /** Data that a full record drops for the update: see `core/requests/record-room.ts`. */
  readonly makesRoom?: Expendable;
};

/**
 * Names that one expression may give at the call. DynamoDB takes expressions of 4 KiB, so an update that changes more is several.
 *
 * @see https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html (expression length)
 */
export const NAMES_AT_ONCE = 50;

/** A list in slices of at most `size`. */
export function slicesOf<Value>(list: readonly Value[], size: number): Value[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_each, index) =>
    list.slice(index * size, (index + 1) * size),
  );
}

/** An update expression of assignments and of paths to remove; either may be empty. */
export function updateOf(assignments: readonly string[], removed: readonly string[]): string {
  return [
    ...(assignments.length > 0 ? [`SET ${assignments.join(", ")}`] : []),
    ...(removed.length > 0 ? [`REMOVE ${removed.join(", ")}`] : []),
  ].join(" ");
}

/**
 * Prepares an update. Each `#name` in the expressions is the attribute of that name, so that no reserved word can get in the
 * way; names that are known only at the call (the number of an attempt, the id of a volume) are given to {@link tryUpdate}.
 */
export function statement(update: string, condition: string, constants: Record<string, unknown> = {}): Statement {
  const names: Record<string, string> = {};
  for (const [placeholder, name] of `${update} ${condition}`.matchAll(/#(\w+)/g)) {
    if (name !== undefined) {
      names[placeholder] = name;
    }
  }
  return { update, condition, names, constants: marshall(constants, MARSHALLING) };
}

/** A call's additions to its statement. */
export type UpdateArguments = {
  values: Record<string, unknown>;
  names?: Record<string, string>;
  /** The item as it is after the write; without it an empty one is returned. */
  returnItem?: boolean;
};

/** The key of an item: its value, or all of it where a table has a sort key too. */
export type ItemKey = string | Item;

function keyOf({ key }: Table, value: ItemKey): Item {
  return typeof value === "string" ? { [key]: { S: value } } : value;
}

/** Runs an update. Returns undefined, having changed nothing, when its condition failed. */
export async function tryUpdate(
  table: Table,
  key: ItemKey,
  prepared: Statement,
  { values, names, returnItem = false }: UpdateArguments,
): Promise<Item | undefined> {
  const expressionValues = {
    ...prepared.constants,
    ...marshall(values, MARSHALLING),
  };
  const command = new UpdateItemCommand({
    TableName: table.tableName,
    Key: keyOf(table, key),
    UpdateExpression: prepared.update,
    ...(prepared.condition !== "" && { ConditionExpression: prepared.condition }),
    ExpressionAttributeNames: names === undefined ? prepared.names : { ...prepared.names, ...names },
    ...(Object.keys(expressionValues).length > 0 && {
      ExpressionAttributeValues: expressionValues,
    }),
    ReturnValues: returnItem ? "ALL_NEW" : "NONE",
  });
  try {
    const { Attributes } = await table.client.send(command);
    return Attributes ?? {};
  } catch (error) {
    if (isConditionFailure(error)) {
      return undefined;
    }
    throw error;
  }
}

/** Puts an item whose key is free. Returns false, having changed nothing, when it is taken. */
export async function tryCreate(table: Table, item: Item): Promise<boolean> {
  const command = new PutItemCommand({
    TableName: table.tableName,
    Item: item,
    ConditionExpression: "attribute_not_exists(#key)",
    ExpressionAttributeNames: { "#key": table.key },
  });
  try {
    await table.client.send(command);
    return true;
  } catch (error) {
    if (isConditionFailure(error)) {
      return false;
    }
    throw error;
  }
}

/** The item under a key, read consistently. */
export async function find(table: Table, key: ItemKey): Promise<Item | undefined> {
  const command = new GetItemCommand({
    TableName: table.tableName,
    Key: keyOf(table, key),
    ConsistentRead: true,
  });
  return (await table.client.send(command)).Item;
}

/** Marshals a record without null values: an absent attribute reads back as null, and an index holds no nulls. */
export function toItem(record: Record<string, unknown>): Item {
  return marshall(Object.fromEntries(Object.entries(record).filter(([, value]) => value !== null)), MARSHALLING);
}

/** Whether the condition of a write failed: nothing was changed. */
export function isConditionFailure(error: unknown): boolean {
  return error instanceof Error && error.name === "ConditionalCheckFailedException";
}

/** Whether an update named a path whose parent map the item does not have: nothing was changed. */
export function isMissingPath(error: unknown): boolean {
  return error instanceof Error && error.name === "ValidationException" && error.message.includes("document path");
}

/** Whether a write would have made its item larger than DynamoDB takes: nothing was changed. */
export function isTooLarge(error: unknown): boolean {
  return (
    error instanceof Error &&
    error.name === "ValidationException" &&
    /item size.* has exceeded the maximum allowed size/i.test(error.message)
  );
}
