import { describe, expect, it } from "vitest";
import { claimFate } from "../../core/claims.ts";
import { FenceLost, InvalidSnapshot, InvalidVolume, SnapshotNotFound, VolumeNotFound } from "../../core/errors.ts";
import { fenceOf, SNAPSHOT_LOCK, type SnapshotRecord, type VolumeRecord } from "../../core/records.ts";
import { closeClaim } from "../../core/attempt/close-claim.ts";
import { createSnapshot } from "../../core/snapshots/create-snapshot.ts";
import { createVolumeOnFinish } from "../../core/workflow/create-volume-on-finish.ts";
import { deleteSnapshot } from "../../core/snapshots/delete-snapshot.ts";
import { deleteVolume } from "../../core/volumes/delete-volume.ts";
import { errorOutFailedExecution } from "../../core/nets/error-out-failed-execution.ts";
import { errorOutVolume } from "../../core/workflow/error-out-volume.ts";
import { extractVolumeSpec, type SpecInput } from "../../core/workflow/extract-volume-spec.ts";
import { ownerOf } from "../../core/workflow/input.ts";
import { keepLockOfOurs } from "../../core/attempt/source-locks.ts";
import { sweepOverdueVolumes } from "../../core/nets/sweep-overdue-volumes.ts";
import {
  aSnapshot,
  aSource,
  aSpec,
  aVolume,
  aVolumeInFlow,
  aWorld,
  driverOf,
  FIRST_HOST,
  SNAPSHOT_ID,
  SOURCE_ID,
  taskInput,
  VOLUME_ID,
} from "../support/builders.ts";
import { CONTEXT, type World } from "../support/fakes/world.ts";

const FENCE = fenceOf(VOLUME_ID, 1);
const LOCKED = { locks: { [VOLUME_ID]: FENCE } };
const CREATION = { done: true, wait_seconds: 0, checkpoint: null, next: "finish", model_update: null } as const;
const FAILURE = { failure: { Error: "VolumeDriverException", Cause: "no" }, reschedule_failure: null };

/** A world with a source and its snapshot, and a volume that is made of one of them. */
function makeWorld(
  volume: VolumeRecord,
  source: Partial<VolumeRecord> = {},
  snapshot: Partial<SnapshotRecord> | null = null,
): World {
  const { locks = {}, ...columns } = source;
  const world = aWorld(volume, aSource(columns));
  world.fakes.locks.arrange({ what: "volume", id: SOURCE_ID }, locks);
  driverOf(world).volumes.set(SOURCE_ID, { from: "nothing" });
  if (snapshot !== null) {
    const { locks: own = {}, ...rest } = snapshot;
    world.fakes.snapshots.records.set(SNAPSHOT_ID, aSnapshot(rest));
    world.fakes.locks.arrange({ what: "snapshot", id: SNAPSHOT_ID }, own);
    driverOf(world).snapshots.add(SNAPSHOT_ID);
  }
  return world;
}

const clone = (columns: Partial<VolumeRecord> = {}) => aVolumeInFlow({ source_volid: SOURCE_ID, ...columns });
const fromSnapshot = (columns: Partial<VolumeRecord> = {}) => aVolumeInFlow({ snapshot_id: SNAPSHOT_ID, ...columns });
const locksOf = ({ fakes }: World) => ({ volume: fakes.locks.on(SOURCE_ID), snapshot: fakes.locks.on(SNAPSHOT_ID) });

function extract(world: World, keys: Partial<SpecInput>) {
  const input = { context: CONTEXT, fence: FENCE, snapshot_id: null, source_volid: null, image_id: null };
  const { snapshot_id = null, source_volid = null } = keys;
  return extractVolumeSpec(world.deps, { ...input, volume_ref: aVolumeInFlow({ snapshot_id, source_volid }), ...keys });
}

