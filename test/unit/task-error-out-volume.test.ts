import { describe, expect, it } from "vitest";
import { NotificationNotSent } from "../../core/errors.ts";
import { fenceOf, type VolumeRecord, type VolumeStatus } from "../../core/records.ts";
import { deleteVolume } from "../../core/volumes/delete-volume.ts";
import { errorOutFailedExecution, type FailedExecution } from "../../core/nets/error-out-failed-execution.ts";
import { errorOutVolume, finishQueuedError } from "../../core/workflow/error-out-volume.ts";
import { ownContext } from "../../core/attempt/own-context.ts";
import { aVolume, aVolumeInFlow, aWorld, FIRST_HOST, SECOND_HOST, taskInput, VOLUME_ID } from "../support/builders.ts";
import { expectSameAfterAnyDeath } from "../support/fakes/crashes.ts";
import { START, type World } from "../support/fakes/world.ts";

const FAILURE = { Error: "ImageTooBig", Cause: JSON.stringify({ errorType: "ImageTooBig", errorMessage: "too big" }) };
const errorOut = ({ deps }: World, attempt = 1) => errorOutVolume(deps, { ...taskInput(attempt), failure: FAILURE });
const inFlow = (): World => aWorld(aVolumeInFlow({ phase: "creating" }));

/** Created, and its claim still open. */
function createdUntold(status: VolumeStatus): World {
  const world = aWorld(aVolumeInFlow());
  const attempts = {
    1: { host: FIRST_HOST, execution: "e", started_at: START, ended_at: START, outcome: "created" as const },
  };
  const record = aVolumeInFlow({ status, launched_at: START, deadline: null, phase: null, attempts });
  world.fakes.volumes.records.set(VOLUME_ID, record);
  return world;
}

const recordOf = (of: World) => of.fakes.volumes.get(VOLUME_ID);

/** Volumes that an attempt 1 which comes late finds. */
const NOT_ITS_OWN: [string, VolumeRecord][] = [
  ["belongs to a later attempt", aVolumeInFlow({}, 2)],
  ["waits for the next attempt", aVolumeInFlow({ fence: fenceOf(VOLUME_ID, 2), host: null, phase: "queued" })],
  ["is available by a later attempt", aVolumeInFlow({ status: "available", deadline: null, launched_at: START }, 2)],
  ["is being deleted", aVolumeInFlow({ status: "deleting", deadline: null })],
];

