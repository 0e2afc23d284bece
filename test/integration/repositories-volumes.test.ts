import { PutItemCommand, type AttributeValue } from "@aws-sdk/client-dynamodb";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { DynamoDbVolumeRepository } from "../../adapters/dynamodb/volume-repository.ts";
import { FenceLost, InvalidInput, InvalidVolume, VolumeNotFound } from "../../core/errors.ts";
import type { AttemptClose, Owner } from "../../core/ports.ts";
import type { CopyProgress, Fault, VolumeRecord, VolumeStatus } from "../../core/records.ts";
import { startTables, type TestTables } from "../support/dynalite.ts";
import { ownerOf, queuedVolume, runningAttempt } from "../support/records.ts";

const HOST = "host@file#pool";
const NOW = new Date("2026-01-01T01:00:00.000Z");
const DEADLINE = new Date("2026-01-01T02:00:00.000Z");
const FAR = new Date("2100-01-01T00:00:00.000Z");

let tables: TestTables;
let volumes: DynamoDbVolumeRepository;
let volume: VolumeRecord;
let owner: Owner;

beforeAll(async () => {
  tables = await startTables();
  volumes = new DynamoDbVolumeRepository({ client: tables.client, tableName: "volumes", clock: { now: () => NOW } });
});

afterAll(async () => {
  await tables.close();
});

beforeEach(async () => {
  volume = queuedVolume();
  owner = ownerOf(volume.id);
  await volumes.create(volume);
});

const fault: Fault = { error: "VolumeDriverException", cause: "no", attempt: 1, at: "2026-01-01T01:01:00.000Z", attempts: [] };
const close: AttemptClose = { outcome: "rescheduled", error: "VolumeDriverException", cause: "no", at: NOW, suspectedOrphan: false };
const progress: CopyProgress = { bytes_done: 10, bytes_total: 100, updated_at: NOW.toISOString(), image_tag: "tag" };

const assign = (by: Owner = owner, host: string = HOST): Promise<VolumeRecord> =>
  volumes.assignHost(by, host, "nova", runningAttempt(by, host), DEADLINE);

/** Every fenced transition, as the attempt that `by` names would make it. */
const TRANSITIONS: Record<string, (by: Owner) => Promise<unknown>> = {
  beginCreate: (by) => volumes.beginCreate(by, DEADLINE),
  persistModelUpdate: (by) => volumes.persistModelUpdate(by, {}, "created"),
  saveProgress: (by) => volumes.saveProgress(by, progress, DEADLINE),
  markBootable: (by) => volumes.markBootable(by, { image_id: "i" }),
  markAvailable: (by) => volumes.markAvailable(by, "available", NOW),
  markError: (by) => volumes.markError(by, fault, false),
  releaseForReschedule: (by) => volumes.releaseForReschedule(by, ownerOf(by.volumeId, by.attempt + 1), close, DEADLINE),
};

async function overdue(): Promise<string[]> {
  const ids: string[] = [];
  let from: string | undefined;
  do {
    const page = await volumes.listOverdue(new Date("9999-01-01T00:00:00.000Z"), 100, from);
    ids.push(...page.items.map(({ id }) => id));
    from = page.next;
  } while (from !== undefined);
  return ids;
}

/** Whether the volume is in the index of those in the flow. */
async function isInIndex(): Promise<boolean> {
  return (await overdue()).includes(volume.id);
}

/** A volume as another service may have written it: without any column that may be absent. */
async function putBare(columns: Record<string, AttributeValue>): Promise<void> {
  const item = { id: { S: volume.id }, size: { N: "1" }, status: { S: "creating" }, ...columns };
  await tables.client.send(new PutItemCommand({ TableName: "volumes", Item: item }));
}

/** Brings a new volume to a status that the flow does not write. */
async function replaceWith(columns: Partial<VolumeRecord>): Promise<void> {
  volume = queuedVolume({ deadline: null, phase: null, ...columns });
  owner = ownerOf(volume.id);
  await volumes.create(volume);
}

