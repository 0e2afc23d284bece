import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { DynamoDbBackendRepository } from "../../adapters/dynamodb/backend-repository.ts";
import { DynamoDbImageCacheRepository } from "../../adapters/dynamodb/image-cache-repository.ts";
import { DynamoDbSnapshotRepository } from "../../adapters/dynamodb/snapshot-repository.ts";
import { DynamoDbVolumeRepository } from "../../adapters/dynamodb/volume-repository.ts";
import { describeError } from "../../core/errors.ts";
import type { ImageCacheRepository } from "../../core/image-cache/image-cache.ts";
import type { BackendRepository, ClaimRef, SnapshotRepository, VolumeRepository } from "../../core/ports.ts";
import type { VolumeExtension, VolumeRecord } from "../../core/records.ts";
import type { DynamoDb } from "../../adapters/dynamodb/table.ts";
import { startTables, type TestTables } from "../support/dynalite.ts";
import { BackendsFake } from "../../simulation/stores/backends.ts";
import { SnapshotsFake } from "../../simulation/stores/catalogues.ts";
import { ImageCacheFake } from "../../simulation/stores/image-cache.ts";
import { VolumesFake } from "../../simulation/stores/volumes.ts";
import { backendReport, beginningSnapshot, ownerOf, queuedVolume, runningAttempt } from "../support/records.ts";

/** Any sequence of calls does the same to the fakes that the unit tests trust as to the repositories that the product uses. */

const NOW = new Date("2026-01-01T01:00:00.000Z");
const LATER = new Date("2026-01-01T02:00:00.000Z");
const CLOCK = { now: () => NOW };
const RUNS = 40;

let tables: TestTables;

beforeAll(async () => {
  tables = await startTables();
});
afterAll(() => tables.close());

/** A client that sends each write a second time, as the SDK does when an answer was lost: no caller may notice. */
function twice(): DynamoDb {
  const send = async (command: { constructor: { name: string } }): Promise<unknown> => {
    if (/^(?:Update|Put|Delete)ItemCommand$/.test(command.constructor.name)) {
      await tables.client.send(command as never).catch(() => {});
    }
    return tables.client.send(command as never);
  };
  return { send: send as DynamoDb["send"] };
}

/** The outcome of writes that arrive twice, for a comparison: `times_locked` only has to grow, so a lock that is counted twice is one lock. */
function uncounted(outcome: unknown): unknown {
  return typeof outcome === "object" && outcome !== null ? { ...outcome, times_locked: undefined } : outcome;
}

const SENT = [
  ["once", () => tables.client, (outcome: unknown) => outcome],
  ["twice", twice, uncounted],
] as const;

/** The outcome of a call: its result, or the name of its error. */
async function outcomeOf(call: Promise<unknown>): Promise<unknown> {
  try {
    return (await call) ?? null;
  } catch (error) {
    return `throws ${describeError(error).name}`;
  }
}

const EXTENDED = { outcome: "extended", size: 9, status: "available", at: NOW } as const;
const FAILED = { outcome: "failed", error: "E", cause: "c", status: "error_extending", at: NOW } as const;
const NOT_EXTENDED = [FAILED, { ...FAILED, quotaSize: 1 }] as const;

function extensionOf({ extension, status }: VolumeRecord, id: number): VolumeExtension {
  const number = (extension?.number ?? 0) + 1;
  const counted = id % 2 === 1 ? ({ counted: true } as const) : {};
  return { id: String(id), number, size: 9, ...counted, previous_status: status, started_at: NOW.toISOString() };
}

/** Statuses that an operator sets: among them those of the flow, of an extension and of a removal. */
const RESETS = ["creating", "available", "deleting", "extending"] as const;

type VolumeCall = {
  name: string;
  attempt: number;
  bytes: number;
  call: (to: VolumeRepository, id: string) => Promise<unknown>;
};

