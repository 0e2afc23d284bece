import { beforeEach, describe, expect, test } from "vitest";
import { FenceLost } from "../../core/errors.ts";
import { ownerOf, runningAttempt } from "../support/records.ts";
import {
  DEADLINE,
  FAR,
  HOST,
  NOW,
  assign,
  fault,
  isInIndex,
  owner,
  progress,
  putBare,
  replaceWith,
  useVolumes,
  volume,
  volumes,
} from "../support/volume-contract.ts";

useVolumes();

describe("beginCreate", () => {
  test("says that the backend may hold the volume from now on", async () => {
    await assign();
    const record = await volumes.beginCreate(owner, FAR);
    expect(record).toMatchObject({ phase: "creating", deadline: FAR.toISOString() });
    expect(record).toEqual(await volumes.get(volume.id));
  });

  test("is refused when the volume is in error", async () => {
    await assign();
    await volumes.markError(owner, fault);
    await expect(volumes.beginCreate(owner, DEADLINE)).rejects.toThrow(`it is error and belongs to ${owner.fence}`);
  });
});

describe("persistModelUpdate", () => {
  test("keeps the driver's location, the phase and the status", async () => {
    await assign();
    await volumes.persistModelUpdate(owner, { provider_location: "file:/x" }, "created", "downloading");
    expect(await volumes.get(volume.id)).toMatchObject({
      provider_location: "file:/x",
      phase: "created",
      status: "downloading",
    });
  });

  test("leaves the location and the status when none is given", async () => {
    await assign();
    await volumes.persistModelUpdate(owner, { provider_location: "file:/x" }, "created", "downloading");
    await volumes.persistModelUpdate(owner, {}, "copying");
    expect(await volumes.get(volume.id)).toMatchObject({
      provider_location: "file:/x",
      phase: "copying",
      status: "downloading",
    });
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
    await expect(volumes.saveProgress(ownerOf(volume.id, 2), { ...progress, bytes_done: 5 }, FAR)).rejects.toThrow(
      FenceLost,
    );
  });

  test("keeps the most of many turns that race", async () => {
    const turns = [70, 30, 90, 50, 20].map((bytesDone) =>
      volumes.saveProgress(owner, { ...progress, bytes_done: bytesDone }, FAR),
    );
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
    const record = await volumes.markAvailable(owner, "available", NOW, { provider_location: "/kept" });
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
    const first = await volumes.markAvailable(owner, "available", NOW, {});
    expect(await volumes.markAvailable(owner, "available", FAR, {})).toEqual(first);
  });

  test("repeated leaves the status that a user has given the volume since", async () => {
    await assign();
    await volumes.markAvailable(owner, "available", NOW, {});
    await volumes.beginDelete(volume, DEADLINE);
    expect((await volumes.markAvailable(owner, "available", NOW, {})).status).toBe("deleting");
    expect((await volumes.get(volume.id)).status).toBe("deleting");
  });

  test("is refused after markError, also when another service had launched the volume before", async () => {
    await replaceWith({ status: "creating", launched_at: "2025-01-01T00:00:00.000Z" });
    await assign();
    await volumes.markError(owner, fault);
    await expect(volumes.markAvailable(owner, "available", NOW, {})).rejects.toThrow(FenceLost);
  });

  test("writes the ledger's line where another service left none", async () => {
    await putBare({ fence: { S: owner.fence }, in_flow: { S: "y" }, deadline: { S: DEADLINE.toISOString() } });
    const record = await volumes.markAvailable(owner, "available", NOW, {});
    expect(record.attempts["1"]).toMatchObject({
      execution: owner.fence,
      outcome: "created",
      ended_at: NOW.toISOString(),
    });
  });

  test("and markError race: one wins and the other is refused", async () => {
    await assign();
    const [available, error] = await Promise.allSettled([
      volumes.markAvailable(owner, "available", NOW, {}),
      volumes.markError(owner, fault),
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
    const record = await volumes.markError(owner, fault);
    expect(record).toEqual(await volumes.get(volume.id));
    expect(record).toMatchObject({
      status: "error",
      fault,
      phase: "copying",
      progress: null,
      deadline: null,
      host: HOST,
    });
    expect(record.attempts["1"]).toEqual({
      ...runningAttempt(owner, HOST),
      outcome: "error",
      ended_at: fault.at,
      error: fault.error,
      cause: fault.cause,
    });
    expect(await isInIndex()).toBe(false);
  });

  test("repeated keeps the first fault", async () => {
    await assign();
    const first = await volumes.markError(owner, fault);
    expect(await volumes.markError(owner, { ...fault, cause: "later" })).toEqual(first);
  });

  test("is refused after markAvailable", async () => {
    await assign();
    await volumes.markAvailable(owner, "available", NOW, {});
    await expect(volumes.markError(owner, fault)).rejects.toThrow(`it is available and belongs to ${owner.fence}`);
  });
});
