import {
  BatchGetItemCommand,
  type BatchGetItemCommandInput,
  CreateTableCommand,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  ScanCommand,
  UpdateItemCommand,
  type UpdateItemCommandInput,
} from "@aws-sdk/client-dynamodb";
import { marshall } from "@aws-sdk/util-dynamodb";
import { beforeEach, describe, expect, it } from "vitest";
import type { DynamoDb } from "../../adapters/dynamodb/table.ts";
import { InMemoryDynamoDb } from "../../simulation/dynamodb/in-memory-dynamodb.ts";

const TableName = "things";
const Key = { id: { S: "one" } };

let store: InMemoryDynamoDb;
let client: DynamoDb;

beforeEach(() => {
  const keys = (hash: string, range?: string) => [
    { AttributeName: hash, KeyType: "HASH" as const },
    ...(range === undefined ? [] : [{ AttributeName: range, KeyType: "RANGE" as const }]),
  ];
  const index = {
    IndexName: "by_owner",
    KeySchema: keys("owner", "at"),
    Projection: { ProjectionType: "KEYS_ONLY" },
  } as const;
  store = new InMemoryDynamoDb([
    { TableName, KeySchema: keys("id"), AttributeDefinitions: [], GlobalSecondaryIndexes: [index] },
  ]);
  client = store.client;
});

const put = (item: Record<string, unknown>) =>
  client.send(new PutItemCommand({ TableName, Item: { ...Key, ...marshall(item) } }));

const update = (UpdateExpression: string, others: Partial<UpdateItemCommandInput> = {}) =>
  client.send(new UpdateItemCommand({ TableName, Key, UpdateExpression, ReturnValues: "ALL_NEW", ...others }));

const names = (...used: string[]) => ({
  ExpressionAttributeNames: Object.fromEntries(used.map((name) => [`#${name}`, name])),
});

const values = (used: Record<string, unknown>) => ({
  ExpressionAttributeValues: marshall(
    Object.fromEntries(Object.entries(used).map(([name, value]) => [`:${name}`, value])),
  ),
});

describe("a write is refused, and changes nothing, for", () => {
  const nested = (levels: number): unknown => (levels === 0 ? "x" : { a: nested(levels - 1) });

  it.each<[string, string, Partial<UpdateItemCommandInput>, string]>([
    [
      "a value that no expression uses",
      "SET #a = :a",
      { ...names("a"), ...values({ a: 1, b: 2 }) },
      "unused in expressions: :b",
    ],
    ["a name that no expression uses", "REMOVE #a", names("a", "b"), "unused in expressions: #b"],
    ["a value that is not given", "SET #a = :a", names("a"), "used and not defined: :a"],
    [
      "a name that is empty",
      "SET #a = :a",
      { ExpressionAttributeNames: { "#a": "" }, ...values({ a: 1 }) },
      "Empty attribute name",
    ],
    [
      "a map entry whose name is empty",
      "SET #a = :a",
      { ...names("a"), ...values({ a: { "": 1 } }) },
      "Empty attribute name",
    ],
    ["more than 32 levels", "SET #a = :a", { ...names("a"), ...values({ a: nested(32) }) }, "Nesting Levels"],
    [
      "an item above 400 KB, in bytes",
      "SET #a = :a",
      { ...names("a"), ...values({ a: "€".repeat(136_534) }) },
      "exceeded the maximum allowed size",
    ],
    ["an empty key of an index", "SET #owner = :a", { ...names("owner"), ...values({ a: "" }) }, "IndexKey: owner"],
    ["another key of the item", "SET #id = :a", { ...names("id"), ...values({ a: "two" }) }, "part of the key"],
    ["paths that overlap", "SET #m = :a, #m.#a = :a", { ...names("m", "a"), ...values({ a: 1 }) }, "overlap"],
    ["a path whose map is missing", "SET #a.#m = :a", { ...names("m", "a"), ...values({ a: 1 }) }, "document path"],
    [
      "a sum with a missing number",
      "SET #a = #m + :a",
      { ...names("m", "a"), ...values({ a: 1 }) },
      "incorrect data type",
    ],
    ["the value of a missing attribute", "SET #a = #b", names("a", "b"), "does not exist in the item"],
    ["an assignment without its sign", "SET #a :a", { ...names("a"), ...values({ a: 1 }) }, "Syntax error"],
    ["a character that no expression has", "SET #a = :a;", { ...names("a"), ...values({ a: 1 }) }, "Syntax error"],
    ["an action that no update has", "PUT #a", names("a"), "Syntax error"],
  ])("%s", async (_what, expression, others, message) => {
    await put({ m: {} });
    await expect(update(expression, others)).rejects.toMatchObject({
      name: "ValidationException",
      message: expect.stringContaining(message),
    });
    const { Item } = await client.send(new GetItemCommand({ TableName, Key }));
    expect(Item).toEqual({ ...Key, m: { M: {} } });
  });

  it("a condition that fails, before anything else that is wrong with it", async () => {
    await put({});
    const condition = { ConditionExpression: "attribute_exists(#b)", ...names("a", "b"), ...values({ a: 1 }) };
    await expect(update("SET #a.#b = :a", condition)).rejects.toMatchObject({
      name: "ConditionalCheckFailedException",
    });
  });
});