function volumeCalls(): fc.Arbitrary<VolumeCall> {
  const at = NOW.toISOString();
  return fc
    .record({
      name: fc.integer({ min: 0, max: 21 }),
      attempt: fc.integer({ min: 1, max: 2 }),
      bytes: fc.integer({ min: 0, max: 3 }),
    })
    .map(({ name, attempt, bytes }) => {
      const host = `node@${attempt}#pool`;
      const fault = { error: "E", cause: "c", attempt, at, attempts: [] };
      const close = {
        outcome: "rescheduled",
        error: "E",
        cause: "c",
        at: NOW,
        suspectedOrphan: bytes > 2,
        ...(bytes === 1 && { clearedPhase: "creating" as const }),
      } as const;
      const progress = { bytes_done: bytes, bytes_total: 3, updated_at: at, image_tag: `tag${bytes % 2}` };
      const by = (id: string, number = attempt) => ownerOf(id, number);
      const calls: [string, VolumeCall["call"]][] = [
        ["assignHost", (to, id) => to.assignHost(by(id), host, "az", runningAttempt(by(id), host), LATER)],
        ["beginCreate", (to, id) => to.beginCreate(by(id), LATER)],
        [
          "persistModelUpdate",
          (to, id) => to.persistModelUpdate(by(id), { provider_location: "p" }, "copying", "downloading"),
        ],
        ["saveProgress", (to, id) => to.saveProgress(by(id), progress, LATER)],
        ["markBootable", (to, id) => to.markBootable(by(id), { image_id: String(bytes) })],
        ["markAvailable", (to, id) => to.markAvailable(by(id), "available", NOW, { provider_location: "q" })],
        ["markError", (to, id) => to.markError(by(id), fault)],
        ["releaseForReschedule", (to, id) => to.releaseForReschedule(by(id), by(id, attempt + 1), close, LATER)],
        ["markUnschedulable", (to, id) => to.markUnschedulable(id, bytes > 1 ? by(id).fence : null, fault)],
        ["beginDelete", async (to, id) => to.beginDelete(bytes > 1 ? { id } : await to.get(id), LATER)],
        ["finishDelete", (to, id) => to.finishDelete(id)],
        ["requestDelete", (to, id) => to.requestDelete(id, LATER)],
        [
          "beginRequestedDelete",
          (to, id) => to.beginRequestedDelete(id, bytes > 1 ? null : by(id, attempt + (bytes % 2)).fence, LATER),
        ],
        ["markErrorDeleting", (to, id) => to.markErrorDeleting(id, bytes > 1 ? null : by(id).fence, fault)],
        ["countLock", (to, id) => to.countLock(id, ["available", "error"], [null, "project", "other"][bytes] ?? null)],
        ["forgetLock", (to, id) => to.forgetLock(id, { holder: "one", value: bytes > 1 ? "e" : "f" })],
        ["changeType", async (to, id) => to.changeType(await to.get(id), `type${bytes % 2}`, `retype${attempt}`)],
        ["resetStatus", (to, id) => to.resetStatus(id, RESETS[bytes] ?? "error")],
        ["beginForcedDelete", async (to, id) => to.beginDelete(await to.get(id), LATER, { force: true })],
        [
          "beginExtend",
          async (to, id) => to.beginExtend(await to.get(id), extensionOf(await to.get(id), bytes), LATER),
        ],
        ["keepExtensionClaim", (to, id) => to.keepExtensionClaim(id, attempt, `claimed ${bytes % 2}`)],
        ["endExtend", (to, id) => to.endExtend(id, attempt, bytes > 1 ? EXTENDED : (NOT_EXTENDED[bytes] ?? FAILED))],
      ];
      const [method, call] = calls[name] ?? ["", async () => null];
      return { name: method, attempt, bytes, call, toString: () => `${method}(${attempt}, ${bytes})` };
    });
}

it.each(SENT)("volumes whose writes are sent %s", async (_times, client, compared) => {
  const fake = new VolumesFake(CLOCK);
  const real = new DynamoDbVolumeRepository({ client: client(), tableName: "volumes", clock: CLOCK });
  await fc.assert(
    fc.asyncProperty(fc.array(volumeCalls(), { minLength: 1, maxLength: 12 }), async (calls) => {
      const record = queuedVolume({ locks: { one: "f" } });
      await Promise.all([fake.create(record), real.create(record)]);
      for (const { call } of calls) {
        const [expected, found] = await Promise.all([
          outcomeOf(call(real, record.id)),
          outcomeOf(call(fake, record.id)),
        ]);
        expect(compared(found)).toEqual(compared(expected));
        expect(compared(await outcomeOf(fake.get(record.id)))).toEqual(compared(await outcomeOf(real.get(record.id))));
      }
    }),
    { numRuns: RUNS },
  );
});

