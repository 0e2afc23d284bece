import { describe, expect, it } from "vitest";
import { openFindings, parseAuditRequest } from "../../core/audit/report.ts";
import { VolumeBackendAPIException } from "../../core/errors.ts";
import {
  type BackendRecord,
  fenceOf,
  SNAPSHOT_LOCK,
  type SnapshotRecord,
  type VolumeRecord,
} from "../../core/records.ts";
import { type AuditDependencies, auditBackends } from "../../core/audit/audit-backends.ts";
import {
  aSnapshot,
  aSource,
  aVolume,
  aVolumeInFlow,
  aWorld,
  driverOf,
  FIRST_HOST,
  SECOND_HOST,
  SNAPSHOT_ID,
  SOURCE_ID,
  VOLUME_ID,
} from "../support/builders.ts";
import { uuid } from "../support/drivers.ts";
import { START, type World } from "../support/fakes/world.ts";

const FIRST = "node@first";
const ORPHAN_ID = uuid(77);

/** The world's ports, as the audit gets them: `node@first` and `node@second`, without their pools, have the drivers. */
function depsOf(world: World, overrides: Partial<AuditDependencies> = {}): AuditDependencies {
  return {
    ...world.deps,
    drivers: {
      hosts: world.deps.drivers.hosts,
      forHost: (host) => world.deps.drivers.forHost(host.includes("#") ? host : `${host}#pool`),
    },
    timeLimit: (call) => call,
    remainingTimeMs: () => 900_000,
    ...overrides,
  };
}

function audit(world: World, request: Record<string, unknown> = {}, overrides: Partial<AuditDependencies> = {}) {
  return auditBackends(depsOf(world, overrides), parseAuditRequest(request));
}

/** A finished volume on a host, on its backend and counted there. */
function addFinished(world: World, columns: Partial<VolumeRecord> = {}): VolumeRecord {
  const volume = aSource(columns);
  world.fakes.volumes.records.set(volume.id, volume);
  const host = volume.host ?? "";
  driverOf(world, host).volumes.set(volume.id, { from: "nothing" });
  driverOf(world, host).sizes.set(volume.id, volume.size);
  const backend = world.fakes.backends.records.get(host);
  if (backend !== undefined) {
    const allocated = backend.allocated_capacity_gb + volume.size;
    world.fakes.backends.records.change(host, { allocated_capacity_gb: allocated });
  }
  return volume;
}

function addOrphans(world: World, count: number): void {
  for (let number = 0; number < count; number += 1) {
    driverOf(world).volumes.set(uuid(1000 + number), { from: "nothing" });
  }
}

it("finds nothing where records and backends agree", async () => {
  const world = aWorld();
  addFinished(world);
  world.fakes.snapshots.records.set(SNAPSHOT_ID, aSnapshot());
  driverOf(world).snapshots.add(SNAPSHOT_ID);
  const report = await audit(world);
  expect(report).toMatchObject({ complete: true, findings: [], hosts: { [FIRST]: { volumes: 1, snapshots: 1 } } });
  expect(openFindings(report.totals)).toBe(0);
});

