// @ts-nocheck
import { describe, expect, test } from "vitest";
import { FenceLost, InvalidInput, VolumeNotFound } from "../../core/errors.ts";
import type { Owner } from "../../core/ports.ts";
import type { VolumeStatus } from "../../core/records.ts";
import { ownerOf, queuedVolume, runningAttempt } from "../support/records.ts";
import {
  DEADLINE,
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

/** Every fenced transition, as the attempt that `by` names would make it. */
const TRANSITIONS: Record<string, (by: Owner) => Promise<unknown>> = {
  beginCreate: (by) => volumes.beginCreate(by, DEADLINE),
  persistModelUpdate: (by) => volumes.persistModelUpdate(by, {}, "created"),
  saveProgress: (by) => volumes.saveProgress(by, progress, DEADLINE),
  markBootable: (by) => volumes.markBootable(by, { image_id: "i" }),
  markAvailable: (by) => volumes.markAvailable(by, "available", NOW, {}),
  markError: (by) => volumes.markError(by, fault),
  releaseForReschedule: (by) => volumes.releaseForReschedule(by, ownerOf(by.volumeId, by.attempt + 1), close, DEADLINE),
};

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