type SnapshotCall = { call: (to: SnapshotRepository, id: string) => Promise<unknown> };

function snapshotCalls(): fc.Arbitrary<SnapshotCall> {
  return fc
    .record({ name: fc.integer({ min: 0, max: 5 }), choice: fc.integer({ min: 0, max: 3 }) })
    .map(({ name, choice }) => {
      const status = (["creating", "available", "error", "deleting"] as const)[choice] ?? "error";
      const calls: [string, SnapshotCall["call"]][] = [
        ["markAvailable", (to, id) => to.markAvailable(id, choice > 1 ? "p" : null)],
        ["markError", (to, id) => to.markError(id)],
        ["countLock", (to, id) => to.countLock(id, [null, "project", "other"][choice] ?? null)],
        ["forgetLock", (to, id) => to.forgetLock(id, { holder: "one", value: choice > 1 ? "e" : "f" })],
        [
          "beginDelete",
          async (to, id) => to.beginDelete({ ...(choice > 2 ? { id } : await to.get(id)), status }, new Date(0)),
        ],
        ["delete", (to, id) => (choice > 2 ? to.delete(id) : Promise.resolve())],
      ];
      const [method, call] = calls[name] ?? ["", async () => null];
      return { call, toString: () => `${method}(${choice})` };
    });
}

it.each(SENT)("snapshots whose writes are sent %s", async (_times, client, compared) => {
  const fake = new SnapshotsFake();
  const real = new DynamoDbSnapshotRepository({ client: client(), tableName: "snapshots" });
  await fc.assert(
    fc.asyncProperty(fc.array(snapshotCalls(), { minLength: 1, maxLength: 12 }), async (calls) => {
      const record = beginningSnapshot();
      await Promise.all([fake.create(record), real.create(record)]);
      for (const { call } of calls) {
        const expected = await outcomeOf(call(real, record.id));
        expect(compared(await outcomeOf(call(fake, record.id)))).toEqual(compared(expected));
        expect(compared(await outcomeOf(fake.get(record.id)))).toEqual(compared(await outcomeOf(real.get(record.id))));
      }
    }),
    { numRuns: RUNS },
  );
});

type BackendCall = { call: (to: BackendRepository, host: string) => Promise<unknown> };

function backendCalls(): fc.Arbitrary<BackendCall> {
  return fc
    .record({
      name: fc.integer({ min: 0, max: 8 }),
      volume: fc.constantFrom("one", "two"),
      attempt: fc.integer({ min: 1, max: 2 }),
      size: fc.integer({ min: 1, max: 6 }),
    })
    .map(({ name, volume, attempt, size }) => {
      const owner = ownerOf(volume, attempt);
      const limits = { maxProvisionedCapacityGb: 10 - size, minFreeCapacityGb: size };
      const claim = async (to: BackendRepository, host: string) => {
        const backend = await to.get(host);
        return backend && (await to.claim(backend, owner, size, limits))?.claims[volume];
      };
      /** The claim that is open, or one that was never made. */
      const refOn = async (to: BackendRepository, host: string): Promise<ClaimRef> => {
        const held = size % 3 === 0 ? undefined : await to.claimOf(host, volume, attempt);
        return { key: volume, attempt, claimedAt: held?.claimed_at ?? LATER.toISOString() };
      };
      const calls: [string, BackendCall["call"]][] = [
        ["claim", claim],
        ["settle", async (to, host) => to.settle(host, await refOn(to, host))],
        [
          "settleUnsent",
          async (to, host) => {
            const held = await to.claimOf(host, volume, attempt);
            return held && to.settleUnsent(host, { key: volume, attempt, claimedAt: held.claimed_at });
          },
        ],
        ["release", async (to, host) => to.release(host, await refOn(to, host))],
        ["claimOf", (to, host) => to.claimOf(host, volume, attempt)],
        ["isGivenBack", async (to, host) => to.isGivenBack(host, await refOn(to, host))],
        ["returnCapacity", async (to, host) => to.returnCapacity(host, await refOn(to, host), size)],
        ["tidy", (to, host) => to.tidy(host)],
        [
          "report",
          (to, host) =>
            to.report(
              backendReport({ host, free_capacity_gb: size, reported_at: `2026-01-0${attempt}T00:00:30.000Z` }),
            ),
        ],
      ];
      const [method, call] = calls[name] ?? ["", async () => null];
      return { call, toString: () => `${method}(${volume}, ${attempt}, ${size})` };
    });
}

