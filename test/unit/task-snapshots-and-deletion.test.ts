import { describe, expect, it } from "vitest";
import {
  DriverNotInitialized,
  InvalidInput,
  InvalidVolume,
  VolumeBackendAPIException,
  VolumeNotFound,
} from "../../core/errors.ts";
import { parseOrThrow } from "../../core/requests/parsing.ts";
import type { VolumeStatus } from "../../core/records.ts";
import { createSnapshot, CreateSnapshotInputSchema } from "../../core/snapshots/create-snapshot.ts";
import { deleteSnapshot } from "../../core/snapshots/delete-snapshot.ts";
import { deleteVolume } from "../../core/volumes/delete-volume.ts";
import { sweepOverdueVolumes } from "../../core/nets/sweep-overdue-volumes.ts";
import {
  aSnapshot,
  aSource,
  aVolume,
  aVolumeInFlow,
  aWorld,
  driverOf,
  FIRST_HOST,
  SNAPSHOT_ID,
  SOURCE_ID,
  VOLUME_ID,
} from "../support/builders.ts";
import { expectSameAfterAnyDeath } from "../support/fakes/crashes.ts";
import { DriverFake } from "../../simulation/driver.ts";
import { START, type World } from "../support/fakes/world.ts";

const REQUEST = { snapshot_id: SNAPSHOT_ID, volume_id: SOURCE_ID, name: "s", project_id: "project", user_id: "user" };
const take = (world: World, keys: Partial<typeof REQUEST> = {}) => createSnapshot(world.deps, { ...REQUEST, ...keys });

const entriesOf = (world: World) => world.fakes.projects.list("project", "snapshot", { limit: 9 });

