import { describe, expect, it, vi } from "vitest";
import { type DeadLetterRecord, deadLetterRecord } from "../../core/dead-letters/dead-letters.ts";
import { parseCreateVolumeMessage } from "../../core/requests/messages.ts";
import { type Fault, fenceOf, type VolumeRecord } from "../../core/records.ts";
import { redriveDeadLetter } from "../../core/dead-letters/redrive-dead-letter.ts";
import { scheduleVolume } from "../../core/scheduling/schedule-volume.ts";
import { aMessage, aVolume, aVolumeInFlow, aWorld, FIRST_HOST, VOLUME_ID } from "../support/builders.ts";
import { expectSameAfterAnyDeath } from "../support/fakes/crashes.ts";
import { START, type World } from "../support/fakes/world.ts";

const fault: Fault = { error: "MessageUndeliverable", cause: "lost", attempt: 1, at: START, attempts: [] };
const unscheduled = (columns: Partial<VolumeRecord> = {}) =>
  aVolume({ status: "error", deadline: null, fault, ...columns });

const UNREADABLE = JSON.stringify(aMessage({ snapshot_id: "not-a-uuid" }));

function aLetter(body = JSON.stringify(aMessage()), volumeId: string | undefined = VOLUME_ID): DeadLetterRecord {
  const received = { id: "m-1", body, reason: undefined, bodySha256: "", receivedCount: 6, sentAt: new Date(START) };
  return deadLetterRecord(received, volumeId, new Date(START));
}

function worldOf(volume: VolumeRecord, letter: DeadLetterRecord = aLetter()): World {
  const world = aWorld(volume);
  world.fakes.deadLetters.records.set(letter.id, letter);
  return world;
}

/** As an operator does it: the letter is read, then sent again. */
async function redrive(world: World, correctedBody?: string) {
  const letter = world.fakes.deadLetters.records.get("m-1") ?? aLetter();
  return redriveDeadLetter(world.deps, structuredClone(letter), correctedBody);
}

const recordOf = (world: World) => world.fakes.volumes.get(VOLUME_ID);

/** The scheduler takes the n-th message that was sent. */
async function schedule(world: World, cast = 0) {
  const message = parseCreateVolumeMessage(JSON.stringify(world.casts[cast]));
  return scheduleVolume(world.deps, message, await recordOf(world));
}

/** A volume in error whose host was chosen, and whose capacity is counted there. */
function scheduledWorld(): World {
  const attempts = {
    "1": { host: FIRST_HOST, execution: fenceOf(VOLUME_ID, 1), started_at: START, outcome: "error" as const },
  };
  const world = worldOf(aVolumeInFlow({ status: "error", deadline: null, fault, phase: "scheduled", attempts }));
  const backend = world.fakes.backends.records.get(FIRST_HOST);
  if (backend !== undefined) {
    world.fakes.backends.records.set(FIRST_HOST, {
      ...backend,
      allocated_capacity_gb: 1,
      provisioned_capacity_gb: 1,
      claims: {},
    });
  }
  return world;
}

describe("a redrive", () => {
  it("takes the volume back into the flow for a new attempt, with its ledger", async () => {
    const attempts = {
      "3": { host: FIRST_HOST, execution: fenceOf(VOLUME_ID, 3), started_at: START, outcome: "rescheduled" as const },
    };
    const world = worldOf(unscheduled({ fence: fenceOf(VOLUME_ID, 4), attempts }));
    expect(await redrive(world)).toEqual({ volumeId: VOLUME_ID, attempt: 5 });
    expect(await recordOf(world)).toMatchObject({
      status: "creating",
      phase: "queued",
      fence: fenceOf(VOLUME_ID, 5),
      host: null,
      fault: null,
      deadline: "2026-01-01T01:20:00.000Z",
      attempts,
    });
  });

  it("sends a message that the scheduler takes for that attempt, however many were made before", async () => {
    const world = worldOf(unscheduled({ fence: fenceOf(VOLUME_ID, 7) }));
    await redrive(world);
    expect(await schedule(world)).toMatchObject({ outcome: "scheduled" });
    expect([...world.executions.keys()]).toEqual([fenceOf(VOLUME_ID, 8)]);
    const input = world.executions.get(fenceOf(VOLUME_ID, 8));
    expect(input).toMatchObject({ attempt: 8, allow_reschedule: true });
    expect(input?.filter_properties["retry"]).toMatchObject({ num_attempts: 1, hosts: [input?.host] });
  });

  it("makes the message that was lost a late one", async () => {
    const world = worldOf(unscheduled());
    await redrive(world);
    const late = parseCreateVolumeMessage(JSON.stringify(aMessage()));
    expect(await scheduleVolume(world.deps, late, await recordOf(world))).toMatchObject({ outcome: "left alone" });
  });

  it("says on the letter when it was sent", async () => {
    const world = worldOf(unscheduled());
    await redrive(world);
    expect(world.fakes.deadLetters.records.get("m-1")).toMatchObject({
      redrive_fence: fenceOf(VOLUME_ID, 2),
      redriven_at: START,
    });
  });

  it("may be repeated: the scheduler gets the same attempt, and drops the second message", async () => {
    const world = worldOf(unscheduled());
    const first = await redrive(world);
    expect(await redrive(world)).toEqual(first);
    expect(world.casts).toHaveLength(2);
    await schedule(world, 0);
    await schedule(world, 1);
    expect(world.executions.size).toBe(1);
  });

  it("may die anywhere and be repeated", async () => {
    expect(
      await expectSameAfterAnyDeath(
        () => worldOf(unscheduled()),
        (world) => redrive(world),
      ),
    ).toBeGreaterThan(8);
  });

  it("is possible for a volume whose message never found it", async () => {
    const world = worldOf(aVolume({ fence: null }));
    expect(await redrive(world)).toMatchObject({ attempt: 2 });
    expect(await schedule(world)).toMatchObject({ outcome: "scheduled" });
  });
});

