import { EmbeddedCloudError } from "../errors.ts";
import { arrayOrEmpty, isJsonObject, textOf } from "../json.ts";
import type { JsonObject, JsonValue } from "../json.ts";
import { ACCOUNT_ID } from "../physical-names.ts";
import { callAwsJson } from "./aws-json-client.ts";
import { startFailure, startPartThread } from "./part-thread.ts";

/** DynamoDB on 127.0.0.1, served by dynalite in its own thread. */
export interface DynamodbPart {
  readonly endpoint: string;
  /**
   * Creates a table, or finds an equal one.
   *
   * @throws {EmbeddedCloudError} when the table exists with other keys or indexes, under which its items cannot be kept
   */
  ensureTable(definition: TableDefinition): Promise<void>;
  stop(): Promise<void>;
}

/** Input of DynamoDB's CreateTable, as far as the embedded cloud uses it. */
export interface TableDefinition extends JsonObject {
  TableName: string;
  KeySchema: JsonValue[];
  AttributeDefinitions: JsonValue[];
}

export async function startDynamodb(options: {
  port: number;
  region: string;
  directory?: string;
  reportCrash: (line: string) => void;
}): Promise<DynamodbPart> {
  const thread = startPartThread(
    new URL("./dynamodb-thread.ts", import.meta.url),
    "dynamodb",
    {
      AWS_REGION: options.region,
      AWS_ACCOUNT_ID: ACCOUNT_ID,
    },
    options.reportCrash,
  );
  try {
    const port = await thread.call<number>("start", {
      port: options.port,
      directory: options.directory,
    });
    const endpoint = `http://127.0.0.1:${port}`;
    return {
      endpoint,
      ensureTable: (definition) => ensureTable(endpoint, definition),
      stop: async () => {
        await thread.call("stop").catch(() => undefined);
        await thread.stop();
      },
    };
  } catch (error) {
    await thread.stop();
    throw startFailure("DynamoDB", options.port, error);
  }
}

async function ensureTable(endpoint: string, definition: TableDefinition): Promise<void> {
  const call = (action: string, body: JsonObject) => callAwsJson(endpoint, `DynamoDB_20120810.${action}`, body);
  const existing = await call("DescribeTable", { TableName: definition.TableName });
  if (existing.status === 200) {
    const table = isJsonObject(existing.body["Table"]) ? existing.body["Table"] : {};
    const differing = ["KeySchema", "AttributeDefinitions", "GlobalSecondaryIndexes", "LocalSecondaryIndexes"].find(
      (section) => fingerprint(table[section]) !== fingerprint(definition[section]),
    );
    if (differing) {
      throw new EmbeddedCloudError(
        `table ${definition.TableName} exists in the data directory with another ${differing} than the template's; move the directory away to start with an empty one`,
      );
    }
    return;
  }
  const created = await call("CreateTable", definition);
  if (created.status !== 200) {
    throw new EmbeddedCloudError(
      `table ${definition.TableName}: ${textOf(created.body["message"], JSON.stringify(created.body))}`,
    );
  }
  await waitUntilActive(() => call("DescribeTable", { TableName: definition.TableName }));
}

async function waitUntilActive(describe: () => Promise<{ body: JsonObject }>): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt += 1) {
    const { body } = await describe();
    const table = isJsonObject(body["Table"]) ? body["Table"] : {};
    if (table["TableStatus"] === "ACTIVE") return;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  throw new EmbeddedCloudError("a table did not become active");
}

const COMPARED_KEYS = new Set([
  "AttributeName",
  "AttributeType",
  "KeyType",
  "IndexName",
  "KeySchema",
  "Projection",
  "ProjectionType",
  "NonKeyAttributes",
]);

/** A list of definitions as text, without order and without the additions of DescribeTable. */
function fingerprint(section: JsonValue | undefined): string {
  return JSON.stringify(arrayOrEmpty(section).map(comparable).toSorted());
}

function comparable(value: JsonValue | undefined): string {
  if (Array.isArray(value)) return `[${value.map(comparable).toSorted().join(",")}]`;
  if (!isJsonObject(value)) return JSON.stringify(value);
  const entries = Object.entries(value).filter(([key]) => COMPARED_KEYS.has(key));
  return `{${entries
    .map(([key, entry]) => `${key}:${comparable(entry)}`)
    .toSorted()
    .join(",")}}`;
}
