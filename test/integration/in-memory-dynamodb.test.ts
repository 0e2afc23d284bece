import { isDeepStrictEqual } from "node:util";
import {
  CreateTableCommand,
  DeleteItemCommand,
  GetItemCommand,
  PutItemCommand,
  UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";

import { marshall } from "@aws-sdk/util-dynamodb";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DynamoDb } from "../../adapters/dynamodb/table.ts";
import { describeError } from "../../core/errors.ts";
import { InMemoryDynamoDb } from "../../simulation/dynamodb/in-memory-dynamodb.ts";
import { startTables, type TestTables } from "../support/dynalite.ts";
import { startDynoxide } from "../support/dynoxide.ts";

/**
 * Any request does the same to the store of the unit tests and the fault matrix as to the embedded cloud's, and as to Dynoxide, which shares no
 * code with either. Dynoxide accepts a path through a value that is not a map: SET replaces a null, and REMOVE changes nothing. DynamoDB
 * refuses both, as the others do (https://github.com/scylladb/scylladb/issues/10043), so such updates are not sent to it.
 */

const TABLE = {
  TableName: "anything",
  BillingMode: "PAY_PER_REQUEST",
  AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
  KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
} as const;

const Key = { id: { S: "one" } };

let tables: TestTables;
const dynoxide = await startDynoxide();
if (typeof dynoxide === "string") {
  console.warn(`No comparison with an independent DynamoDB: ${dynoxide}`);
}
const memory = new InMemoryDynamoDb([{ ...TABLE, AttributeDefinitions: [], KeySchema: [...TABLE.KeySchema] }]);

beforeAll(async () => {
  tables = await startTables();
  for (const client of [tables.client, ...(typeof dynoxide === "string" ? [] : [dynoxide.client])]) {
    await client.send(
      new CreateTableCommand({
        ...TABLE,
        AttributeDefinitions: [...TABLE.AttributeDefinitions],
        KeySchema: [...TABLE.KeySchema],
      }),
    );
  }
});
afterAll(async () => {
  await tables.close();
  if (typeof dynoxide !== "string") {
    await dynoxide.stop();
  }
});

const ordered = fc.oneof(fc.constantFrom("", "a", "ab", "b", "\u{1F600}", "\uFFFD"), fc.integer({ min: -2, max: 12 }));
const scalar = fc.oneof(ordered, fc.boolean(), fc.constant(null));
const value = fc.oneof(scalar, fc.dictionary(fc.constantFrom("x", "y"), scalar), fc.array(scalar, { maxLength: 2 }));
const item = fc.record({ p: value, q: value, r: value }, { requiredKeys: [] });

const path = fc.constantFrom("#p", "#q", "#r", "#p.#x", "#q.#y", "#r.#x");
// Maps and lists are compared with no other: dynalite finds none of them equal.
const comparison = fc
  .tuple(path, fc.constantFrom("=", "<>", "<", "<=", ">", ">="), fc.constantFrom(":v", ":w"))
  .map((parts) => parts.join(" "));
const predicate = fc.oneof(
  comparison,
  path.map((at) => `attribute_exists(${at})`),
  path.map((at) => `attribute_not_exists(${at})`),
  path.map((at) => `begins_with(${at}, :s)`),
  path.map((at) => `${at} IN (:v, :w)`),
  path.map((at) => `size(${at}) = :n`),
);
const condition = fc
  .tuple(predicate, fc.array(fc.tuple(fc.constantFrom("AND", "OR", "AND NOT"), predicate), { maxLength: 3 }))
  .map(([first, rest]) => [first, ...rest.flat()].join(" "));

// No maps are assigned: dynalite stores the same map twice, and a later change of one attribute changes both.
const assignment = fc.oneof(
  fc.tuple(path, fc.constantFrom(":v", ":n", "#q.#x", "#r.#y")).map(([at, of]) => `${at} = ${of}`),
  fc.tuple(path, fc.constantFrom("+", "-")).map(([at, sign]) => `${at} = #p ${sign} :n`),
  path.map((at) => `${at} = if_not_exists(#p.#x, :v)`),
);
const update = fc
  .tuple(fc.uniqueArray(assignment, { minLength: 1, maxLength: 2 }), fc.uniqueArray(path, { maxLength: 2 }))
  .map(([set, remove]) => `SET ${set.join(", ")}${remove.length > 0 ? ` REMOVE ${remove.join(", ")}` : ""}`);

