import { describe, expect, test } from "vitest";
import { FenceLost, VolumeNotFound } from "../../core/errors.ts";
import { ownerOf, queuedVolume, runningAttempt } from "../support/records.ts";
import {
  DEADLINE,
  FAR,
  HOST,
  NOW,
  assign,
  close,
  fault,
  isInIndex,
  owner,
  progress,
  putBare,
  replaceWith,
  tables,
  useVolumes,
  volume,
  volumes,
} from "../support/volume-contract.ts";

useVolumes();

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
    const finished = await volumes.markAvailable(owner, "available", NOW, {});
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

  test("leaves a volume in error whose fault the flow has published", async () => {
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
    expect(record.attempts[record.fence?.slice(`${volume.id}-a`.length) ?? ""]?.host).toBe(record.host);
  });

  test("gives two deliveries of one attempt the same host", async () => {
    const records = await Promise.all([assign(owner, "one@file#pool"), assign(owner, "two@file#pool")]);
    expect(records[0]?.host).toBe(records[1]?.host);
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

  test("of an attempt that has moved on since its backend was cleared is to be tried again", async () => {
    await assign();
    const next = ownerOf(volume.id, 2);
    const cleared = { ...close, clearedPhase: "scheduled" } as const;
    await volumes.beginCreate(owner, DEADLINE);
    await expect(volumes.releaseForReschedule(owner, next, cleared, FAR)).rejects.toThrow(
      "has moved on from scheduled to creating",
    );
    const again = { ...close, clearedPhase: "creating" } as const;
    expect((await volumes.releaseForReschedule(owner, next, again, FAR)).fence).toBe(next.fence);
    expect((await volumes.releaseForReschedule(owner, next, cleared, FAR)).fence).toBe(next.fence);
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
    expect(record).toMatchObject({
      status: "migration_target_creating",
      fence: next.fence,
      host: null,
      phase: "queued",
    });
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

  test("is refused when an attempt has taken the volume in the meantime", async () => {
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
