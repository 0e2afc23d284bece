import { describe, expect, test } from "vitest";
import { FenceLost, InvalidVolume, VolumeDeleteRequested, VolumeNotFound } from "../../core/errors.ts";
import { ownerOf, queuedVolume } from "../support/records.ts";
import {
  assign,
  close,
  DEADLINE,
  FAR,
  fault,
  HOST,
  isInIndex,
  NOW,
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

describe("deletion", () => {
  for (const status of ["available", "error", "error_deleting", "migration_target", "deleting"] as const) {
    test(`begins for a volume that is ${status}`, async () => {
      await replaceWith({ status });
      expect((await volumes.beginDelete(volume, DEADLINE)).status).toBe("deleting");
    });
  }

  for (const status of ["creating", "downloading", "migration_target_creating", "in-use", "backing-up"] as const) {
    test(`is refused for a volume that is ${status}, by that name`, async () => {
      await replaceWith({ status });
      await expect(volumes.beginDelete(volume, DEADLINE)).rejects.toThrow(InvalidVolume);
      await expect(volumes.beginDelete(volume, DEADLINE)).rejects.toThrow(`is ${status};`);
    });
  }

  test("is refused for a volume that is in the flow whatever its status", async () => {
    await replaceWith({ status: "error", deadline: DEADLINE.toISOString() });
    await expect(volumes.beginDelete(volume, DEADLINE)).rejects.toThrow("is error and in the flow");
  });

  test("of a volume that does not exist is VolumeNotFound", async () => {
    await expect(volumes.beginDelete(queuedVolume(), DEADLINE)).rejects.toThrow(VolumeNotFound);
  });

  test("removes the record, and may be repeated", async () => {
    await replaceWith({ status: "available" });
    await volumes.beginDelete(volume, DEADLINE);
    await volumes.finishDelete(volume.id);
    await volumes.finishDelete(volume.id);
    await expect(volumes.get(volume.id)).rejects.toThrow(VolumeNotFound);
  });

  test("of a volume at rest has a deadline, and may be begun again when it died or was refused", async () => {
    await replaceWith({ status: "available" });
    const begun = await volumes.beginDelete(volume, DEADLINE);
    expect(begun).toMatchObject({ deadline: DEADLINE.toISOString(), delete_requested_at: NOW.toISOString() });
    expect(await isInIndex()).toBe(true);
    await volumes.markErrorDeleting(volume.id, null, fault);
    expect(await volumes.get(volume.id)).toMatchObject({ status: "error_deleting", fault });
    expect(await volumes.beginDelete(volume, FAR)).toMatchObject({
      status: "deleting",
      deadline: FAR.toISOString(),
    });
    expect((await volumes.beginRequestedDelete(volume.id, null, DEADLINE)).status).toBe("deleting");
  });

  test("does not remove a record that is not deleting", async () => {
    await expect(volumes.finishDelete(volume.id)).rejects.toThrow(InvalidVolume);
    expect((await volumes.get(volume.id)).status).toBe("creating");
  });

  test("keeps a late attempt from the record", async () => {
    await assign();
    await volumes.markError(owner, fault);
    await volumes.beginDelete(volume, DEADLINE);
    await expect(volumes.beginCreate(owner, DEADLINE)).rejects.toThrow(VolumeDeleteRequested);
  });
});

describe("the deadline of a volume whose status somebody else has set", () => {
  const deadline = DEADLINE.toISOString();

  test("is taken off, and the volume may be deleted then", async () => {
    await replaceWith({ status: "error", deadline });
    await volumes.forgetDeadline(volume.id, deadline);
    expect(await volumes.get(volume.id)).toMatchObject({ status: "error", deadline: null });
    expect(await isInIndex()).toBe(false);
    await volumes.beginDelete(volume, DEADLINE);
  });

  test.each<[string, Parameters<typeof replaceWith>[0]]>([
    ["is in the flow", { status: "downloading", deadline }],
    ["is to be deleted", { status: "error_deleting", deadline, delete_requested_at: deadline }],
    ["has another deadline by now", { status: "error", deadline: FAR.toISOString() }],
  ])("stays with a volume that %s", async (_what, columns) => {
    await replaceWith(columns);
    await volumes.forgetDeadline(volume.id, deadline);
    expect(await volumes.get(volume.id)).toEqual(volume);
    expect(await isInIndex()).toBe(true);
  });

  test("is taken off, and a deletion that was asked for is void, when the status says otherwise", async () => {
    await replaceWith({ status: "available", deadline, delete_requested_at: deadline });
    await volumes.forgetDeadline(volume.id, deadline);
    expect(await volumes.get(volume.id)).toMatchObject({ deadline: null, delete_requested_at: null });
    expect(await isInIndex()).toBe(false);
  });

  test("of one that is gone does nothing", async () => {
    await expect(volumes.forgetDeadline(queuedVolume().id, deadline)).resolves.toBeUndefined();
  });
});

describe("a deletion that is asked for during the flow", () => {
  test("is one update, which keeps owner, status, phase and deadline", async () => {
    const before = await assign();
    tables.calls.clear();
    const { delete_requested_at: requestedAt, ...columns } = await volumes.requestDelete(volume.id, FAR);
    expect(requestedAt).toBe(NOW.toISOString());
    expect({ ...columns, delete_requested_at: null }).toEqual(before);
    expect([...tables.calls]).toEqual([["UpdateItemCommand", 1]]);
  });

  test("gives a volume that another service wrote a deadline, and so a place in the index", async () => {
    await putBare({});
    expect(await volumes.requestDelete(volume.id, DEADLINE)).toMatchObject({ deadline: DEADLINE.toISOString() });
    expect(await isInIndex()).toBe(true);
  });

  test.each<[string, () => Promise<unknown>]>([
    ["assignHost", () => assign()],
    ["beginCreate", () => volumes.beginCreate(owner, DEADLINE)],
    ["persistModelUpdate", () => volumes.persistModelUpdate(owner, {}, "created")],
    ["saveProgress", () => volumes.saveProgress(owner, progress, DEADLINE)],
    ["markBootable", () => volumes.markBootable(owner, {})],
    ["markAvailable", () => volumes.markAvailable(owner, "available", NOW, {})],
    ["markError", () => volumes.markError(owner, fault)],
    ["releaseForReschedule", () => volumes.releaseForReschedule(owner, ownerOf(volume.id, 2), close, DEADLINE)],
    ["markUnschedulable", () => volumes.markUnschedulable(volume.id, null, fault)],
  ])("refuses %s by VolumeDeleteRequested, and nothing is changed", async (name, write) => {
    const isScheduling = name === "assignHost" || name === "markUnschedulable";
    if (!isScheduling) {
      await assign();
    }
    const before = await volumes.requestDelete(volume.id, DEADLINE);
    await expect(write()).rejects.toThrow(VolumeDeleteRequested);
    expect(await volumes.get(volume.id)).toEqual(before);
  });

  test("refuses the progress of a late turn, too", async () => {
    await assign();
    await volumes.saveProgress(owner, progress, DEADLINE);
    await volumes.requestDelete(volume.id, DEADLINE);
    const late = { ...progress, bytes_done: 1 };
    await expect(volumes.saveProgress(owner, late, DEADLINE)).rejects.toThrow(VolumeDeleteRequested);
  });

  test("and the last write of the create: the first one wins, and the other one is refused by name", async () => {
    for (let round = 0; round < 10; round += 1) {
      await replaceWith({ deadline: DEADLINE.toISOString(), phase: "queued" });
      await assign();
      const [made, asked] = await Promise.allSettled([
        volumes.markAvailable(owner, "available", NOW, {}),
        volumes.requestDelete(volume.id, DEADLINE),
      ]);
      expect([made.status, asked.status].toSorted()).toEqual(["fulfilled", "rejected"]);
      const { status, delete_requested_at: requestedAt } = await volumes.get(volume.id);
      expect([status, requestedAt === null]).toEqual(
        made.status === "fulfilled" ? ["available", true] : ["creating", false],
      );
    }
  });

  test("is carried out in the name of the owner, in the index until the record is gone", async () => {
    await assign();
    await volumes.requestDelete(volume.id, DEADLINE);
    await expect(volumes.beginRequestedDelete(volume.id, null, FAR)).rejects.toThrow(FenceLost);
    const begun = await volumes.beginRequestedDelete(volume.id, owner.fence, FAR);
    expect(begun).toMatchObject({ status: "deleting", deadline: FAR.toISOString(), phase: "scheduled", host: HOST });
    expect(await isInIndex()).toBe(true);
    await volumes.markErrorDeleting(volume.id, owner.fence, fault);
    expect(await volumes.beginRequestedDelete(volume.id, owner.fence, FAR)).toMatchObject({ status: "deleting" });
    await volumes.finishDelete(volume.id);
    await expect(volumes.get(volume.id)).rejects.toThrow(VolumeNotFound);
    expect(await isInIndex()).toBe(false);
  });
});

describe("a lock", () => {
  const count = (
    statuses: Parameters<typeof volumes.countLock>[1] = ["available"],
    project: string | null = "project",
  ) => volumes.countLock(volume.id, statuses, project);

  test("is counted by one update that returns the record", async () => {
    await replaceWith({ status: "available" });
    tables.calls.clear();
    expect(await count()).toMatchObject({ id: volume.id, times_locked: 1, updated_at: volume.updated_at });
    expect(await count()).toMatchObject({ times_locked: 2 });
    expect([...tables.calls]).toEqual([["UpdateItemCommand", 2]]);
  });

  test("refuses a deletion by a caller that has read the volume before, and no other", async () => {
    await replaceWith({ status: "available" });
    const before = await count();
    const after = await count();
    const removal = (read = volume) => volumes.beginDelete(read, DEADLINE);
    await expect(removal()).rejects.toThrow("is available, and was locked since it was read");
    await expect(removal(before)).rejects.toThrow(InvalidVolume);
    expect((await removal(after)).status).toBe("deleting");
  });

  test("refuses an extension by a caller that has read the volume before, and no other", async () => {
    await replaceWith({ status: "available" });
    const extension = { id: "one", number: 1, size: 9, previous_status: "available", started_at: "x" } as const;
    const after = (await count()) ?? volume;
    const { times_locked: _times, ...before } = after;
    await expect(volumes.beginExtend(before, extension, DEADLINE)).rejects.toThrow(InvalidVolume);
    expect((await volumes.beginExtend(after, extension, DEADLINE)).status).toBe("extending");
  });

  test("is not counted in another status, for another project, and of nothing", async () => {
    await replaceWith({ status: "deleting" });
    expect(await count()).toBeUndefined();
    expect(await count(["deleting"], "another")).toBeUndefined();
    expect(await volumes.get(volume.id)).not.toHaveProperty("times_locked");
    expect(await volumes.countLock(queuedVolume().id, ["available"], null)).toBeUndefined();
    expect(await count(["deleting"], null)).toMatchObject({ times_locked: 1 });
  });

  test("and the first write of a deletion: whichever comes first wins", async () => {
    for (let round = 0; round < 10; round += 1) {
      await replaceWith({ status: "available" });
      const [deleted, locked] = await Promise.allSettled([volumes.beginDelete(volume, DEADLINE), count()]);
      const isLocked = locked.status === "fulfilled" && locked.value !== undefined;
      expect(isLocked).toBe(deleted.status === "rejected");
    }
  });

  test("that an earlier release has left on the record refuses its deletion until it is forgotten", async () => {
    await replaceWith({ status: "available", locks: { holder: "holder-a1" } });
    await expect(volumes.beginDelete(volume, DEADLINE)).rejects.toThrow(InvalidVolume);
    await volumes.forgetLock(volume.id, { holder: "holder", value: "holder-a2" });
    expect((await volumes.get(volume.id)).locks).toEqual({ holder: "holder-a1" });
    await volumes.forgetLock(volume.id, { holder: "holder", value: "holder-a1" });
    expect(await volumes.get(volume.id)).not.toHaveProperty("locks");
    expect((await volumes.beginDelete(volume, DEADLINE)).status).toBe("deleting");
    await volumes.forgetLock(volume.id, { holder: "holder", value: "holder-a1" });
  });

  test("is forgotten where another service wrote the volume without locks", async () => {
    await putBare({ status: { S: "available" }, project_id: { S: "project" } });
    await volumes.forgetLock(volume.id, { holder: "holder", value: "holder-a1" });
    expect(await count()).toMatchObject({ times_locked: 1 });
  });
});