describe("a volume's record", () => {
  test("reads back as it was put, nulls included", async () => {
    expect(await volumes.get(volume.id)).toEqual(volume);
  });

  test("reads back whole when every column is set", async () => {
    await replaceWith({
      host: HOST,
      metadata: { a: "b", "": "empty key", "key.with#signs": "" },
      glance_metadata: { image_id: "i" },
      attempts: { 1: { ...runningAttempt(owner, HOST), suspected_orphan: true } },
      progress,
      fault,
      provider_location: "file:/x",
      deadline: DEADLINE.toISOString(),
    });
    expect(await volumes.get(volume.id)).toEqual(volume);
  });

  test("of another service reads with null, empty and false for what it lacks", async () => {
    await putBare({});
    expect(await volumes.get(volume.id)).toEqual({
      ...queuedVolume({ id: volume.id, project_id: "", user_id: "", phase: null, deadline: null }),
      created_at: "",
      updated_at: "",
    });
  });

  test("that does not exist is VolumeNotFound", async () => {
    await expect(volumes.get(queuedVolume().id)).rejects.toThrow(VolumeNotFound);
  });
});

describe("create", () => {
  test("refuses an id that is taken", async () => {
    await expect(volumes.create({ ...volume, size: 2 })).rejects.toThrow(InvalidInput);
    expect((await volumes.get(volume.id)).size).toBe(1);
  });

  test("succeeds again while the record stands as it was put", async () => {
    await expect(volumes.create(volume)).resolves.toBeUndefined();
  });

  test("refuses the repeat when the volume has moved on", async () => {
    await assign();
    await expect(volumes.create(volume)).rejects.toThrow(InvalidInput);
  });

  test("puts a volume in the flow's index only with a deadline", async () => {
    expect(await isInIndex()).toBe(true);
    await replaceWith({ status: "available" });
    expect(await isInIndex()).toBe(false);
  });
});

describe("every fenced transition", () => {
  for (const [name, transition] of Object.entries(TRANSITIONS)) {
    test(`${name} costs one UpdateItem when it succeeds`, async () => {
      await assign();
      tables.calls.clear();
      await transition(owner);
      expect(Object.fromEntries(tables.calls)).toEqual({ UpdateItemCommand: 1 });
    });

    test(`${name} stamps updated_at`, async () => {
      await assign();
      await transition(owner);
      expect((await volumes.get(volume.id)).updated_at).toBe(NOW.toISOString());
    });

    test(`${name} is refused to another attempt, by what it found, and changes nothing`, async () => {
      await assign();
      const before = await volumes.get(volume.id);
      await expect(transition(ownerOf(volume.id, 7))).rejects.toThrow(
        new FenceLost(volume.id, `${volume.id}-a7`, `it is creating and belongs to ${volume.id}-a1`),
      );
      expect(await volumes.get(volume.id)).toEqual(before);
    });

    test(`${name} is refused while no attempt owns the volume`, async () => {
      await expect(transition(owner)).rejects.toThrow(/it is creating and belongs to no attempt/);
    });

    test(`${name} is VolumeNotFound when there is no such volume, and makes none`, async () => {
      const missing = queuedVolume();
      await expect(transition(ownerOf(missing.id))).rejects.toThrow(VolumeNotFound);
      await expect(volumes.get(missing.id)).rejects.toThrow(VolumeNotFound);
    });

    for (const status of ["deleting", "error_deleting", "in-use"] as const satisfies VolumeStatus[]) {
      test(`${name} is refused to the owner when the volume is ${status}`, async () => {
        await replaceWith({ status, fence: `${volume.id}-a1`, attempts: { 1: runningAttempt(owner, HOST) } });
        const before = await volumes.get(volume.id);
        await expect(transition({ ...owner, fence: before.fence ?? "" })).rejects.toThrow(FenceLost);
        expect(await volumes.get(volume.id)).toEqual(before);
      });
    }

    test(`${name} is refused to the owner after another attempt took over`, async () => {
      await assign();
      await volumes.releaseForReschedule(owner, ownerOf(volume.id, 2), close, DEADLINE);
      await assign(ownerOf(volume.id, 2), "other@file#pool");
      await volumes.releaseForReschedule(ownerOf(volume.id, 2), ownerOf(volume.id, 3), close, DEADLINE);
      await expect(transition(owner)).rejects.toThrow(FenceLost);
    });
  }

  for (const name of ["beginCreate", "persistModelUpdate", "saveProgress", "markBootable", "releaseForReschedule"]) {
    for (const last of ["markAvailable", "markError"]) {
      test(`${name} is refused to the owner after ${last}`, async () => {
        await assign();
        await TRANSITIONS[last]?.(owner);
        const before = await volumes.get(volume.id);
        await expect(TRANSITIONS[name]?.(owner)).rejects.toThrow(FenceLost);
        expect(await volumes.get(volume.id)).toEqual(before);
      });
    }
  }

  for (const [name, transition] of Object.entries(TRANSITIONS)) {
    test(`${name} repeated by its owner leaves what the first made`, async () => {
      await assign();
      await transition(owner);
      const first = await volumes.get(volume.id);
      await transition(owner);
      expect(await volumes.get(volume.id)).toEqual(first);
    });
  }
});

