import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DynamoDbVolumeRepository } from "../../adapters/dynamodb/volume-repository.ts";
import { ifThere } from "../../core/if-there.ts";
import type { Owner, VolumeRepository } from "../../core/ports.ts";
import type { VolumeRecord } from "../../core/records.ts";
import { LIFECYCLE_STATES, type LifecycleState, lifecycleOf } from "../../core/volume-lifecycle.ts";
import { type Transition, type TransitionName, TRANSITIONS } from "../../core/volume-transitions.ts";
import { startTables, type TestTables } from "../support/dynalite.ts";
import { VolumesFake } from "../../simulation/stores/volumes.ts";
import { ownerOf, queuedVolume, runningAttempt } from "../support/records.ts";

/** The stores agree with the table of transitions: each record, by each method, in both of them. */

const NOW = new Date("2026-01-01T01:00:00.000Z");
const DEADLINE = new Date("2026-01-01T02:00:00.000Z");
const HOST = "host@file#pool";
const OVERDUE = "2026-01-01T00:15:00.000Z";
const CLOCK = { now: () => NOW };

const FAULT = { error: "NoValidBackend", cause: "none", attempt: 1, at: NOW.toISOString(), attempts: [] };
const PROGRESS = { bytes_done: 10, bytes_total: 100, updated_at: NOW.toISOString(), image_tag: "tag" };
const CLOSE = { outcome: "rescheduled", error: "E", cause: "c", at: NOW, suspectedOrphan: false } as const;

/** A volume of the first attempt on a host, with these columns. */
function owned(columns: Partial<VolumeRecord>): VolumeRecord {
  const volume = queuedVolume({ deadline: OVERDUE, host: HOST, phase: "creating", ...columns });
  const owner = ownerOf(volume.id);
  return { ...volume, fence: owner.fence, attempts: { 1: runningAttempt(owner, HOST) } };
}

const atRest = { deadline: null, phase: null, launched_at: NOW.toISOString() } as const;
const asked = { delete_requested_at: NOW.toISOString() };

function extending(): VolumeRecord {
  const extension = {
    id: "e",
    number: 1,
    size: 9,
    previous_status: "available",
    started_at: NOW.toISOString(),
  } as const;
  return owned({ ...atRest, status: "extending", deadline: OVERDUE, extension });
}

/** Records of each state. */
const RECORDS: Readonly<Record<LifecycleState, readonly (() => VolumeRecord)[]>> = {
  waiting: [() => queuedVolume({ deadline: OVERDUE })],
  handed_over: [() => ({ ...owned({ phase: "queued", host: null }), host: null, attempts: {} })],
  scheduled: [() => owned({ phase: "scheduled" })],
  on_backend: [
    () => owned({ phase: "creating" }),
    () => owned({ phase: "created" }),
    () => owned({ phase: "copying", status: "downloading", progress: { ...PROGRESS, bytes_done: 1 } }),
  ],
  cancelled: [
    () => owned({ ...asked, phase: "scheduled" }),
    () => owned({ ...asked, phase: "copying", status: "downloading" }),
    () => queuedVolume({ ...asked, deadline: OVERDUE }),
  ],
  at_rest: [() => owned({ ...atRest, status: "available" }), () => owned({ ...atRest, status: "error_extending" })],
  extending: [extending],
  unplaced: [() => queuedVolume({ status: "error", deadline: null, fault: FAULT })],
  failed: [() => owned({ status: "error", deadline: null, phase: "scheduled", fault: FAULT })],
  unclaimed: [() => queuedVolume({ status: "error", deadline: null, phase: null })],
  removing: [
    () => owned({ ...asked, status: "deleting" }),
    () => queuedVolume({ ...asked, status: "deleting", deadline: OVERDUE }),
  ],
  removal_failed: [() => owned({ ...asked, status: "error_deleting" })],
  taken_over: [() => owned({ status: "available" }), () => owned({ ...asked, status: "in-use" })],
};

type Call = (to: VolumeRepository, volume: VolumeRecord, owner: Owner) => Promise<unknown>;