describe("what it finds", () => {
  it("an orphan, which stays without --reap", async () => {
    const world = aWorld();
    addOrphans(world, 1);
    const report = await audit(world);
    expect(report.findings).toMatchObject([
      { kind: "orphan", what: "volume", id: uuid(1000), host: FIRST, outcome: "reported", size_bytes: 2 ** 30 },
    ]);
    expect(driverOf(world).volumes.size).toBe(1);
    expect(world.faults.count("driver.deleteVolume")).toBe(0);
  });

  it("a volume that is available and not there, and a snapshot", async () => {
    const world = aWorld();
    addFinished(world);
    driverOf(world).volumes.clear();
    world.fakes.snapshots.records.set(SNAPSHOT_ID, aSnapshot({ created_at: "2026-01-01T00:00:00.000Z" }));
    world.now = new Date("2026-01-01T02:00:00.000Z");
    const { findings, totals } = await audit(world);
    expect(findings).toMatchObject([
      { kind: "missing", what: "volume", id: SOURCE_ID, detail: "the record is available, and nothing is there" },
      { kind: "missing", what: "snapshot", id: SNAPSHOT_ID },
    ]);
    expect(totals.missing).toBe(2);
  });

  it("a volume and a snapshot whose size on the backend is not their record's, and only on the backend of the record", async () => {
    const world = aWorld();
    addFinished(world, { updated_at: "2025-12-01T00:00:00.000Z" });
    world.fakes.snapshots.records.set(
      SNAPSHOT_ID,
      aSnapshot({ created_at: "2025-12-01T00:00:00.000Z", volume_size: 2 }),
    );
    driverOf(world).snapshots.add(SNAPSHOT_ID);
    driverOf(world).foundBytes.set(SOURCE_ID, 1000);
    driverOf(world, SECOND_HOST).volumes.set(SOURCE_ID, { from: "nothing" });
    driverOf(world, SECOND_HOST).foundBytes.set(SOURCE_ID, 5);
    const { findings, totals, hosts } = await audit(world, {}, {});
    expect(findings.filter(({ kind }) => kind === "damaged")).toMatchObject([
      { what: "volume", id: SOURCE_ID, host: FIRST, size_bytes: 1000, outcome: "reported" },
      { what: "snapshot", id: SNAPSHOT_ID, host: FIRST, size_bytes: 2 ** 30 },
    ]);
    expect(totals.damaged).toBe(2);
    expect(hosts[FIRST]).toMatchObject({ volumes: 1, snapshots: 1, missing: 0 });
    expect(openFindings(totals)).toBeGreaterThanOrEqual(2);
  });

  it("a volume of which only unfinished work is there", async () => {
    const world = aWorld();
    addFinished(world);
    driverOf(world).volumes.clear();
    driverOf(world).partials.add(SOURCE_ID);
    world.now = new Date("2026-01-03T00:00:00.000Z");
    const { findings } = await audit(world);
    expect(findings.find(({ kind }) => kind === "missing")?.detail).toContain("only unfinished work is there");
  });

  it("nothing missing of a volume that was finished while it looked", async () => {
    const world = aWorld();
    addFinished(world, { launched_at: START });
    driverOf(world).volumes.clear();
    expect((await audit(world)).findings).toEqual([]);
  });

  it("nothing missing of a volume that is deleted while it looks", async () => {
    const world = aWorld();
    addFinished(world, { launched_at: "2025-12-01T00:00:00.000Z" });
    driverOf(world).volumes.clear();
    const deps = depsOf(world);
    const { findings } = await auditBackends(
      {
        ...deps,
        volumes: {
          ...deps.volumes,
          list: (...parameters) => world.deps.volumes.list(...parameters),
          getMany: async (ids) => {
            const found = await world.deps.volumes.getMany(ids);
            return new Map([...found].map(([id, volume]) => [id, { ...volume, status: "deleting" as const }]));
          },
        },
      },
      parseAuditRequest({}),
    );
    expect(findings).toEqual([]);
  });

  it("a volume in error holds its data, and that is not a fault", async () => {
    const world = aWorld();
    addFinished(world, { status: "error" });
    const report = await audit(world, { reap: true });
    expect(report.findings).toMatchObject([{ kind: "held", id: SOURCE_ID, outcome: "reported" }]);
    expect(openFindings(report.totals)).toBe(0);
    expect(driverOf(world).volumes.size).toBe(1);
  });

  it("one line for a volume in error with unfinished work next to it", async () => {
    const world = aWorld();
    addFinished(world, { status: "error" });
    driverOf(world).partials.add(SOURCE_ID);
    expect((await audit(world)).totals.held).toBe(1);
  });

  it("a suspect that is cleared by looking is counted, and not listed", async () => {
    const suspected = { host: FIRST_HOST, execution: "x", started_at: START, ended_at: START, outcome: "rescheduled" };
    const world = aWorld();
    addFinished(world, {
      host: SECOND_HOST,
      attempts: { "1": { ...suspected, outcome: "rescheduled", suspected_orphan: true } },
    });
    const report = await audit(world);
    expect(report.findings).toEqual([]);
    expect(report.hosts[FIRST]?.cleared).toBe(1);
  });

  it("a suspect is cleared, too, when a later attempt has put the volume there by right", async () => {
    const world = aWorld();
    const line = { host: FIRST_HOST, execution: "x", started_at: START, ended_at: START, suspected_orphan: true };
    addFinished(world, { attempts: { "1": { ...line, outcome: "rescheduled" } } });
    const report = await audit(world);
    expect(report.findings).toEqual([]);
    expect(report.hosts[FIRST]?.cleared).toBe(1);
  });

  it("an existing suspect is reported before it is old enough to be an orphan", async () => {
    const world = aWorld();
    const attempts = {
      "1": {
        host: FIRST_HOST,
        execution: "x",
        started_at: START,
        ended_at: START,
        outcome: "rescheduled" as const,
        suspected_orphan: true,
      },
    };
    addFinished(world, { host: SECOND_HOST, attempts });
    driverOf(world).volumes.set(SOURCE_ID, { from: "nothing" });
    expect((await audit(world, { reap: true })).findings).toMatchObject([{ kind: "suspect", host: FIRST }]);
    world.now = new Date("2026-01-03T00:00:00.000Z");
    expect((await audit(world, { reap: true })).findings).toMatchObject([{ kind: "orphan", outcome: "reaped" }]);
    expect(driverOf(world, SECOND_HOST).volumes.has(SOURCE_ID)).toBe(true);
  });

  it("an unneeded claim", async () => {
    const world = aWorld();
    const claim = { attempt: 1, size: 3, claimed_at: START };
    world.fakes.backends.records.change(FIRST_HOST, {
      claims: { [VOLUME_ID]: claim },
      allocated_capacity_gb: 3,
    });
    expect((await audit(world)).findings).toEqual([]);
    world.now = new Date("2026-01-01T03:00:00.000Z");
    expect((await audit(world)).findings).toMatchObject([
      { kind: "claim", id: VOLUME_ID, host: FIRST_HOST, detail: expect.stringContaining("holds 3 GiB") },
    ]);
  });

  it("no claim of a volume whose record was written a moment ago: its claim is about to be closed", async () => {
    const world = aWorld();
    addFinished(world, { updated_at: "2026-01-01T02:59:59.000Z" });
    const claims = { [SOURCE_ID]: { attempt: 1, size: 1, claimed_at: START } };
    world.fakes.backends.records.change(FIRST_HOST, { claims });
    world.now = new Date("2026-01-01T03:00:00.000Z");
    expect((await audit(world)).findings).toEqual([]);
    world.now = new Date("2026-01-01T09:00:00.000Z");
    expect((await audit(world)).findings).toMatchObject([{ kind: "claim", id: SOURCE_ID }]);
  });

  it("no claim of a volume that is being created, however long that takes", async () => {
    const world = aWorld(aVolumeInFlow({ phase: "copying", updated_at: START }));
    world.now = new Date("2026-01-02T03:00:00.000Z");
    expect((await audit(world)).findings).toEqual([]);
  });

  it("a difference between allocated capacity and the volumes", async () => {
    const world = aWorld();
    addFinished(world, { size: 2 });
    world.fakes.backends.records.change(FIRST_HOST, { allocated_capacity_gb: 5 });
    expect((await audit(world)).findings).toMatchObject([
      { kind: "capacity", id: FIRST_HOST, detail: "5 GiB are counted as allocated, its volumes have 2 GiB" },
    ]);
  });
});

