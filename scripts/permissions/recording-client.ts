import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import type { DynamoDb } from "../../adapters/dynamodb/table.ts";
import { requestAttributes, type WriteInput } from "./request-attributes.ts";

/** One request that a repository made: the table, the action, and the attributes that a write names, or the index of a query (empty: the table). */
export type RecordedRequest = { tableName: string; action: string; attributes: string[] };

/** Answers of the table: it accepts each write, refuses each, lacks the path of the first, or has no room for the first. */
export type Temper = "takes" | "refuses" | "misses a path" | "is full";

/** More than an item may have, so that everything optional is dropped. */
const PADDING = { S: "x".repeat(1_000_000) };

/** A repository that continues after this many refusals would never end. */
const MOST_REQUESTS = 12;

/** Ends a repository's loop. */
export class EnoughRequests extends Error {
  override readonly name = "EnoughRequests";
}

/** A client that records its requests and always answers with the same item. */
export function recordingClient(
  temper: Temper,
  item: Record<string, AttributeValue> | undefined,
  requests: RecordedRequest[],
): DynamoDb {
  let made = 0;
  let missed = false;
  const answer = (command: { constructor: { name: string }; input: WriteInput }): unknown => {
    const action = command.constructor.name.replace(/Command$/, "");
    const isWrite = ["UpdateItem", "PutItem", "DeleteItem"].includes(action);
    const queried = action === "Query" ? [command.input.IndexName ?? ""] : [];
    const tableName = tableOf(command.input as TableInput);
    requests.push({ tableName, action, attributes: isWrite ? requestAttributes(command.input) : queried });
    made += 1;
    if (made > MOST_REQUESTS) {
      throw new EnoughRequests();
    }
    if (isWrite && temper === "refuses") {
      throw failure("ConditionalCheckFailedException", "The conditional request failed");
    }
    if (action === "UpdateItem" && temper === "misses a path" && !missed) {
      missed = true;
      throw failure("ValidationException", "The document path provided in the update expression is invalid for update");
    }
    if (action === "UpdateItem" && temper === "is full" && !missed) {
      missed = true;
      throw failure("ValidationException", "Item size to update has exceeded the maximum allowed size");
    }
    const answered = temper === "is full" ? { ...item, padding: PADDING } : item;
    return item === undefined
      ? {}
      : { Attributes: answered, Item: answered, Items: [item], Responses: { [tableName]: [item] } };
  };
  const send = async (command: unknown): Promise<unknown> => answer(command as Parameters<typeof answer>[0]);
  return { send: send as DynamoDb["send"] };
}

type TableInput = { TableName?: string | undefined; RequestItems?: Record<string, unknown> | undefined };

function tableOf(input: TableInput): string {
  return input.TableName ?? Object.keys(input.RequestItems ?? {})[0] ?? "";
}

function failure(name: string, message: string): Error {
  return Object.assign(new Error(message), { name });
}
