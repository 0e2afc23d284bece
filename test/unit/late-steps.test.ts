import { describe, expect, it } from "vitest";
import { VolumeBackendAPIException } from "../../core/errors.ts";
import { parseCreateVolumeMessage } from "../../core/requests/messages.ts";
import { fenceOf, type VolumeRecord } from "../../core/records.ts";
import { createRawVolume } from "../../core/workflow/create-raw-volume.ts";
import { createVolumeOnFinish } from "../../core/workflow/create-volume-on-finish.ts";
import { rescheduleVolume } from "../../core/workflow/reschedule-volume.ts";
import { scheduleVolume } from "../../core/scheduling/schedule-volume.ts";
import { plainVolumeType } from "../support/records.ts";
import {
  aMessage,
  aSpec,
  aVolume,
  aVolumeInFlow,
  aWorld,
  driverOf,
  FIRST_HOST,
  SECOND_HOST,
  taskInput,
  UNHURRIED,
  VOLUME_ID,
} from "../support/builders.ts";
import type { World } from "../support/fakes/world.ts";
import { type Gate, Interleaver } from "../support/interleaver.ts";

/** Deliveries and steps of an attempt that come when the volume has moved on: nothing of the later work is lost. */

const recordOf = (world: World) => world.fakes.volumes.get(VOLUME_ID);
const deliver = (world: World, cast: Record<string, unknown>, asRead: VolumeRecord) =>
  scheduleVolume(world.deps, parseCreateVolumeMessage(JSON.stringify(cast)), asRead);

const CREATION = { done: true, wait_seconds: 0, checkpoint: null, next: "finish", model_update: null } as const;

/** Creates and finishes by the newest execution. */
async function create(world: World): Promise<void> {
  const input = [...world.executions.values()].at(-1);
  if (input === undefined) {
    throw new Error("no execution was started");
  }
  await createRawVolume(world.deps, input, UNHURRIED);
  await createVolumeOnFinish(world.deps, { ...input, volume_spec: aSpec(), creation: CREATION });
}

const reschedule = (world: World, gate: Gate = (port) => port) => {
  const { backends, drivers, queue, volumes } = world.deps;
  const deps = {
    ...world.deps,
    volumes: gate(volumes),
    backends: gate(backends),
    queue: gate(queue),
    drivers: { hosts: drivers.hosts, forHost: (host: string) => gate(drivers.forHost(host)) },
  };
  return rescheduleVolume(deps, {
    ...taskInput(),
    image_id: null,
    snapshot_id: null,
    source_volid: null,
    request_spec: { volume_properties: { size: 1 } },
    filter_properties: { retry: { num_attempts: 1, hosts: [FIRST_HOST], backends: [FIRST_HOST] } },
    failure: { Error: "VolumeBackendAPIException", Cause: "refused" },
  });
};

/** A volume with a type, which goes when its deliveries are late: they end by a final error. */
const TYPE = "00000000-0000-4000-8000-0000000000aa";

function typed(): World {
  const world = aWorld(aVolume({ volume_type_id: TYPE }));
  world.fakes.volumeTypes.records.set(TYPE, plainVolumeType({ id: TYPE }));
  return world;
}

describe("a delivery that read the volume when it had no owner, and ends by a final error", () => {
  it("leaves a later attempt alone that is at work by now", async () => {
    const world = typed();
    const asRead = await recordOf(world);
    await deliver(world, aMessage(), asRead);
    await reschedule(world);
    await deliver(world, world.casts[0] ?? {}, await recordOf(world));
    await createRawVolume(world.deps, [...world.executions.values()].at(-1) ?? taskInput(2), UNHURRIED);
    const working = await recordOf(world);
    world.fakes.volumeTypes.records.clear();
    expect(await deliver(world, aMessage(), asRead)).toMatchObject({ outcome: "left alone" });
    expect(await recordOf(world)).toEqual(working);
    expect(working).toMatchObject({ fence: fenceOf(VOLUME_ID, 2), status: "creating" });
  });

  it("leaves its own attempt alone when that has asked its backend, and the volume becomes available", async () => {
    const world = typed();
    const asRead = await recordOf(world);
    await deliver(world, aMessage(), asRead);
    await createRawVolume(world.deps, [...world.executions.values()].at(-1) ?? taskInput(), UNHURRIED);
    world.fakes.volumeTypes.records.clear();
    expect(await deliver(world, aMessage(), asRead)).toMatchObject({ outcome: "left alone" });
    await create(world);
    expect(await recordOf(world)).toMatchObject({ status: "available", fault: null });
    expect(world.notifications.map(({ event_type: event }) => event)).not.toContain("volume.create.error");
  });

  it("ends its own attempt with the reason when no backend was asked: its execution may never have been started", async () => {
    const world = typed();
    const asRead = await recordOf(world);
    await deliver(world, aMessage(), asRead);
    world.fakes.volumeTypes.records.clear();
    expect(await deliver(world, aMessage(), await recordOf(world))).toMatchObject({ outcome: "error" });
    expect(await recordOf(world)).toMatchObject({ status: "error", fault: { error: "VolumeTypeNotFound" } });
  });
});