describe("ErrorOutVolume", () => {
  it("puts the volume in error, with the failure's own name and message as its fault", async () => {
    const world = inFlow();
    expect(await errorOut(world)).toEqual({ outcome: "error" });
    expect(await recordOf(world)).toMatchObject({
      status: "error",
      host: FIRST_HOST,
      deadline: null,
      phase: "creating",
      fault: { error: "ImageTooBig", cause: "too big", attempt: 1, at: START, attempts: [] },
      attempts: { 1: { outcome: "error", ended_at: START, error: "ImageTooBig", cause: "too big" } },
    });
  });

  it("names the failure, and the reason why no other backend was tried", async () => {
    const world = inFlow();
    const reschedule_failure = {
      Error: "BackendNotCleared",
      Cause: JSON.stringify({ errorMessage: `Volume may still be on it: ${"x".repeat(5_000)}` }),
    };
    const failure = { Error: "States.Timeout", Cause: "y".repeat(5_000) };
    await errorOutVolume(world.deps, { ...taskInput(), failure, reschedule_failure });
    const { fault, attempts } = await recordOf(world);
    expect(fault?.error).toBe("States.Timeout");
    expect(fault?.cause).toMatch(
      /^y{200,}\u2026 \(not rescheduled: BackendNotCleared: Volume may still be on it: x+\u2026\)$/,
    );
    expect(fault?.cause.length).toBeLessThanOrEqual(500);
    expect(attempts["1"]?.cause).toBe(fault?.cause);
  });

  it("names every earlier attempt in the fault", async () => {
    const volume = aVolumeInFlow({ phase: "creating" }, 2, SECOND_HOST);
    const first = {
      host: FIRST_HOST,
      execution: fenceOf(VOLUME_ID, 1),
      started_at: START,
      ended_at: START,
      outcome: "rescheduled" as const,
      error: "VolumeBackendAPIException",
      cause: "full",
    };
    const world = aWorld({ ...volume, attempts: { 1: first, ...volume.attempts } });
    await errorOutVolume(world.deps, { ...taskInput(2, SECOND_HOST), failure: FAILURE });
    expect((await recordOf(world)).fault?.attempts).toEqual([
      `attempt 1 on ${FIRST_HOST}: VolumeBackendAPIException: full`,
    ]);
  });

  it("settles the claim and keeps the capacity counted until the volume is deleted", async () => {
    const world = inFlow();
    await errorOut(world);
    expect(world.fakes.backends.closed).toEqual([`settle ${FIRST_HOST} ${VOLUME_ID} 1`]);
    expect(world.fakes.backends.seen(FIRST_HOST)).toMatchObject({ allocated_capacity_gb: 1, claims: {} });
  });

  it("sends a notification with priority ERROR and the fault", async () => {
    const world = inFlow();
    await errorOut(world);
    expect(world.notifications).toMatchObject([
      {
        event_type: "volume.create.error",
        priority: "ERROR",
        payload: { status: "error", fault: { error: "ImageTooBig", attempt: 1 } },
      },
    ]);
  });

  it("says NotificationNotSent when that cannot be sent, and leaves the claim open with nothing in it", async () => {
    const world = inFlow();
    world.faults.fail("notifier.publish", new NotificationNotSent("volume.create.error", "no"));
    await expect(errorOut(world)).rejects.toThrow(NotificationNotSent);
    expect((await recordOf(world)).status).toBe("error");
    expect(world.fakes.backends.seen(FIRST_HOST)).toMatchObject({
      allocated_capacity_gb: 1,
      claims: { [VOLUME_ID]: { size: 0 } },
    });
  });

  it("writes, notifies, and settles last", async () => {
    const world = inFlow();
    await errorOut(world);
    const calls = ["volumes.get", "volumes.markError", "notifier.publish", "backends.settle"];
    expect(world.faults.calls).toEqual(calls);
  });

  it.each(["available", "migration_target", "in-use"] as const)(
    "answers created for a volume that its own attempt has created, %s by now, and leaves the notification to the sweep",
    async (status) => {
      const world = aWorld(aVolumeInFlow({ status, deadline: null, launched_at: START }));
      const before = world.state();
      expect(await errorOut(world)).toEqual({ outcome: "created" });
      expect(world.state()).toEqual(before);
    },
  );

  it("dead at any call and run again, ends the same, the claim settled once", async () => {
    await expectSameAfterAnyDeath(inFlow, errorOut, (world) => expect(world.fakes.backends.closed).toHaveLength(1));
  });

  it("repeated with another failure, keeps the fault that was written first", async () => {
    const world = inFlow();
    await errorOut(world);
    await errorOutVolume(world.deps, { ...taskInput(), failure: { Error: "Other", Cause: "" } });
    expect((await recordOf(world)).fault?.error).toBe("ImageTooBig");
    expect(new Set(world.notifications.map(({ message_id }) => message_id)).size).toBe(1);
  });

  it.each(NOT_ITS_OWN)("leaves a volume alone that %s", async (_what, volume) => {
    const world = aWorld(volume);
    const before = world.state();
    expect(await errorOut(world)).toEqual({ outcome: "left alone" });
    expect(world.state()).toEqual(before);
  });

  it("leaves a volume alone that was deleted", async () => {
    expect(await errorOut(aWorld())).toEqual({ outcome: "left alone" });
  });

  it("lets any other error out, so that it is tried again", async () => {
    const world = inFlow();
    world.faults.fail("volumes.markError", new Error("throttled"));
    await expect(errorOut(world)).rejects.toThrow("throttled");
  });
});

