import { describe, expect, it, vi } from "vitest";
import { FenceLost, VolumeNotFound } from "../../core/errors.ts";
import { fenceOf, type VolumeRecord } from "../../core/records.ts";
import { sweepOverdueVolumes } from "../../core/tasks/sweep-overdue-volumes.ts";
import { PHASE_BOUND_SECONDS, SWEEP_INTERVAL_SECONDS } from "../../core/time-bounds.ts";
import { aVolume, aVolumeInFlow, aWorld, FIRST_HOST, VOLUME_ID } from "../support/builders.ts";
import { uuid } from "../support/drivers.ts";
import { START, type World } from "../support/fakes/world.ts";

/** The volume at that phase, an hour after its deadline. */
function overdue(volume: VolumeRecord): World {
  const world = aWorld(volume);
  world.now = new Date("2026-01-01T03:00:00.000Z");
  return world;
}

const recordOf = (of: World) => of.fakes.volumes.get(VOLUME_ID);

describe("the sweep", () => {
  it.each<[string, VolumeRecord]>([
    ["waits for a message that was lost", aVolume()],
    ["waits for its second attempt", aVolume({ fence: fenceOf(VOLUME_ID, 2) })],
    ["was scheduled, its execution lost", aVolumeInFlow({ phase: "scheduled" })],
    ["is being created", aVolumeInFlow({ phase: "creating" })],
    ["was created and not finished", aVolumeInFlow({ phase: "created" })],
    ["is being filled", aVolumeInFlow({ phase: "copying", status: "downloading" })],
    ["is a migration's target", aVolumeInFlow({ phase: "creating", status: "migration_target_creating" })],
  ])("puts in error a volume that %s", async (_what, volume) => {
    const world = overdue(volume);
    expect(await sweepOverdueVolumes(world.deps)).toEqual({ overdue: 1, errored_out: 1 });
    expect(await recordOf(world)).toMatchObject({
      status: "error",
      deadline: null,
      fault: { error: "DeadlineExceeded", cause: `No progress in phase ${volume.phase} until ${volume.deadline}.` },
    });
    expect(world.notifications).toMatchObject([{ event_type: "volume.create.error" }]);
  });

  it("names in the fault the attempts before the one that it ends", async () => {
    const attempts = { 1: { host: "h", execution: "e", started_at: START, outcome: "rescheduled" as const } };
    const world = overdue(aVolume({ fence: fenceOf(VOLUME_ID, 2), attempts }));
    await sweepOverdueVolumes(world.deps);
    expect((await recordOf(world)).fault).toMatchObject({ attempt: 2, attempts: ["attempt 1 on h: rescheduled"] });
  });

  it("settles the claim of a volume that has a host, and releases what a dead scheduling of another left", async () => {
    const placed = overdue(aVolumeInFlow());
    await sweepOverdueVolumes(placed.deps);
    expect(placed.fakes.backends.closed).toEqual([`settle ${FIRST_HOST} ${VOLUME_ID} 1`]);
    const waiting = overdue(aVolume());
    const claim = { attempt: 1, size: 1, claimed_at: START };
    Object.assign(waiting.fakes.backends.records.get(FIRST_HOST)?.claims ?? {}, { [VOLUME_ID]: claim });
    await sweepOverdueVolumes(waiting.deps);
    expect(waiting.fakes.backends.closed).toEqual([`release ${FIRST_HOST} ${VOLUME_ID} 1`]);
  });

  it("costs one query when nothing is overdue", async () => {
    const world = aWorld(aVolumeInFlow());
    expect(await sweepOverdueVolumes(world.deps)).toEqual({ overdue: 0, errored_out: 0 });
    expect(world.faults.calls).toEqual(["volumes.listOverdue"]);
  });

  it("leaves a volume alone that has moved on since the index was read", async () => {
    const world = overdue(aVolumeInFlow());
    const moved = aVolumeInFlow({ deadline: "2026-01-01T04:00:00.000Z" });
    vi.spyOn(world.fakes.volumes, "get").mockResolvedValue(moved);
    world.faults.fail("volumes.markError", new Error("not to be called"));
    expect(await sweepOverdueVolumes(world.deps)).toEqual({ overdue: 1, errored_out: 0 });
    expect(world.faults.count("volumes.markError")).toBe(0);
  });

  it("leaves a volume alone that another sweep or its workflow took first, or that was deleted", async () => {
    const world = overdue(aVolumeInFlow());
    world.faults.fail("volumes.markError", new FenceLost(VOLUME_ID, "a", "b"));
    expect(await sweepOverdueVolumes(world.deps)).toMatchObject({ errored_out: 0 });
    const gone = overdue(aVolumeInFlow());
    gone.faults.fail("volumes.get", new VolumeNotFound(VOLUME_ID));
    expect(await sweepOverdueVolumes(gone.deps)).toMatchObject({ errored_out: 0 });
  });

  it("takes many, the longest overdue first, and leaves what is beyond its bound to the next", async () => {
    const volumes = Array.from({ length: 620 }, (_, index) => aVolume({ id: uuid(10_000 + index) }));
    const world = overdue(aVolume());
    for (const volume of volumes) {
      world.fakes.volumes.records.set(volume.id, volume);
    }
    world.fakes.volumes.listOverdue = async (_now, limit, from = "0") => {
      const items = volumes.slice(Number(from), Number(from) + limit).map(({ id }) => ({ id, deadline: START }));
      return { items, next: String(Number(from) + limit) };
    };
    expect(await sweepOverdueVolumes(world.deps)).toEqual({ overdue: 500, errored_out: 500 });
  });
});

it("each bound is longer than the sweep's interval", () => {
  for (const bound of Object.values(PHASE_BOUND_SECONDS)) {
    expect(bound).toBeGreaterThan(2 * SWEEP_INTERVAL_SECONDS);
  }
});
