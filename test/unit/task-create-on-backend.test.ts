import { describe, expect, it } from "vitest";
import { DriverNotInitialized, FenceLost, VolumeBackendAPIException, VolumeNotFound } from "../../core/errors.ts";
import { fenceOf, type VolumeRecord } from "../../core/records.ts";
import type { Creation, VolumeSpec } from "../../core/spec.ts";
import { cloneImage } from "../../core/workflow/clone-image.ts";
import { createClonedVolume } from "../../core/workflow/create-cloned-volume.ts";
import type { Turn } from "../../core/attempt/create-on-backend.ts";
import { createRawVolume } from "../../core/workflow/create-raw-volume.ts";
import { createVolumeForImage } from "../../core/workflow/create-volume-for-image.ts";
import { createVolumeFromSnapshot } from "../../core/workflow/create-volume-from-snapshot.ts";
import {
  anImageSpec,
  aSnapshot,
  aSource,
  aSpec,
  aVolumeInFlow,
  aWorld,
  driverOf,
  FIRST_HOST,
  IMAGE_ID,
  SECOND_HOST,
  SNAPSHOT_ID,
  SOURCE_ID,
  taskInput,
  UNHURRIED,
  VOLUME_ID,
} from "../support/builders.ts";
import { expectSameAfterAnyDeath } from "../support/fakes/crashes.ts";
import type { MadeFrom } from "../../simulation/driver.ts";
import { START, type World } from "../support/fakes/world.ts";

/** Tests of all states that create on a backend; each runs the same tests. */

type Case = {
  name: string;
  spec: VolumeSpec;
  run: (world: World, input: ReturnType<typeof withSpec>, turn: Turn) => Promise<Creation>;
  made: MadeFrom;
  call: string;
  next: Creation["next"];
  phase: VolumeRecord["phase"];
  status: VolumeRecord["status"];
};

const withSpec = (spec: VolumeSpec, attempt = 1) => ({ ...taskInput(attempt), volume_spec: spec });

const CASES: Case[] = [
  {
    name: "CreateRawVolume",
    spec: aSpec(),
    run: ({ deps }, input, turn) => createRawVolume(deps, input, turn),
    made: { from: "nothing" },
    call: "driver.createVolume",
    next: "finish",
    phase: "creating",
    status: "creating",
  },
  {
    name: "CreateVolumeFromSnapshot",
    spec: aSpec({ type: "snap", snapshot_id: SNAPSHOT_ID }),
    run: ({ deps }, input, turn) => createVolumeFromSnapshot(deps, input, turn),
    made: { from: "snapshot", source: SNAPSHOT_ID },
    call: "driver.createVolumeFromSnapshot",
    next: "bootable",
    phase: "created",
    status: "creating",
  },
  {
    name: "CreateClonedVolume",
    spec: aSpec({ type: "source_vol", source_volid: SOURCE_ID }),
    run: ({ deps }, input, turn) => createClonedVolume(deps, input, turn),
    made: { from: "volume", source: SOURCE_ID },
    call: "driver.createClonedVolume",
    next: "bootable",
    phase: "created",
    status: "creating",
  },
  {
    name: "CloneImage",
    spec: anImageSpec(),
    run: ({ deps }, input, turn) => cloneImage(deps, input, turn),
    made: { from: "image", source: IMAGE_ID },
    call: "driver.cloneImage",
    next: "bootable",
    phase: "created",
    status: "creating",
  },
  {
    name: "CreateVolumeForImage",
    spec: anImageSpec(),
    run: ({ deps }, input, turn) => createVolumeForImage(deps, input, turn),
    made: { from: "nothing" },
    call: "driver.createVolume",
    next: "copy_image",
    phase: "copying",
    status: "downloading",
  },
];

function world(volume: VolumeRecord = aVolumeInFlow()): World {
  const made = aWorld(volume, aSource({ bootable: true }));
  made.fakes.snapshots.records.set(SNAPSHOT_ID, aSnapshot());
  driverOf(made).clonesImages = true;
  driverOf(made).modelUpdate = { provider_location: "there" };
  return made;
}

const recordOf = (of: World) => of.fakes.volumes.get(VOLUME_ID);