/** The names and values that the expressions use, and no others. */
function placeholders(expressions: string, v: unknown, w: unknown) {
  const used = new Set(expressions.match(/[#:]\w+/g));
  const names = Object.fromEntries(
    ["p", "q", "r", "x", "y"].filter((name) => used.has(`#${name}`)).map((name) => [`#${name}`, name]),
  );
  const all = { ":v": v, ":w": w, ":s": "a", ":n": 1 };
  const values = Object.fromEntries(Object.entries(all).filter(([name]) => used.has(name)));
  return {
    ...(Object.keys(names).length > 0 && { ExpressionAttributeNames: names }),
    ...(Object.keys(values).length > 0 && { ExpressionAttributeValues: marshall(values) }),
  };
}

/** The stored item after the command, and whether it was carried out. */
async function outcomeOf(
  store: DynamoDb,
  before: Record<string, unknown>,
  command: UpdateItemCommand | DeleteItemCommand,
) {
  await store.send(new PutItemCommand({ TableName: "anything", Item: { ...Key, ...marshall(before) } }));
  const refusal = await store.send(command).then(
    () => null,
    (error: unknown) => describeError(error).name,
  );
  const { Item } = await store.send(new GetItemCommand({ TableName: "anything", Key, ConsistentRead: true }));
  return { refusal, Item };
}

type Outcome = Awaited<ReturnType<typeof outcomeOf>>;

/** The outcomes of a command in the other stores that are not its outcome in memory, which is the first of each pair. */
async function differences(
  before: Record<string, unknown>,
  command: UpdateItemCommand | DeleteItemCommand,
  stores = OTHERS,
): Promise<Record<string, [Outcome, Outcome]>> {
  const expected = await outcomeOf(memory.client, before, command);
  const found: Record<string, [Outcome, Outcome]> = {};
  for (const [name, clientOf] of stores) {
    const outcome = await outcomeOf(clientOf(), before, command);
    if (!isDeepStrictEqual(outcome, expected)) {
      found[name] = [expected, outcome];
    }
  }
  return found;
}

/** Whether an update sets or removes entries of an attribute that is not a map. */
function goesThroughOthers(before: Record<string, unknown>, expression: string): boolean {
  return [...expression.matchAll(/(?:SET |REMOVE |, )#(\w)\.#/g)].some(([, parent = ""]) => {
    const value = before[parent];
    return typeof value !== "object" || value === null || Array.isArray(value);
  });
}

/**
 * Whether dynalite may judge the condition in another way than DynamoDB: it orders texts by their UTF-16 and not by their UTF-8, and finds an empty
 * text in no list.
 */
function differsInDynalite(condition: string, values: readonly unknown[]): boolean {
  const texts = JSON.stringify(values);
  return (
    (/ [<>]=? /.test(condition) && /[^\0-\x7F]/.test(texts)) || (condition.includes(" IN ") && texts.includes('""'))
  );
}

/** The stores with which the one in memory is compared, the embedded one first. */
const OTHERS: readonly (readonly [string, () => DynamoDb])[] = [
  ["the embedded store", () => tables.client],
  ...(typeof dynoxide === "string" ? [] : [["Dynoxide", () => dynoxide.client] as const]),
];

describe("a request on a random item does the same in memory as in the embedded store and in Dynoxide:", () => {
  it("a delete with a condition", async () => {
    await fc.assert(
      fc.asyncProperty(item, condition, ordered, ordered, async (before, ConditionExpression, v, w) => {
        const parts = { ConditionExpression, ...placeholders(ConditionExpression, v, w) };
        const stores = differsInDynalite(ConditionExpression, [before, v, w]) ? OTHERS.slice(1) : OTHERS;
        const command = new DeleteItemCommand({ TableName: "anything", Key, ...parts });
        expect(await differences(before, command, stores)).toEqual({});
      }),
      { numRuns: 200 },
    );
  });

  it("an update", async () => {
    await fc.assert(
      fc.asyncProperty(item, update, scalar, async (before, UpdateExpression, v) => {
        const parts = { UpdateExpression, ...placeholders(UpdateExpression, v, v) };
        const command = new UpdateItemCommand({ TableName: "anything", Key, ...parts });
        const stores = goesThroughOthers(before, UpdateExpression) ? OTHERS.slice(0, 1) : OTHERS;
        expect(await differences(before, command, stores)).toEqual({});
      }),
      { numRuns: 200 },
    );
  });
});

it.each([
  ["the order of texts beyond ASCII", "#r < :w", "\u{1F600}", "\uFFFD"],
  ["an empty text in a list", "#r IN (:v, :w)", "", ""],
])("knows the differences of the embedded store: %s", async (_difference, ConditionExpression, r, w) => {
  const parts = { ConditionExpression, ...placeholders(ConditionExpression, null, w) };
  const command = new DeleteItemCommand({ TableName: "anything", Key, ...parts });
  expect(Object.keys(await differences({ r }, command))).toEqual(["the embedded store"]);
});

it.skipIf(typeof dynoxide === "string")("knows the differences of Dynoxide", async () => {
  for (const UpdateExpression of ["SET #p.#x = :v", "REMOVE #p.#x"]) {
    const command = new UpdateItemCommand({
      TableName: "anything",
      Key,
      UpdateExpression,
      ...placeholders(UpdateExpression, 1, 1),
    });
    expect(Object.keys(await differences({ p: null }, command))).toEqual(["Dynoxide"]);
  }
});