describe("capacity without a difference", () => {
  const change = (world: World, columns: Partial<BackendRecord>) =>
    world.fakes.backends.records.change(FIRST_HOST, columns);

  it("is held by a claim whose volume does not name the host yet", async () => {
    const world = aWorld(aVolume());
    const claims = { [VOLUME_ID]: { attempt: 1, size: 7, claimed_at: START } };
    change(world, { allocated_capacity_gb: 7, claims });
    expect((await audit(world)).findings).toEqual([]);
  });

  it("was given back for a volume whose record is still being deleted", async () => {
    const world = aWorld();
    addFinished(world, { size: 7, status: "deleting" });
    change(world, { allocated_capacity_gb: 0 });
    expect((await audit(world)).findings).toEqual([]);
  });

  it.each([
    ["grew", 0, 7, "creating a volume after its page was read"],
    ["shrank", 7, 0, "deleting one after its page was read"],
  ])("%s from %d to %d GiB while the records were read, by %s", async (_how, before, after) => {
    const world = aWorld();
    if (before > after) {
      addFinished(world, { size: before });
    }
    let reads = 0;
    const list = async () => {
      reads += 1;
      change(world, { allocated_capacity_gb: reads === 1 ? before : after });
      return world.deps.backends.list();
    };
    expect((await audit(world, {}, { backends: { list, openClaims: async () => [] } })).findings).toEqual([]);
  });
});