describe("ExtractVolumeSpec", () => {
  it("locks a source volume for its attempt, and again for the next one", async () => {
    const world = makeWorld(clone());
    await extract(world, { source_volid: SOURCE_ID });
    await extract(world, { source_volid: SOURCE_ID, fence: fenceOf(VOLUME_ID, 2) });
    expect(world.fakes.locks.all.map(({ value }) => value)).toEqual([FENCE, fenceOf(VOLUME_ID, 2)]);
    expect((await world.fakes.volumes.get(SOURCE_ID)).updated_at).toBe(aSource().updated_at);
  });

  it("locks a snapshot", async () => {
    const world = makeWorld(fromSnapshot(), {}, {});
    await extract(world, { snapshot_id: SNAPSHOT_ID });
    expect(locksOf(world)).toEqual({ volume: {}, snapshot: { [VOLUME_ID]: FENCE } });
  });

  it.each([
    ["another project's", { ...CONTEXT, project_id: "another" }],
    ["nobody's", { ...CONTEXT, project_id: null }],
  ])("leaves no lock on what is not %s to use", async (_whose, context) => {
    const world = makeWorld(clone(), {}, {});
    await expect(extract(world, { context, source_volid: SOURCE_ID })).rejects.toThrow(VolumeNotFound);
    await expect(extract(world, { context, snapshot_id: SNAPSHOT_ID })).rejects.toThrow(SnapshotNotFound);
    expect(locksOf(world)).toEqual({ volume: {}, snapshot: {} });
  });

  it("lets an administrator lock any project's", async () => {
    const world = makeWorld(clone(), { project_id: "another" });
    await extract(world, { source_volid: SOURCE_ID, context: { ...CONTEXT, is_admin: true } });
    expect(locksOf(world).volume).toHaveProperty(VOLUME_ID);
  });

  it("is refused by a source that is being deleted, which stays unlocked", async () => {
    const world = makeWorld(clone(), { status: "deleting" }, { status: "deleting" });
    await expect(extract(world, { source_volid: SOURCE_ID })).rejects.toThrow(InvalidVolume);
    await expect(extract(world, { snapshot_id: SNAPSHOT_ID })).rejects.toThrow(InvalidSnapshot);
    expect(locksOf(world)).toEqual({ volume: {}, snapshot: {} });
  });
});

