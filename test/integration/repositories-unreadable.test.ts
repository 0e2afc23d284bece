import { PutItemCommand, type AttributeValue } from "@aws-sdk/client-dynamodb";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DynamoDbBackendRepository } from "../../adapters/dynamodb/backend-repository.ts";
import { DynamoDbDeadLetterRepository } from "../../adapters/dynamodb/dead-letter-repository.ts";
import { DynamoDbSnapshotRepository } from "../../adapters/dynamodb/snapshot-repository.ts";
import { DynamoDbVolumeRepository } from "../../adapters/dynamodb/volume-repository.ts";
import { DynamoDbVolumeTypeRepository } from "../../adapters/dynamodb/volume-type-repository.ts";
import { startTables, type TestTables } from "../support/dynalite.ts";
import { backendReport, queuedVolume } from "../support/records.ts";
import { uuid } from "../support/drivers.ts";

/** Items that another program wrote, next to a readable one. */

type Item = Record<string, AttributeValue>;

const clock = { now: () => new Date("2026-01-01T00:00:00.000Z") };

let tables: TestTables;

beforeAll(async () => {
  tables = await startTables();
});

afterAll(() => tables.close());

const put = (table: string, item: Item) => tables.client.send(new PutItemCommand({ TableName: table, Item: item }));
const options = (tableName: string) => ({ client: tables.client, tableName, clock });

const VOLUME: Item = { status: { S: "available" }, size: { N: "1" }, host: { S: "a@b#c" } };

const BAD: [what: string, item: Item, reason: RegExp][] = [
  ["a size that JavaScript has no number for", { ...VOLUME, size: { N: "9007199254740993.5" } }, /9007199254740993\.5/],
  [
    "a size beyond the safe integers",
    { ...VOLUME, size: { N: "90071992547409930" } },
    /size must be a number, not a bigint/,
  ],
  ["a size that is text", { ...VOLUME, size: { S: "1" } }, /size must be a number, not a text/],
  ["no size", { status: { S: "available" } }, /size is missing/],
  ["a status that is a number", { ...VOLUME, status: { N: "1" } }, /status must be a text/],
  ["a host that is a list", { ...VOLUME, host: { L: [] } }, /host must be a text, not a list or set/],
  ["a ledger that is text", { ...VOLUME, attempts: { S: "none" } }, /attempts must be a maps/],
  ["a line of the ledger that is null", { ...VOLUME, attempts: { M: { "1": { NULL: true } } } }, /attempts must be/],
  ["locks that are a set", { ...VOLUME, locks: { SS: ["a"] } }, /locks must be a map/],
  ["a number deep inside", { ...VOLUME, metadata: { M: { n: { N: "9007199254740993.5" } } } }, /9007199254740993\.5/],
  ["a binary time", { ...VOLUME, updated_at: { B: new Uint8Array([1]) } }, /updated_at must be a text/],
];

describe("an unreadable volume", () => {
  test.each(BAD)("with %s is reported by its id, and the others are read", async (_what, item, reason) => {
    const volumes = new DynamoDbVolumeRepository(options("volumes"));
    const good = queuedVolume();
    const bad = queuedVolume().id;
    await volumes.create(good);
    await put("volumes", { ...item, id: { S: bad } });
    const found = await volumes.getMany([good.id, bad]);
    expect(found.get(good.id)).toEqual(good);
    expect(found.has(bad)).toBe(false);
    expect(found.unreadable).toEqual([
      { id: bad, host: item["host"]?.S ?? null, reason: expect.stringMatching(reason) },
    ]);
    const { items, unreadable = [] } = await volumes.list({}, 1000);
    expect(items.map(({ id }) => id)).toContain(good.id);
    expect(unreadable.map(({ id }) => id)).toContain(bad);
    await expect(volumes.get(bad)).rejects.toMatchObject({
      name: "UnreadableRecord",
      message: expect.stringContaining(bad),
    });
  });

  test("counts for its page, so that a listing ends", async () => {
    const volumes = new DynamoDbVolumeRepository(options("volumes"));
    const stored = Array.from({ length: 5 }, async () => {
      const good = queuedVolume();
      const bad = queuedVolume().id;
      await volumes.create(good);
      await put("volumes", { ...VOLUME, size: { S: "1" }, id: { S: bad } });
      return [good.id, bad];
    });
    const ids = (await Promise.all(stored)).flat();
    const seen: string[] = [];
    let from: string | undefined;
    do {
      const page = await volumes.list({}, 3, from);
      seen.push(...page.items.map(({ id }) => id), ...(page.unreadable ?? []).map(({ id }) => id));
      from = page.next;
    } while (from !== undefined);
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).toEqual(expect.arrayContaining(ids));
  });
});

test("where every record can be read nothing is said to be unreadable", async () => {
  const types = new DynamoDbVolumeTypeRepository(options("volume_types"));
  expect(await types.list(10)).toEqual({ items: [] });
});

test("an unreadable backend costs the others nothing", async () => {
  const backends = new DynamoDbBackendRepository({ ...options("backends"), claimsTableName: "claims" });
  await backends.report(backendReport({ host: "good@backend#pool" }));
  await put("backends", { host: { S: "bad@backend#pool" }, allocated_capacity_gb: { N: "9007199254740993.5" } });
  const listed = await backends.list();
  expect(listed.map(({ host }) => host)).toEqual(["good@backend#pool"]);
  expect(listed.unreadable).toMatchObject([{ id: "bad@backend#pool", host: "bad@backend#pool" }]);
});

test("an unreadable snapshot is reported by its id", async () => {
  const snapshots = new DynamoDbSnapshotRepository(options("snapshots"));
  const id = uuid(1);
  await put("snapshots", {
    id: { S: id },
    volume_id: { S: uuid(2) },
    status: { S: "available" },
    host: { S: "a@b#c" },
  });
  expect((await snapshots.getMany([id])).unreadable).toMatchObject([{ id, host: "a@b#c" }]);
  expect(await snapshots.list(10)).toMatchObject({
    items: [],
    unreadable: [{ id, reason: expect.stringContaining("volume_size is missing") }],
  });
  await expect(snapshots.listOfVolume(uuid(2))).rejects.toMatchObject({ name: "UnreadableRecord" });
});

test("an unreadable dead letter is reported by its id", async () => {
  const letters = new DynamoDbDeadLetterRepository(options("dead_letters"));
  await put("dead_letters", { id: { S: "letter" }, body: { N: "1" }, reason: { S: "" } });
  expect(await letters.list(10)).toMatchObject({ items: [], unreadable: [{ id: "letter" }] });
});