describe("what it leaves alone", () => {
  it("a volume in the middle of its creation, whatever there is of it", async () => {
    const world = aWorld(aVolumeInFlow({ phase: "creating" }));
    driverOf(world).volumes.set(VOLUME_ID, { from: "nothing" });
    driverOf(world).partials.add(VOLUME_ID);
    world.now = new Date("2026-02-01T00:00:00.000Z");
    const report = await audit(world, { reap: true });
    expect(report.findings.filter(({ kind }) => kind !== "claim")).toEqual([]);
    expect(world.faults.count("driver.deleteVolume")).toBe(0);
  });

  it("a file that was written lately", async () => {
    const world = aWorld();
    addOrphans(world, 1);
    driverOf(world).modifiedAt.set(uuid(1000), world.now);
    const report = await audit(world, { reap: true });
    expect(report.hosts[FIRST]).toMatchObject({ young: 1, orphan: 0 });
    expect(driverOf(world).volumes.size).toBe(1);
  });

  it("an orphan whose volume waits for the scheduler, which may choose that backend", async () => {
    const attempts = {
      "1": { host: FIRST_HOST, execution: "x", started_at: START, ended_at: START, outcome: "rescheduled" as const },
    };
    const world = aWorld(aVolume({ fence: fenceOf(VOLUME_ID, 2), attempts }));
    driverOf(world).volumes.set(VOLUME_ID, { from: "nothing" });
    world.now = new Date("2026-02-01T00:00:00.000Z");
    expect((await audit(world, { reap: true })).findings).toMatchObject([
      { kind: "orphan", outcome: "kept", reason: expect.stringContaining("may be placed on this backend yet") },
    ]);
    expect(driverOf(world).volumes.size).toBe(1);
  });

  it("an orphan whose record appears between the listing and the reaping", async () => {
    const world = aWorld();
    addOrphans(world, 1);
    let reads = 0;
    const { findings } = await audit(
      world,
      { reap: true },
      {
        volumes: {
          list: (...parameters) => world.deps.volumes.list(...parameters),
          forgetLock: (...parameters) => world.deps.volumes.forgetLock(...parameters),
          getMany: async (ids) => {
            reads += ids.length;
            const record = aVolumeInFlow({ id: uuid(1000) });
            return new Map(reads > 1 ? [[record.id, record]] : []);
          },
        },
      },
    );
    expect(findings).toMatchObject([{ outcome: "kept", reason: "its record has changed since the listing" }]);
    expect(driverOf(world).volumes.size).toBe(1);
  });
});