it.each(SENT)("backends whose writes are sent %s", async (_times, client) => {
  /** Moves with every call, so that no two claims are of one time. */
  let calls = 0;
  const clock = { now: () => new Date(NOW.getTime() + calls) };
  const fake = new BackendsFake(clock);
  const real = new DynamoDbBackendRepository({
    client: client(),
    tableName: "backends",
    claimsTableName: "claims",
    clock,
  });
  await fc.assert(
    fc.asyncProperty(fc.array(backendCalls(), { minLength: 1, maxLength: 12 }), async (sequence) => {
      const report = backendReport();
      await Promise.all([fake.report(report), real.report(report)]);
      const stateOf = async (of: BackendRepository) => {
        const { claims: _newest, moves: _moves, ...backend } = (await of.get(report.host)) ?? { claims: {} };
        const open = await of.openClaims(report.host);
        return { backend, open: open.toSorted((one, other) => (one.volumeId < other.volumeId ? -1 : 1)) };
      };
      for (const { call } of sequence) {
        calls += 1;
        const outcomes = await Promise.all([outcomeOf(call(fake, report.host)), outcomeOf(call(real, report.host))]);
        expect(outcomes[0]).toEqual(outcomes[1]);
        expect(await stateOf(fake)).toEqual(await stateOf(real));
      }
    }),
    { numRuns: RUNS },
  );
});

type CacheCall = { call: (to: ImageCacheRepository, id: string) => Promise<unknown> };

function cacheCalls(): fc.Arbitrary<CacheCall> {
  return fc
    .record({
      name: fc.integer({ min: 0, max: 8 }),
      fence: fc.constantFrom("one-a1", "two-a1"),
      minutes: fc.integer({ min: 0, max: 4 }),
    })
    .map(({ name, fence, minutes }) => {
      const now = new Date(NOW.getTime() + minutes * 60_000);
      const lease = { fence, now, until: new Date(now.getTime() + 90_000) };
      const entry = { volume_id: `of ${fence}`, host: "node@first#pool", image_id: "image", size: 1 + minutes };
      const calls: [string, CacheCall["call"]][] = [
        ["beginFill", (to, id) => to.beginFill({ id, ...entry }, lease)],
        ["renew", (to, id) => to.renew(id, lease, [undefined, null, { offset: minutes }][minutes % 3])],
        ["beginCopy", (to, id) => to.beginCopy(id, lease)],
        ["complete", (to, id) => to.complete(id, fence, now)],
        ["abandon", (to, id) => to.abandon(id, { fence })],
        ["abandon what is over", (to, id) => to.abandon(id, { now })],
        ["touch", (to, id) => to.touch(id, now)],
        ["beginEvict", (to, id) => to.beginEvict(id, { fence: minutes > 2 ? null : fence, now })],
        ["finishEvict", (to, id) => to.finishEvict(id)],
      ];
      const [method, call] = calls[name] ?? ["", async () => null];
      return { call, toString: () => `${method}(${fence}, ${minutes})` };
    });
}

it("the image-volume cache", async () => {
  const fake = new ImageCacheFake();
  const real = new DynamoDbImageCacheRepository({ client: tables.client, tableName: "image_cache" });
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(cacheCalls(), { minLength: 1, maxLength: 12 }), async (calls) => {
      const id = `entry ${(runs += 1)}`;
      for (const { call } of calls) {
        expect(await outcomeOf(call(fake, id))).toEqual(await outcomeOf(call(real, id)));
        expect(await fake.get(id)).toEqual(await real.get(id));
      }
    }),
    { numRuns: 2 * RUNS },
  );
  const byId = (one: { id: string }, other: { id: string }): number => (one.id < other.id ? -1 : 1);
  expect((await fake.list()).toSorted(byId)).toEqual((await real.list()).toSorted(byId));
});
