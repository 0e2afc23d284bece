import { beforeEach, describe, expect, it } from "vitest";
import { fenceOf, SNAPSHOT_LOCK } from "../../core/records.ts";
import { lockVolume } from "../../core/attempt/source-locks.ts";
import { deleteVolume } from "../../core/volumes/delete-volume.ts";
import { sweepOverdueVolumes } from "../../core/nets/sweep-overdue-volumes.ts";
import { Api } from "../support/api.ts";
import {
  aSnapshot,
  aSource,
  aVolumeInFlow,
  aWorld,
  driverOf,
  SNAPSHOT_ID,
  SOURCE_ID,
  VOLUME_ID,
} from "../support/builders.ts";
import { uuid } from "../support/drivers.ts";
import { expectSameAfterAnyDeath } from "../support/fakes/crashes.ts";
import { START, type World } from "../support/fakes/world.ts";

const OTHER_ID = uuid(33);
const SOURCE = { what: "volume", id: SOURCE_ID } as const;

/** A volume with two snapshots, all on their backend. */
function withSnapshots(): World {
  const locks = { [SNAPSHOT_ID]: SNAPSHOT_LOCK, [OTHER_ID]: SNAPSHOT_LOCK };
  const world = aWorld(aSource({ project_id: "a1b2" }));
  world.fakes.locks.arrange(SOURCE, locks);
  driverOf(world).volumes.set(SOURCE_ID, { from: "nothing" });
  for (const id of [SNAPSHOT_ID, OTHER_ID]) {
    world.fakes.snapshots.records.set(id, aSnapshot({ id, project_id: "a1b2" }));
    driverOf(world).snapshots.add(id);
  }
  return world;
}

let world: World;
let api: Api;

beforeEach(() => {
  world = withSnapshots();
  api = new Api(world);
});

const remove = (query = "?cascade=true") => api.ask(`DELETE /volumes/${SOURCE_ID}${query}`);

function expectGone(of: World): void {
  expect(of.fakes.volumes.records.has(SOURCE_ID)).toBe(false);
  expect([...of.fakes.snapshots.records]).toEqual([]);
  expect([...driverOf(of).volumes, ...driverOf(of).snapshots]).toEqual([]);
  expect(of.fakes.locks.all).toEqual([]);
}

describe("a delete of a volume with its snapshots", () => {
  it("is refused without cascade, and changes nothing", async () => {
    expect((await remove("")).status).toBe(400);
    expect((await world.fakes.volumes.get(SOURCE_ID)).status).toBe("available");
  });

  it("marks the volume, and removes the snapshots before the volume", async () => {
    expect((await remove()).status).toBe(202);
    expect(api.started).toEqual([["DeleteVolume", { volume_id: SOURCE_ID }]]);
    expect(await deleteVolume(world.deps, SOURCE_ID)).toEqual({ outcome: "deleted" });
    expectGone(world);
  });

  it("is the same after any death of the function that removes it", async () => {
    const begin = (): World => {
      const of = withSnapshots();
      const marks = { status: "deleting", delete_requested_at: START, deadline: START } as const;
      of.fakes.volumes.records.change(SOURCE_ID, marks);
      return of;
    };
    await expectSameAfterAnyDeath(begin, (of) => deleteVolume(of.deps, SOURCE_ID), expectGone);
  });

  it("is continued by the sweep when the function never runs", async () => {
    await remove();
    world.now = new Date("2026-01-01T05:00:00.000Z");
    expect(await sweepOverdueVolumes(world.deps)).toMatchObject({ overdue: 1, failures: [] });
    expectGone(world);
  });

  it("is refused while a volume is made of one of the snapshots", async () => {
    const copy = aVolumeInFlow({ phase: "creating", snapshot_id: SNAPSHOT_ID });
    world.fakes.volumes.records.set(VOLUME_ID, copy);
    world.fakes.locks.arrange({ what: "snapshot", id: SNAPSHOT_ID }, { [VOLUME_ID]: fenceOf(VOLUME_ID, 1) });
    expect(await remove()).toMatchObject({
      status: 400,
      body: { badRequest: { message: "Invalid volume: Failed to update snapshot." } },
    });
    expect((await world.fakes.volumes.get(SOURCE_ID)).status).toBe("available");
  });

  it("is refused when a snapshot is taken after the snapshots were read", async () => {
    const begin = world.fakes.volumes.beginDelete.bind(world.fakes.volumes);
    world.fakes.volumes.beginDelete = async (...parameters) => {
      await lockVolume(world.fakes, SOURCE_ID, { holder: uuid(34), value: SNAPSHOT_LOCK }, ["available"], null);
      return begin(...parameters);
    };
    expect((await remove()).status).toBe(400);
    expect((await world.fakes.volumes.get(SOURCE_ID)).status).toBe("available");
  });

  it("takes off the lock of a create that has ended", async () => {
    world.fakes.locks.arrange(SOURCE, { [uuid(35)]: fenceOf(uuid(35), 1) });
    expect((await remove()).status).toBe(202);
  });
});
