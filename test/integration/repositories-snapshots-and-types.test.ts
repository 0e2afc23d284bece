import { randomUUID } from "node:crypto";
import { PutItemCommand } from "@aws-sdk/client-dynamodb";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DynamoDbSnapshotRepository } from "../../adapters/dynamodb/snapshot-repository.ts";
import { DynamoDbVolumeTypeRepository } from "../../adapters/dynamodb/volume-type-repository.ts";
import type { DynamoDb } from "../../adapters/dynamodb/table.ts";
import {
  InvalidInput,
  InvalidSnapshot,
  SnapshotNotFound,
  VolumeTypeNotFound,
  VolumeTypeNotFoundByName,
} from "../../core/errors.ts";
import { startTables, type TestTables } from "../support/dynalite.ts";
import { beginningSnapshot, plainVolumeType } from "../support/records.ts";

let tables: TestTables;
let snapshots: DynamoDbSnapshotRepository;
let volumeTypes: DynamoDbVolumeTypeRepository;

beforeAll(async () => {
  tables = await startTables();
  snapshots = new DynamoDbSnapshotRepository({ client: tables.client, tableName: "snapshots" });
  volumeTypes = new DynamoDbVolumeTypeRepository({ client: tables.client, tableName: "volume_types" });
});

afterAll(async () => {
  await tables.close();
});

describe("a snapshot", () => {
  test("reads back as it was put", async () => {
    const snapshot = beginningSnapshot({ glance_metadata: { image_id: "i" }, display_name: "name" });
    await snapshots.create(snapshot);
    expect(await snapshots.get(snapshot.id)).toEqual(snapshot);
  });

  test("is found among many, each once, and what is not there is left out", async () => {
    const some = Array.from({ length: 103 }, () => beginningSnapshot());
    for (const snapshot of some) {
      await snapshots.create(snapshot);
    }
    const ids = some.map(({ id }) => id);
    const found = await snapshots.getMany([...ids, ...ids.slice(0, 2), randomUUID()]);
    expect(found).toEqual(new Map(some.map((snapshot) => [snapshot.id, snapshot])));
    expect(await snapshots.getMany([])).toEqual(new Map());
  });

  test("is taken for its deletion, and given a status, also when the answer is lost and the SDK sends the write again", async () => {
    const send = async (command: { constructor: { name: string } }): Promise<unknown> => {
      const answer: unknown = await tables.client.send(command as never);
      return command.constructor.name === "UpdateItemCommand" ? tables.client.send(command as never) : answer;
    };
    const client = { send: send as DynamoDb["send"] };
    const twice = new DynamoDbSnapshotRepository({ client, tableName: "snapshots" });
    const snapshot = beginningSnapshot();
    await snapshots.create(snapshot);
    await twice.resetStatus(snapshot.id, "available", "creating");
    await expect(twice.resetStatus(snapshot.id, "error", "creating")).rejects.toThrow(InvalidSnapshot);
    const deadline = new Date("2026-01-02T00:00:00.000Z");
    await twice.beginDelete({ id: snapshot.id, status: "available" }, deadline);
    expect(await snapshots.get(snapshot.id)).toMatchObject({ status: "deleting", deadline: deadline.toISOString() });
    const later = new Date("2026-01-02T00:00:01.000Z");
    await expect(twice.beginDelete({ id: snapshot.id, status: "available" }, later)).rejects.toThrow(InvalidSnapshot);
  });

  test("becomes available, with the driver's location, and stays so when that is repeated without one", async () => {
    const snapshot = beginningSnapshot();
    await snapshots.create(snapshot);
    const made = { ...snapshot, status: "available", provider_location: "file:/s" };
    expect(await snapshots.markAvailable(snapshot.id, "file:/s")).toEqual(made);
    expect(await snapshots.markAvailable(snapshot.id, null)).toEqual(made);
    expect(await snapshots.get(snapshot.id)).toEqual(made);
  });

  test("is overdue from its deadline until it comes to rest, and again while it is deleted", async () => {
    const snapshot = beginningSnapshot({ deadline: "2026-01-01T00:00:00.000Z" });
    const isOverdue = async (now: string): Promise<boolean> =>
      (await snapshots.listOverdue(new Date(now), 100)).items.some(({ id }) => id === snapshot.id);
    await snapshots.create(snapshot);
    expect(await isOverdue("2026-01-01T00:00:00.000Z")).toBe(false);
    expect(await isOverdue("2026-01-01T00:00:00.001Z")).toBe(true);
    await snapshots.markAvailable(snapshot.id, null);
    expect(await isOverdue("2027-01-01T00:00:00.000Z")).toBe(false);
    await snapshots.beginDelete({ id: snapshot.id, status: "available" }, new Date("2026-01-02T00:00:00.000Z"));
    expect(await isOverdue("2026-01-01T00:00:00.001Z")).toBe(false);
    expect(await isOverdue("2026-01-02T00:00:00.001Z")).toBe(true);
    expect((await snapshots.get(snapshot.id)).deadline).toBe("2026-01-02T00:00:00.000Z");
    await snapshots.markErrorDeleting(snapshot.id);
    expect(await isOverdue("2027-01-01T00:00:00.000Z")).toBe(false);
  });

  test("begun again, later, by the same request stands as it was begun first", async () => {
    const snapshot = beginningSnapshot();
    await snapshots.create(snapshot);
    await snapshots.create({ ...snapshot, created_at: "2027-01-01T00:00:00.000Z" });
    expect(await snapshots.get(snapshot.id)).toEqual(snapshot);
  });

  for (const column of ["volume_id", "project_id"] as const) {
    test(`is refused when its id is taken and the ${column} is another`, async () => {
      const snapshot = beginningSnapshot();
      await snapshots.create(snapshot);
      await expect(snapshots.create({ ...snapshot, [column]: randomUUID() })).rejects.toThrow(InvalidInput);
    });
  }

  test("that failed is in error, and available when a repeat makes it after all", async () => {
    const snapshot = beginningSnapshot();
    await snapshots.create(snapshot);
    await snapshots.markError(snapshot.id);
    await snapshots.markError(snapshot.id);
    expect((await snapshots.get(snapshot.id)).status).toBe("error");
    expect((await snapshots.markAvailable(snapshot.id, null)).status).toBe("available");
  });

  for (const status of ["available", "deleting"] as const) {
    test(`that is ${status} does not become an error`, async () => {
      const snapshot = beginningSnapshot({ status });
      await snapshots.create(snapshot);
      await snapshots.markError(snapshot.id);
      expect((await snapshots.get(snapshot.id)).status).toBe(status);
    });
  }

  test("that is being deleted does not become available", async () => {
    const snapshot = beginningSnapshot({ status: "deleting" });
    await snapshots.create(snapshot);
    await expect(snapshots.markAvailable(snapshot.id, null)).rejects.toThrow(InvalidSnapshot);
  });

  test("is deleted, and may be deleted again", async () => {
    const snapshot = beginningSnapshot();
    await snapshots.create(snapshot);
    await snapshots.delete(snapshot.id);
    await snapshots.delete(snapshot.id);
    await expect(snapshots.get(snapshot.id)).rejects.toThrow(SnapshotNotFound);
  });

  test("that does not exist is SnapshotNotFound to every change, which makes none", async () => {
    const id = randomUUID();
    await expect(snapshots.markAvailable(id, null)).rejects.toThrow(SnapshotNotFound);
    await expect(snapshots.markError(id)).rejects.toThrow(SnapshotNotFound);
    await expect(snapshots.get(id)).rejects.toThrow(SnapshotNotFound);
  });
});

