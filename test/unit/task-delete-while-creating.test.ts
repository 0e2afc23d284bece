import { describe, expect, it } from "vitest";
import { refOfClaim } from "../../core/claims.ts";
import {
  FenceLost,
  InvalidVolume,
  VolumeBackendAPIException,
  VolumeDeleteRequested,
  VolumeNotFound,
} from "../../core/errors.ts";
import { parseCreateVolumeMessage } from "../../core/requests/messages.ts";
import {
  fenceOf,
  RETURNED_CAPACITY,
  type VolumePhase,
  type VolumeRecord,
  type VolumeStatus,
} from "../../core/records.ts";
import { copyImageToVolume } from "../../core/workflow/copy-image-to-volume.ts";
import { createRawVolume } from "../../core/workflow/create-raw-volume.ts";
import { createVolumeOnFinish } from "../../core/workflow/create-volume-on-finish.ts";
import { deleteVolume } from "../../core/volumes/delete-volume.ts";
import { errorOutFailedExecution } from "../../core/nets/error-out-failed-execution.ts";
import { errorOutVolume } from "../../core/workflow/error-out-volume.ts";
import { extractVolumeRef } from "../../core/workflow/extract-volume-ref.ts";
import { handleBootableVolume } from "../../core/workflow/handle-bootable-volume.ts";
import { readMessage, receiveMessage } from "../../core/scheduling/receive-message.ts";
import { rescheduleVolume } from "../../core/workflow/reschedule-volume.ts";
import { scheduleVolume } from "../../core/scheduling/schedule-volume.ts";
import { sweepOverdueVolumes } from "../../core/nets/sweep-overdue-volumes.ts";
import {
  aMessage,
  anImageSpec,
  aSpec,
  aVolume,
  aVolumeInFlow,
  aWorld,
  driverOf,
  FIRST_HOST,
  taskInput,
  UNHURRIED,
  VOLUME_ID,
} from "../support/builders.ts";
import { expectSameAfterAnyDeath } from "../support/fakes/crashes.ts";
import { Crash } from "../support/fakes/faults.ts";
import { START, type World } from "../support/fakes/world.ts";

const FENCE = fenceOf(VOLUME_ID, 1);
const REQUESTED = { delete_requested_at: START };
const FAILURE = { Error: "VolumeDeleteRequested", Cause: "asked for" };
const CREATION = { done: true, wait_seconds: 0, checkpoint: null, next: "finish", model_update: null } as const;

const remove = ({ deps }: World) => deleteVolume(deps, VOLUME_ID);
const endByState = ({ deps }: World) => errorOutVolume(deps, { ...taskInput(), failure: FAILURE });
const endByRule = ({ deps }: World) =>
  errorOutFailedExecution(deps, { name: FENCE, status: "ABORTED", error: null, cause: null });
const sweep = (world: World) => {
  world.now = new Date(world.now.getTime() + 8 * 3_600_000);
  return sweepOverdueVolumes(world.deps);
};
const schedule = async (world: World) =>
  scheduleVolume(
    world.deps,
    parseCreateVolumeMessage(JSON.stringify(aMessage())),
    await world.fakes.volumes.get(VOLUME_ID),
  );

/** A sweep records an error as a failure of its volume; a dead process reports nothing. */
async function sweepOrDie(world: World): Promise<void> {
  const { failures } = await sweep(world);
  const death = failures.find(({ error }) => error === "Crash");
  if (death !== undefined) {
    throw new Crash(death.cause);
  }
}

/** A volume whose deletion was asked for, in a phase of its create, with what its backend holds by then. */
function requested(columns: Partial<VolumeRecord> = {}): World {
  const volume = aVolumeInFlow({ phase: "creating", ...REQUESTED, ...columns });
  const world = aWorld(volume);
  if (volume.phase !== "scheduled") {
    driverOf(world).volumes.set(VOLUME_ID, { from: "nothing" });
  }
  return world;
}

/** Everything that the volume's attempt made is gone, and its capacity was given back once. */
function expectGone(world: World): void {
  expect(world.fakes.volumes.records.has(VOLUME_ID)).toBe(false);
  expect(driverOf(world).volumes.size).toBe(0);
  const backend = world.fakes.backends.seen(FIRST_HOST);
  expect(backend).toMatchObject({ allocated_capacity_gb: 0, provisioned_capacity_gb: 0 });
  expect(Object.values(backend.claims).filter(({ attempt }) => attempt !== RETURNED_CAPACITY)).toEqual([]);
}

