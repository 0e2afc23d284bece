import { describe, expect, it } from "vitest";
import { NotificationNotSent } from "../../core/errors.ts";
import type { VolumeRecord } from "../../core/records.ts";
import { createVolumeOnFinish } from "../../core/workflow/create-volume-on-finish.ts";
import { deleteVolume } from "../../core/volumes/delete-volume.ts";
import { errorOutVolume } from "../../core/workflow/error-out-volume.ts";
import { sweepOverdueVolumes } from "../../core/nets/sweep-overdue-volumes.ts";
import { LONG_FUNCTION_TIMEOUT_SECONDS } from "../../core/settings/time-bounds.ts";
import {
  aSpec,
  aVolume,
  aVolumeInFlow,
  aWorld,
  driverOf,
  FIRST_HOST,
  SECOND_HOST,
  taskInput,
  VOLUME_ID,
} from "../support/builders.ts";
import { expectSameAfterAnyDeath } from "../support/fakes/crashes.ts";
import { START, type World } from "../support/fakes/world.ts";

const finish = (world: World) =>
  createVolumeOnFinish(world.deps, {
    ...taskInput(),
    volume_spec: aSpec(),
    creation: { done: true, wait_seconds: 0, checkpoint: null, next: "finish", model_update: null },
  });

/** A volume that holds its claim, whose record is another by now; half an hour later. */
function later(volume: VolumeRecord | undefined, claimed: VolumeRecord = aVolumeInFlow()): World {
  const world = aWorld(claimed);
  world.fakes.volumes.records.delete(VOLUME_ID);
  if (volume !== undefined) {
    world.fakes.volumes.records.set(VOLUME_ID, volume);
  }
  world.now = new Date("2026-01-01T01:30:00.000Z");
  return world;
}

const inFlow = (columns: Partial<VolumeRecord> = {}, attempt = 1, host = FIRST_HOST) =>
  aVolumeInFlow({ deadline: "2026-01-01T02:00:00.000Z", ...columns }, attempt, host);
const created = (): VolumeRecord =>
  aVolumeInFlow({ status: "available", deadline: null, phase: null, launched_at: START });
const failed = (): VolumeRecord =>
  aVolumeInFlow({
    status: "error",
    deadline: null,
    fault: { error: "E", cause: "c", attempt: 1, at: START, attempts: [] },
  });

const eventsOf = (world: World) => world.notifications.map(({ event_type }) => event_type);

describe("the sweep of open claims", () => {
  it("sends the missing create.end of an available volume, then settles its claim", async () => {
    const world = later(created());
    expect(await sweepOverdueVolumes(world.deps)).toMatchObject({ claims_closed: 1, failures: [] });
    expect(world.faults.calls).toEqual([
      "volumes.listOverdue",
      "snapshots.listOverdue",
      "backends.list",
      "backends.openClaims",
      "backends.openClaims",
      "volumes.get",
      "notifier.publish",
      "backends.settle",
      "backends.tidy",
    ]);
    expect(world.notifications).toMatchObject([
      { event_type: "volume.create.end", _context_user_id: "user", payload: { status: "available" } },
    ]);
    expect(world.fakes.backends.seen(FIRST_HOST)).toMatchObject({ allocated_capacity_gb: 1, claims: {} });
  });

  it("carries the same message id as the workflow's own create.end", async () => {
    const world = later(inFlow());
    world.faults.fail("backends.settle", new Error("throttled"));
    await expect(finish(world)).rejects.toThrow("throttled");
    world.now = new Date("2026-01-01T02:00:00.000Z");
    await sweepOverdueVolumes(world.deps);
    expect(eventsOf(world)).toEqual(["volume.create.end", "volume.create.end"]);
    expect(new Set(world.notifications.map(({ message_id }) => message_id)).size).toBe(1);
  });

  it("publishes later what could not be sent, its capacity counted once all the while", async () => {
    const world = later(inFlow());
    const capacity = () => world.fakes.backends.records.get(FIRST_HOST)?.allocated_capacity_gb;
    world.faults.fail("notifier.publish", new NotificationNotSent("volume.create.end", "no"), { times: 2 });
    await expect(finish(world)).rejects.toThrow(NotificationNotSent);
    world.now = new Date("2026-01-01T02:00:00.000Z");
    const { failures } = await sweepOverdueVolumes(world.deps);
    expect(failures).toMatchObject([{ volume_id: VOLUME_ID, error: "NotificationNotSent" }]);
    expect(capacity()).toBe(1);
    expect(await sweepOverdueVolumes(world.deps)).toMatchObject({ claims_closed: 1, failures: [] });
    expect([eventsOf(world), capacity()]).toEqual([["volume.create.end"], 1]);
    expect(world.fakes.backends.seen(FIRST_HOST).claims).toEqual({});
  });

  it("sends the missing create.error of a volume in error", async () => {
    const world = later(failed());
    await sweepOverdueVolumes(world.deps);
    expect(world.notifications).toMatchObject([{ event_type: "volume.create.error", payload: { status: "error" } }]);
    expect(world.fakes.backends.closed).toEqual([`settle ${FIRST_HOST} ${VOLUME_ID} 1`]);
  });

  it.each<[string, VolumeRecord | undefined]>([
    ["was deleted", undefined],
    ["belongs to a later attempt on another host", inFlow({}, 2, SECOND_HOST)],
    ["is on another host by the same attempt", inFlow({}, 1, SECOND_HOST)],
  ])("gives back what is held for a volume that %s", async (_what, volume) => {
    const world = later(volume);
    expect(await sweepOverdueVolumes(world.deps)).toMatchObject({ claims_closed: 1 });
    expect(world.fakes.backends.closed).toEqual([`release ${FIRST_HOST} ${VOLUME_ID} 1`]);
    expect(world.fakes.backends.seen(FIRST_HOST)).toMatchObject({ allocated_capacity_gb: 0 });
    expect(world.notifications).toEqual([]);
  });

  it.each<[string, VolumeRecord]>([
    ["is being created", inFlow({ phase: "creating" })],
    ["waits for its scheduling", aVolume({ deadline: "2026-01-01T02:00:00.000Z" })],
  ])("leaves the claim of a volume alone that %s, however old", async (_what, volume) => {
    const world = later(volume);
    const before = world.state();
    expect(await sweepOverdueVolumes(world.deps)).toMatchObject({ claims_closed: 0 });
    expect(world.state()).toEqual(before);
  });

  it("does not forestall a workflow that has just made its volume available", async () => {
    const attempts = {
      1: {
        host: FIRST_HOST,
        execution: "e",
        started_at: START,
        ended_at: "2026-01-01T01:29:00.000Z",
        outcome: "created" as const,
      },
    };
    const world = later({ ...created(), attempts });
    expect(await sweepOverdueVolumes(world.deps)).toMatchObject({ claims_closed: 0 });
    expect(world.notifications).toEqual([]);
  });

  it("reads no record for a claim that is young", async () => {
    const world = later(created());
    world.now = new Date(START);
    await sweepOverdueVolumes(world.deps);
    expect(world.faults.count("volumes.get")).toBe(0);
  });

  it("closes the claim that a deleted volume left while work on it might continue", async () => {
    const world = later(undefined);
    const claim = { key: VOLUME_ID, attempt: 1, claimedAt: START };
    await world.fakes.backends.returnCapacity(FIRST_HOST, claim, 1, true);
    world.now = new Date("2026-01-01T02:00:00.000Z");
    expect(await sweepOverdueVolumes(world.deps)).toMatchObject({ claims_closed: 1 });
    expect(world.fakes.backends.seen(FIRST_HOST)).toMatchObject({ allocated_capacity_gb: 0, claims: {} });
  });

  it.each([
    ["a volume that is available", created()],
    ["a volume in error", failed()],
    ["a volume that a later attempt owns", inFlow({ deadline: "2026-01-01T04:00:00.000Z" }, 2, SECOND_HOST)],
    ["a volume whose deadline has passed", aVolumeInFlow({ phase: "creating" })],
    ["a volume that waits and was claimed", aVolume()],
  ])("dead at any call and run again, ends the same, for %s", async (_what, volume) => {
    const sweepTwice = async (world: World) => {
      await sweepOverdueVolumes(world.deps);
      world.now = new Date("2026-01-01T02:30:00.000Z");
      const { failures } = await sweepOverdueVolumes(world.deps);
      if (failures.some(({ error }) => error === "Crash")) {
        throw new Error("the process has ended");
      }
    };
    const deaths = await expectSameAfterAnyDeath(
      () => later(volume),
      sweepTwice,
      (world) => expect(world.fakes.backends.closed).toHaveLength(1),
    );
    expect(deaths).toBeGreaterThan(4);
  });
});

