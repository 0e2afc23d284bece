import { describe, expect, it, vi } from "vitest";
import { BackendNotCleared, ERROR_ROUTES, VolumeBackendAPIException } from "../../core/errors.ts";
import type { VolumeRecord } from "../../core/records.ts";
import { rescheduleVolume, type RescheduleInput } from "../../core/workflow/reschedule-volume.ts";
import { aVolumeInFlow, aWorld, driverOf, FIRST_HOST, taskInput, VOLUME_ID } from "../support/builders.ts";
import { expectSameAfterAnyDeath } from "../support/fakes/crashes.ts";
import { CONTEXT, START, type World } from "../support/fakes/world.ts";
import { ownerOf } from "../support/records.ts";

const REFUSED = {
  errorType: "VolumeBackendAPIException",
  errorMessage: "no space",
  trace: ["Error: no space", "at a"],
};

const REFUSED_EXC = [...REFUSED.trace, `VolumeBackendAPIException: ${REFUSED.errorMessage}`];

function input(keys: Partial<RescheduleInput> = {}): RescheduleInput {
  return {
    ...taskInput(),
    image_id: "image",
    snapshot_id: null,
    source_volid: null,
    request_spec: { volume_properties: { size: 1 }, extra: "kept" },
    filter_properties: { retry: { num_attempts: 1, hosts: [FIRST_HOST], backends: [FIRST_HOST] }, size: 1 },
    failure: { Error: "VolumeBackendAPIException", Cause: JSON.stringify(REFUSED) },
    ...keys,
  };
}

const failureOf = (error: string): RescheduleInput => input({ failure: { Error: error, Cause: "why" } });
const TIMED_OUT = failureOf("States.Timeout");

/** The backend was asked, and holds something. */
function world(columns: Partial<VolumeRecord> = {}): World {
  const made = aWorld(aVolumeInFlow({ phase: "creating", ...columns }));
  driverOf(made).volumes.set(VOLUME_ID, { from: "nothing" });
  return made;
}

const recordOf = (of: World) => of.fakes.volumes.get(VOLUME_ID);