describe("asking for the deletion of a volume that is being created", () => {
  it.each<[VolumePhase, VolumeStatus]>([
    ["queued", "creating"],
    ["scheduled", "creating"],
    ["creating", "creating"],
    ["copying", "downloading"],
    ["created", "migration_target_creating"],
  ])("is recorded, in phase %s, and leaves owner, status and deadline as they are", async (phase, status) => {
    const volume = phase === "queued" ? aVolume() : aVolumeInFlow({ phase, status });
    const world = aWorld(volume);
    expect(await remove(world)).toEqual({ outcome: "requested" });
    const { updated_at: _, ...columns } = volume;
    expect(await world.fakes.volumes.get(VOLUME_ID)).toMatchObject({ ...columns, delete_requested_at: START });
    expect(world.faults.calls.filter((call) => call.startsWith("driver."))).toEqual([]);
  });

  it("twice is recorded once", async () => {
    const world = requested({ delete_requested_at: "2026-01-01T00:59:00.000Z" });
    expect(await remove(world)).toEqual({ outcome: "requested" });
    expect((await world.fakes.volumes.get(VOLUME_ID)).delete_requested_at).toBe("2026-01-01T00:59:00.000Z");
  });

  it("gives a volume without a deadline one, so that it is swept", async () => {
    const world = aWorld(aVolume({ deadline: null, phase: null }));
    await remove(world);
    expect((await world.fakes.volumes.get(VOLUME_ID)).deadline).not.toBeNull();
  });

  it("loses to a create that ends between the look and the request, whose volume is deleted then", async () => {
    const world = aWorld(aVolumeInFlow({ phase: "creating" }));
    driverOf(world).volumes.set(VOLUME_ID, { from: "nothing" });
    const requestDelete = world.fakes.volumes.requestDelete.bind(world.fakes.volumes);
    world.fakes.volumes.requestDelete = async (...parameters) => {
      await world.fakes.volumes.markAvailable(
        { volumeId: VOLUME_ID, fence: FENCE, attempt: 1 },
        "available",
        world.now,
        {},
      );
      await world.fakes.backends.settle(FIRST_HOST, { key: VOLUME_ID, attempt: 1, claimedAt: START });
      return requestDelete(...parameters);
    };
    expect(await remove(world)).toEqual({ outcome: "deleted" });
    expect(world.fakes.volumes.records.size).toBe(0);
    expect(driverOf(world).volumes.size).toBe(0);
    expect(world.fakes.backends.seen(FIRST_HOST)).toMatchObject({ allocated_capacity_gb: 0, claims: {} });
  });
});

describe("the flow of a volume whose deletion was asked for", () => {
  it.each<[string, (world: World) => Promise<unknown>]>([
    ["ExtractVolumeRef", ({ deps }) => extractVolumeRef(deps, taskInput())],
    ["a create", ({ deps }) => createRawVolume(deps, taskInput(), UNHURRIED)],
    ["HandleBootableVolume", ({ deps }) => handleBootableVolume(deps, { ...taskInput(), volume_spec: anImageSpec() })],
    [
      "CreateVolumeOnFinish",
      ({ deps }) => createVolumeOnFinish(deps, { ...taskInput(), volume_spec: aSpec(), creation: CREATION }),
    ],
    [
      "RescheduleVolume",
      ({ deps }) =>
        rescheduleVolume(deps, {
          ...taskInput(),
          image_id: null,
          snapshot_id: null,
          source_volid: null,
          request_spec: {},
          filter_properties: {},
          failure: FAILURE,
        }),
    ],
  ])("is ended by %s, which changes nothing", async (_state, task) => {
    const world = requested();
    const before = world.state();
    await expect(task(world)).rejects.toThrow(VolumeDeleteRequested);
    expect(world.state()).toEqual(before);
    expect(world.notifications).toEqual([]);
    expect(world.casts).toEqual([]);
  });

  it("is ended at the next checkpoint of an image copy", async () => {
    const world = aWorld(aVolumeInFlow({ phase: "copying", status: "downloading" }));
    const driver = driverOf(world);
    driver.chunks = 3;
    const copy = () => copyImageToVolume(world.deps, { ...taskInput(), volume_spec: anImageSpec() }, UNHURRIED);
    expect((await copy()).done).toBe(false);
    driver.copyImageToVolume = async (_volume, _image, work) => {
      await remove(world);
      await work.save({ bytes_done: 2, bytes_total: 3, image_tag: "tag" });
      throw new Error("continued after the checkpoint");
    };
    await expect(copy()).rejects.toThrow(VolumeDeleteRequested);
    expect((await world.fakes.volumes.get(VOLUME_ID)).progress?.bytes_done).toBe(1);
  });

  it("is not begun again at a turn of an image copy", async () => {
    const world = requested({ phase: "copying", status: "downloading" });
    const input = { ...taskInput(), volume_spec: anImageSpec() };
    await expect(copyImageToVolume(world.deps, input, UNHURRIED)).rejects.toThrow(VolumeDeleteRequested);
    expect(world.faults.count("driver.copyImageToVolume")).toBe(0);
  });
});