describe("the end of a create", () => {
  const finish = ({ deps }: World) =>
    createVolumeOnFinish(deps, { ...taskInput(), volume_spec: aSpec(), creation: CREATION });
  const fail = ({ deps }: World) => errorOutVolume(deps, { ...taskInput(), ...FAILURE });

  it.each([
    ["available", finish],
    ["in error", fail],
  ])("that leaves the volume %s takes its locks off, and no others", async (_status, end) => {
    const others = { locks: { ...LOCKED.locks, other: "other-a1" } };
    const ofVolume = makeWorld(clone(), others);
    await end(ofVolume);
    expect(locksOf(ofVolume).volume).toEqual({ other: "other-a1" });
    const ofSnapshot = makeWorld(fromSnapshot(), {}, others);
    await end(ofSnapshot);
    expect(locksOf(ofSnapshot).snapshot).toEqual({ other: "other-a1" });
  });

  it("is not a failure when the lock cannot be removed", async () => {
    const world = makeWorld(clone(), LOCKED);
    world.faults.fail("locks.remove", new Error("throttled"));
    await finish(world);
    expect((await world.fakes.volumes.get(VOLUME_ID)).status).toBe("available");
  });

  it("keeps the claim open where the lock cannot be taken off, so that the sweep takes it off", async () => {
    const world = makeWorld(clone(), LOCKED);
    world.faults.fail("locks.remove", new Error("throttled"));
    await finish(world);
    expect(world.fakes.backends.seen(FIRST_HOST).claims[VOLUME_ID]).toMatchObject({ size: 0 });
    const volume = await world.fakes.volumes.get(VOLUME_ID);
    const claim = { attempt: 1, size: 0, claimed_at: volume.attempts[1]?.started_at ?? "" };
    const open = { host: FIRST_HOST, volumeId: VOLUME_ID, claim };
    await closeClaim(world.deps, open, claimFate(open, volume), volume);
    expect(locksOf(world).volume).toEqual({});
    expect(world.fakes.backends.seen(FIRST_HOST).claims).toEqual({});
  });

  it.each<[string, VolumeRecord, (world: World) => Promise<unknown>]>([
    [
      "by the rule on failed executions",
      clone(),
      ({ deps }) => errorOutFailedExecution(deps, { name: FENCE, status: "ABORTED", error: null, cause: null }),
    ],
    ["by the sweep", clone({ deadline: "2025-01-01T00:00:00.000Z" }), ({ deps }) => sweepOverdueVolumes(deps)],
    [
      "by the sweep, while it waited for its next attempt",
      clone({
        phase: "queued",
        host: null,
        fence: fenceOf(VOLUME_ID, 2),
        deadline: "2025-01-01T00:00:00.000Z",
      }),
      ({ deps }) => sweepOverdueVolumes(deps),
    ],
    [
      "by its second attempt, before that came to its source",
      clone({
        fence: fenceOf(VOLUME_ID, 2),
        attempts: {
          1: { host: FIRST_HOST, execution: FENCE, started_at: "x", outcome: "rescheduled" },
          2: { host: FIRST_HOST, execution: fenceOf(VOLUME_ID, 2), started_at: "x", outcome: "running" },
        },
      }),
      ({ deps }) => errorOutVolume(deps, { ...taskInput(2), ...FAILURE }),
    ],
    ["by its deletion", clone({ delete_requested_at: "2026-01-01T01:00:00.000Z" }), fail],
    [
      "by its deletion, which the sweep begins again",
      clone({
        status: "deleting",
        delete_requested_at: "2026-01-01T01:00:00.000Z",
        deadline: "2025-01-01T00:00:00.000Z",
      }),
      ({ deps }) => sweepOverdueVolumes(deps),
    ],
    [
      "by its deletion, which its user begins again",
      clone({ status: "error_deleting", delete_requested_at: "2026-01-01T01:00:00.000Z" }),
      ({ deps }) => deleteVolume(deps, VOLUME_ID),
    ],
    [
      "by somebody who set its status",
      clone({ status: "available", deadline: "2025-01-01T00:00:00.000Z" }),
      ({ deps }) => sweepOverdueVolumes(deps),
    ],
  ])("%s leaves no lock on its source", async (_how, volume, end) => {
    const world = makeWorld(volume, { locks: { ...LOCKED.locks, other: "other-a1" } });
    await end(world);
    expect(locksOf(world).volume).toEqual({ other: "other-a1" });
  });

  it("takes off a lock that a late call makes after it", async () => {
    const world = makeWorld(clone({ status: "error", deadline: null }), LOCKED);
    const source = { snapshot_id: null, source_volid: SOURCE_ID };
    await expect(keepLockOfOurs(world.deps, ownerOf(taskInput()), source)).rejects.toThrow(FenceLost);
    expect(locksOf(world).volume).toEqual({});
  });

  it("takes off a lock on a snapshot that a late call makes after it", async () => {
    const world = makeWorld(fromSnapshot({ status: "error", deadline: null }), {}, LOCKED);
    const source = { snapshot_id: SNAPSHOT_ID, source_volid: null };
    await expect(keepLockOfOurs(world.deps, ownerOf(taskInput()), source)).rejects.toThrow(FenceLost);
    expect(locksOf(world).snapshot).toEqual({});
  });

  it("costs nothing more where there is no source", async () => {
    const world = makeWorld(aVolumeInFlow());
    await finish(world);
    expect(world.faults.calls).toEqual(["volumes.markAvailable", "notifier.publish", "backends.settle"]);
  });
});

describe("DeleteVolume of a source", () => {
  const remove = ({ deps }: World) => deleteVolume(deps, SOURCE_ID);

  it.each([
    ["is being created", clone({ phase: "creating" })],
    ["waits for its next attempt", aVolume({ fence: fenceOf(VOLUME_ID, 2), source_volid: SOURCE_ID })],
    ["is being deleted by its flow", clone({ delete_requested_at: "2026-01-01T01:00:00.000Z" })],
  ])("is refused while its clone %s", async (_what, volume) => {
    const world = makeWorld(volume, LOCKED);
    await expect(remove(world)).rejects.toThrow(`is being copied to volume ${VOLUME_ID}`);
    expect((await world.fakes.volumes.get(SOURCE_ID)).status).toBe("available");
    expect(driverOf(world).volumes.has(SOURCE_ID)).toBe(true);
  });

  it.each(["available", "error"] as const)("takes off the lock that a clone in %s has left", async (status) => {
    const world = makeWorld(clone({ status, deadline: null }), LOCKED);
    expect(await remove(world)).toEqual({ outcome: "deleted" });
    expect(world.fakes.volumes.records.has(SOURCE_ID)).toBe(false);
  });

  it("takes off the locks of volumes and snapshots that are gone", async () => {
    const world = makeWorld(clone({ status: "error", deadline: null }), {
      locks: { gone: "gone-a1", also: SNAPSHOT_LOCK },
    });
    expect(await remove(world)).toEqual({ outcome: "deleted" });
  });

  it("is refused by a lock that comes after the look", async () => {
    const world = makeWorld(clone());
    const list = world.fakes.snapshots.listOfVolume.bind(world.fakes.snapshots);
    world.fakes.snapshots.listOfVolume = async (id) => {
      await extract(world, { source_volid: SOURCE_ID });
      return list(id);
    };
    await expect(remove(world)).rejects.toThrow(InvalidVolume);
    expect((await world.fakes.volumes.get(SOURCE_ID)).status).toBe("available");
  });

  it("is refused by a snapshot that the list does not show yet", async () => {
    const world = makeWorld(aVolume(), { locks: { [SNAPSHOT_ID]: SNAPSHOT_LOCK } }, { status: "creating" });
    world.fakes.snapshots.listOfVolume = async () => [];
    await expect(remove(world)).rejects.toThrow(`still has snapshot ${SNAPSHOT_ID}`);
  });
});