describe("reaping", () => {
  it("deletes orphans, snapshots and leftovers without a record, and looks that they are gone", async () => {
    const world = aWorld();
    addOrphans(world, 1);
    driverOf(world).snapshots.add(SNAPSHOT_ID);
    driverOf(world).partials.add(ORPHAN_ID);
    const report = await audit(world, { reap: true });
    expect(report.findings.map(({ kind, what, outcome }) => [kind, what, outcome])).toEqual([
      ["orphan", "volume", "reaped"],
      ["orphan", "snapshot", "reaped"],
      ["leftover", "volume", "reaped"],
    ]);
    expect(openFindings(report.totals)).toBe(0);
    const { volumes, snapshots, partials } = driverOf(world);
    expect([volumes.size, snapshots.size, partials.size]).toEqual([0, 0, 0]);
    expect((await audit(world, { reap: true })).findings).toEqual([]);
  });

  it("spares an orphan with younger work next to it", async () => {
    const world = aWorld();
    const driver = driverOf(world);
    driver.volumes.set(ORPHAN_ID, { from: "nothing" });
    const contents = [
      { kind: "volume" as const, id: ORPHAN_ID, partial: false, size_bytes: 1, modified_at: new Date(0) },
      { kind: "volume" as const, id: ORPHAN_ID, partial: true, size_bytes: 1, modified_at: world.now },
    ];
    Object.assign(driver, {
      listContents: async function* listContents() {
        yield* contents;
      },
    });
    expect((await audit(world, { reap: true })).findings).toMatchObject([
      { kind: "orphan", outcome: "kept", reason: "a part of it was written to lately" },
    ]);
    expect(driver.volumes.has(ORPHAN_ID)).toBe(true);
  });

  it("does not begin where there are too many: the records may be the wrong ones", async () => {
    const world = aWorld();
    addOrphans(world, 4);
    const report = await audit(world, { reap: true, max_reap: 3 });
    expect(report.totals).toMatchObject({ orphan: 4, reaped: 0 });
    expect(report.findings.every(({ outcome, reason }) => outcome === "kept" && reason?.includes("more than 3"))).toBe(
      true,
    );
    expect(driverOf(world).volumes.size).toBe(4);
    expect((await audit(world, { reap: true, max_reap: 4 })).totals.reaped).toBe(4);
  });

  it("reports a failed deletion, and continues", async () => {
    const world = aWorld();
    addOrphans(world, 2);
    world.faults.fail("driver.deleteVolume", new VolumeBackendAPIException("busy"));
    const report = await audit(world, { reap: true });
    expect(report.findings.map(({ outcome }) => outcome).toSorted()).toEqual(["failed", "reaped"]);
    expect(report.totals).toMatchObject({ failed: 1, reaped: 1 });
    expect(openFindings(report.totals)).toBe(1);
  });

  it("reports data that still exists after its deletion", async () => {
    const world = aWorld();
    addOrphans(world, 1);
    Object.assign(driverOf(world), { deleteVolume: async () => {} });
    expect((await audit(world, { reap: true })).findings).toMatchObject([
      { outcome: "failed", reason: expect.stringContaining("still there after its deletion") },
    ]);
  });

  it("reaps nothing on a backend that could not be listed to the end", async () => {
    const world = aWorld();
    addOrphans(world, 150);
    let answers = 0;
    const report = await audit(
      world,
      { reap: true, max_reap: 200 },
      {
        timeLimit: async (call) => {
          answers += 1;
          if (answers === 110) {
            throw new Error("no answer");
          }
          return call;
        },
      },
    );
    expect(report).toMatchObject({ complete: false, unaudited: [{ host: FIRST, reason: "Error: no answer" }] });
    expect(report.totals).toMatchObject({ orphan: 100, reaped: 0 });
    expect(driverOf(world).volumes.size).toBe(150);
  });
});

describe("a record that cannot be read", () => {
  it("is named once, and nothing of its volume is reaped or called missing, while the others are audited", async () => {
    const world = aWorld();
    addOrphans(world, 2);
    const unreadable = addFinished(world, { id: uuid(1000), launched_at: "2025-12-01T00:00:00.000Z" });
    world.fakes.volumes.unreadable.add(unreadable.id);
    const report = await audit(world, { reap: true });
    expect(report.findings).toMatchObject([
      {
        kind: "unreadable",
        what: "volume",
        id: unreadable.id,
        host: FIRST_HOST,
        detail: expect.stringContaining("9007199254740993.5"),
      },
      { kind: "orphan", id: uuid(1001), outcome: "reaped" },
    ]);
    expect([...driverOf(world).volumes.keys()]).toEqual([unreadable.id]);
    expect(report.complete).toBe(true);
    expect(openFindings(report.totals)).toBe(1);
  });

  it("that becomes unreadable after the listing is not reaped either", async () => {
    const world = aWorld();
    addOrphans(world, 1);
    const getMany = world.deps.volumes.getMany.bind(world.deps.volumes);
    let reads = 0;
    world.deps.volumes.getMany = async (ids) => {
      reads += 1;
      const found = await getMany(ids);
      const unreadable = [{ id: uuid(1000), host: null, reason: "no" }];
      return reads === 1 ? found : Object.assign(found, { unreadable });
    };
    const { findings } = await audit(world, { reap: true });
    expect(findings).toMatchObject([{ kind: "orphan", outcome: "kept" }]);
    expect(driverOf(world).volumes.size).toBe(1);
  });

  it("of a claim is not called stale", async () => {
    const world = aWorld();
    const { id } = addFinished(world);
    world.fakes.volumes.unreadable.add(id);
    const claims = { [id]: { attempt: 1, size: 1, claimed_at: "2025-12-01T00:00:00.000Z" } };
    world.fakes.backends.records.change(FIRST_HOST, { claims });
    expect((await audit(world)).findings.map(({ kind }) => kind)).toEqual(["unreadable"]);
  });
});

