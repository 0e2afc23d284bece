import { placingClaimOf } from "../../core/claims.ts";
import { describe, expect, it } from "vitest";
import { FenceLost, InvalidVolume } from "../../core/errors.ts";
import { SNAPSHOT_LOCK, type VolumeRecord, type VolumeStatus } from "../../core/records.ts";
import { isInFlow } from "../../core/volume-lifecycle.ts";
import { parseAuditRequest } from "../../core/audit/report.ts";
import { IMAGE_CACHE_PROJECT_ID } from "../../core/image-cache/image-cache.ts";
import { auditBackends } from "../../core/audit/audit-backends.ts";
import { createVolumeOnFinish } from "../../core/workflow/create-volume-on-finish.ts";
import { deleteVolume } from "../../core/volumes/delete-volume.ts";
import { errorOutFailedExecution } from "../../core/nets/error-out-failed-execution.ts";
import { errorOutVolume } from "../../core/workflow/error-out-volume.ts";
import { parseCreateVolumeMessage } from "../../core/requests/messages.ts";
import { resetVolumeStatus } from "../../core/volumes/reset-status.ts";
import { rescheduleVolume } from "../../core/workflow/reschedule-volume.ts";
import { scheduleVolume } from "../../core/scheduling/schedule-volume.ts";
import { sweepOverdueVolumes } from "../../core/nets/sweep-overdue-volumes.ts";
import {
  aMessage,
  aSource,
  aSpec,
  aVolume,
  aVolumeInFlow,
  aWorld,
  driverOf,
  FIRST_HOST,
  SOURCE_ID,
  taskInput,
  VOLUME_ID,
} from "../support/builders.ts";
import { START, type World } from "../support/fakes/world.ts";

const FLOW_STATUSES = ["creating", "downloading"] as const;
const FENCE = `${VOLUME_ID}-a1`;

const recordOf = (world: World) => world.fakes.volumes.get(VOLUME_ID);

async function reset(world: World, status: VolumeStatus): Promise<VolumeRecord> {
  return resetVolumeStatus(world.deps, await recordOf(world), status);
}

/** A volume at rest that its first attempt has made. */
function atRest(columns: Partial<VolumeRecord> = {}): VolumeRecord {
  const line = { host: FIRST_HOST, execution: FENCE, started_at: START, ended_at: START, outcome: "created" as const };
  const keys = { status: "available", phase: null, deadline: null, launched_at: START, attempts: { 1: line } } as const;
  return aVolumeInFlow({ ...keys, ...columns });
}

const failure = { Error: "VolumeDriverException", Cause: "c" };
const reschedule = {
  ...taskInput(),
  image_id: null,
  snapshot_id: null,
  source_volid: null,
  request_spec: { volume_id: VOLUME_ID },
  filter_properties: { retry: { num_attempts: 1 } },
  failure,
};

/** Everything that may still come for a volume of attempt 1, however late. */
const LATE: [string, (world: World) => Promise<unknown>][] = [
  ["the last step of its create", (world) => createVolumeOnFinish(world.deps, finish())],
  ["ErrorOutVolume", (world) => errorOutVolume(world.deps, { ...taskInput(), failure })],
  ["RescheduleVolume", (world) => rescheduleVolume(world.deps, reschedule)],
  [
    "the rule on failed executions",
    (world) => errorOutFailedExecution(world.deps, { name: FENCE, status: "ABORTED", error: null, cause: null }),
  ],
  [
    "its message",
    async (world) =>
      scheduleVolume(world.deps, parseCreateVolumeMessage(JSON.stringify(aMessage())), await recordOf(world)),
  ],
  [
    "sweeps for a day",
    async (world) => {
      for (const hour of ["05", "23"]) {
        world.now = new Date(`2026-01-01T${hour}:00:00.000Z`);
        await sweepOverdueVolumes(world.deps);
      }
    },
  ],
];

function finish() {
  const creation = { done: true, wait_seconds: 0, checkpoint: null, next: "finish" as const, model_update: null };
  return { ...taskInput(), volume_spec: aSpec(), creation };
}