describe("CreateSnapshot", () => {
  it("takes a snapshot where the volume is, with the volume's size and image metadata", async () => {
    const world = aWorld(aSource({ size: 3, glance_metadata: { image_id: "i" } }));
    driverOf(world).modelUpdate = { provider_location: "there" };
    expect(await take(world)).toEqual({
      ...aSnapshot(),
      display_name: "s",
      volume_size: 3,
      glance_metadata: { image_id: "i" },
      provider_location: "there",
    });
    expect(driverOf(world).snapshots).toEqual(new Set([SNAPSHOT_ID]));
    expect(await world.fakes.projects.list("project", "snapshot", { limit: 9, name: "s" })).toMatchObject([
      { id: SNAPSHOT_ID, createdAt: aSnapshot().created_at },
    ]);
  });

  it("dead at any call and asked for again, makes one", async () => {
    const deaths = await expectSameAfterAnyDeath(
      () => aWorld(aSource()),
      (world) => take(world),
    );
    expect(deaths).toBe(18);
  });

  it("asked for again later, has the entry of its record in the project's list, and no other", async () => {
    const world = aWorld(aSource());
    await take(world);
    world.now = new Date(Date.parse(START) + 60_000);
    await take(world);
    expect(await entriesOf(world)).toMatchObject([{ id: SNAPSHOT_ID, createdAt: START }]);
  });

  it("that finds another call's record after its own entry takes the entry off", async () => {
    const world = aWorld(aSource());
    const { projects } = world.deps;
    const enter: typeof projects.enter = async (entry) => {
      await projects.enter(entry);
      world.fakes.snapshots.records.set(SNAPSHOT_ID, aSnapshot({ created_at: START }));
    };
    world.now = new Date(Date.parse(START) + 60_000);
    await createSnapshot(
      { ...world.deps, projects: { enter, leave: (position) => projects.leave(position) } },
      REQUEST,
    );
    expect(await entriesOf(world)).toEqual([]);
  });

  it("that is deleted while it is taken leaves no entry", async () => {
    const world = aWorld(aSource());
    const { volumes } = world.deps;
    const countLock = async () => {
      world.fakes.snapshots.records.delete(SNAPSHOT_ID);
      return undefined;
    };
    const ports = { get: volumes.get.bind(volumes), countLock };
    await expect(createSnapshot({ ...world.deps, volumes: ports }, REQUEST)).rejects.toThrow(InvalidVolume);
    expect(world.fakes.snapshots.records.size).toBe(0);
    expect(await entriesOf(world)).toEqual([]);
  });

  it.each<VolumeStatus>(["creating", "downloading", "error", "deleting", "migration_target"])(
    "is refused of a volume in %s",
    async (status) => {
      const world = aWorld(aSource({ status }));
      await expect(take(world)).rejects.toThrow(InvalidVolume);
      expect(world.fakes.snapshots.records.size).toBe(0);
    },
  );

  it("is refused of another project's volume as of one that does not exist", async () => {
    await expect(take(aWorld(aSource()), { project_id: "another" })).rejects.toThrow(VolumeNotFound);
    await expect(take(aWorld())).rejects.toThrow(VolumeNotFound);
  });

  it.each<[string, VolumeStatus | undefined]>([
    ["is being deleted", "deleting"],
    ["is being extended", "extending"],
    ["is gone", undefined],
  ])("that finds its record, and a volume that %s, marks the record", async (_what, status) => {
    const world = status === undefined ? aWorld() : aWorld(aSource({ status }));
    world.fakes.snapshots.records.set(SNAPSHOT_ID, aSnapshot({ status: "creating" }));
    await expect(take(world)).rejects.toThrow(status === undefined ? VolumeNotFound : InvalidVolume);
    expect((await world.fakes.snapshots.get(SNAPSHOT_ID)).status).toBe("error");
  });

  it("that is refused leaves another project's record and an available one as they are", async () => {
    const world = aWorld(aSource({ status: "extending" }));
    world.fakes.snapshots.records.set(SNAPSHOT_ID, aSnapshot({ status: "creating", project_id: "another" }));
    await expect(take(world)).rejects.toThrow(InvalidVolume);
    expect((await world.fakes.snapshots.get(SNAPSHOT_ID)).status).toBe("creating");
    world.fakes.snapshots.records.set(SNAPSHOT_ID, aSnapshot());
    await expect(take(world)).rejects.toThrow(InvalidVolume);
    expect((await world.fakes.snapshots.get(SNAPSHOT_ID)).status).toBe("available");
  });

  it("that fails leaves its record in error, with the driver's error for the caller", async () => {
    const world = aWorld(aSource());
    world.faults.fail("driver.createSnapshot", new VolumeBackendAPIException("no"));
    await expect(take(world)).rejects.toThrow(VolumeBackendAPIException);
    expect((await world.fakes.snapshots.get(SNAPSHOT_ID)).status).toBe("error");
  });

  it("throws the driver's error even when the record cannot be marked", async () => {
    const world = aWorld(aSource());
    world.faults.fail("driver.createSnapshot", new VolumeBackendAPIException("no"));
    world.faults.fail("snapshots.markError", new Error("throttled"));
    await expect(take(world)).rejects.toThrow(VolumeBackendAPIException);
  });

  it("that failed can be asked for again", async () => {
    const world = aWorld(aSource());
    world.faults.fail("driver.createSnapshot", new VolumeBackendAPIException("no"));
    await expect(take(world)).rejects.toThrow("no");
    expect((await take(world)).status).toBe("available");
  });

  it("does not take the id of another volume's snapshot", async () => {
    const world = aWorld(aSource());
    world.fakes.snapshots.records.set(SNAPSHOT_ID, aSnapshot({ volume_id: VOLUME_ID }));
    await expect(take(world)).rejects.toThrow(InvalidInput);
    expect(world.faults.count("driver.createSnapshot")).toBe(0);
  });

  it.each([
    ["snapshot_id", { ...REQUEST, snapshot_id: "../../x" }],
    ["volume_id", { ...REQUEST, volume_id: 7 }],
    ["project_id", { ...REQUEST, project_id: null }],
  ])("names a field that is wrong: %s", (field, request) => {
    expect(() => parseOrThrow(CreateSnapshotInputSchema, request, "request")).toThrow(field);
  });
});