describe("what it cannot look at", () => {
  it("a backend that is down is named, its volumes are not called missing, and the others are audited", async () => {
    const world = aWorld();
    addFinished(world, { launched_at: "2025-12-01T00:00:00.000Z" });
    driverOf(world).isInitialized = false;
    driverOf(world, SECOND_HOST).volumes.set(ORPHAN_ID, { from: "nothing" });
    const report = await audit(world);
    expect(report).toMatchObject({
      complete: false,
      unaudited: [{ host: FIRST, reason: "its driver is not initialized" }],
      findings: [{ kind: "orphan", host: "node@second" }],
    });
  });

  it("a suspect on a backend that is down stays a suspect", async () => {
    const world = aWorld();
    const line = { host: FIRST_HOST, execution: "x", started_at: START, ended_at: START, suspected_orphan: true };
    addFinished(world, { host: SECOND_HOST, attempts: { "1": { ...line, outcome: "rescheduled" } } });
    driverOf(world).isInitialized = false;
    expect((await audit(world)).findings).toMatchObject([
      { kind: "suspect", host: FIRST, detail: expect.stringContaining("could not be looked at") },
    ]);
    expect((await audit(world, { host: "node@second" })).findings).toEqual([]);
  });

  it("a host without a configured backend is named once", async () => {
    const world = aWorld(aSource({ host: "gone@away#pool" }), aSource({ id: VOLUME_ID, host: "gone@away#other" }));
    expect((await audit(world)).unaudited).toEqual([
      { host: "gone@away", reason: "volumes name it, and no such backend is configured" },
    ]);
  });

  it("what there is no time for is said", async () => {
    const world = aWorld();
    addFinished(world);
    const times = [900_000].values();
    const report = await audit(world, {}, { remainingTimeMs: () => times.next().value ?? 1000 });
    expect(report.complete).toBe(false);
    expect(report.unaudited.map(({ host }) => host)).toContain(null);
  });

  it("is whole in a function that has few seconds in all: the time kept for the report is a share of that", async () => {
    const world = aWorld();
    addFinished(world);
    expect(await audit(world, {}, { remainingTimeMs: () => 10_000 })).toMatchObject({ complete: true });
  });

  it("a backend that is not configured is refused by name", async () => {
    await expect(audit(aWorld(), { host: "node@third" })).rejects.toThrow(
      /no backend node@third is configured; there are node@first, node@second/,
    );
  });
});

it("lists the first of each kind, the worst kinds first, and counts all", async () => {
  const world = aWorld();
  addOrphans(world, 5);
  addFinished(world, { launched_at: "2025-12-01T00:00:00.000Z" });
  driverOf(world).volumes.delete(SOURCE_ID);
  const report = await audit(world, { max_listed: 2 });
  expect(report.findings.map(({ kind }) => kind)).toEqual(["missing", "orphan", "orphan"]);
  expect(report).toMatchObject({ not_listed: 3, totals: { missing: 1, orphan: 5 } });
});

it("audits one backend when asked to", async () => {
  const world = aWorld();
  addOrphans(world, 1);
  driverOf(world, SECOND_HOST).volumes.set(ORPHAN_ID, { from: "nothing" });
  const report = await audit(world, { host: "node@second" });
  expect(report.findings).toMatchObject([{ host: "node@second" }]);
  expect(Object.keys(report.hosts)).toEqual(["node@second"]);
});