/** Each transition, as the attempt `owner` would ask for it. */
const CALLS: Readonly<Record<TransitionName, Call>> = {
  assignHost: (to, _volume, owner) => to.assignHost(owner, HOST, "nova", runningAttempt(owner, HOST), DEADLINE),
  beginCreate: (to, _volume, owner) => to.beginCreate(owner, DEADLINE),
  persistModelUpdate: (to, _volume, owner) => to.persistModelUpdate(owner, {}, "created"),
  saveProgress: (to, _volume, owner) => to.saveProgress(owner, PROGRESS, DEADLINE),
  markBootable: (to, _volume, owner) => to.markBootable(owner, { image_id: "i" }),
  markAvailable: (to, _volume, owner) => to.markAvailable(owner, "available", NOW, {}),
  markError: (to, _volume, owner) => to.markError(owner, FAULT),
  releaseForReschedule: (to, volume, owner) =>
    to.releaseForReschedule(owner, ownerOf(volume.id, owner.attempt + 1), CLOSE, DEADLINE),
  markUnschedulable: (to, volume, owner) =>
    to.markUnschedulable(volume.id, volume.fence === null ? null : owner.fence, FAULT),
  requestDelete: (to, volume) => to.requestDelete(volume.id, DEADLINE),
  beginRequestedDelete: (to, volume, owner) =>
    to.beginRequestedDelete(volume.id, volume.fence === null ? null : owner.fence, DEADLINE),
  beginDelete: (to, volume) => to.beginDelete(volume, DEADLINE),
  markErrorDeleting: (to, volume, owner) =>
    to.markErrorDeleting(volume.id, volume.fence === null ? null : owner.fence, FAULT),
  finishDelete: (to, volume) => to.finishDelete(volume.id),
  beginExtend: (to, volume) => {
    const extension = { id: "f", number: 2, size: 9, previous_status: volume.status, started_at: NOW.toISOString() };
    return to.beginExtend(volume, extension, DEADLINE);
  },
  endExtend: (to, volume) => to.endExtend(volume.id, 1, { outcome: "extended", size: 9, status: "available", at: NOW }),
  requeue: (to, volume) => to.requeue(volume, ownerOf(volume.id, 2), DEADLINE),
  resetStatus: (to, volume) => to.resetStatus(volume.id, "available"),
  forgetDeadline: (to, volume) => to.forgetDeadline(volume.id, volume.deadline ?? OVERDUE),
};

const STATES = Object.keys(LIFECYCLE_STATES) as LifecycleState[];
const NAMES = Object.keys(TRANSITIONS) as TransitionName[];
const transitionOf = (name: TransitionName): Transition => TRANSITIONS[name];

let tables: TestTables;
const stores: Record<string, VolumeRepository> = { "the fake of the unit tests": new VolumesFake(CLOCK) };

beforeAll(async () => {
  tables = await startTables();
  stores["the repository"] = new DynamoDbVolumeRepository({
    client: tables.client,
    tableName: "volumes",
    clock: CLOCK,
  });
});
afterAll(() => tables.close());

/** The record after a call, whatever the call answered; undefined when it is gone. */
async function after(
  store: VolumeRepository,
  volume: VolumeRecord,
  call: Promise<unknown>,
): Promise<VolumeRecord | undefined> {
  await call.catch(() => {});
  return ifThere(store.get(volume.id));
}

const stateOf = (volume: VolumeRecord | undefined): LifecycleState | "gone" =>
  volume === undefined ? "gone" : lifecycleOf(volume);

it.each(STATES)("has records for the state %s, which are in it", (state) => {
  expect(RECORDS[state].map((make) => lifecycleOf(make()))).toEqual(RECORDS[state].map(() => state));
});

describe.each(["the fake of the unit tests", "the repository"])("%s", (which) => {
  const stored = async (make: () => VolumeRecord): Promise<[VolumeRepository, VolumeRecord]> => {
    const store = stores[which] as VolumeRepository;
    const volume = make();
    await store.create(volume);
    return [store, volume];
  };

  it.each(NAMES)("allows %s in the states of its row, and leads to a state of its row", async (name) => {
    const { from, to } = transitionOf(name);
    for (const make of from.flatMap((state) => RECORDS[state])) {
      const [store, volume] = await stored(make);
      await CALLS[name](store, volume, ownerOf(volume.id));
      const state = stateOf(await store.get(volume.id).catch(() => undefined));
      expect(to, `from ${lifecycleOf(volume)} to ${state}`).toContain(state);
    }
  });

  it.each(NAMES)("changes nothing by %s in any other state", async (name) => {
    const others = STATES.filter((state) => !transitionOf(name).from.includes(state));
    for (const make of others.flatMap((state) => RECORDS[state])) {
      const [store, volume] = await stored(make);
      const found = await after(store, volume, CALLS[name](store, volume, ownerOf(volume.id)));
      expect(found, `from ${lifecycleOf(volume)}`).toEqual(volume);
    }
  });

  it.each(NAMES.filter((name) => transitionOf(name).fenced))(
    "changes nothing by %s of another attempt",
    async (name) => {
      for (const make of transitionOf(name).from.flatMap((state) => RECORDS[state])) {
        const [store, volume] = await stored(make);
        if (volume.fence !== null) {
          const found = await after(store, volume, CALLS[name](store, volume, ownerOf(volume.id, 7)));
          expect(found, `from ${lifecycleOf(volume)}`).toEqual(volume);
        }
      }
    },
  );
});