describe("DeleteSnapshot", () => {
  function taken(): World {
    const world = aWorld(aSource());
    world.fakes.snapshots.records.set(SNAPSHOT_ID, aSnapshot());
    driverOf(world).snapshots.add(SNAPSHOT_ID);
    return world;
  }

  it("removes it from its backend, then its record", async () => {
    const world = taken();
    await deleteSnapshot(world.deps, SNAPSHOT_ID);
    expect(driverOf(world).snapshots.size).toBe(0);
    expect(world.fakes.snapshots.records.size).toBe(0);
  });

  it("keeps the record, in error_deleting, when the backend refuses, and can be repeated", async () => {
    const world = taken();
    world.faults.fail("driver.deleteSnapshot", new VolumeBackendAPIException("busy"));
    await expect(deleteSnapshot(world.deps, SNAPSHOT_ID)).rejects.toThrow(VolumeBackendAPIException);
    expect(world.fakes.snapshots.records.get(SNAPSHOT_ID)?.status).toBe("error_deleting");
    await deleteSnapshot(world.deps, SNAPSHOT_ID);
    expect(world.fakes.snapshots.records.size).toBe(0);
  });

  it("of one that is gone is done", async () => {
    await expect(deleteSnapshot(aWorld().deps, SNAPSHOT_ID)).resolves.toBeUndefined();
  });

  it("dead at any call and run again, ends the same", async () => {
    expect(await expectSameAfterAnyDeath(taken, ({ deps }) => deleteSnapshot(deps, SNAPSHOT_ID))).toBe(20);
  });
});