describe.each<[string, (world: World) => Promise<unknown>]>([
  ["ErrorOutVolume", endByState],
  ["the rule on failed executions", endByRule],
  ["the sweep", sweepOrDie],
  [
    "deleting again",
    async (world) => {
      world.fakes.volumes.records.set(VOLUME_ID, {
        ...(await world.fakes.volumes.get(VOLUME_ID)),
        status: "error_deleting",
      });
      return remove(world);
    },
  ],
])("%s", (_name, end) => {
  it.each<[VolumePhase, VolumeStatus]>([
    ["scheduled", "creating"],
    ["creating", "creating"],
    ["created", "creating"],
    ["copying", "downloading"],
  ])("removes what the attempt made by phase %s, under any death", async (phase, status) => {
    const makeWorld = () => requested({ phase, status });
    const deaths = await expectSameAfterAnyDeath(
      makeWorld,
      async (world) => {
        // Gone is gone: a death after the last write leaves nothing to repeat.
        if (world.fakes.volumes.records.has(VOLUME_ID)) {
          await end(world);
        }
        // The marks that are left where work may continue, until the sweep has asked the backend again.
        const open = await world.fakes.backends.openClaims(FIRST_HOST);
        const left = open.map(refOfClaim).filter(({ attempt }) => attempt === RETURNED_CAPACITY);
        await Promise.all(left.map((ref) => world.fakes.backends.settle(FIRST_HOST, ref)));
      },
      expectGone,
    );
    expect(deaths).toBeGreaterThan(5);
    const world = makeWorld();
    await end(world);
    expectGone(world);
    expect(world.notifications).toEqual([]);
  });

  it("asks no backend for a volume that none was asked for", async () => {
    const world = requested({ phase: "scheduled" });
    await end(world);
    expect(world.faults.calls.filter((call) => call.startsWith("driver."))).toEqual([]);
    expectGone(world);
  });
});

describe("a backend that does not let the volume go", () => {
  const refuse = (world: World) => world.faults.fail("driver.deleteVolume", new VolumeBackendAPIException("down"));

  it("leaves it in error_deleting with the reason, its capacity held, and a deadline", async () => {
    const world = requested();
    refuse(world);
    await expect(endByState(world)).rejects.toThrow(VolumeBackendAPIException);
    expect(await world.fakes.volumes.get(VOLUME_ID)).toMatchObject({
      status: "error_deleting",
      fault: { error: "VolumeBackendAPIException", attempt: 1 },
      deadline: "2026-01-01T01:04:00.000Z",
    });
    expect(world.fakes.backends.records.get(FIRST_HOST)?.allocated_capacity_gb).toBe(1);
  });

  it("is asked again by the sweep at the deadline, and not before", async () => {
    const world = requested();
    refuse(world);
    await expect(endByState(world)).rejects.toThrow("down");
    await sweepOverdueVolumes(world.deps);
    expect(world.fakes.volumes.records.size).toBe(1);
    await sweep(world);
    expectGone(world);
  });

  it("fails one sweep for that volume only, and holds it for the next", async () => {
    const world = requested();
    world.faults.fail("driver.deleteVolume", new VolumeBackendAPIException("down"));
    expect((await sweep(world)).failures).toMatchObject([{ volume_id: VOLUME_ID, error: "VolumeBackendAPIException" }]);
    const { deadline } = await world.fakes.volumes.get(VOLUME_ID);
    expect(deadline).toBe("2026-01-01T09:04:00.000Z");
  });

  it("that answers but still has it is not believed", async () => {
    const world = requested();
    driverOf(world).deleteVolume = async () => {};
    await expect(endByState(world)).rejects.toThrow("is still there");
    expect((await world.fakes.volumes.get(VOLUME_ID)).status).toBe("error_deleting");
  });

  it("can be asked again by the user", async () => {
    const world = requested();
    refuse(world);
    await expect(endByState(world)).rejects.toThrow("down");
    expect(await remove(world)).toEqual({ outcome: "deleted" });
    expectGone(world);
  });
});

