import { PutItemCommand } from "@aws-sdk/client-dynamodb";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DynamoDbDeadLetterRepository } from "../../adapters/dynamodb/dead-letter-repository.ts";
import { DynamoDbSnapshotRepository } from "../../adapters/dynamodb/snapshot-repository.ts";
import { DynamoDbVolumeRepository } from "../../adapters/dynamodb/volume-repository.ts";
import { DynamoDbVolumeTypeRepository } from "../../adapters/dynamodb/volume-type-repository.ts";
import { startTables, type TestTables } from "../support/dynalite.ts";
import { beginningSnapshot, queuedVolume } from "../support/records.ts";

const CLOCK = { now: () => new Date("2026-01-01T01:00:00.000Z") };

let tables: TestTables;
let volumes: DynamoDbVolumeRepository;

beforeAll(async () => {
  tables = await startTables();
  volumes = new DynamoDbVolumeRepository({ client: tables.client, tableName: "volumes", clock: CLOCK });
});
afterAll(() => tables.close());

describe("what users say of a volume", () => {
  test("is changed by name, in one write, and everything else stays", async () => {
    const record = queuedVolume({ display_name: "old", metadata: { a: "1", b: "2" } });
    await volumes.create(record);
    const change = {
      displayName: "new",
      bootable: true,
      metadata: { set: { "c.d #e": "3" }, unset: ["a", "not there"] },
    };
    const changed = {
      ...record,
      display_name: "new",
      bootable: true,
      metadata: { b: "2", "c.d #e": "3" },
      updated_at: CLOCK.now().toISOString(),
    };
    expect(await volumes.changeDetails(record.id, change)).toEqual(changed);
    expect(await volumes.changeDetails(record.id, change)).toEqual(changed);
    expect(await volumes.get(record.id)).toEqual(changed);
    expect(await volumes.changeDetails(record.id, { displayName: null })).toMatchObject({ display_name: null });
  });

  test("can be set on a record that another service wrote without properties", async () => {
    const { id } = queuedVolume();
    const Item = { id: { S: id }, size: { N: "1" }, status: { S: "available" } };
    await tables.client.send(new PutItemCommand({ TableName: "volumes", Item }));
    expect(await volumes.changeDetails(id, { metadata: { set: { a: "1" } } })).toMatchObject({ metadata: { a: "1" } });
  });

  test("of a volume that does not exist is VolumeNotFound, and makes none", async () => {
    const { id } = queuedVolume();
    const change = { metadata: { set: { a: "1" } } };
    await expect(volumes.changeDetails(id, change)).rejects.toMatchObject({ name: "VolumeNotFound" });
    await expect(volumes.get(id)).rejects.toMatchObject({ name: "VolumeNotFound" });
  });
});

test("a snapshot is renamed whatever it is doing", async () => {
  const snapshots = new DynamoDbSnapshotRepository({ client: tables.client, tableName: "snapshots" });
  const record = beginningSnapshot();
  await snapshots.create(record);
  expect(await snapshots.rename(record.id, "new")).toEqual({ ...record, display_name: "new" });
  await expect(snapshots.rename("not there", "new")).rejects.toMatchObject({ name: "SnapshotNotFound" });
});

test("a volume type is changed and deleted, each as often as it is asked for", async () => {
  const types = new DynamoDbVolumeTypeRepository({ client: tables.client, tableName: "volume_types" });
  const record = {
    id: "type",
    name: "fast",
    extra_specs: { a: "1", b: "2" },
    description: "old",
    is_public: true,
    created_at: "2026-01-01T00:00:00.000Z",
  };
  await types.create(record);
  const change = { name: "faster", description: null, isPublic: false, extraSpecs: { set: { c: "3" }, unset: ["a"] } };
  const changed = { ...record, name: "faster", description: null, is_public: false, extra_specs: { b: "2", c: "3" } };
  expect(await types.change("type", change)).toEqual(changed);
  expect(await types.getByName("faster")).toEqual(changed);
  await types.delete("type");
  await types.delete("type");
  await expect(types.change("type", change)).rejects.toMatchObject({ name: "VolumeTypeNotFound" });
});

test("a dead letter is discarded for good", async () => {
  const letters = new DynamoDbDeadLetterRepository({ client: tables.client, tableName: "dead_letters" });
  const letter = {
    id: "letter",
    volume_id: null,
    reason: "r",
    body: "{}",
    received_count: 1,
    sent_at: "2026-01-01T00:00:00.000Z",
    kept_at: "2026-01-01T00:00:00.000Z",
    expires_at: 1,
    redrive_fence: null,
    redriven_at: null,
  };
  await letters.keep(letter);
  await letters.discard("letter");
  await letters.discard("letter");
  expect(await letters.get("letter")).toBeUndefined();
});