describe("snapshots of a volume", () => {
  const volumeId = randomUUID();
  const ofVolume = Array.from({ length: 103 }, () => beginningSnapshot({ volume_id: volumeId }));

  beforeAll(async () => {
    await Promise.all([...ofVolume, beginningSnapshot()].map((snapshot) => snapshots.create(snapshot)));
  });

  test("are all of that volume's, and no other's", async () => {
    const listed = await snapshots.listOfVolume(volumeId);
    expect(listed.map(({ id }) => id).toSorted()).toEqual(ofVolume.map(({ id }) => id).toSorted());
  });

  test("are empty for a volume without snapshots", async () => {
    expect(await snapshots.listOfVolume(randomUUID())).toEqual([]);
  });

  test("are listed page by page, each once", async () => {
    const ids: string[] = [];
    let from: string | undefined;
    do {
      const page = await snapshots.list(40, from);
      expect(page.items.length).toBeLessThanOrEqual(40);
      ids.push(...page.items.map(({ id }) => id));
      from = page.next;
    } while (from !== undefined);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toEqual(expect.arrayContaining(ofVolume.map(({ id }) => id)));
  });
});

describe("a volume type", () => {
  test("is found by its id and by its name", async () => {
    const volumeType = plainVolumeType({
      extra_specs: { "capabilities:compression": "<is> True" },
      description: "fast",
    });
    await volumeTypes.create(volumeType);
    expect(await volumeTypes.get(volumeType.id)).toEqual(volumeType);
    expect(await volumeTypes.getByName(volumeType.name)).toEqual(volumeType);
    expect((await volumeTypes.list(1000)).items).toContainEqual(volumeType);
  });

  test("put twice stands once, and another of its id is refused", async () => {
    const volumeType = plainVolumeType();
    await volumeTypes.create(volumeType);
    await volumeTypes.create(volumeType);
    await expect(volumeTypes.create({ ...volumeType, is_public: false })).rejects.toThrow(InvalidInput);
  });

  test("of another service reads public and without extra specs", async () => {
    const id = randomUUID();
    await tables.client.send(
      new PutItemCommand({ TableName: "volume_types", Item: { id: { S: id }, name: { S: `n-${id}` } } }),
    );
    expect(await volumeTypes.get(id)).toEqual(plainVolumeType({ id, name: `n-${id}`, created_at: "" }));
  });

  test("that does not exist is VolumeTypeNotFound, by id and by name", async () => {
    await expect(volumeTypes.get(randomUUID())).rejects.toThrow(VolumeTypeNotFound);
    await expect(volumeTypes.getByName("none")).rejects.toThrow(VolumeTypeNotFoundByName);
    await expect(volumeTypes.getByName("")).rejects.toThrow(VolumeTypeNotFoundByName);
  });
});
