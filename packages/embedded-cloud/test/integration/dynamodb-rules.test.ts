import { once } from "node:events";
import { request, type IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import {
  type AttributeValue,
  BatchWriteItemCommand,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  ScanCommand,
  UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type CloudUnderTest, deploy, resource } from "../support/fixtures.ts";

/** The embedded store refuses everything that DynamoDB refuses, and a request never ends more than itself. */

const key = (name: string, type = "S") => ({ AttributeName: name, AttributeType: type });
const Records = {
  Type: "AWS::DynamoDB::Table",
  Properties: {
    KeySchema: [
      { AttributeName: "id", KeyType: "HASH" },
      { AttributeName: "part", KeyType: "RANGE" },
    ],
    AttributeDefinitions: [key("id"), key("part"), key("state")],
    GlobalSecondaryIndexes: [
      {
        IndexName: "by-state",
        KeySchema: [{ AttributeName: "state", KeyType: "HASH" }],
        Projection: { ProjectionType: "ALL" },
      },
    ],
    BillingMode: "PAY_PER_REQUEST",
  },
};

let under: CloudUnderTest;
let TableName: string;
let id: string;
let count = 0;

beforeAll(async () => {
  under = await deploy({ Records });
  TableName = resource(under.cloud, "Records");
});

afterAll(() => under.cloud.stop());

beforeEach(() => {
  count += 1;
  id = `record-${count}`;
});

const text32 = (value: string) => ({ S: value });

/** Puts an item with these attributes, or updates one so that it has them. */
async function put(attributes: Record<string, AttributeValue>): Promise<void> {
  const Item = { id: { S: id }, part: { S: "1" }, ...attributes };
  await under.dynamodb.send(new PutItemCommand({ TableName, Item }));
}

async function update(name: string, value: AttributeValue): Promise<void> {
  await under.dynamodb.send(
    new UpdateItemCommand({
      TableName,
      Key: { id: { S: id }, part: { S: "1" } },
      UpdateExpression: "SET #name = :value",
      ExpressionAttributeNames: { "#name": name },
      ExpressionAttributeValues: { ":value": value },
    }),
  );
}

async function batch(attributes: Record<string, AttributeValue>): Promise<void> {
  const good = { id: { S: `${id}-good` }, part: { S: "1" } };
  const bad = { id: { S: id }, part: { S: "1" }, ...attributes };
  const writes = [good, bad].map((Item) => ({ PutRequest: { Item } }));
  await under.dynamodb.send(new BatchWriteItemCommand({ RequestItems: { [TableName]: writes } }));
}

function nested(wraps: number, wrap: (value: AttributeValue) => AttributeValue): AttributeValue {
  let value: AttributeValue = { S: "leaf" };
  for (let level = 0; level < wraps; level += 1) value = wrap(value);
  return value;
}

const inMap = (value: AttributeValue): AttributeValue => ({ M: { n: value } });
const inList = (value: AttributeValue): AttributeValue => ({ L: [value] });

const REFUSED: [string, Record<string, AttributeValue>, RegExp][] = [
  ["an empty attribute name", { "": text32("x") }, /Empty attribute name/],
  ["an empty name in a map", { a: { M: { "": text32("x") } } }, /Empty attribute name/],
  ["a name of 65,536 bytes", { ["ü".repeat(32_768)]: text32("x") }, /Attribute name is too large/],
  [
    "a name in a map of 65,536 bytes",
    { a: { M: { ["n".repeat(65_536)]: text32("x") } } },
    /Attribute name is too large/,
  ],
  ["a map of 33 levels", { a: nested(32, inMap) }, /Nesting Levels have exceeded/],
  ["a list of 33 levels", { a: nested(32, inList) }, /Nesting Levels have exceeded/],
  ["an empty key of an index", { state: text32("") }, /IndexName: by-state, IndexKey: state/],
  ["a key of an index of 2,050 bytes", { state: text32("ü".repeat(1025)) }, /hashkey has exceeded/],
  [
    "400 KiB and a byte in characters of two bytes",
    { a: text32("ü".repeat(204_800)) },
    /size has exceeded|exceeded the maximum/,
  ],
];

describe("an item is refused with", () => {
  it.each(REFUSED)(
    "%s: by PutItem, UpdateItem and BatchWriteItem, of which none stores anything",
    async (_, attributes, reason) => {
      const refusal = { name: "ValidationException", message: expect.stringMatching(reason) as string };
      await expect(put(attributes)).rejects.toMatchObject(refusal);
      await expect(batch(attributes)).rejects.toMatchObject(refusal);
      const [[name, value] = ["", { S: "" }]] = Object.entries(attributes);
      await expect(update(name, value)).rejects.toMatchObject(refusal);
      const { Items } = await under.dynamodb.send(
        new ScanCommand({
          TableName,
          FilterExpression: "begins_with(id, :id)",
          ExpressionAttributeValues: { ":id": { S: id } },
        }),
      );
      expect(Items).toEqual([]);
    },
  );

  it("a partition key of 2,050 bytes, and a sort key of 1,026, in characters of two bytes", async () => {
    const long = (name: string, characters: number) => put({ [name]: text32("ü".repeat(characters)) });
    await long("id", 1024);
    await expect(long("id", 1025)).rejects.toThrow(/hashkey has exceeded/);
    await long("part", 512);
    await expect(long("part", 513)).rejects.toThrow(/range keys has exceeded/);
    const Key = { id: { S: "ü".repeat(1025) }, part: { S: "1" } };
    await expect(under.dynamodb.send(new GetItemCommand({ TableName, Key }))).rejects.toThrow(/hashkey has exceeded/);
  });

  it("a value that an update makes too deep, or an empty key of an index that it makes", async () => {
    await put({ a: nested(30, inMap) });
    const path = (depth: number) => ["a", ...Array.from({ length: depth }, () => "n")].join(".");
    const set = (UpdateExpression: string, value: AttributeValue) =>
      under.dynamodb.send(
        new UpdateItemCommand({
          TableName,
          Key: { id: { S: id }, part: { S: "1" } },
          UpdateExpression,
          ExpressionAttributeValues: { ":value": value },
        }),
      );
    await set(`SET ${path(30)} = :value`, nested(1, inMap));
    await expect(set(`SET ${path(30)} = :value`, nested(2, inMap))).rejects.toThrow(/Nesting Levels/);
  });
});

describe("an item is stored with", () => {
  it.each<[string, Record<string, AttributeValue>]>([
    ["a name of 65,535 bytes", { ["n".repeat(65_535)]: text32("x") }],
    ["a map of 32 levels", { a: nested(31, inMap) }],
    ["a list of 32 levels", { a: nested(31, inList) }],
    ["an empty text that is not a key", { a: text32("") }],
    ["no key of an index", {}],
    ["a key of an index of 2,048 bytes", { state: text32("ü".repeat(1024)) }],
    ["almost 400 KiB in characters of two bytes", { a: text32("ü".repeat(204_700)) }],
  ])("%s", async (_, attributes) => {
    await put(attributes);
    const Key = { id: { S: id }, part: { S: "1" } };
    const { Item } = await under.dynamodb.send(new GetItemCommand({ TableName, Key }));
    expect(Item).toMatchObject(attributes);
  });
});

describe("an expression", () => {
  /** Sets one attribute by an expression that spaces make so long. */
  const setWith = async (bytes: number): Promise<void> => {
    await under.dynamodb.send(
      new UpdateItemCommand({
        TableName,
        Key: { id: { S: id }, part: { S: "1" } },
        UpdateExpression: "SET a = :value".padEnd(bytes),
        ExpressionAttributeValues: { ":value": { S: "x" } },
      }),
    );
  };

  it("of 4 KiB is taken, and one that is a byte longer is refused", async () => {
    await setWith(4096);
    await expect(setWith(4097)).rejects.toMatchObject({
      name: "ValidationException",
      message: "Invalid UpdateExpression: Expression size has exceeded the maximum allowed size; expression size: 4097",
    });
  });
});

describe("a page token that no page gave", () => {
  it.each([
    ["of other attributes", { other: { S: "x" } }],
    ["without a part of the key", { id: { S: "x" } }],
    ["of another type", { id: { N: "1" }, part: { S: "1" } }],
    ["with an empty key", { id: { S: "" }, part: { S: "1" } }],
  ])("is a clear error: %s", async (_, ExclusiveStartKey) => {
    await expect(under.dynamodb.send(new ScanCommand({ TableName, ExclusiveStartKey }))).rejects.toMatchObject({
      name: "ValidationException",
      message: expect.stringContaining("starting key is invalid") as string,
    });
    const query = {
      TableName,
      IndexName: "by-state",
      KeyConditionExpression: "#state = :state",
      ExpressionAttributeNames: { "#state": "state" },
      ExpressionAttributeValues: { ":state": { S: "x" } },
      ExclusiveStartKey,
    };
    await expect(under.dynamodb.send(new QueryCommand(query))).rejects.toMatchObject({ name: "ValidationException" });
  });
});

/** A request with any text for a body, as no SDK would send it. */
async function send(action: string, body: string): Promise<{ status: number; body: string }> {
  const { hostname, port } = new URL(under.cloud.endpoints.dynamodb);
  const outgoing = request({
    hostname,
    port,
    method: "POST",
    timeout: 120_000,
    headers: {
      "content-type": "application/x-amz-json-1.0",
      "x-amz-target": `DynamoDB_20120810.${action}`,
      "x-amz-date": "20000101T000000Z",
      authorization:
        "AWS4-HMAC-SHA256 Credential=a/20000101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0",
    },
  });
  outgoing.on("timeout", () => outgoing.destroy(new Error(`${action} ${body} was not answered`)));
  outgoing.end(body);
  const [response] = (await once(outgoing, "response")) as [IncomingMessage];
  return { status: response.statusCode ?? 0, body: await text(response) };
}

/** The store is up, and the item of the malformed requests can be written. */
async function expectServed(): Promise<void> {
  await under.dynamodb.send(new PutItemCommand({ TableName, Item: { id: { S: "x" }, part: { S: "1" } } }), {
    abortSignal: AbortSignal.timeout(120_000),
  });
}

const named = (request_: object) => JSON.stringify({ TableName, ...request_ });
const KEY = { id: { S: "x" }, part: { S: "1" } };

describe("a malformed request fails alone", () => {
  it.each<[string, () => string]>([
    ["GetItem", () => "null"],
    ["GetItem", () => "[]"],
    ["GetItem", () => '"text"'],
    ["GetItem", () => "1"],
    ["GetItem", () => named({ Key: { id: null, part: { S: "1" } } })],
    ["GetItem", () => named({ Key: { id: { S: null }, part: { S: "1" } } })],
    ["GetItem", () => named({ Key: null })],
    ["GetItem", () => named({ Key: { id: {}, part: {} } })],
    ["GetItem", () => JSON.stringify({ TableName: null, Key: KEY })],
    ["PutItem", () => named({ Item: { ...KEY, set: { SS: [null] } } })],
    ["PutItem", () => named({ Item: { ...KEY, set: { NS: [null] } } })],
    ["PutItem", () => named({ Item: { ...KEY, set: { BS: [null] } } })],
    ["PutItem", () => named({ Item: { ...KEY, list: { L: [null] } } })],
    ["PutItem", () => named({ Item: { ...KEY, map: { M: { a: null } } } })],
    ["PutItem", () => named({ Item: { ...KEY, number: { N: null } } })],
    ["PutItem", () => named({ Item: KEY, ExpressionAttributeNames: { "#a": null }, ConditionExpression: "#a = #a" })],
    ["PutItem", () => named({ Item: KEY, Expected: { a: null } })],
    ["UpdateItem", () => named({ Key: KEY, AttributeUpdates: { a: null } })],
    [
      "UpdateItem",
      () => named({ Key: KEY, UpdateExpression: "SET a = :a", ExpressionAttributeValues: { ":a": null } }),
    ],
    ["BatchWriteItem", () => JSON.stringify({ RequestItems: { [TableName]: [null] } })],
    ["BatchWriteItem", () => JSON.stringify({ RequestItems: { [TableName]: [{ PutRequest: null }] } })],
    ["BatchWriteItem", () => JSON.stringify({ RequestItems: { [TableName]: null } })],
    ["BatchGetItem", () => JSON.stringify({ RequestItems: { [TableName]: { Keys: [null] } } })],
    ["BatchGetItem", () => JSON.stringify({ RequestItems: { [TableName]: { Keys: null } } })],
    ["Query", () => named({ KeyConditions: { id: null } })],
    ["Query", () => named({ KeyConditions: { id: { ComparisonOperator: "EQ", AttributeValueList: [null] } } })],
    ["Scan", () => named({ ExclusiveStartKey: { id: null, part: null } })],
    ["Scan", () => named({ ScanFilter: { id: { ComparisonOperator: "IN", AttributeValueList: null } } })],
    ["CreateTable", () => JSON.stringify({ TableName: "t-1", KeySchema: [null], AttributeDefinitions: [null] })],
    ["UpdateTable", () => named({ GlobalSecondaryIndexUpdates: [null] })],
  ])("%s %#", async (action, body) => {
    expect(await send(action, body())).toMatchObject({ status: 400 });
    await expectServed();
  });

  it("whatever it is: random changes of requests are each answered, and the next one is served", async () => {
    const requests: [string, object][] = [
      ["GetItem", { TableName, Key: KEY }],
      ["PutItem", { TableName, Item: { ...KEY, a: { L: [{ S: "x" }, { M: { b: { NS: ["1"] } } }] } } }],
      ["DeleteItem", { TableName, Key: KEY, Expected: { a: { Exists: false } } }],
      [
        "UpdateItem",
        {
          TableName,
          Key: KEY,
          UpdateExpression: "SET #a = :a ADD n :n",
          ConditionExpression: "attribute_not_exists(b) OR b = :a",
          ExpressionAttributeNames: { "#a": "a" },
          ExpressionAttributeValues: { ":a": { S: "x" }, ":n": { N: "1" } },
        },
      ],
      ["UpdateItem", { TableName, Key: KEY, AttributeUpdates: { a: { Action: "PUT", Value: { SS: ["x"] } } } }],
      [
        "BatchWriteItem",
        { RequestItems: { [TableName]: [{ PutRequest: { Item: KEY } }, { DeleteRequest: { Key: KEY } }] } },
      ],
      ["BatchGetItem", { RequestItems: { [TableName]: { Keys: [KEY], ConsistentRead: true } } }],
      [
        "Query",
        {
          TableName,
          KeyConditionExpression: "id = :id AND part BETWEEN :a AND :b",
          ExpressionAttributeValues: { ":id": { S: "x" }, ":a": { S: "1" }, ":b": { S: "2" } },
          ExclusiveStartKey: KEY,
        },
      ],
      [
        "Scan",
        { TableName, ScanFilter: { a: { ComparisonOperator: "EQ", AttributeValueList: [{ S: "x" }] } }, Limit: 5 },
      ],
    ];
    const junk = fc.constantFrom<unknown>(
      null,
      0,
      1.5,
      "",
      "x",
      true,
      [],
      {},
      [null],
      { S: null },
      { N: "x" },
      { L: [null] },
      { M: { "": null } },
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...requests), fc.nat(), junk, async ([action, body], position, value) => {
        const answer = await send(action, JSON.stringify(replaced(body, position, value)));
        expect(answer.status).toBeLessThan(500);
        await expectServed();
      }),
      { numRuns: 250, seed: 1 },
    );
  });
});

/** A copy of a document in which one node is another. */
function replaced(document: unknown, position: number, value: unknown): unknown {
  const copy = structuredClone(document) as object;
  const nodes: [Record<string, unknown>, string][] = [];
  const collect = (node: unknown): void => {
    if (typeof node !== "object" || node === null) return;
    for (const name of Object.keys(node)) {
      nodes.push([node as Record<string, unknown>, name]);
      collect((node as Record<string, unknown>)[name]);
    }
  };
  collect(copy);
  const chosen = nodes[position % nodes.length];
  if (chosen) chosen[0][chosen[1]] = value;
  return copy;
}