describe("a redrive of a volume whose execution was never started", () => {
  it("gives its capacity back, so that it is counted once in the end", async () => {
    const world = scheduledWorld();
    await redrive(world);
    const capacity = () =>
      [...world.fakes.backends.records.values()].map(({ allocated_capacity_gb: allocated }) => allocated);
    expect(capacity()).toEqual([0, 0]);
    await schedule(world);
    expect(capacity().toSorted((one, other) => one - other)).toEqual([0, 1]);
  });

  it("may die anywhere and be repeated", async () => {
    expect(await expectSameAfterAnyDeath(scheduledWorld, (world) => redrive(world))).toBeGreaterThan(10);
  });

  it("waits until its error was sent", async () => {
    const world = scheduledWorld();
    const backend = world.fakes.backends.records.get(FIRST_HOST);
    const claims = { [VOLUME_ID]: { attempt: 1, size: 0, claimed_at: START } };
    world.fakes.backends.records.set(FIRST_HOST, { ...backend, claims } as NonNullable<typeof backend>);
    await expect(redrive(world)).rejects.toThrow("has not been sent yet");
    expect(world.casts).toEqual([]);
  });
});

describe("a redrive is refused", () => {
  it.each<[string, VolumeRecord, RegExp]>([
    ["available", aVolume({ status: "available", phase: null }), /is available; only one in error/],
    ["an attempt's", aVolumeInFlow({ phase: "creating" }), /is being created by attempt 1/],
    ["waiting for an attempt", aVolume({ fence: fenceOf(VOLUME_ID, 2) }), /is being created by attempt 2/],
    [
      "perhaps on a backend",
      aVolumeInFlow({ status: "error", phase: "creating", fault, deadline: null }),
      /may lie on node@first#pool/,
    ],
    ["to be deleted", unscheduled({ delete_requested_at: START }), /is being deleted/],
  ])("for a volume that is %s", async (_what, volume, why) => {
    const world = worldOf(volume);
    await expect(redrive(world)).rejects.toMatchObject({ name: "InvalidVolume", message: expect.stringMatching(why) });
    expect(await recordOf(world)).toEqual(volume);
    expect(world.casts).toEqual([]);
  });

  it("for a volume that does not exist", async () => {
    await expect(redriveDeadLetter(aWorld().deps, aLetter())).rejects.toMatchObject({ name: "VolumeNotFound" });
  });

  it("for a message that cannot be read", async () => {
    const world = worldOf(unscheduled(), aLetter(UNREADABLE));
    await expect(redrive(world)).rejects.toThrow("snapshot_id must be a UUID");
    expect(await recordOf(world)).toMatchObject({ status: "error" });
  });

  it("when another hand changes the volume between reading and writing", async () => {
    const world = worldOf(unscheduled());
    vi.spyOn(world.fakes.deadLetters, "beginRedrive").mockImplementationOnce(async () => {
      world.fakes.volumes.records.set(VOLUME_ID, aVolume({ status: "deleting", phase: null }));
    });
    await expect(redrive(world)).rejects.toMatchObject({ name: "InvalidVolume" });
    expect(world.casts).toEqual([]);
  });
});

describe("a corrected message", () => {
  it("is sent in place of the unreadable one", async () => {
    const world = worldOf(unscheduled(), aLetter(UNREADABLE));
    await redrive(world, JSON.stringify(aMessage()));
    expect(await schedule(world)).toMatchObject({ outcome: "scheduled" });
  });

  it("must name the same volume", async () => {
    const world = worldOf(unscheduled(), aLetter(UNREADABLE));
    const other = JSON.stringify(aMessage({ volume_id: "5b2f4c1e-9d3a-4f60-8a71-00000000000f" }));
    await expect(redrive(world, other)).rejects.toThrow("the message names volume");
  });
});

describe("a delivery that read the volume before it was redriven", () => {
  it("takes nothing from the attempt that the redrive made", async () => {
    const world = worldOf(unscheduled());
    const before = await recordOf(world);
    await redrive(world);
    await schedule(world);
    await scheduleVolume(world.deps, parseCreateVolumeMessage(JSON.stringify(aMessage())), before);
    expect(world.fakes.backends.seen(FIRST_HOST)).toMatchObject({
      allocated_capacity_gb: 1,
      claims: { [VOLUME_ID]: { attempt: 2, size: 1 } },
    });
  });
});
