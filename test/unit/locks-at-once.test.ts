import type { UpdateItemCommand } from "@aws-sdk/client-dynamodb";
import fc from "fast-check";
import { expect, it } from "vitest";
import { DynamoDbLockRepository } from "../../adapters/dynamodb/lock-repository.ts";
import { DynamoDbSnapshotRepository } from "../../adapters/dynamodb/snapshot-repository.ts";
import type { DynamoDb } from "../../adapters/dynamodb/table.ts";
import { DynamoDbVolumeRepository } from "../../adapters/dynamodb/volume-repository.ts";
import { auditBackends } from "../../core/audit/audit-backends.ts";
import { parseAuditRequest } from "../../core/audit/report.ts";
import { keepLockOfOurs } from "../../core/attempt/source-locks.ts";
import { InvalidVolume } from "../../core/errors.ts";
import { fenceOf, SNAPSHOT_LOCK, type VolumeRecord } from "../../core/records.ts";
import { isInFlow } from "../../core/volume-lifecycle.ts";
import { createSnapshot } from "../../core/snapshots/create-snapshot.ts";
import { deleteSnapshot } from "../../core/snapshots/delete-snapshot.ts";
import { beginExtendVolume } from "../../core/volumes/begin-extend-volume.ts";
import { deleteVolume } from "../../core/volumes/delete-volume.ts";
import { createVolumeOnFinish } from "../../core/workflow/create-volume-on-finish.ts";
import { errorOutVolume } from "../../core/workflow/error-out-volume.ts";
import { extractVolumeSpec } from "../../core/workflow/extract-volume-spec.ts";
import { ownerOf } from "../../core/workflow/input.ts";
import { InMemoryDynamoDb } from "../../simulation/dynamodb/in-memory-dynamodb.ts";
import { TABLES } from "../../simulation/dynamodb/tables.ts";
import { SnapshotsFake } from "../../simulation/stores/catalogues.ts";
import { LocksFake } from "../../simulation/stores/locks.ts";
import { VolumesFake } from "../../simulation/stores/volumes.ts";
import {
  aSnapshot,
  aSource,
  aSpec,
  aVolumeInFlow,
  aWorld,
  driverOf,
  FIRST_HOST,
  SNAPSHOT_ID,
  SOURCE_ID,
} from "../support/builders.ts";
import { uuid } from "../support/drivers.ts";
import { CONTEXT, START } from "../support/fakes/world.ts";
import { Interleaver } from "../support/interleaver.ts";

/**
 * Locks on sources, request by request: every request to the tables takes its turn in any order with those of other functions, a function may
 * die between two of them, and a write may be sent twice, or take effect only after its sender has given it up.
 */

const RUNS = Number(process.env["LOCK_RUNS"] ?? 400);
const CLONE = uuid(61);
const COPY = uuid(62);
const TAKEN = uuid(63);
const CREATION = { done: true, wait_seconds: 0, checkpoint: null, next: "finish", model_update: null } as const;
const FAILURE = { failure: { Error: "VolumeDriverException", Cause: "no" }, reschedule_failure: null };

/** The requests of the two creates: a clone of the source, and a copy of its snapshot. */
function requestOf(id: string) {
  return id === CLONE
    ? { source_volid: SOURCE_ID, snapshot_id: null }
    : { source_volid: null, snapshot_id: SNAPSHOT_ID };
}

/** The effects of a write: one, two, or one that comes after its sender has given the write up. */
type Fate = "once" | "twice" | "late";

type Deps = ReturnType<Site["deps"]>;

/** The tables, and the holders that have their sources locked. */
class Site {
  readonly store = new InMemoryDynamoDb(TABLES);
  readonly interleaver = new Interleaver();
  readonly volumes: VolumesFake;
  readonly snapshots = new SnapshotsFake(this.store);
  readonly locks = new LocksFake(this.store);
  readonly world = aWorld();
  readonly using = new Set<string>();
  readonly #fates: readonly Fate[];
  #writes = 0;

  /** @param old whether an earlier release has left the locks of the clone and of the snapshot on the source's record */
  constructor(old: boolean, fates: readonly Fate[]) {
    this.#fates = fates;
    this.volumes = new VolumesFake(this.world.clock, this.store);
    const locks = { [CLONE]: fenceOf(CLONE, 1), [SNAPSHOT_ID]: SNAPSHOT_LOCK };
    this.volumes.records.set(SOURCE_ID, aSource(old ? { locks } : {}));
    this.snapshots.records.set(SNAPSHOT_ID, aSnapshot());
    if (old) {
      this.using.add(CLONE);
    } else {
      this.locks.arrange({ what: "volume", id: SOURCE_ID }, { [SNAPSHOT_ID]: SNAPSHOT_LOCK });
    }
    this.using.add(SNAPSHOT_ID);
    for (const id of [CLONE, COPY]) {
      this.volumes.records.set(id, createOf(id));
    }
    driverOf(this.world).volumes.set(SOURCE_ID, { from: "nothing" });
    driverOf(this.world).snapshots.add(SNAPSHOT_ID);
  }

