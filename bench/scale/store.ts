import { randomUUID } from "node:crypto";
import {
  BatchWriteItemCommand,
  DynamoDBClient,
  GetItemCommand,
  type AttributeValue,
  type ConsumedCapacity,
  type WriteRequest,
} from "@aws-sdk/client-dynamodb";
import { marshall } from "@aws-sdk/util-dynamodb";
import type { LocalCinderless } from "../../local/cinderless.ts";

/** Calls of one client, and the units that they consumed. */
export type Consumed = { calls: number; write: number; read: number };

/** The stack's tables, with a client that adds up what its calls consume. */
export type Store = {
  client: DynamoDBClient;
  tableName(output: string): string;
  /** Runs `work` and returns its consumption. */
  measure(work: () => Promise<unknown>): Promise<Consumed>;
  /** Puts many items at once, past the repositories. */
  fill(table: string, items: readonly Record<string, unknown>[]): Promise<void>;
  /** Bytes of an item as DynamoDB counts them: names and values in UTF-8, 3 for a map or list and 1 for each entry. */
  itemBytes(table: string, key: Record<string, unknown>): Promise<number>;
};

/** Most items of one BatchWriteItem. */
const BATCH = 25;

type Output = { ConsumedCapacity?: ConsumedCapacity | ConsumedCapacity[] };

const READS = new Set(["GetItemCommand", "BatchGetItemCommand", "QueryCommand", "ScanCommand"]);

/** Opens the tables of a stack on the embedded cloud. */
export function openStore({ cloud }: Pick<LocalCinderless, "cloud">): Store {
  const client = new DynamoDBClient({
    endpoint: cloud.endpoints.dynamodb,
    region: "us-east-1",
    credentials: { accessKeyId: "bench", secretAccessKey: "bench" },
  });
  const consumed: Consumed = { calls: 0, write: 0, read: 0 };
  client.middlewareStack.add(
    (next, { commandName = "" }) =>
      async (args) => {
        Object.assign(args.input, { ReturnConsumedCapacity: "TOTAL" });
        const answer = await next(args);
        const units = [(answer.output as Output).ConsumedCapacity ?? []].flat();
        consumed.calls += 1;
        consumed[READS.has(commandName) ? "read" : "write"] += units.reduce(
          (sum, each) => sum + (each.CapacityUnits ?? 0),
          0,
        );
        return answer;
      },
    { step: "initialize", name: "consumed" },
  );
  const tableName = (output: string): string => {
    const name = cloud.outputs[output];
    if (name === undefined) {
      throw new Error(`the stack has no output ${output}`);
    }
    return name;
  };
  return {
    client,
    tableName,
    measure: async (work) => {
      const before = { ...consumed };
      await work();
      return {
        calls: consumed.calls - before.calls,
        write: consumed.write - before.write,
        read: consumed.read - before.read,
      };
    },
    fill: async (table, items) => {
      const requests = items.map((item): WriteRequest => ({
        PutRequest: { Item: marshall(item, { removeUndefinedValues: true }) },
      }));
      for (let from = 0; from < requests.length; from += BATCH) {
        let left: WriteRequest[] = requests.slice(from, from + BATCH);
        while (left.length > 0) {
          const { UnprocessedItems } = await client.send(
            new BatchWriteItemCommand({ RequestItems: { [table]: left } }),
          );
          left = UnprocessedItems?.[table] ?? [];
        }
      }
    },
    itemBytes: async (table, key) => {
      const { Item = {} } = await client.send(
        new GetItemCommand({ TableName: table, Key: marshall(key), ConsistentRead: true }),
      );
      return Object.entries(Item).reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + bytesOf(value), 0);
    },
  };
}

function bytesOf(value: AttributeValue): number {
  if (value.S !== undefined) {
    return Buffer.byteLength(value.S);
  }
  if (value.N !== undefined) {
    return Math.ceil(value.N.replace(/[-.]/g, "").length / 2) + 1;
  }
  if (value.M !== undefined) {
    return Object.entries(value.M).reduce((sum, [name, each]) => sum + Buffer.byteLength(name) + bytesOf(each) + 1, 3);
  }
  if (value.L !== undefined) {
    return value.L.reduce((sum, each) => sum + bytesOf(each) + 1, 3);
  }
  return 1;
}

/** An id that sorts nowhere in particular. */
export function newId(): string {
  return randomUUID();
}