describe("assignHost", () => {
  test("takes the volume, its host and a line of the ledger", async () => {
    const record = await assign();
    expect(record).toEqual(await volumes.get(volume.id));
    expect(record).toMatchObject({
      host: HOST,
      availability_zone: "nova",
      scheduled_at: "2026-01-01T00:00:01.000Z",
      fence: owner.fence,
      phase: "scheduled",
      status: "creating",
      deadline: DEADLINE.toISOString(),
      attempts: { 1: runningAttempt(owner, HOST) },
    });
    expect(await isInIndex()).toBe(true);
  });

  test("costs one UpdateItem", async () => {
    tables.calls.clear();
    await assign();
    expect(Object.fromEntries(tables.calls)).toEqual({ UpdateItemCommand: 1 });
  });

  test("repeated leaves a later phase as it is", async () => {
    await assign();
    await volumes.persistModelUpdate(owner, { provider_location: "file:/x" }, "created");
    const record = await assign();
    expect(record.phase).toBe("created");
    expect(record).toEqual(await volumes.get(volume.id));
  });

  test("repeated with another host returns the host that is stored", async () => {
    await assign();
    expect((await assign(owner, "other@file#pool")).host).toBe(HOST);
    expect((await volumes.get(volume.id)).attempts["1"]?.host).toBe(HOST);
  });

  test("repeated after the end returns the record as it ended", async () => {
    await assign();
    const finished = await volumes.markAvailable(owner, "available", NOW);
    expect(await assign()).toEqual(finished);
    expect(await isInIndex()).toBe(false);
  });

  test("is refused when another attempt owns the volume", async () => {
    await assign();
    await expect(assign(ownerOf(volume.id, 2))).rejects.toThrow(FenceLost);
  });

  test("lets the attempt that the record was handed to take it", async () => {
    await assign();
    const next = ownerOf(volume.id, 2);
    await volumes.releaseForReschedule(owner, next, close, DEADLINE);
    const record = await assign(next, "other@file#pool");
    expect(record).toMatchObject({ host: "other@file#pool", fence: next.fence, phase: "scheduled" });
    expect(Object.keys(record.attempts)).toEqual(["1", "2"]);
  });

  test("is refused to the attempt before once the record was handed over", async () => {
    await assign();
    await volumes.releaseForReschedule(owner, ownerOf(volume.id, 2), close, DEADLINE);
    await expect(assign()).rejects.toThrow(FenceLost);
  });

  test("is VolumeNotFound when there is no such volume, and makes none", async () => {
    const missing = queuedVolume();
    await expect(assign(ownerOf(missing.id))).rejects.toThrow(VolumeNotFound);
    await expect(volumes.get(missing.id)).rejects.toThrow(VolumeNotFound);
  });

  test("begins the ledger of a volume that has none", async () => {
    await putBare({});
    const record = await assign();
    expect(record).toMatchObject({ fence: owner.fence, attempts: { 1: runningAttempt(owner, HOST) } });
  });

  for (const status of ["downloading", "migration_target_creating"] as const) {
    test(`keeps the status ${status}`, async () => {
      await replaceWith({ status });
      expect((await assign()).status).toBe(status);
    });
  }

  test("takes a volume in error that no attempt owned and that has no fault back into the flow", async () => {
    await replaceWith({ status: "error" });
    expect(await assign()).toMatchObject({ status: "creating", fence: owner.fence, phase: "scheduled" });
    expect(await isInIndex()).toBe(true);
  });

  test("leaves a volume in error whose fault the flow has told", async () => {
    await volumes.markUnschedulable(volume.id, null, fault);
    await expect(assign()).rejects.toThrow(FenceLost);
    expect((await volumes.get(volume.id)).status).toBe("error");
  });

  test("is refused to a handed-over attempt that ended before it had a host", async () => {
    await assign();
    const next = ownerOf(volume.id, 2);
    await volumes.releaseForReschedule(owner, next, close, DEADLINE);
    await volumes.markUnschedulable(volume.id, next.fence, fault);
    await expect(assign(next)).rejects.toThrow(FenceLost);
  });

  for (const status of ["available", "in-use", "deleting", "error_deleting", "migration_target"] as const) {
    test(`is refused for a volume that is ${status}`, async () => {
      await replaceWith({ status });
      await expect(assign()).rejects.toThrow(`it is ${status} and belongs to no attempt`);
    });
  }

  test("gives one volume to exactly one of many attempts that race for it", async () => {
    const attempts = Array.from({ length: 10 }, (_, index) => ownerOf(volume.id, index + 1));
    const results = await Promise.allSettled(attempts.map((by) => assign(by, `host${by.attempt}@file#pool`)));
    const winners = results.filter(({ status }) => status === "fulfilled");
    const refused = results.flatMap((result) => (result.status === "rejected" ? [result.reason as Error] : []));
    expect(winners).toHaveLength(1);
    expect(refused.map(({ name }) => name)).toEqual(Array.from({ length: 9 }, () => "FenceLost"));
    const record = await volumes.get(volume.id);
    expect(Object.keys(record.attempts)).toHaveLength(1);
    expect(record.attempts[record.fence?.split("-a")[1] ?? ""]?.host).toBe(record.host);
  });

  test("gives two deliveries of one attempt the same host", async () => {
    const records = await Promise.all([assign(owner, "one@file#pool"), assign(owner, "two@file#pool")]);
    expect(records[0]?.host).toBe(records[1]?.host);
  });
});