  deps(client: DynamoDb) {
    const { clock } = this.world;
    return {
      ...this.world.deps,
      volumes: new DynamoDbVolumeRepository({ client, tableName: "volumes", clock }),
      snapshots: new DynamoDbSnapshotRepository({ client, tableName: "snapshots" }),
      locks: new DynamoDbLockRepository({ client, tableName: "locks" }),
    };
  }

  /** Begins an action whose writes have the fates of the run. */
  begin(name: string, act: (deps: Deps, site: Site) => Promise<unknown>): Promise<void> {
    return this.interleaver.begin(name, (gate) => act(this.deps(this.#unreliable(gate(this.store.client))), this));
  }

  #unreliable(client: DynamoDb): DynamoDb {
    const send = async (command: UpdateItemCommand): Promise<unknown> => {
      const isWrite = /^(Update|Put|Delete)/.test(command.constructor.name);
      const fate = isWrite ? (this.#fates[this.#writes++ % this.#fates.length] ?? "once") : "once";
      if (fate === "late") {
        void this.interleaver.begin("late", (gate) => gate(this.store.client).send(command));
        throw new Error("the request timed out");
      }
      if (fate === "twice") {
        await client.send(command).catch(() => {});
      }
      return client.send(command);
    };
    return { send: send as DynamoDb["send"] };
  }

  /** Holders that have their source locked, while it is being removed or extended. */
  problems(): string[] {
    const source = this.volumes.records.get(SOURCE_ID)?.status ?? "gone";
    const snapshot = this.snapshots.records.get(SNAPSHOT_ID)?.status ?? "gone";
    const isCreating = (id: string): boolean => {
      const record = this.volumes.records.get(id);
      return this.using.has(id) && record !== undefined && isInFlow(record);
    };
    const isTaken = (id: string): boolean =>
      this.using.has(id) && this.snapshots.records.get(id)?.status === "available";
    const isRemoved = (status: string): boolean => ["deleting", "error_deleting", "gone"].includes(status);
    return [
      ...(isCreating(CLONE) && (isRemoved(source) || source === "extending")
        ? [`the clone's source is ${source}`]
        : []),
      ...(isCreating(COPY) && isRemoved(snapshot) ? [`the copy's snapshot is ${snapshot}`] : []),
      ...[SNAPSHOT_ID, TAKEN].flatMap((id) =>
        isTaken(id) && isRemoved(source) ? [`the volume of snapshot ${id} is ${source}`] : [],
      ),
    ];
  }
}

function createOf(id: string): VolumeRecord {
  const fence = fenceOf(id, 1);
  const line = { host: FIRST_HOST, execution: fence, started_at: START, outcome: "running" } as const;
  return aVolumeInFlow({ id, fence, attempts: { 1: line }, phase: "creating", ...requestOf(id) });
}

function inputOf(id: string) {
  return { volume_id: id, attempt: 1, fence: fenceOf(id, 1), host: FIRST_HOST, context: CONTEXT };
}

/** ExtractVolumeSpec, as its function runs it. */
async function lock(deps: Deps, { using }: Site, id: string): Promise<void> {
  const request = requestOf(id);
  const input = inputOf(id);
  try {
    await extractVolumeSpec(deps, { ...input, ...request, image_id: null, volume_ref: createOf(id) });
  } finally {
    await keepLockOfOurs(deps, ownerOf(input), request);
  }
  using.add(id);
}

async function take(deps: Deps, { using }: Site): Promise<void> {
  const request = { snapshot_id: TAKEN, volume_id: SOURCE_ID, name: "s", project_id: "project", user_id: "user" };
  await createSnapshot(deps, request);
  using.add(TAKEN);
}

function finish(deps: Deps, id: string): Promise<unknown> {
  return createVolumeOnFinish(deps, { ...inputOf(id), volume_spec: aSpec({ volume_id: id }), creation: CREATION });
}

function fail(deps: Deps, id: string): Promise<unknown> {
  return errorOutVolume(deps, { ...inputOf(id), ...FAILURE });
}

function extend(deps: Deps): Promise<unknown> {
  return beginExtendVolume(deps, { volume_id: SOURCE_ID, extension_id: uuid(64), new_size: 9 });
}

function audit(deps: Deps): Promise<unknown> {
  return auditBackends({ ...deps, remainingTimeMs: () => 900_000 }, parseAuditRequest({}));
}

const ACTIONS: Readonly<Record<string, (deps: Deps, site: Site) => Promise<unknown>>> = {
  "the clone locks": (deps, site) => lock(deps, site, CLONE),
  "the clone locks again": (deps, site) => lock(deps, site, CLONE),
  "the copy locks": (deps, site) => lock(deps, site, COPY),
  "the clone ends": (deps) => finish(deps, CLONE),
  "the clone fails": (deps) => fail(deps, CLONE),
  "the copy fails": (deps) => fail(deps, COPY),
  "a snapshot is taken": take,
  "the snapshot is deleted": (deps) => deleteSnapshot(deps, SNAPSHOT_ID),
  "the taken snapshot is deleted": (deps) => deleteSnapshot(deps, TAKEN),
  "the source is deleted": (deps) => deleteVolume(deps, SOURCE_ID),
  "the source is deleted again": (deps) => deleteVolume(deps, SOURCE_ID),
  "the source is extended": extend,
  "the source is set to available": (deps) => deps.volumes.resetStatus(SOURCE_ID, "available"),
  "the backends are audited": audit,
};

/** Ends everything, and removes the sources: nothing may keep them. */
async function endAll(site: Site): Promise<void> {
  const deps = site.deps(site.store.client);
  for (const id of [CLONE, COPY]) {
    await fail(deps, id);
  }
  await audit(deps);
  expect(site.locks.all.filter(({ holder }) => !site.snapshots.records.has(holder))).toEqual([]);
  site.world.now = new Date("2026-01-03T00:00:00.000Z");
  for (const id of [SNAPSHOT_ID, TAKEN]) {
    await deleteSnapshot(deps, id);
  }
  if (site.volumes.records.get(SOURCE_ID)?.status === "extending") {
    await deps.volumes.resetStatus(SOURCE_ID, "available");
  }
  expect(await deleteVolume(deps, SOURCE_ID)).toEqual({ outcome: "deleted" });
  expect([...site.volumes.records.keys()].includes(SOURCE_ID)).toBe(false);
  expect(site.locks.all).toEqual([]);
}

const FATES = fc.array(fc.constantFrom<Fate>("once", "once", "once", "once", "once", "twice", "late"), {
  minLength: 1,
  maxLength: 12,
});
/** Actions of all kinds, or those of one source, which meet more often. */
const CHOSEN = fc
  .constantFrom(
    /./,
    /^the clone|^the source/,
    /^the copy|^the snapshot|^the backends/,
    /clone locks|extended|available$/,
  )
  .chain((kind) => {
    const names = Object.keys(ACTIONS).filter((name) => kind.test(name));
    return fc.array(fc.constantFrom(...names), { minLength: 2, maxLength: 6 });
  });
const STEPS = fc.array(
  fc.record({ choice: fc.nat(7), kills: fc.integer({ min: 0, max: 19 }).map((dice) => dice === 0) }),
  { maxLength: 80 },
);

it(
  "keeps a source that is in use in any order of requests, repeats, late effects and deaths, and no longer than that",
  { timeout: 240_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.boolean(), CHOSEN, FATES, STEPS, async (old, chosen, fates, steps) => {
        const site = new Site(old, fates);
        for (const [index, name] of chosen.entries()) {
          const act = ACTIONS[name];
          if (act !== undefined) {
            await site.begin(`${index} ${name}`, act);
          }
        }
        for (const { choice, kills } of steps) {
          await (kills ? site.interleaver.kill(choice) : site.interleaver.advance(choice));
          expect(site.problems()).toEqual([]);
        }
        while (site.interleaver.waiting > 0) {
          await site.interleaver.advance(0);
          expect(site.problems()).toEqual([]);
        }
        await endAll(site);
      }),
      { numRuns: RUNS },
    );
  },
);

it.each([
  ["before", [0, 0, 1, 1]],
  ["after", [1, 0, 1, 0]],
])(
  "leaves the lock to the call that was granted it when another call of the same attempt, whose put came %s, is refused",
  async (_when, turns) => {
    const site = new Site(false, ["once"]);
    for (const name of ["refused", "granted"]) {
      await site.begin(name, (deps, of) => lock(deps, of, CLONE));
    }
    const { interleaver, locks, volumes } = site;
    // The two puts, one of which finds the lock there and puts it again; then the count of the granted one.
    for (const turn of turns) {
      await interleaver.advance(turn);
    }
    while (!site.using.has(CLONE)) {
      await interleaver.advance(interleaver.waiting - 1);
    }
    volumes.records.change(SOURCE_ID, { status: "error" });
    await interleaver.finish();
    expect(locks.on(SOURCE_ID)).toHaveProperty(CLONE);
    const deps = site.deps(site.store.client);
    await expect(deleteVolume(deps, SOURCE_ID)).rejects.toThrow(InvalidVolume);
  },
);

it.each([
  ["deletion", 3, (deps: Deps) => deleteVolume(deps, SOURCE_ID)],
  ["extension", 2, extend],
])("refuses a %s that has looked for locks before a clone locks", async (_what, reads, act) => {
  const site = new Site(false, ["once"]);
  const deps = site.deps(site.store.client);
  await deleteSnapshot(deps, SNAPSHOT_ID);
  const outcomes: unknown[] = [];
  await site.begin("act", (gated) => act(gated).catch((error: unknown) => outcomes.push(error)));
  // All that it reads; its first write waits for its turn.
  for (let request = 0; request < reads; request += 1) {
    await site.interleaver.advance(0);
  }
  await lock(deps, site, CLONE);
  await site.interleaver.finish();
  expect(outcomes).toEqual([expect.any(InvalidVolume)]);
  expect(site.problems()).toEqual([]);
});