describe("DeleteVolume", () => {
  function available(): World {
    const world = aWorld(aVolumeInFlow({ status: "available", phase: null, deadline: null, launched_at: START }));
    driverOf(world).volumes.set(VOLUME_ID, { from: "nothing" });
    world.fakes.backends.records.change(FIRST_HOST, { allocated_capacity_gb: 1, provisioned_capacity_gb: 1 });
    return world;
  }

  const remove = ({ deps }: World) => deleteVolume(deps, VOLUME_ID);

  it("removes it from its backend, gives its capacity back, then removes its record", async () => {
    const world = available();
    await remove(world);
    expect(driverOf(world).volumes.size).toBe(0);
    expect(world.fakes.backends.seen(FIRST_HOST)).toMatchObject({
      allocated_capacity_gb: 0,
      provisioned_capacity_gb: 0,
      claims: {},
    });
    expect(world.fakes.volumes.records.size).toBe(0);
  });

  it("dead at any call and run again, gives the capacity back once", async () => {
    const check = (world: World): void =>
      expect(world.fakes.backends.records.get(FIRST_HOST)?.allocated_capacity_gb).toBe(0);
    await expectSameAfterAnyDeath(available, remove, check);
  });

  it("of one that is gone is done", async () => {
    expect(await remove(aWorld())).toEqual({ outcome: "deleted" });
  });

  it("of one that failed before it had a host asks no backend", async () => {
    const world = aWorld(aVolume({ status: "error", deadline: null }));
    await remove(world);
    expect(world.faults.calls.filter((call) => call.startsWith("driver."))).toEqual([]);
    expect(world.fakes.volumes.records.size).toBe(0);
  });

  it("of one without a host releases what a scheduling that died holds for it", async () => {
    const world = aWorld(aVolume({ status: "error", deadline: null }));
    const claim = { attempt: 1, size: 1, claimed_at: START };
    world.fakes.backends.arrangeClaim(FIRST_HOST, VOLUME_ID, claim);
    await remove(world);
    expect(world.fakes.backends.closed).toEqual([`release ${FIRST_HOST} ${VOLUME_ID} 1`]);
  });

  it("settles a claim that was left open, and gives back what it holds once", async () => {
    const world = aWorld(aVolumeInFlow({ status: "error" }));
    world.fakes.volumes.records.set(VOLUME_ID, aVolumeInFlow({ status: "error", deadline: null }));
    await remove(world);
    expect(world.fakes.backends.seen(FIRST_HOST)).toMatchObject({ allocated_capacity_gb: 0, claims: {} });
  });

  it("is refused while it has snapshots, and names one", async () => {
    const world = available();
    world.fakes.snapshots.records.set(SNAPSHOT_ID, aSnapshot({ volume_id: VOLUME_ID }));
    await expect(remove(world)).rejects.toThrow(SNAPSHOT_ID);
    expect((await world.fakes.volumes.get(VOLUME_ID)).status).toBe("available");
  });

  it.each<[string, (world: World) => void, typeof VolumeBackendAPIException | typeof DriverNotInitialized]>([
    [
      "refuses",
      (world) => world.faults.fail("driver.deleteVolume", new VolumeBackendAPIException("busy")),
      VolumeBackendAPIException,
    ],
    ["still has it", (world) => void (driverOf(world).deleteVolume = async () => {}), VolumeBackendAPIException],
    ["is not ready", (world) => void (driverOf(world).isInitialized = false), DriverNotInitialized],
  ])("keeps the record and the capacity when the backend %s, and can be repeated", async (_what, arrange, error) => {
    const world = available();
    arrange(world);
    await expect(remove(world)).rejects.toThrow(error);
    expect(await world.fakes.volumes.get(VOLUME_ID)).toMatchObject({ status: "error_deleting", fault: { attempt: 1 } });
    expect(world.fakes.backends.records.get(FIRST_HOST)?.allocated_capacity_gb).toBe(1);
    world.drivers.set(FIRST_HOST, new DriverFake());
    expect(await remove(world)).toEqual({ outcome: "deleted" });
    expect(world.fakes.backends.records.get(FIRST_HOST)?.allocated_capacity_gb).toBe(0);
  });

  it("that dies is finished by the sweep, wherever it died, and gives the capacity back once", async () => {
    for (let call = 1; call < 9; call += 1) {
      for (const moment of ["before", "after"] as const) {
        const world = available();
        world.faults.crashAt(call, moment);
        await remove(world).catch(() => {});
        world.faults.revive();
        const isBegun = (await world.fakes.volumes.getMany([VOLUME_ID])).get(VOLUME_ID)?.status !== "available";
        world.now = new Date(world.now.getTime() + 5 * 60_000);
        expect((await sweepOverdueVolumes(world.deps)).failures).toEqual([]);
        expect(world.fakes.volumes.records.size).toBe(isBegun ? 0 : 1);
        expect(world.fakes.backends.records.get(FIRST_HOST)?.allocated_capacity_gb).toBe(isBegun ? 0 : 1);
      }
    }
  });

  it("that its backend refused is asked again by the sweep, and as long as it takes", async () => {
    const world = available();
    world.faults.fail("driver.deleteVolume", new VolumeBackendAPIException("busy"), { times: 3 });
    await expect(remove(world)).rejects.toThrow("busy");
    const failed: number[] = [];
    for (let turn = 0; turn < 3; turn += 1) {
      world.now = new Date(world.now.getTime() + 5 * 60_000);
      failed.push((await sweepOverdueVolumes(world.deps)).failures.length);
    }
    expect(failed).toEqual([1, 1, 0]);
    expect(world.fakes.volumes.records.size).toBe(0);
  });

  it("of one that was refused, and that somebody has made available since, is a deletion like any other", async () => {
    const world = available();
    world.faults.fail("driver.deleteVolume", new VolumeBackendAPIException("busy"));
    await expect(remove(world)).rejects.toThrow("busy");
    const record = await world.fakes.volumes.get(VOLUME_ID);
    world.fakes.volumes.records.set(VOLUME_ID, { ...record, status: "available" });
    world.now = new Date(world.now.getTime() + 5 * 60_000);
    await sweepOverdueVolumes(world.deps);
    expect(await world.fakes.volumes.get(VOLUME_ID)).toMatchObject({ status: "available", delete_requested_at: null });
    expect(await remove(world)).toEqual({ outcome: "deleted" });
  });

  it("of one that failed while it was only scheduled asks no backend, which may be down", async () => {
    const world = aWorld(aVolumeInFlow({ status: "error", phase: "scheduled" }));
    world.fakes.volumes.records.set(VOLUME_ID, aVolumeInFlow({ status: "error", phase: "scheduled", deadline: null }));
    driverOf(world).isInitialized = false;
    expect(await remove(world)).toEqual({ outcome: "deleted" });
    expect(world.fakes.backends.records.get(FIRST_HOST)?.allocated_capacity_gb).toBe(0);
  });
});