describe("beginCreate", () => {
  test("says that the backend may hold the volume from now on", async () => {
    await assign();
    const record = await volumes.beginCreate(owner, FAR);
    expect(record).toMatchObject({ phase: "creating", deadline: FAR.toISOString() });
    expect(record).toEqual(await volumes.get(volume.id));
  });

  test("is refused when the volume is in error", async () => {
    await assign();
    await volumes.markError(owner, fault, false);
    await expect(volumes.beginCreate(owner, DEADLINE)).rejects.toThrow(`it is error and belongs to ${owner.fence}`);
  });
});

describe("persistModelUpdate", () => {
  test("keeps the driver's location, the phase and the status", async () => {
    await assign();
    await volumes.persistModelUpdate(owner, { provider_location: "file:/x" }, "created", "downloading");
    expect(await volumes.get(volume.id)).toMatchObject({ provider_location: "file:/x", phase: "created", status: "downloading" });
  });

  test("leaves the location and the status when none is given", async () => {
    await assign();
    await volumes.persistModelUpdate(owner, { provider_location: "file:/x" }, "created", "downloading");
    await volumes.persistModelUpdate(owner, {}, "copying");
    expect(await volumes.get(volume.id)).toMatchObject({ provider_location: "file:/x", phase: "copying", status: "downloading" });
  });
});