describe("a volume at rest that an operator has set to a status of the flow", () => {
  it.each(LATE.flatMap(([what, late]) => FLOW_STATUSES.map((status) => [status, what, late] as const)))(
    "stays in %s whatever comes late: %s",
    async (status, _what, late) => {
      const world = aWorld(atRest());
      driverOf(world).volumes.set(VOLUME_ID, { from: "nothing" });
      const before = await reset(world, status);
      expect(isInFlow(before)).toBe(false);
      await late(world).catch((error: unknown) => expect(error).toBeInstanceOf(FenceLost));
      expect(await recordOf(world)).toEqual(before);
      expect(driverOf(world).volumes.has(VOLUME_ID)).toBe(true);
      expect(world.notifications.filter(({ event_type: type }) => type === "volume.create.error")).toEqual([]);
    },
  );

  it("is nothing that the audit finds", async () => {
    const world = aWorld(atRest());
    driverOf(world).volumes.set(VOLUME_ID, { from: "nothing" });
    await reset(world, "creating");
    world.now = new Date("2026-01-03T00:00:00.000Z");
    const audit = { ...world.deps, remainingTimeMs: () => 900_000 };
    const { findings } = await auditBackends(audit, parseAuditRequest({}));
    expect(findings.filter(({ what }) => what === "volume")).toEqual([]);
  });

  it("does not hold a lock on its source", async () => {
    const world = aWorld(atRest({ source_volid: SOURCE_ID }), aSource());
    world.fakes.locks.arrange({ what: "volume", id: SOURCE_ID }, { [VOLUME_ID]: FENCE });
    await reset(world, "creating");
    await expect(deleteVolume(world.deps, SOURCE_ID)).resolves.toEqual({ outcome: "deleted" });
  });

  it("is deleted by force, and not otherwise", async () => {
    const world = aWorld(atRest());
    await reset(world, "creating");
    await expect(deleteVolume(world.deps, VOLUME_ID)).rejects.toThrow(InvalidVolume);
    await world.fakes.volumes.beginDelete({ id: VOLUME_ID }, world.now, { force: true });
    expect(await deleteVolume(world.deps, VOLUME_ID)).toEqual({ outcome: "deleted" });
  });
});

describe("a volume that waits for its message, and that an operator has set to another status", () => {
  it.each(["available", "error", "creating"] as const)("is not scheduled once it was set to %s", async (status) => {
    const world = aWorld(aVolume());
    await reset(world, status);
    const message = parseCreateVolumeMessage(JSON.stringify(aMessage()));
    expect(await scheduleVolume(world.deps, message, await recordOf(world))).toMatchObject({ outcome: "left alone" });
    expect(await recordOf(world)).toMatchObject({ status, host: null });
    expect(Object.values(world.fakes.backends.seen(FIRST_HOST).claims ?? {})).toEqual([]);
  });

  it("is scheduled all the same when another service has put it in creating without a deadline", async () => {
    const world = aWorld(aVolume({ deadline: null, phase: null }));
    const message = parseCreateVolumeMessage(JSON.stringify(aMessage()));
    expect(await scheduleVolume(world.deps, message, await recordOf(world))).toMatchObject({ outcome: "scheduled" });
  });
});

describe("a reset during the create", () => {
  it.each(["creating", "available", "error", "deleting"] as const)(
    "to %s takes the record from the attempt, and the sweep settles its claim without a notification",
    async (status) => {
      const world = aWorld(aVolumeInFlow({ phase: "creating" }));
      await reset(world, status);
      await expect(createVolumeOnFinish(world.deps, finish())).rejects.toThrow(FenceLost);
      world.now = new Date("2026-01-01T05:00:00.000Z");
      await sweepOverdueVolumes(world.deps);
      expect(await recordOf(world)).toMatchObject({ status, host: FIRST_HOST, deadline: null });
      expect(world.fakes.backends.closed).toEqual([`settle ${FIRST_HOST} ${VOLUME_ID} 1`]);
      expect(world.notifications).toEqual([]);
    },
  );

  it("takes the create's lock off its source, and no other", async () => {
    const world = aWorld(aVolumeInFlow({ source_volid: SOURCE_ID, phase: "creating" }), aSource());
    world.fakes.locks.arrange({ what: "volume", id: SOURCE_ID }, { [VOLUME_ID]: FENCE, snapshot: SNAPSHOT_LOCK });
    await reset(world, "error");
    expect(world.fakes.locks.on(SOURCE_ID)).toEqual({ snapshot: SNAPSHOT_LOCK });
  });

  it("makes a deletion void that was asked for", async () => {
    const world = aWorld(aVolumeInFlow({ phase: "creating", delete_requested_at: START }));
    await reset(world, "available");
    expect(await errorOutVolume(world.deps, { ...taskInput(), failure })).toEqual({ outcome: "left alone" });
    expect(await recordOf(world)).toMatchObject({ status: "available", delete_requested_at: null });
  });
});

describe("a reset during a removal", () => {
  it("is refused while the removal is under way", async () => {
    const world = aWorld(atRest());
    await world.fakes.volumes.beginDelete({ id: VOLUME_ID }, world.now);
    await expect(reset(world, "available")).rejects.toThrow(InvalidVolume);
    expect(await recordOf(world)).toMatchObject({ status: "deleting" });
  });

  it("takes back a removal that its backend has refused", async () => {
    const world = aWorld(atRest({ status: "error_deleting", delete_requested_at: START, deadline: START }));
    await reset(world, "available");
    expect(await recordOf(world)).toMatchObject({ status: "available", delete_requested_at: null, deadline: null });
  });

  it("is refused when the capacity was given back: the backend does not hold the volume", async () => {
    const world = aWorld(atRest({ status: "error_deleting", delete_requested_at: START, deadline: START }));
    await world.fakes.backends.returnCapacity(FIRST_HOST, placingClaimOf(await recordOf(world)), 1);
    await expect(reset(world, "available")).rejects.toThrow("gone from");
  });
});

it("does not reset a volume of the image-volume cache", async () => {
  const world = aWorld(atRest({ project_id: IMAGE_CACHE_PROJECT_ID }));
  await expect(reset(world, "error")).rejects.toThrow(InvalidVolume);
});