describe("locks on sources", () => {
  const IN_FLOW = uuid(50);
  const AT_REST = uuid(51);
  const UNREADABLE = uuid(52);
  const TAKEN = uuid(53);
  const GONE = uuid(54);

  const SOURCE = { what: "volume", id: SOURCE_ID } as const;
  const SNAPSHOT = { what: "snapshot", id: SNAPSHOT_ID } as const;
  const CREATES = Object.fromEntries([IN_FLOW, AT_REST, UNREADABLE, GONE].map((id) => [id, fenceOf(id, 1)]));
  const SNAPSHOTS = { [TAKEN]: SNAPSHOT_LOCK, [uuid(55)]: SNAPSHOT_LOCK };

  /** A source and its snapshot, and a holder of every kind. */
  function aSourceWithHolders(source: Partial<VolumeRecord> = {}, snapshot: Partial<SnapshotRecord> = {}): World {
    const world = aWorld();
    const { volumes, snapshots } = world.fakes;
    addFinished(world, source);
    snapshots.records.set(SNAPSHOT_ID, aSnapshot(snapshot));
    snapshots.records.set(TAKEN, aSnapshot({ id: TAKEN }));
    volumes.records.set(IN_FLOW, aVolumeInFlow({ id: IN_FLOW, source_volid: SOURCE_ID }));
    volumes.records.set(AT_REST, aVolumeInFlow({ id: AT_REST, status: "error", deadline: null }));
    volumes.records.set(UNREADABLE, aVolumeInFlow({ id: UNREADABLE, status: "error", deadline: null }));
    volumes.unreadable.add(UNREADABLE);
    return world;
  }

  /** The same, locked by each of them. */
  function aLockedWorld(): World {
    const world = aSourceWithHolders();
    world.fakes.locks.arrange(SOURCE, { ...CREATES, ...SNAPSHOTS });
    world.fakes.locks.arrange(SNAPSHOT, CREATES);
    return world;
  }

  const holdersOf = (world: World, id: string): string[] => Object.keys(world.fakes.locks.on(id)).toSorted();

  it("are removed when their holder has ended, and kept while it may use the source", async () => {
    const world = aLockedWorld();
    await audit(world);
    expect(holdersOf(world, SOURCE_ID)).toEqual([IN_FLOW, UNREADABLE, TAKEN].toSorted());
    expect(holdersOf(world, SNAPSHOT_ID)).toEqual([IN_FLOW, UNREADABLE].toSorted());
  });

  it("are removed when their source is gone", async () => {
    const world = aWorld();
    world.fakes.locks.arrange({ what: "volume", id: uuid(56) }, { [GONE]: fenceOf(GONE, 1) });
    await audit(world);
    expect(world.fakes.locks.all).toEqual([]);
  });

  it("that an earlier release has left on the records become items, unless their holder has ended", async () => {
    const world = aSourceWithHolders({ locks: { ...CREATES, ...SNAPSHOTS } }, { locks: CREATES });
    await audit(world);
    expect(holdersOf(world, SOURCE_ID)).toEqual([IN_FLOW, UNREADABLE, TAKEN].toSorted());
    expect(holdersOf(world, SNAPSHOT_ID)).toEqual([IN_FLOW, UNREADABLE].toSorted());
    expect(await world.fakes.volumes.get(SOURCE_ID)).not.toHaveProperty("locks");
    expect(await world.fakes.snapshots.get(SNAPSHOT_ID)).not.toHaveProperty("locks");
  });

  it("are kept when the holder has locked again in the meantime", async () => {
    const world = aLockedWorld();
    const { volumes } = world.fakes;
    const lockedAgain = async (ids: readonly string[]) => {
      const found = await volumes.getMany(ids);
      if (ids.includes(AT_REST)) {
        world.fakes.locks.arrange(SOURCE, { [AT_REST]: fenceOf(AT_REST, 2) });
      }
      return found;
    };
    await audit(
      world,
      {},
      {
        volumes: {
          list: (...parameters) => volumes.list(...parameters),
          forgetLock: (...parameters) => volumes.forgetLock(...parameters),
          getMany: lockedAgain,
        },
      },
    );
    expect(world.fakes.locks.on(SOURCE_ID)).toMatchObject({ [AT_REST]: fenceOf(AT_REST, 2) });
  });

  it("cost no call where there are none", async () => {
    const world = aWorld();
    addFinished(world);
    await audit(world);
    expect(world.faults.calls.filter((call) => call.startsWith("locks."))).toEqual(["locks.list"]);
    expect(world.faults.calls.filter((call) => call === "volumes.getMany")).toHaveLength(1);
  });
});

describe("a request", () => {
  it("reaps nothing and waits a day unless it says otherwise", () => {
    expect(parseAuditRequest({})).toMatchObject({ reap: false, older_than_hours: 24, host: null });
  });

  it.each([
    [{ older_than_hours: 0.5 }, /older_than_hours must be at least 1/],
    [{ older_than_hours: "24" }, /older_than_hours must be a number/],
    [{ reap: "yes" }, /reap must be true or false/],
    [{ max_reap: 0 }, /max_reap/],
    [{ max_listed: 501 }, /max_listed must be from 1 to 500/],
    [null, /audit request/],
  ])("%j is refused", (request, message) => {
    expect(() => parseAuditRequest(request)).toThrow(message);
  });

  it("may not go below the longest phase of the deployment", () => {
    expect(() => parseAuditRequest({ older_than_hours: 3 }, 4 * 3600)).toThrow(/at least 4, the longest phase/);
    expect(parseAuditRequest({ older_than_hours: 4 }, 4 * 3600).older_than_hours).toBe(4);
  });
});