describe.each(CASES)("$name", ({ spec, run, made, call, next, phase, status }) => {
  it("makes the volume and keeps what the driver returned, unless the last write follows and keeps it", async () => {
    const here = world();
    const creation = await run(here, withSpec(spec), UNHURRIED);
    const update = { provider_location: "there" };
    const isLast = next === "finish";
    expect(creation).toMatchObject({
      done: true,
      wait_seconds: 0,
      checkpoint: null,
      next,
      model_update: isLast ? update : null,
    });
    expect(driverOf(here).volumes.get(VOLUME_ID)).toEqual(made);
    expect(await recordOf(here)).toMatchObject({ phase, status, ...(isLast ? { provider_location: null } : update) });
  });

  it.each([
    [30, 30],
    [0.5, 1],
    [-3, 0],
    [Number.NaN, 1],
    [Number.POSITIVE_INFINITY, 1],
    [86_400, 900],
  ])("waits in whole seconds, and no longer than its deadline allows: %d s are %d s", async (asked, waited) => {
    const here = world();
    driverOf(here).turns = 2;
    driverOf(here).waitSeconds = asked;
    expect((await run(here, withSpec(spec), UNHURRIED)).wait_seconds).toBe(waited);
  });

  it("writes that the backend may hold the volume before the backend is asked", async () => {
    const here = world();
    here.faults.fail(call, new VolumeBackendAPIException("no"));
    await expect(run(here, withSpec(spec), UNHURRIED)).rejects.toThrow(VolumeBackendAPIException);
    expect(await recordOf(here)).toMatchObject({ phase: "creating", deadline: "2026-01-01T02:00:00.000Z" });
  });

  it("asks nothing of a driver that is not initialized", async () => {
    const here = world();
    driverOf(here).isInitialized = false;
    await expect(run(here, withSpec(spec), UNHURRIED)).rejects.toThrow(DriverNotInitialized);
    expect(here.faults.count(call)).toBe(0);
    expect((await recordOf(here)).phase).toBe("scheduled");
  });

  it("asks nothing for a host that no backend serves", async () => {
    const input = { ...withSpec(spec), host: "node@gone#pool" };
    await expect(run(world(), input, UNHURRIED)).rejects.toThrow("Volume driver of node@gone#pool not initialized.");
  });

  it("repeated, finds the volume that it made", async () => {
    const here = world();
    const first = await run(here, withSpec(spec), UNHURRIED);
    const after = here.state();
    expect(await run(here, withSpec(spec), UNHURRIED)).toEqual(first);
    expect(here.state()).toEqual(after);
    expect(driverOf(here).made).toBe(1);
  });

  it("late, is refused before the backend is asked", async () => {
    const here = world(aVolumeInFlow({}, 2));
    await expect(run(here, withSpec(spec), UNHURRIED)).rejects.toThrow(FenceLost);
    expect(here.faults.count(call)).toBe(0);
  });

  it("after the volume left the flow, is refused before the backend is asked", async () => {
    const here = world(aVolumeInFlow({ status: "error", deadline: null }));
    await expect(run(here, withSpec(spec), UNHURRIED)).rejects.toThrow(FenceLost);
    expect(here.faults.count(call)).toBe(0);
  });

  it("with its volume deleted, says VolumeNotFound", async () => {
    const here = world();
    here.fakes.volumes.records.delete(VOLUME_ID);
    await expect(run(here, withSpec(spec), UNHURRIED)).rejects.toThrow(VolumeNotFound);
    expect(driverOf(here).made).toBe(0);
  });

  it("dead at any call and run again, ends as if nothing had happened, with one volume on the backend", async () => {
    const action = (here: World) => run(here, withSpec(spec), UNHURRIED);
    const deaths = await expectSameAfterAnyDeath(world, action, (here) => expect(driverOf(here).made).toBe(1));
    expect(deaths).toBeGreaterThanOrEqual(next === "finish" ? 6 : 8);
  });

  it("with a slow backend, waits with a checkpoint and records nothing as created", async () => {
    const here = world();
    driverOf(here).turns = 3;
    const first = await run(here, withSpec(spec), UNHURRIED);
    expect(first).toMatchObject({ done: false, wait_seconds: 1, checkpoint: { turn: 1 } });
    expect((await recordOf(here)).phase).toBe("creating");
    const second = await run(here, withSpec(spec), { ...UNHURRIED, checkpoint: first.checkpoint });
    expect(second).toMatchObject({ done: false, wait_seconds: 2, checkpoint: { turn: 2 } });
    const third = await run(here, withSpec(spec), { ...UNHURRIED, checkpoint: second.checkpoint });
    expect(third).toMatchObject({ done: true, next });
    expect(driverOf(here).made).toBe(1);
  });

  it("lets the driver's error out under its own name", async () => {
    const here = world();
    here.faults.fail(call, Object.assign(new Error("gone"), { name: "SomethingElse" }), { moment: "after" });
    await expect(run(here, withSpec(spec), UNHURRIED)).rejects.toMatchObject({ name: "SomethingElse" });
    expect((await recordOf(here)).phase).toBe("creating");
  });
});