describe("saveProgress", () => {
  beforeEach(async () => {
    await assign();
    await volumes.saveProgress(owner, progress, DEADLINE);
  });

  test("keeps the progress and moves the deadline", async () => {
    await volumes.saveProgress(owner, { ...progress, bytes_done: 20, hash_state: "abc" }, FAR);
    expect(await volumes.get(volume.id)).toMatchObject({
      phase: "copying",
      progress: { ...progress, bytes_done: 20, hash_state: "abc" },
      deadline: FAR.toISOString(),
    });
  });

  test("ignores a late turn of the same attempt", async () => {
    await volumes.saveProgress(owner, { ...progress, bytes_done: 5 }, FAR);
    expect(await volumes.get(volume.id)).toMatchObject({ progress, deadline: DEADLINE.toISOString() });
  });

  test("starts over when the image is another one", async () => {
    await volumes.saveProgress(owner, { ...progress, bytes_done: 5, image_tag: "other" }, DEADLINE);
    expect((await volumes.get(volume.id)).progress).toEqual({ ...progress, bytes_done: 5, image_tag: "other" });
  });

  test("compares progress that names no image with its own kind only", async () => {
    const { image_tag: _tag, ...untagged } = progress;
    await volumes.saveProgress(owner, { ...untagged, bytes_done: 3 }, DEADLINE);
    await volumes.saveProgress(owner, { ...untagged, bytes_done: 2 }, DEADLINE);
    expect((await volumes.get(volume.id)).progress).toEqual({ ...untagged, bytes_done: 3 });
    await volumes.saveProgress(owner, { ...progress, bytes_done: 1 }, DEADLINE);
    expect((await volumes.get(volume.id)).progress?.bytes_done).toBe(1);
  });

  test("is refused to a late turn of another attempt", async () => {
    await expect(volumes.saveProgress(ownerOf(volume.id, 2), { ...progress, bytes_done: 5 }, FAR)).rejects.toThrow(FenceLost);
  });

  test("keeps the most of many turns that race", async () => {
    const turns = [70, 30, 90, 50, 20].map((bytesDone) => volumes.saveProgress(owner, { ...progress, bytes_done: bytesDone }, FAR));
    await Promise.all(turns);
    expect((await volumes.get(volume.id)).progress?.bytes_done).toBe(90);
  });
});

describe("markBootable", () => {
  test("sets the flag and replaces the image's metadata together", async () => {
    await assign();
    await volumes.markBootable(owner, { image_id: "old", gone: "x" });
    await volumes.markBootable(owner, { image_id: "new" });
    expect(await volumes.get(volume.id)).toMatchObject({ bootable: true, glance_metadata: { image_id: "new" } });
    expect((await volumes.get(volume.id)).glance_metadata).not.toHaveProperty("gone");
  });
});

describe("markAvailable", () => {
  test("ends the flow", async () => {
    await assign();
    await volumes.saveProgress(owner, progress, DEADLINE);
    const record = await volumes.markAvailable(owner, "available", NOW);
    expect(record).toEqual(await volumes.get(volume.id));
    expect(record).toMatchObject({
      status: "available",
      launched_at: NOW.toISOString(),
      fence: owner.fence,
      phase: null,
      progress: null,
      deadline: null,
      attempts: { 1: { ...runningAttempt(owner, HOST), outcome: "created", ended_at: NOW.toISOString() } },
    });
    expect(await isInIndex()).toBe(false);
  });

  test("repeated returns the record and keeps the first launched_at", async () => {
    await assign();
    const first = await volumes.markAvailable(owner, "available", NOW);
    expect(await volumes.markAvailable(owner, "available", FAR)).toEqual(first);
  });

  test("repeated leaves the status that a user has given the volume since", async () => {
    await assign();
    await volumes.markAvailable(owner, "available", NOW);
    await volumes.beginDelete(volume.id);
    expect((await volumes.markAvailable(owner, "available", NOW)).status).toBe("deleting");
    expect((await volumes.get(volume.id)).status).toBe("deleting");
  });

  test("is refused after markError, also when another service had launched the volume before", async () => {
    await replaceWith({ status: "creating", launched_at: "2025-01-01T00:00:00.000Z" });
    await assign();
    await volumes.markError(owner, fault, false);
    await expect(volumes.markAvailable(owner, "available", NOW)).rejects.toThrow(FenceLost);
  });

  test("writes the ledger's line where another service left none", async () => {
    await putBare({ fence: { S: owner.fence } });
    const record = await volumes.markAvailable(owner, "available", NOW);
    expect(record.attempts["1"]).toMatchObject({ execution: owner.fence, outcome: "created", ended_at: NOW.toISOString() });
  });

  test("and markError race: one wins and the other is refused", async () => {
    await assign();
    const [available, error] = await Promise.allSettled([
      volumes.markAvailable(owner, "available", NOW),
      volumes.markError(owner, fault, false),
    ]);
    const { status } = await volumes.get(volume.id);
    expect([available.status, error.status].toSorted()).toEqual(["fulfilled", "rejected"]);
    expect(status).toBe(available.status === "fulfilled" ? "available" : "error");
  });
});