describe("CreateSnapshot", () => {
  const request = {
    snapshot_id: SNAPSHOT_ID,
    volume_id: SOURCE_ID,
    name: null,
    project_id: "project",
    user_id: "user",
  };

  it("locks the volume until the snapshot is deleted", async () => {
    const world = makeWorld(aVolume());
    await createSnapshot(world.deps, request);
    expect(locksOf(world).volume).toEqual({ [SNAPSHOT_ID]: SNAPSHOT_LOCK });
    await deleteSnapshot(world.deps, SNAPSHOT_ID);
    expect(locksOf(world).volume).toEqual({});
  });

  it("fails for a volume that is deleted in the meantime, before the backend is asked", async () => {
    const world = makeWorld(aVolume());
    const create = world.fakes.snapshots.create.bind(world.fakes.snapshots);
    world.fakes.snapshots.create = async (record) => {
      await world.fakes.volumes.beginDelete({ id: SOURCE_ID }, world.now);
      return create(record);
    };
    await expect(createSnapshot(world.deps, request)).rejects.toThrow(InvalidVolume);
    expect(world.faults.count("driver.createSnapshot")).toBe(0);
    expect((await world.fakes.snapshots.get(SNAPSHOT_ID)).status).toBe("error");
  });
});

describe("DeleteSnapshot", () => {
  const remove = ({ deps }: World) => deleteSnapshot(deps, SNAPSHOT_ID);

  it("is refused while a volume is made of it", async () => {
    const world = makeWorld(fromSnapshot({ phase: "creating" }), {}, LOCKED);
    await expect(remove(world)).rejects.toThrow(`snapshot ${SNAPSHOT_ID} is being copied to volume ${VOLUME_ID}`);
    expect(driverOf(world).snapshots.has(SNAPSHOT_ID)).toBe(true);
  });

  it("takes off a lock that was left behind", async () => {
    const world = makeWorld(aVolume({ status: "error", deadline: null }), {}, LOCKED);
    await remove(world);
    expect(world.fakes.snapshots.records.size).toBe(0);
    expect(driverOf(world).snapshots.size).toBe(0);
  });

  it("is refused while it is taken, and possible when that was given up", async () => {
    const world = makeWorld(aVolume(), {}, { status: "creating" });
    await expect(remove(world)).rejects.toThrow("is being taken; it can be deleted after 2026-01-01T01:15:00.000Z");
    world.now = new Date("2026-01-01T01:15:00.001Z");
    await remove(world);
    expect(world.fakes.snapshots.records.size).toBe(0);
  });

  it("keeps a create from reading it once it has begun", async () => {
    const world = makeWorld(fromSnapshot(), {}, {});
    const { deps } = world;
    await deps.snapshots.beginDelete({ id: SNAPSHOT_ID, status: "available" }, deps.clock.now());
    await expect(extract(world, { snapshot_id: SNAPSHOT_ID })).rejects.toThrow(InvalidSnapshot);
    await remove(world);
    expect(world.fakes.snapshots.records.size).toBe(0);
  });

  it("leaves the host's capacity as it is", async () => {
    const world = makeWorld(aVolume(), {}, {});
    const before = world.fakes.backends.seen(FIRST_HOST);
    await remove(world);
    expect(world.fakes.backends.seen(FIRST_HOST)).toEqual(before);
  });
});