describe("RescheduleVolume", () => {
  it("clears the backend, hands the record over, gives the capacity back, and casts last", async () => {
    const here = world();
    expect(await rescheduleVolume(here.deps, input())).toEqual({ outcome: "rescheduled" });
    expect(here.faults.calls).toEqual([
      "volumes.get",
      "driver.closeAttempt",
      "driver.deleteVolume",
      "driver.findVolume",
      "volumes.releaseForReschedule",
      "backends.release",
      "queue.send",
    ]);
    expect(driverOf(here).volumes.size).toBe(0);
    expect(here.fakes.backends.seen(FIRST_HOST)).toMatchObject({ allocated_capacity_gb: 0, claims: {} });
  });

  it("leaves a record that waits for the next attempt, without a host, and lists this one", async () => {
    const here = world({ status: "downloading", provider_location: "there", bootable: true });
    await rescheduleVolume(here.deps, input());
    expect(await recordOf(here)).toMatchObject({
      status: "creating",
      host: null,
      fence: `${VOLUME_ID}-a2`,
      phase: "queued",
      provider_location: null,
      bootable: false,
      scheduled_at: START,
      deadline: "2026-01-01T01:20:00.000Z",
      attempts: {
        1: {
          host: FIRST_HOST,
          outcome: "rescheduled",
          ended_at: START,
          error: "VolumeBackendAPIException",
          cause: "no space",
        },
      },
    });
  });

  it("keeps the status of a migration's target", async () => {
    const here = world({ status: "migration_target_creating" });
    await rescheduleVolume(here.deps, input());
    expect((await recordOf(here)).status).toBe("migration_target_creating");
  });

  it("casts the request with the volume's id in the spec, and the failed attempt's trace and error in the retry", async () => {
    const here = world();
    await rescheduleVolume(here.deps, input());
    expect(here.casts).toEqual([
      {
        context: CONTEXT,
        volume_id: VOLUME_ID,
        image_id: "image",
        snapshot_id: null,
        source_volid: null,
        request_spec: { volume_properties: { size: 1 }, extra: "kept", volume_id: VOLUME_ID },
        filter_properties: {
          retry: { num_attempts: 1, hosts: [FIRST_HOST], backends: [FIRST_HOST], exc: REFUSED_EXC },
          size: 1,
        },
      },
    ]);
  });

  it.each([
    ["without a trace, the error and its cause", "plain words", ["VolumeBackendAPIException: plain words"]],
    [
      "of a trace that is not a list of lines",
      JSON.stringify({ ...REFUSED, trace: { a: 1 } }),
      ["VolumeBackendAPIException: no space"],
    ],
    [
      "of a long trace, ten lines and the error",
      JSON.stringify({ ...REFUSED, trace: Array(50).fill("at b") }),
      [...Array(10).fill("at b"), "VolumeBackendAPIException: no space"],
    ],
  ])("casts %s", async (_what, Cause, exc) => {
    const here = world();
    await rescheduleVolume(here.deps, input({ failure: { Error: "VolumeBackendAPIException", Cause } }));
    expect(here.casts[0]).toMatchObject({ filter_properties: { retry: { exc } } });
  });

  it("cuts each line of a trace to a bounded length", async () => {
    const here = world();
    const Cause = JSON.stringify({ ...REFUSED, trace: ["x".repeat(10_000)] });
    await rescheduleVolume(here.deps, input({ failure: { Error: "VolumeDriverException", Cause } }));
    expect(JSON.stringify(here.casts[0]).length).toBeLessThan(1_500);
  });

  it.each([null, "text", 7, undefined])("makes a retry of its own out of one that is %j", async (retry) => {
    const here = world();
    await rescheduleVolume(here.deps, input({ filter_properties: { retry } }));
    expect(here.casts[0]).toMatchObject({ filter_properties: { retry: { exc: REFUSED_EXC } } });
  });

  it.each(["scheduled", "queued"] as const)("asks nothing of a backend that was not asked: %s", async (phase) => {
    const here = world({ phase });
    await rescheduleVolume(here.deps, TIMED_OUT);
    expect(here.faults.calls.filter((call) => call.startsWith("driver."))).toEqual([]);
    expect(here.casts).toHaveLength(1);
  });

  it.each(["created", "copying"] as const)("never leaves a backend that holds the volume: %s", async (phase) => {
    const here = world({ phase });
    await expect(rescheduleVolume(here.deps, TIMED_OUT)).rejects.toThrow(BackendNotCleared);
    expect(here.faults.calls).toEqual(["volumes.get", "volumes.markError"]);
    expect(await recordOf(here)).toMatchObject({ status: "error", host: FIRST_HOST });
  });
});