describe("the rule on failed executions", () => {
  const ended = (columns: Partial<FailedExecution> = {}): FailedExecution => ({
    name: fenceOf(VOLUME_ID, 1),
    status: "FAILED",
    error: "States.Runtime",
    cause: "no such path",
    ...columns,
  });

  it("puts the volume in error with the execution's error", async () => {
    const world = inFlow();
    expect(await errorOutFailedExecution(world.deps, ended())).toEqual({ outcome: "error" });
    expect(await recordOf(world)).toMatchObject({
      status: "error",
      fault: { error: "States.Runtime", cause: "no such path" },
    });
  });

  it.each([
    ["ABORTED", "ExecutionABORTED", "The execution ended as ABORTED."],
    ["TIMED_OUT", "ExecutionTIMED_OUT", "The execution ended as TIMED_OUT."],
  ])("says how one ended that has no error of its own: %s", async (status, error, cause) => {
    const world = inFlow();
    await errorOutFailedExecution(world.deps, ended({ status, error: null, cause: null }));
    expect((await recordOf(world)).fault).toMatchObject({ error, cause });
  });

  it(
    "ends one that was aborted while it was only scheduled: in error, with the reason on the record, and deleted " +
      "without its backend",
    async () => {
      const world = aWorld(aVolumeInFlow());
      await errorOutFailedExecution(world.deps, ended({ status: "ABORTED", error: null, cause: null }));
      expect(await recordOf(world)).toMatchObject({
        status: "error",
        fault: { error: "ExecutionABORTED", cause: "The execution ended as ABORTED.", attempt: 1 },
        attempts: { 1: { outcome: "error", error: "ExecutionABORTED", host: FIRST_HOST } },
      });
      await deleteVolume(world.deps, VOLUME_ID);
      expect(world.faults.calls.filter((call) => call.startsWith("driver."))).toEqual([]);
      expect(world.fakes.volumes.records.size).toBe(0);
    },
  );

  it("sends the notification for the volume's own user and project", async () => {
    const world = inFlow();
    await errorOutFailedExecution(world.deps, ended());
    expect(world.notifications).toMatchObject([{ _context_user_id: "user", _context_project_id: "project" }]);
  });

  it.each([
    "",
    "not-ours",
    VOLUME_ID,
    `${VOLUME_ID}-a`,
    `${VOLUME_ID}-a0`,
    `${VOLUME_ID}-a1x`,
    `x${VOLUME_ID}-a1`,
    `${VOLUME_ID}-a1\n`,
  ])("leaves an execution alone whose name is not an attempt's: %j", async (name) => {
    const world = inFlow();
    const before = world.state();
    expect(await errorOutFailedExecution(world.deps, ended({ name }))).toEqual({ outcome: "left alone" });
    expect(world.state()).toEqual(before);
  });

  it.each(NOT_ITS_OWN)("leaves a volume alone that %s", async (_what, volume) => {
    const world = aWorld(volume);
    const before = world.state();
    expect(await errorOutFailedExecution(world.deps, ended())).toEqual({ outcome: "left alone" });
    expect(world.state()).toEqual(before);
  });

  it("finds nothing to do after the workflow's own ErrorOutVolume", async () => {
    const world = inFlow();
    await errorOut(world);
    expect(await errorOutFailedExecution(world.deps, ended())).toEqual({ outcome: "left alone" });
    expect((await recordOf(world)).fault?.error).toBe("ImageTooBig");
  });

  it.each(["available", "in-use"] as const)(
    "notifies at once about a created volume without a notification: %s",
    async (status) => {
      const world = createdUntold(status);
      expect(await errorOutFailedExecution(world.deps, ended())).toEqual({ outcome: "created" });
      expect(world.notifications).toMatchObject([
        { event_type: "volume.create.end", payload: { status: "available" } },
      ]);
      expect(world.fakes.backends.closed).toEqual([`settle ${FIRST_HOST} ${VOLUME_ID} 1`]);
      expect(await errorOutFailedExecution(world.deps, ended())).toEqual({ outcome: "left alone" });
      expect(world.notifications).toHaveLength(1);
    },
  );

  it("dead at any call on the way, ends the same", async () => {
    const tell = (world: World) => errorOutFailedExecution(world.deps, ended());
    expect(await expectSameAfterAnyDeath(inFlow, tell)).toBeGreaterThan(6);
    expect(await expectSameAfterAnyDeath(() => createdUntold("available"), tell)).toBeGreaterThan(6);
  });

  it("called twice, after the first call died, still notifies and settles the claim", async () => {
    const world = inFlow();
    world.faults.fail("backends.settle", new Error("throttled"));
    await expect(errorOutFailedExecution(world.deps, ended())).rejects.toThrow("throttled");
    expect(await errorOutFailedExecution(world.deps, ended())).toEqual({ outcome: "error" });
    expect(world.fakes.backends.closed).toEqual([`settle ${FIRST_HOST} ${VOLUME_ID} 1`]);
  });

  it("leaves a volume alone that was deleted", async () => {
    expect(await errorOutFailedExecution(aWorld().deps, ended())).toEqual({ outcome: "left alone" });
  });
});

describe("the rest of marking a volume that waits for the scheduler", () => {
  const claimOf = (world: World, host: string, attempt: number) =>
    world.fakes.backends.arrangeClaim(host, VOLUME_ID, { attempt, size: 1, claimed_at: START });
  const fault = { error: "NoValidBackend", cause: "full", attempt: 2, at: START, attempts: [] };

  it("releases the claims of its attempt and of earlier ones, and leaves that of a later attempt", async () => {
    const volume = aVolume({ status: "error", fence: fenceOf(VOLUME_ID, 2), fault, phase: null, deadline: null });
    for (const [attempt, released] of [
      [1, [`release ${FIRST_HOST} ${VOLUME_ID} 1`]],
      [2, [`release ${FIRST_HOST} ${VOLUME_ID} 2`]],
      [3, []],
    ] as const) {
      const world = aWorld(volume);
      claimOf(world, FIRST_HOST, attempt);
      await finishQueuedError(world.deps, volume, ownContext(volume));
      expect(world.fakes.backends.closed).toEqual(released);
      expect(world.notifications).toMatchObject([{ event_type: "volume.create.error" }]);
    }
  });
});