it("an update works every value out of the item as it was", async () => {
  await put({ a: 1, b: 5 });
  const { Attributes } = await update("SET #a = #b - :one, #b = #a REMOVE #c", {
    ...names("a", "b", "c"),
    ...values({ one: 1 }),
  });
  expect(Attributes).toEqual({ ...Key, a: { N: "4" }, b: { N: "1" } });
});

it("an update makes an item that is not there, and returns what no caller can change", async () => {
  const { Attributes } = await update("SET #a = :a", { ...names("a"), ...values({ a: { b: 1 } }) });
  expect(Attributes).toEqual({ ...Key, a: { M: { b: { N: "1" } } } });
  expect(() => Object.assign(Attributes?.["a"]?.M ?? {}, { b: { N: "2" } })).toThrow(TypeError);
});

it("an item stays as it was read when an entry of its map is updated", async () => {
  await put({ m: { a: "old", kept: { x: "x" } }, other: "o" });
  const read = async () => (await client.send(new GetItemCommand({ TableName, Key }))).Item;
  const before = await read();
  await update("SET #m.#a = :a", { ...names("m", "a"), ...values({ a: "new" }) });
  const kept = { kept: { M: { x: { S: "x" } } } };
  expect(before).toMatchObject({ m: { M: { a: { S: "old" }, ...kept } } });
  expect(await read()).toEqual({ ...Key, m: { M: { a: { S: "new" }, ...kept } }, other: { S: "o" } });
});

it("an item stays as it was stored when the request's own objects are changed later", async () => {
  const item = { ...Key, m: { M: { a: { S: "stored" } } } };
  await client.send(new PutItemCommand({ TableName, Item: item }));
  item.m.M.a.S = "changed";
  expect((await client.send(new GetItemCommand({ TableName, Key }))).Item).toMatchObject({
    m: { M: { a: { S: "stored" } } },
  });
});

it("an entry of a map may have the name of a property of every object", async () => {
  await put({ m: {} });
  const named = { ExpressionAttributeNames: { "#m": "m", "#k": "__proto__" }, ...values({ v: "x" }) };
  const { Attributes } = await update("SET #m.#k = :v", {
    ...named,
    ConditionExpression: "attribute_not_exists(#m.#k)",
  });
  expect(Object.entries(Attributes?.["m"]?.M ?? {})).toEqual([["__proto__", { S: "x" }]]);
});

it("maps and lists are equal by their members", async () => {
  await put({ m: { a: [1, "2", null, true], b: {} } });
  const condition = { ConditionExpression: "#m = :m", ...names("m", "n") };
  const same = values({ m: { b: {}, a: [1, "2", null, true] } });
  await expect(update("REMOVE #n", { ...condition, ...same })).resolves.toBeDefined();
  for (const other of [{ a: [1, "2", null, true] }, { a: [1, "2", null, false], b: {} }, { a: [1], b: {} }]) {
    await expect(update("REMOVE #n", { ...condition, ...values({ m: other }) })).rejects.toThrow("conditional request");
  }
});