describe("markError", () => {
  test("ends the flow with its fault and closes the ledger's line", async () => {
    await assign();
    await volumes.beginCreate(owner, DEADLINE);
    await volumes.saveProgress(owner, progress, DEADLINE);
    const record = await volumes.markError(owner, fault, false);
    expect(record).toEqual(await volumes.get(volume.id));
    expect(record).toMatchObject({ status: "error", fault, phase: "copying", progress: null, deadline: null, host: HOST });
    expect(record.attempts["1"]).toEqual({
      ...runningAttempt(owner, HOST),
      outcome: "error",
      ended_at: fault.at,
      error: fault.error,
      cause: fault.cause,
    });
    expect(await isInIndex()).toBe(false);
  });

  test("names a suspected orphan", async () => {
    await assign();
    expect((await volumes.markError(owner, fault, true)).attempts["1"]?.suspected_orphan).toBe(true);
  });

  test("repeated keeps the first fault", async () => {
    await assign();
    const first = await volumes.markError(owner, fault, false);
    expect(await volumes.markError(owner, { ...fault, cause: "later" }, true)).toEqual(first);
  });

  test("is refused after markAvailable", async () => {
    await assign();
    await volumes.markAvailable(owner, "available", NOW);
    await expect(volumes.markError(owner, fault, false)).rejects.toThrow(`it is available and belongs to ${owner.fence}`);
  });
});

describe("releaseForReschedule", () => {
  test("hands the record to the next attempt as if none had been made", async () => {
    await assign();
    await volumes.persistModelUpdate(owner, { provider_location: "file:/x" }, "created", "downloading");
    await volumes.saveProgress(owner, progress, DEADLINE);
    await volumes.markBootable(owner, { image_id: "i" });
    const next = ownerOf(volume.id, 2);
    const record = await volumes.releaseForReschedule(owner, next, close, FAR);
    expect(record).toEqual(await volumes.get(volume.id));
    expect(record).toMatchObject({
      status: "creating",
      fence: next.fence,
      host: null,
      provider_location: null,
      bootable: false,
      glance_metadata: {},
      progress: null,
      phase: "queued",
      scheduled_at: NOW.toISOString(),
      deadline: FAR.toISOString(),
    });
    expect(record.attempts).toEqual({
      1: {
        ...runningAttempt(owner, HOST),
        outcome: "rescheduled",
        ended_at: NOW.toISOString(),
        error: close.error,
        cause: close.cause,
      },
    });
    expect(await isInIndex()).toBe(true);
  });

  test("names a suspected orphan", async () => {
    await assign();
    const next = ownerOf(volume.id, 2);
    const record = await volumes.releaseForReschedule(owner, next, { ...close, suspectedOrphan: true }, FAR);
    expect(record.attempts["1"]?.suspected_orphan).toBe(true);
  });

  test("leaves a migration's target a migration's target", async () => {
    await replaceWith({ status: "migration_target_creating" });
    await assign();
    const next = ownerOf(volume.id, 2);
    const record = await volumes.releaseForReschedule(owner, next, close, FAR);
    expect(record).toMatchObject({ status: "migration_target_creating", fence: next.fence, host: null, phase: "queued" });
  });

  test("repeated after the next attempt began returns that attempt's record", async () => {
    await assign();
    const next = ownerOf(volume.id, 2);
    await volumes.releaseForReschedule(owner, next, close, FAR);
    const begun = await assign(next, "other@file#pool");
    expect(await volumes.releaseForReschedule(owner, next, close, FAR)).toEqual(begun);
  });
});