describe("a backend that does not confirm that it is clear", () => {
  const doubts: [string, (here: World) => void][] = [
    [
      "because its deletion fails",
      (here) => here.faults.fail("driver.deleteVolume", new VolumeBackendAPIException("down")),
    ],
    ["because it cannot be asked", (here) => here.faults.fail("driver.findVolume", new Error("unreachable"))],
    ["because the volume is still there", (here) => void (driverOf(here).deleteVolume = async () => {})],
  ];

  it.each(doubts)("%s, after an uncertain error: is not left", async (_why, arrange) => {
    const here = world();
    arrange(here);
    const before = await here.fakes.backends.list();
    await expect(rescheduleVolume(here.deps, TIMED_OUT)).rejects.toThrow(BackendNotCleared);
    const cause = expect.stringMatching(/^why \(not rescheduled: BackendNotCleared: .*\)$/);
    const { attempts, ...record } = await recordOf(here);
    expect(record).toMatchObject({ host: FIRST_HOST, fence: `${VOLUME_ID}-a1`, status: "error" });
    expect(record.fault).toMatchObject({ error: "States.Timeout", cause, attempt: 1, at: START });
    expect(attempts["1"]).toMatchObject({ outcome: "error", error: "States.Timeout", cause });
    expect(await here.fakes.backends.list()).toEqual(before);
    expect(here.casts).toEqual([]);
  });

  it.each(doubts)(
    "%s, after its own word that nothing was made: is left, as a suspected orphan",
    async (_why, arrange) => {
      const here = world();
      arrange(here);
      await rescheduleVolume(here.deps, input());
      expect((await recordOf(here)).attempts["1"]).toMatchObject({ host: FIRST_HOST, suspected_orphan: true });
      expect(here.casts).toHaveLength(1);
    },
  );

  it.each(doubts)("%s, with a driver that is not ready by now: is not left", async (_why, arrange) => {
    const here = world();
    arrange(here);
    await expect(rescheduleVolume(here.deps, failureOf("DriverNotInitialized"))).rejects.toThrow(BackendNotCleared);
  });

  it.each([
    ["Lambda.ServiceException", true],
    ["Lambda.SdkClientException", true],
    ["Lambda.TooManyRequestsException", undefined],
    ["States.Timeout", undefined],
  ])(
    "is suspected although it holds nothing now, when the function may still run and attempts cannot be closed: %s",
    async (error, suspected) => {
      const here = world();
      driverOf(here).fencesAttempts = false;
      await rescheduleVolume(here.deps, failureOf(error));
      expect((await recordOf(here)).attempts["1"]?.suspected_orphan).toBe(suspected);
    },
  );

  it("is suspected of nothing when it was not asked, whatever still runs", async () => {
    const here = world({ phase: "scheduled" });
    await rescheduleVolume(here.deps, failureOf("Lambda.ServiceException"));
    expect((await recordOf(here)).attempts["1"]?.suspected_orphan).toBeUndefined();
  });

  it("is cleared again when a function that still runs asks it after it was cleared", async () => {
    const here = world({ phase: "scheduled" });
    driverOf(here).volumes.clear();
    vi.spyOn(here.fakes.volumes, "get").mockImplementationOnce(async () => {
      const volume = await recordOf(here);
      await here.fakes.volumes.beginCreate(ownerOf(VOLUME_ID), new Date("2026-01-01T02:00:00.000Z"));
      driverOf(here).volumes.set(VOLUME_ID, { from: "nothing" });
      return volume;
    });
    await expect(rescheduleVolume(here.deps, TIMED_OUT)).rejects.toThrow("has moved on from scheduled to creating");
    await rescheduleVolume(here.deps, TIMED_OUT);
    expect(driverOf(here).volumes.size).toBe(0);
  });

  it("without a driver any more, is not left", async () => {
    const here = world();
    here.drivers.delete(FIRST_HOST);
    await expect(rescheduleVolume(here.deps, TIMED_OUT)).rejects.toMatchObject({ name: "BackendNotCleared" });
  });

  it.each(
    Object.keys(ERROR_ROUTES).filter((name) => ERROR_ROUTES[name as keyof typeof ERROR_ROUTES] !== "reschedulable"),
  )("is not left for %s either", async (name) => {
    const here = world();
    here.faults.fail("driver.deleteVolume", new Error("down"));
    await expect(rescheduleVolume(here.deps, failureOf(name))).rejects.toThrow(BackendNotCleared);
  });
});