describe("a rescheduling that comes again when the next attempt has begun", () => {
  async function rescheduled(): Promise<World> {
    const world = aWorld(aVolumeInFlow({ phase: "creating" }));
    driverOf(world).createVolume = () => Promise.reject(new VolumeBackendAPIException("refused"));
    await reschedule(world);
    await deliver(world, world.casts[0] ?? {}, await recordOf(world));
    return world;
  }

  it.each<[string, (world: World) => Promise<unknown>]>([
    ["was scheduled", async () => {}],
    [
      "is at work",
      (world) => createRawVolume(world.deps, [...world.executions.values()].at(-1) ?? taskInput(2), UNHURRIED),
    ],
    ["has made it available", create],
  ])("changes nothing of a volume whose next attempt %s; its message is dropped", async (_what, goOn) => {
    const world = await rescheduled();
    await goOn(world);
    const before = [
      await recordOf(world),
      await world.fakes.backends.list(),
      [...driverOf(world, SECOND_HOST).volumes],
    ];
    const calls = world.faults.calls.length;
    await reschedule(world);
    expect(world.faults.calls.slice(calls).filter((call) => call.startsWith("driver."))).toEqual([]);
    expect([
      await recordOf(world),
      await world.fakes.backends.list(),
      [...driverOf(world, SECOND_HOST).volumes],
    ]).toEqual(before);
    await deliver(world, world.casts.at(-1) ?? {}, await recordOf(world));
    expect(world.executions.size).toBe(1);
    expect(await recordOf(world)).toEqual(before[0]);
  });

  it("leaves a volume alone that is two attempts on", async () => {
    const world = await rescheduled();
    const next = { volumeId: VOLUME_ID, attempt: 2, fence: fenceOf(VOLUME_ID, 2) };
    const close = { outcome: "rescheduled", error: "E", cause: "c", at: world.now, suspectedOrphan: false } as const;
    const third = { ...next, attempt: 3, fence: fenceOf(VOLUME_ID, 3) };
    await world.fakes.volumes.releaseForReschedule(next, third, close, world.now);
    expect(await reschedule(world)).toEqual({ outcome: "left alone" });
    expect(world.casts).toHaveLength(1);
  });

  it("and hangs at any of its calls in the meantime, takes nothing from the attempt on another backend", async () => {
    for (let calls = 0; calls < 7; calls += 1) {
      const world = aWorld(aVolumeInFlow({ phase: "creating" }));
      driverOf(world).volumes.set(VOLUME_ID, { from: "nothing" });
      const interleaver = new Interleaver();
      await interleaver.begin("first run", (gate) => reschedule(world, gate));
      for (let call = 0; call < calls; call += 1) {
        await interleaver.advance(0);
      }
      await reschedule(world);
      await deliver(world, world.casts[0] ?? {}, await recordOf(world));
      await create(world);
      await interleaver.finish();
      expect(await recordOf(world)).toMatchObject({ status: "available", host: SECOND_HOST });
      expect([driverOf(world).volumes.size, driverOf(world, SECOND_HOST).volumes.size]).toEqual([0, 1]);
      expect((await world.fakes.backends.list()).map(({ allocated_capacity_gb: gib }) => gib)).toEqual([0, 1]);
    }
  });
});
