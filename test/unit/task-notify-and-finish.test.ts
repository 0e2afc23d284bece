import { describe, expect, it } from "vitest";
import { FenceLost, NotificationNotSent, VolumeNotFound } from "../../core/errors.ts";
import type { VolumeStatus } from "../../core/records.ts";
import { createVolumeOnFinish } from "../../core/workflow/create-volume-on-finish.ts";
import { notifyCreateStart } from "../../core/workflow/notify-create-start.ts";
import { aSpec, aVolumeInFlow, aWorld, FIRST_HOST, taskInput, VOLUME_ID } from "../support/builders.ts";
import { expectSameAfterAnyDeath } from "../support/fakes/crashes.ts";
import { START, type World } from "../support/fakes/world.ts";

const START_INPUT = { ...taskInput(), volume_ref: aVolumeInFlow() };
const finish = (world: World, status: VolumeStatus = "creating", attempt = 1) =>
  createVolumeOnFinish(world.deps, {
    ...taskInput(attempt),
    volume_spec: aSpec({ status }),
    creation: {
      done: true,
      wait_seconds: 0,
      checkpoint: null,
      next: "finish",
      model_update: { provider_location: "/there" },
    },
  });
const created = (): World => aWorld(aVolumeInFlow({ phase: "created" }));

describe("NotifyCreateStart", () => {
  it("describes the volume at the start of its workflow", async () => {
    const world = aWorld();
    await notifyCreateStart(world.deps, START_INPUT);
    expect(world.notifications).toMatchObject([
      { event_type: "volume.create.start", payload: { volume_id: VOLUME_ID, status: "creating", host: FIRST_HOST } },
    ]);
  });

  it("repeated, sends the same message id", async () => {
    const world = aWorld();
    await notifyCreateStart(world.deps, START_INPUT);
    world.now = new Date("2026-01-02T00:00:00.000Z");
    await notifyCreateStart(world.deps, START_INPUT);
    const [first, second] = world.notifications;
    expect(second?.message_id).toBe(first?.message_id);
  });

  it("says NotificationNotSent when it could not", async () => {
    const world = aWorld();
    world.faults.fail("notifier.publish", new NotificationNotSent("volume.create.start", "no"));
    await expect(notifyCreateStart(world.deps, START_INPUT)).rejects.toThrow(NotificationNotSent);
  });
});

describe("CreateVolumeOnFinish", () => {
  it("makes the volume available, sends create.end, and settles its claim last", async () => {
    const world = created();
    await finish(world);
    expect(await world.fakes.volumes.get(VOLUME_ID)).toMatchObject({
      status: "available",
      provider_location: "/there",
      launched_at: START,
      phase: null,
      deadline: null,
      attempts: { 1: { outcome: "created", ended_at: START } },
    });
    expect(world.fakes.backends.closed).toEqual([`settle ${FIRST_HOST} ${VOLUME_ID} 1`]);
    expect(world.notifications).toMatchObject([{ event_type: "volume.create.end", payload: { status: "available" } }]);
    expect(world.faults.calls).toEqual(["volumes.markAvailable", "notifier.publish", "backends.settle"]);
  });

  it("keeps the capacity counted", async () => {
    const world = created();
    await finish(world);
    expect(world.fakes.backends.seen(FIRST_HOST)).toMatchObject({ allocated_capacity_gb: 1, claims: {} });
  });

  it.each<[VolumeStatus, VolumeStatus]>([
    ["creating", "available"],
    ["downloading", "available"],
    ["error", "available"],
    ["migration_target_creating", "migration_target"],
  ])("a volume whose spec says %s becomes %s", async (before, after) => {
    const world = created();
    await finish(world, before);
    expect((await world.fakes.volumes.get(VOLUME_ID)).status).toBe(after);
    expect(world.notifications[0]?.payload["status"]).toBe(after);
  });

  it("sends no create.end when the record could not be written", async () => {
    const world = created();
    world.faults.fail("volumes.markAvailable", new Error("throttled"));
    await expect(finish(world)).rejects.toThrow("throttled");
    expect(world.notifications).toEqual([]);
  });

  it("says NotificationNotSent only when everything else is done", async () => {
    const world = created();
    world.faults.fail("notifier.publish", new NotificationNotSent("volume.create.end", "no"));
    await expect(finish(world)).rejects.toThrow(NotificationNotSent);
    expect((await world.fakes.volumes.get(VOLUME_ID)).status).toBe("available");
  });

  it("whose notification failed leaves its claim open and empty, so its capacity is counted once", async () => {
    const world = created();
    world.faults.fail("notifier.publish", new NotificationNotSent("volume.create.end", "no"));
    await expect(finish(world)).rejects.toThrow(NotificationNotSent);
    expect(world.fakes.backends.seen(FIRST_HOST)).toMatchObject({
      allocated_capacity_gb: 1,
      claims: { [VOLUME_ID]: { attempt: 1, size: 0 } },
    });
    await finish(world);
    expect(world.fakes.backends.seen(FIRST_HOST)).toMatchObject({ allocated_capacity_gb: 1, claims: {} });
  });

  it("run again late, settles no claim that was made since", async () => {
    const world = created();
    await finish(world);
    const claim = { attempt: 1, size: 1, claimed_at: "2026-01-02T00:00:00.000Z" };
    world.fakes.backends.arrangeClaim(FIRST_HOST, VOLUME_ID, claim);
    await finish(world);
    expect(world.fakes.backends.seen(FIRST_HOST).claims).toEqual({ [VOLUME_ID]: claim });
  });

  it("has the status that the create set, whatever users have done with the volume since", async () => {
    const world = created();
    await finish(world);
    const record = await world.fakes.volumes.get(VOLUME_ID);
    world.fakes.volumes.records.set(VOLUME_ID, { ...record, status: "in-use" });
    await finish(world);
    expect(world.notifications.map(({ payload }) => payload["status"])).toEqual(["available", "available"]);
  });

  it("dead at any call and run again, ends the same, the claim settled once", async () => {
    await expectSameAfterAnyDeath(created, finish, (world) => expect(world.fakes.backends.closed).toHaveLength(1));
  });

  it("repeated later, keeps the time of the launch and the message id", async () => {
    const world = created();
    await finish(world);
    world.now = new Date("2026-01-02T00:00:00.000Z");
    await finish(world);
    expect((await world.fakes.volumes.get(VOLUME_ID)).launched_at).toBe(START);
    expect(new Set(world.notifications.map(({ message_id }) => message_id)).size).toBe(1);
  });

  it.each([
    ["of an earlier attempt", aVolumeInFlow({}, 2)],
    ["after the volume went to error", aVolumeInFlow({ status: "error", deadline: null })],
  ])("late, %s, changes nothing and sends nothing", async (_when, volume) => {
    const world = aWorld(volume);
    const before = world.state();
    await expect(finish(world)).rejects.toThrow(FenceLost);
    expect(world.state()).toEqual(before);
  });

  it("says VolumeNotFound for a volume that was deleted", async () => {
    await expect(finish(aWorld())).rejects.toThrow(VolumeNotFound);
  });
});