describe("a listing", () => {
  beforeEach(async () => {
    for (const [id, owner, at] of [
      ["b", "x", "2"],
      ["a", "x", "3"],
      ["c", "x", "1"],
      ["d", "y", "1"],
      ["e", null, "1"],
    ]) {
      await put({ id, at, size: 1, ...(owner !== null && { owner }) });
    }
  });

  const query = {
    TableName,
    IndexName: "by_owner",
    KeyConditionExpression: "#owner = :x",
    ExpressionAttributeNames: { "#owner": "owner" },
    ExpressionAttributeValues: { ":x": { S: "x" } },
  };
  const idsOf = (items: readonly Record<string, unknown>[] = []) =>
    items.map(({ id }) => (id as { S: string }).S).join("");

  it("of an index has its items in the order of the range key, and their keys only", async () => {
    const { Items } = await client.send(new QueryCommand(query));
    expect(idsOf(Items)).toBe("cba");
    expect(Items?.[0]).toEqual({ id: { S: "c" }, owner: { S: "x" }, at: { S: "1" } });
    expect(idsOf((await client.send(new QueryCommand({ ...query, ScanIndexForward: false }))).Items)).toBe("abc");
  });

  it("comes in pages, and the last full one does not know that it is the last", async () => {
    const pages: string[] = [];
    let ExclusiveStartKey: Record<string, never> | undefined;
    do {
      const page = await client.send(
        new QueryCommand({ ...query, Limit: 1, ...(ExclusiveStartKey && { ExclusiveStartKey }) }),
      );
      pages.push(idsOf(page.Items));
      ExclusiveStartKey = page.LastEvaluatedKey as Record<string, never> | undefined;
    } while (ExclusiveStartKey !== undefined);
    expect(pages).toEqual(["c", "b", "a", ""]);
  });

  it("is filtered after its limit", async () => {
    const filter = { FilterExpression: "#owner = :x", ExpressionAttributeNames: query.ExpressionAttributeNames };
    const { Items, Count, ScannedCount } = await client.send(
      new ScanCommand({ TableName, Limit: 4, ...filter, ExpressionAttributeValues: { ":x": { S: "y" } } }),
    );
    expect([idsOf(Items), Count, ScannedCount]).toEqual(["d", 1, 4]);
  });

  it("of a global index cannot be consistent, nor of one that the table does not have", async () => {
    await expect(client.send(new QueryCommand({ ...query, ConsistentRead: true }))).rejects.toThrow("Consistent reads");
    await expect(client.send(new QueryCommand({ ...query, IndexName: "by_size" }))).rejects.toThrow("by_size");
  });

  it("by keys has those that exist, of at most 100", async () => {
    const ask = (ids: string[], projection: object = {}): BatchGetItemCommandInput => ({
      RequestItems: { [TableName]: { Keys: ids.map((id) => ({ id: { S: id } })), ...projection } },
    });
    const { Responses } = await client.send(new BatchGetItemCommand(ask(["a", "z", "d"])));
    expect(idsOf(Responses?.[TableName])).toBe("ad");
    const projection = { ProjectionExpression: "#i, #none", ExpressionAttributeNames: { "#i": "id", "#none": "none" } };
    const named = await client.send(new BatchGetItemCommand(ask(["a"], projection)));
    expect(named.Responses?.[TableName]).toEqual([{ id: { S: "a" } }]);
    const many = Array.from({ length: 101 }, (_, index) => String(index));
    await expect(client.send(new BatchGetItemCommand(ask(many)))).rejects.toThrow("Too many items");
  });
});

it("a request consumes a write unit for each KiB, and a read unit for each 4 KiB that is read consistently", async () => {
  await put({ a: "x".repeat(5000) });
  await client.send(new GetItemCommand({ TableName, Key, ConsistentRead: true }));
  await client.send(new GetItemCommand({ TableName, Key }));
  expect(store.units).toEqual({ write: 5, read: 3 });
});

it("a command or a table that there is not is an error", async () => {
  await expect(
    client.send(new CreateTableCommand({ TableName, KeySchema: [], AttributeDefinitions: [] })),
  ).rejects.toThrow("CreateTableCommand is not among the commands");
  await expect(client.send(new GetItemCommand({ TableName: "other", Key }))).rejects.toMatchObject({
    name: "ResourceNotFoundException",
  });
});