describe("what follows", () => {
  it.each([
    ["bootable", true],
    ["finish", false],
  ] as const)("is %s when the origin's bootable flag is %s", async (next, bootable) => {
    const here = world();
    here.fakes.volumes.records.set(SOURCE_ID, aSource({ bootable }));
    const fromSnapshot = withSpec(aSpec({ type: "snap", snapshot_id: SNAPSHOT_ID }));
    expect((await createVolumeFromSnapshot(here.deps, fromSnapshot, UNHURRIED)).next).toBe(next);
    const clone = withSpec(aSpec({ type: "source_vol", source_volid: SOURCE_ID }));
    expect((await createClonedVolume(here.deps, clone, UNHURRIED)).next).toBe(next);
  });
});

describe("an attempt after others that may have left something", () => {
  const line = (attempt: number, host: string, isSuspected: boolean) => ({
    host,
    execution: fenceOf(VOLUME_ID, attempt),
    started_at: START,
    outcome: "rescheduled" as const,
    ...(isSuspected && { suspected_orphan: true as const }),
  });
  const fourth = (suspects: VolumeRecord["attempts"]) => {
    const running = aVolumeInFlow({}, 4);
    return aWorld({ ...running, attempts: { ...suspects, ...running.attempts } });
  };

  it("closes the latest of them on its own backend, and with it the earlier ones, before it creates", async () => {
    const here = fourth({
      1: line(1, FIRST_HOST, true),
      2: line(2, FIRST_HOST, true),
      3: line(3, SECOND_HOST, true),
    });
    await createRawVolume(here.deps, withSpec(aSpec(), 4), UNHURRIED);
    expect(driverOf(here).closed.get(VOLUME_ID)).toBe(2);
    expect(driverOf(here).volumes.has(VOLUME_ID)).toBe(true);
    const calls = here.faults.calls.filter((call) => call.startsWith("driver."));
    expect(calls.indexOf("driver.closeAttempt")).toBeLessThan(calls.indexOf("driver.createVolume"));
    expect(driverOf(here, SECOND_HOST).closed.size).toBe(0);
  });

  it("closes one of another pool of its own backend", async () => {
    const here = fourth({ 3: line(3, FIRST_HOST.replace("#pool", "#other"), true) });
    await createRawVolume(here.deps, withSpec(aSpec(), 4), UNHURRIED);
    expect(driverOf(here).closed.get(VOLUME_ID)).toBe(3);
  });

  it.each<[string, VolumeRecord["attempts"]]>([
    ["on other backends", { 3: line(3, SECOND_HOST, true) }],
    ["that are not suspected", { 3: line(3, FIRST_HOST, false) }],
    ["that came after it", { 5: line(5, FIRST_HOST, true) }],
  ])("closes none %s", async (_which, attempts) => {
    const here = fourth(attempts);
    await createRawVolume(here.deps, withSpec(aSpec(), 4), UNHURRIED);
    expect(here.faults.count("driver.closeAttempt")).toBe(0);
    expect(driverOf(here).volumes.has(VOLUME_ID)).toBe(true);
  });

  it("closes them once, not at each of its turns", async () => {
    const here = fourth({ 2: line(2, FIRST_HOST, true) });
    driverOf(here).turns = 2;
    const { checkpoint } = await createRawVolume(here.deps, withSpec(aSpec(), 4), UNHURRIED);
    await createRawVolume(here.deps, withSpec(aSpec(), 4), { ...UNHURRIED, checkpoint });
    expect(here.faults.count("driver.closeAttempt")).toBe(1);
  });
});

describe("an answer of a driver", () => {
  it.each([
    ["checkpoint", { checkpoint: { token: "x".repeat(4_100) } }],
    ["model_update", { model_update: { provider_location: "x".repeat(4_100) } }],
  ])("is refused by name when its %s takes more than its share of the byte budget", async (what, part) => {
    const here = aWorld(aVolumeInFlow());
    driverOf(here).createVolume = async () => ({
      done: false,
      wait_seconds: 1,
      checkpoint: null,
      model_update: null,
      ...part,
    });
    await expect(createRawVolume(here.deps, withSpec(aSpec()), UNHURRIED)).rejects.toMatchObject({
      name: "VolumeDriverException",
      message: expect.stringMatching(new RegExp(`its ${what} takes 41\\d\\d bytes; at most 4096 are allowed`)),
    });
  });
});