describe("markUnschedulable", () => {
  test("ends a volume that no attempt owns in error", async () => {
    const record = await volumes.markUnschedulable(volume.id, null, fault);
    expect(record).toEqual(await volumes.get(volume.id));
    expect(record).toMatchObject({ status: "error", fault, deadline: null });
    expect(await isInIndex()).toBe(false);
  });

  test("ends a volume that was handed to an attempt without a host", async () => {
    await assign();
    const next = ownerOf(volume.id, 2);
    await volumes.releaseForReschedule(owner, next, close, DEADLINE);
    expect(await volumes.markUnschedulable(volume.id, next.fence, fault)).toMatchObject({ status: "error", fault });
  });

  test("accepts a volume that no attempt owns also when one was expected", async () => {
    expect((await volumes.markUnschedulable(volume.id, owner.fence, fault)).status).toBe("error");
  });

  test("repeated for the same reason returns the record", async () => {
    const first = await volumes.markUnschedulable(volume.id, null, fault);
    expect(await volumes.markUnschedulable(volume.id, null, { ...fault, cause: "later" })).toEqual(first);
  });

  test("repeated returns the record also when the expected attempt never owned it", async () => {
    const first = await volumes.markUnschedulable(volume.id, owner.fence, fault);
    expect(await volumes.markUnschedulable(volume.id, owner.fence, fault)).toEqual(first);
  });

  test("is refused when the volume is in error for another reason", async () => {
    await volumes.markUnschedulable(volume.id, null, fault);
    const other = { ...fault, error: "NoValidBackend" };
    await expect(volumes.markUnschedulable(volume.id, null, other)).rejects.toThrow(FenceLost);
  });

  test("is refused when an attempt has taken the volume meanwhile", async () => {
    await assign();
    await expect(volumes.markUnschedulable(volume.id, null, fault)).rejects.toThrow(FenceLost);
    expect((await volumes.get(volume.id)).status).toBe("creating");
  });

  test("is refused when the expected attempt runs on a host by now", async () => {
    await assign();
    await expect(volumes.markUnschedulable(volume.id, owner.fence, fault)).rejects.toThrow(FenceLost);
    expect((await volumes.get(volume.id)).status).toBe("creating");
  });

  test("is refused when another attempt was expected", async () => {
    await assign();
    await volumes.releaseForReschedule(owner, ownerOf(volume.id, 2), close, DEADLINE);
    await expect(volumes.markUnschedulable(volume.id, owner.fence, fault)).rejects.toThrow(FenceLost);
  });

  test("is refused for a volume that is available", async () => {
    await replaceWith({ status: "available" });
    await expect(volumes.markUnschedulable(volume.id, null, fault)).rejects.toThrow(FenceLost);
  });

  test("is VolumeNotFound when there is no such volume", async () => {
    await expect(volumes.markUnschedulable(queuedVolume().id, null, fault)).rejects.toThrow(VolumeNotFound);
  });
});

describe("deletion", () => {
  for (const status of ["available", "error", "error_deleting", "migration_target", "deleting"] as const) {
    test(`begins for a volume that is ${status}`, async () => {
      await replaceWith({ status });
      expect((await volumes.beginDelete(volume.id)).status).toBe("deleting");
    });
  }

  for (const status of ["creating", "downloading", "migration_target_creating", "in-use", "backing-up"] as const) {
    test(`is refused for a volume that is ${status}, by that name`, async () => {
      await replaceWith({ status });
      await expect(volumes.beginDelete(volume.id)).rejects.toThrow(InvalidVolume);
      await expect(volumes.beginDelete(volume.id)).rejects.toThrow(`is ${status};`);
    });
  }

  test("is refused for a volume that is in the flow whatever its status", async () => {
    await replaceWith({ status: "error", deadline: DEADLINE.toISOString() });
    await expect(volumes.beginDelete(volume.id)).rejects.toThrow("is error and in the flow");
  });

  test("of a volume that does not exist is VolumeNotFound", async () => {
    await expect(volumes.beginDelete(queuedVolume().id)).rejects.toThrow(VolumeNotFound);
  });

  test("removes the record, and may be repeated", async () => {
    await replaceWith({ status: "available" });
    await volumes.beginDelete(volume.id);
    await volumes.finishDelete(volume.id);
    await volumes.finishDelete(volume.id);
    await expect(volumes.get(volume.id)).rejects.toThrow(VolumeNotFound);
  });

  test("does not remove a record that is not deleting", async () => {
    await expect(volumes.finishDelete(volume.id)).rejects.toThrow(InvalidVolume);
    expect((await volumes.get(volume.id)).status).toBe("creating");
  });

  test("keeps a late attempt from the record", async () => {
    await assign();
    await volumes.markError(owner, fault, false);
    await volumes.beginDelete(volume.id);
    await expect(volumes.beginCreate(owner, DEADLINE)).rejects.toThrow(`it is deleting and belongs to ${owner.fence}`);
  });
});