describe("what a function that was given up makes after its volume was deleted", () => {
  /** The volume is removed while its create is with the backend, which makes it all the same. */
  async function deletedInCreate(): Promise<World> {
    const world = aWorld(aVolumeInFlow({ phase: "creating", delete_requested_at: START }));
    // Where attempts are closed it makes nothing.
    driverOf(world).fencesAttempts = false;
    await errorOutVolume(world.deps, { ...taskInput(), failure: { Error: "VolumeDeleteRequested", Cause: "asked" } });
    driverOf(world).volumes.set(VOLUME_ID, { from: "nothing" });
    return world;
  }
  const sweepAfter = (world: World, seconds: number) => {
    world.now = new Date(Date.parse(START) + seconds * 1000);
    return sweepOverdueVolumes(world.deps);
  };
  const claimsOf = (world: World) => world.fakes.backends.seen(FIRST_HOST).claims;

  it("is deleted by the sweep when every such function has ended, and not before", async () => {
    const world = await deletedInCreate();
    await sweepAfter(world, LONG_FUNCTION_TIMEOUT_SECONDS);
    expect([driverOf(world).volumes.size, Object.keys(claimsOf(world) ?? {})]).toEqual([1, [VOLUME_ID]]);
    await sweepAfter(world, LONG_FUNCTION_TIMEOUT_SECONDS + 1);
    expect([driverOf(world).volumes.size, claimsOf(world)]).toEqual([0, {}]);
  });

  it("keeps its claim, and is reported, while the backend does not delete it", async () => {
    const world = await deletedInCreate();
    driverOf(world).isInitialized = false;
    expect((await sweepAfter(world, 1000)).failures).toMatchObject([{ error: "DriverNotInitialized" }]);
    expect(claimsOf(world)).toMatchObject({ [VOLUME_ID]: { suspected_orphan: true } });
    driverOf(world).isInitialized = true;
    expect((await sweepAfter(world, 1060)).failures).toEqual([]);
    expect([driverOf(world).volumes.size, claimsOf(world)]).toEqual([0, {}]);
  });

  it("is not asked for where the volume was finished before it was deleted", async () => {
    const world = aWorld(aVolumeInFlow());
    world.fakes.volumes.records.set(VOLUME_ID, created());
    await deleteVolume(world.deps, VOLUME_ID);
    world.faults.calls.length = 0;
    await sweepAfter(world, 301);
    expect(world.faults.calls.filter((call) => call.startsWith("driver."))).toEqual([]);
    expect(claimsOf(world)).toEqual({});
  });
});