describe("repeated, dead or late", () => {
  it("dead at any call and run again, ends the same, the claim released once", async () => {
    await expectSameAfterAnyDeath(
      world,
      ({ deps }) => rescheduleVolume(deps, input()),
      (here) => expect(here.fakes.backends.closed).toEqual([`release ${FIRST_HOST} ${VOLUME_ID} 1`]),
    );
  });

  it("fails before the record is handed over: the capacity stays counted where the record names its host", async () => {
    const here = world();
    here.faults.fail("volumes.releaseForReschedule", new Error("throttled"));
    await expect(rescheduleVolume(here.deps, input())).rejects.toThrow("throttled");
    expect(here.fakes.backends.seen(FIRST_HOST)).toMatchObject({ allocated_capacity_gb: 1 });
    expect((await recordOf(here)).host).toBe(FIRST_HOST);
  });

  it("dead at any call and run again on a backend that is not clear, refuses again and keeps the reasons", async () => {
    await expectSameAfterAnyDeath(
      () => {
        const here = world();
        driverOf(here).deleteVolume = async () => {};
        return here;
      },
      async ({ deps }) => {
        const thrown = await rescheduleVolume(deps, TIMED_OUT).catch((error: unknown) => error);
        if (!(thrown instanceof BackendNotCleared)) {
          throw thrown;
        }
      },
      (here) => expect(here.fakes.backends.closed).toEqual([]),
    );
  });

  it("repeated after it refused, refuses again without asking the backend: the error is still to be notified", async () => {
    const here = world();
    driverOf(here).deleteVolume = async () => {};
    await expect(rescheduleVolume(here.deps, TIMED_OUT)).rejects.toThrow(BackendNotCleared);
    const before = here.state();
    here.faults.calls.length = 0;
    await expect(rescheduleVolume(here.deps, TIMED_OUT)).rejects.toThrow("has ended already, by States.Timeout");
    expect(here.faults.calls).toEqual(["volumes.get"]);
    expect(here.state()).toEqual(before);
  });

  it("leaves the record alone when a repeat of the call has handed it over while this one found the backend not clear", async () => {
    const here = world();
    const driver = driverOf(here);
    const find = driver.findVolume.bind(driver);
    vi.spyOn(driver, "findVolume").mockImplementationOnce(async () => {
      vi.spyOn(driver, "findVolume").mockImplementation(find);
      await rescheduleVolume(here.deps, TIMED_OUT);
      return "present";
    });
    expect(await rescheduleVolume(here.deps, TIMED_OUT)).toEqual({ outcome: "left alone" });
    expect(await recordOf(here)).toMatchObject({ status: "creating", fault: null, fence: `${VOLUME_ID}-a2` });
  });

  it("leaves a delete that was requested in the meantime to ErrorOutVolume", async () => {
    const here = world();
    vi.spyOn(driverOf(here), "deleteVolume").mockImplementationOnce(async () => {
      await here.fakes.volumes.requestDelete(VOLUME_ID, new Date(START));
    });
    await expect(rescheduleVolume(here.deps, TIMED_OUT)).rejects.toMatchObject({ name: "VolumeDeleteRequested" });
    expect((await recordOf(here)).fault).toBeNull();
  });

  it("after the record was handed over, only gives the capacity back and casts again", async () => {
    const here = world();
    await rescheduleVolume(here.deps, input());
    here.faults.calls.length = 0;
    await rescheduleVolume(here.deps, input());
    expect(here.faults.calls).toEqual(["volumes.get", "backends.release", "queue.send"]);
  });

  it.each<[string, VolumeRecord]>([
    ["the volume belongs to a later attempt", aVolumeInFlow({ phase: "creating" }, 3)],
    ["the volume is in error", aVolumeInFlow({ phase: "creating", status: "error", deadline: null })],
    ["the volume is being deleted", aVolumeInFlow({ phase: "creating", status: "deleting", deadline: null })],
  ])("changes nothing, on the backend neither, when %s", async (_when, volume) => {
    const here = aWorld(volume);
    driverOf(here).volumes.set(VOLUME_ID, { from: "nothing" });
    const before = here.state();
    expect(await rescheduleVolume(here.deps, input())).toEqual({ outcome: "left alone" });
    expect(here.state()).toEqual(before);
  });

  it("leaves a volume alone that was deleted", async () => {
    expect(await rescheduleVolume(aWorld().deps, input())).toEqual({ outcome: "left alone" });
  });
});