describe("getMany", () => {
  test("reads each volume that exists once, over more than one batch", async () => {
    const made = Array.from({ length: 105 }, () => queuedVolume());
    await Promise.all(made.map((record) => volumes.create(record)));
    const ids = made.map(({ id }) => id);
    const found = await volumes.getMany([...ids, ...ids.slice(0, 3), queuedVolume().id]);
    expect([...found.keys()].toSorted()).toEqual(ids.toSorted());
    expect(found.get(ids[104] ?? "")).toEqual(made[104]);
  });

  test("of nothing asks nothing", async () => {
    tables.calls.clear();
    expect(await volumes.getMany([])).toEqual(new Map());
    expect(tables.calls.size).toBe(0);
  });
});

describe("list", () => {
  const project = queuedVolume().id;
  const made = Array.from({ length: 25 }, (_, index) =>
    queuedVolume({
      project_id: project,
      display_name: index % 2 === 0 ? "even" : "odd",
      host: index < 5 ? `${project}@file#pool` : null,
      status: index === 0 ? "available" : "creating",
      deadline: null,
    }),
  );

  beforeAll(async () => {
    await Promise.all(made.map((record) => volumes.create(record)));
  });

  async function pages(filter: Parameters<DynamoDbVolumeRepository["list"]>[0], limit: number): Promise<VolumeRecord[][]> {
    const read: VolumeRecord[][] = [];
    let from: string | undefined;
    do {
      const page = await volumes.list(filter, limit, from);
      read.push(page.items);
      from = page.next;
    } while (from !== undefined);
    return read;
  }

  const idsOf = (records: VolumeRecord[]): string[] => records.map(({ id }) => id).toSorted();

  test("gives every match once over all pages, none of them too long", async () => {
    const read = await pages({ projectId: project }, 4);
    expect(idsOf(read.flat())).toEqual(idsOf(made));
    expect(Math.max(...read.map(({ length }) => length))).toBe(4);
  });

  test("fills a page although most volumes do not match", async () => {
    expect((await volumes.list({ projectId: project }, 25)).items).toHaveLength(25);
  });

  test("gives every volume once without a filter", async () => {
    const all = (await pages({}, 10)).flat().map(({ id }) => id);
    expect(new Set(all).size).toBe(all.length);
    expect(all).toEqual(expect.arrayContaining(made.map(({ id }) => id)));
  });

  test("narrows by name, host and status together", async () => {
    const read = await pages({ projectId: project, name: "even", host: `${project}@file#pool`, status: "creating" }, 10);
    expect(idsOf(read.flat())).toEqual(idsOf([made[2], made[4]].filter((record) => record !== undefined)));
  });

  const tokens = ["nonsense", "", Buffer.from("[]").toString("base64url"), Buffer.from('{"id":1}').toString("base64url")];
  for (const token of [...tokens, Buffer.from('{"id":"a","x":"b"}').toString("base64url"), Buffer.from("null").toString("base64url")]) {
    test(`refuses the token ${JSON.stringify(token)}`, async () => {
      await expect(volumes.list({}, 10, token)).rejects.toThrow(InvalidInput);
    });
  }

  for (const limit of [0, -1, 1.5, Number.NaN]) {
    test(`refuses the limit ${limit}`, async () => {
      await expect(volumes.list({}, limit)).rejects.toThrow(InvalidInput);
    });
  }
});

describe("listOverdue", () => {
  test("names what is overdue, the longest overdue first, page by page", async () => {
    const early = queuedVolume({ deadline: "1990-01-01T00:00:00.000Z" });
    const earlier = queuedVolume({ deadline: "1980-01-01T00:00:00.000Z" });
    await volumes.create(early);
    await volumes.create(earlier);
    const now = new Date("1999-01-01T00:00:00.000Z");
    const first = await volumes.listOverdue(now, 1);
    expect(first.items).toEqual([{ id: earlier.id, deadline: earlier.deadline }]);
    expect((await volumes.listOverdue(now, 5, first.next)).items).toEqual([{ id: early.id, deadline: early.deadline }]);
  });

  test("does not name a volume whose deadline is this moment", async () => {
    await replaceWith({ deadline: "1970-01-02T00:00:00.000Z" });
    expect((await volumes.listOverdue(new Date("1970-01-02T00:00:00.000Z"), 10)).items).toEqual([]);
  });

  test("refuses a token of another listing", async () => {
    await expect(volumes.listOverdue(NOW, 1, Buffer.from('{"id":"a"}').toString("base64url"))).rejects.toThrow(InvalidInput);
  });
});
