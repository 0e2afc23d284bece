import { describe, expect, it, vi } from "vitest";
import { FenceLost, VolumeNotFound } from "../../core/errors.ts";
import { fenceOf, type VolumeRecord } from "../../core/records.ts";
import { sweepOverdueVolumes } from "../../core/nets/sweep-overdue-volumes.ts";
import { PHASE_BOUND_SECONDS, SWEEP_INTERVAL_SECONDS } from "../../core/settings/time-bounds.ts";
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
    expect(await sweepOverdueVolumes(world.deps)).toMatchObject({ overdue: 1, errored_out: 1, failures: [] });
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
    waiting.fakes.backends.arrangeClaim(FIRST_HOST, VOLUME_ID, claim);
    await sweepOverdueVolumes(waiting.deps);
    expect(waiting.fakes.backends.closed).toEqual([`release ${FIRST_HOST} ${VOLUME_ID} 1`]);
  });

  it.each(["error", "available", "in-use"] as const)(
    "gives up a volume that an operator has set to %s: no notification is sent, and its claim is settled",
    async (status) => {
      const world = overdue(aVolumeInFlow({ status }));
      expect(await sweepOverdueVolumes(world.deps)).toMatchObject({ overdue: 1, errored_out: 0, claims_closed: 1 });
      expect(await recordOf(world)).toMatchObject({ status, deadline: null, fault: null });
      expect(world.notifications).toEqual([]);
      expect(world.fakes.backends.closed).toEqual([`settle ${FIRST_HOST} ${VOLUME_ID} 1`]);
      expect(await sweepOverdueVolumes(world.deps)).toMatchObject({ overdue: 0 });
    },
  );

  it.each(["error", "available"] as const)(
    "gives up a volume that an operator has set to %s after its delete request: the request is void, and no " +
      "notification is sent",
    async (status) => {
      const world = overdue(aVolumeInFlow({ status, phase: "creating", delete_requested_at: START }));
      for (let minute = 0; minute < 3; minute += 1) {
        expect(await sweepOverdueVolumes(world.deps)).toMatchObject({ overdue: minute === 0 ? 1 : 0, failures: [] });
        world.now = new Date(world.now.getTime() + 60_000);
      }
      expect(await recordOf(world)).toMatchObject({ status, deadline: null, delete_requested_at: null, fault: null });
      expect(world.notifications).toEqual([]);
      expect(world.fakes.backends.closed).toEqual([`settle ${FIRST_HOST} ${VOLUME_ID} 1`]);
    },
  );

  it("costs two queries, one read of the backends and one look at the claims of each, when nothing is overdue", async () => {
    const world = aWorld(aVolumeInFlow());
    const nothing = { overdue: 0, errored_out: 0, claims_closed: 0, failures: [] };
    expect(await sweepOverdueVolumes(world.deps)).toEqual(nothing);
    const looks = ["backends.openClaims", "backends.openClaims"];
    expect(world.faults.calls).toEqual([
      "volumes.listOverdue",
      "snapshots.listOverdue",
      "backends.list",
      ...looks,
      "backends.tidy",
    ]);
  });

  it("leaves a volume alone that has moved on since the index was read", async () => {
    const world = overdue(aVolumeInFlow());
    const moved = aVolumeInFlow({ deadline: "2026-01-01T04:00:00.000Z" });
    vi.spyOn(world.fakes.volumes, "get").mockResolvedValue(moved);
    world.faults.fail("volumes.markError", new Error("not to be called"));
    expect(await sweepOverdueVolumes(world.deps)).toMatchObject({ overdue: 1, errored_out: 0, failures: [] });
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

  it("decides ten thousand overdue volumes over several sweeps, the longest overdue first", async () => {
    const { world, volumes } = manyOverdue(10_000);
    for (let sweep = 1; sweep <= 5; sweep += 1) {
      expect(await sweepOverdueVolumes(world.deps)).toMatchObject({ errored_out: 2_000, failures: [] });
      expect(volumes.filter(({ id }) => inError(world, id)).length).toBe(sweep * 2_000);
    }
    expect(await sweepOverdueVolumes(world.deps)).toMatchObject({ overdue: 0 });
  });

  it("is not stopped by volumes that it cannot deal with, however many are overdue longer than the others", async () => {
    const { world, volumes } = manyOverdue(3_000);
    const stuck = new Set(volumes.slice(0, 2_500).map(({ id }) => id));
    const get = world.deps.volumes.get.bind(world.deps.volumes);
    world.deps.volumes.get = async (id) => {
      if (stuck.has(id)) {
        throw new Error("its item cannot be read");
      }
      return get(id);
    };
    const { errored_out, failures } = await sweepOverdueVolumes(world.deps);
    expect(errored_out).toBe(500);
    expect(failures).toHaveLength(2_500);
    expect(failures[0]).toEqual({ volume_id: expect.any(String), error: "Error", cause: "its item cannot be read" });
  });

  it("leaves half of its time to open claims", async () => {
    const { world } = manyOverdue(1_000);
    let time = 1_000;
    const { overdue } = await sweepOverdueVolumes(world.deps, () => (time -= 1));
    expect(overdue).toBeGreaterThan(100);
    expect(overdue).toBeLessThan(600);
    expect(world.faults.count("backends.list")).toBeGreaterThan(0);
  });
});

/** So many volumes that wait for the scheduler, listed as an index lists them. */
function manyOverdue(count: number): { world: World; volumes: VolumeRecord[] } {
  const volumes = Array.from({ length: count }, (_, index) => aVolume({ id: uuid(10_000 + index) }));
  const world = aWorld(...volumes);
  world.now = new Date("2026-01-01T03:00:00.000Z");
  world.fakes.volumes.listOverdue = async (_now, limit, from = "9999") => {
    const left: VolumeRecord[] = [];
    for (let at = Number(from.slice(-6)) - 9_999; at < count && left.length < limit; at += 1) {
      const volume = volumes[at];
      left.push(...(volume === undefined || inError(world, volume.id) ? [] : [volume]));
    }
    const next = left.at(-1)?.id;
    return { items: left.map(({ id }) => ({ id, deadline: START })), ...(next !== undefined && { next }) };
  };
  return { world, volumes };
}

const inError = (world: World, id: string) => world.fakes.volumes.records.get(id)?.status === "error";

it("each bound is longer than the sweep's interval", () => {
  for (const bound of Object.values(PHASE_BOUND_SECONDS)) {
    expect(bound).toBeGreaterThan(2 * SWEEP_INTERVAL_SECONDS);
  }
});