describe("a volume that waits for the scheduler", () => {
  const queued = () => aWorld(aVolume(REQUESTED));

  it("is removed when its message comes, which does not become a dead letter", async () => {
    const world = queued();
    expect((await schedule(world)).outcome).toBe("deleted");
    expectGone(world);
    expect(world.executions.size).toBe(0);
    expect(world.deadLetters).toEqual([]);
    expect(world.notifications).toEqual([]);
  });

  it("is removed under any death of the scheduler", async () => {
    await expectSameAfterAnyDeath(
      queued,
      async (world) => {
        if (world.fakes.volumes.records.has(VOLUME_ID)) {
          await schedule(world);
          await sweep(world);
        }
      },
      expectGone,
    );
  });

  it("that is asked for while a backend is claimed for it gives the claim back", async () => {
    const world = aWorld(aVolume());
    const claim = world.fakes.backends.claim.bind(world.fakes.backends);
    world.fakes.backends.claim = async (...parameters) => {
      await remove(world);
      return claim(...parameters);
    };
    expect((await schedule(world)).outcome).toBe("deleted");
    expectGone(world);
    expect(world.executions.size).toBe(0);
  });

  it("that has its host already is started, and its workflow ends", async () => {
    const world = requested({ phase: "scheduled" });
    expect((await schedule(world)).outcome).toBe("scheduled");
    await expect(extractVolumeRef(world.deps, taskInput())).rejects.toThrow(VolumeDeleteRequested);
  });

  it("is removed between two attempts, by the message of the next one", async () => {
    const world = aWorld(aVolume({ ...REQUESTED, fence: fenceOf(VOLUME_ID, 2) }));
    const stale = await schedule(world);
    expect(stale.outcome).toBe("left alone");
    const body = JSON.stringify(aMessage({ filter_properties: { retry: { num_attempts: 1, hosts: [] } } }));
    const volume = await world.fakes.volumes.get(VOLUME_ID);
    expect((await receiveMessage(world.deps, readMessage(body), volume)).outcome).toBe("deleted");
    expectGone(world);
  });

  it("is removed when its message is unreadable", async () => {
    const world = queued();
    const volume = await world.fakes.volumes.get(VOLUME_ID);
    await receiveMessage(world.deps, readMessage(JSON.stringify({ volume_id: VOLUME_ID, snapshot_id: 7 })), volume);
    expectGone(world);
    expect(world.notifications).toEqual([]);
  });

  it("is removed by the sweep when its message never comes", async () => {
    const world = queued();
    expect((await sweep(world)).overdue).toBe(1);
    expectGone(world);
  });

  it("is not created again by a message that comes late", async () => {
    const world = queued();
    const late = await world.fakes.volumes.get(VOLUME_ID);
    await schedule(world);
    const message = parseCreateVolumeMessage(JSON.stringify(aMessage()));
    expect((await scheduleVolume(world.deps, message, { ...late, delete_requested_at: null })).outcome).toBe(
      "left alone",
    );
    expectGone(world);
  });
});

describe("the record of a volume whose deletion was asked for", () => {
  it("may only be removed by its owner", async () => {
    const world = requested();
    const foreign = errorOutVolume(world.deps, { ...taskInput(2), failure: FAILURE });
    expect(await foreign).toEqual({ outcome: "left alone" });
    const { volumes } = world.fakes;
    await expect(volumes.beginRequestedDelete(VOLUME_ID, fenceOf(VOLUME_ID, 2), world.now)).rejects.toThrow(FenceLost);
    expect(driverOf(world).volumes.size).toBe(1);
  });

  it("that was not asked for is not removed", async () => {
    const world = aWorld(aVolumeInFlow());
    await expect(world.fakes.volumes.beginRequestedDelete(VOLUME_ID, FENCE, world.now)).rejects.toThrow(FenceLost);
    await expect(world.fakes.volumes.requestDelete("nothing", world.now)).rejects.toThrow(VolumeNotFound);
  });

  it("cannot be asked for when it has come to rest", async () => {
    const world = aWorld(aVolumeInFlow({ status: "available", deadline: null }));
    await expect(world.fakes.volumes.requestDelete(VOLUME_ID, world.now)).rejects.toThrow(InvalidVolume);
  });

  it("keeps its claim from the sweep of open claims until it is gone", async () => {
    const world = requested({ status: "deleting", deadline: "2099-01-01T00:00:00.000Z" });
    await sweep(world);
    expect(world.fakes.backends.seen(FIRST_HOST).claims).toHaveProperty(VOLUME_ID);
  });
});
