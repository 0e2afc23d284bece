import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { DynamoDbAuditRepository } from "../../adapters/dynamodb/audit-repository.ts";
import { keptAudit } from "../../core/audit/kept-audit.ts";
import type { AuditReport, AuditRequest } from "../../core/audit/report.ts";
import type { VolumeRecord } from "../../core/records.ts";
import { type CinderlessUnderTest, startUnderTest } from "../support/local-cinderless.ts";
import { type ServiceClients, serviceClients } from "../support/service-clients.ts";

/** The audit with its real bundle: the function, the file driver, the records, and the metrics in its log. */

const FIRST = "node@first";
const SLOW = "node@slow";
const HOUR_MS = 3_600_000;

let directory: string;
let under: CinderlessUnderTest;
let clients: ServiceClients;
const logged: string[] = [];

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "cinderless-audit-"));
  const [first, slow] = [join(directory, "first"), join(directory, "slow")];
  under = await startUnderTest({
    context: {
      backends: [
        { host: FIRST, driver: "file", availability_zone: "az1", options: { directory: first } },
        {
          // Makes the volume, and never answers.
          host: SLOW,
          driver: "fault",
          availability_zone: "az2",
          options: {
            driver: "file",
            options: { directory: slow },
            state_directory: join(directory, "state"),
            faults: [{ call: "createVolume", error: "timeout", when: "after", times: "always" }],
          },
        },
      ],
    },
    logSink: (line) => logged.push(typeof line === "string" ? line : JSON.stringify(line)),
  });
  clients = serviceClients(under.cloud);
});

afterAll(async () => {
  clients?.destroy();
  await under?.stop();
  rmSync(directory, { recursive: true, force: true });
});

function audit(request: Partial<AuditRequest> = {}): Promise<AuditReport> {
  return clients.functions.auditBackends(request);
}

function pathOf(host: string, id: string): string {
  return join(directory, host.slice(host.indexOf("@") + 1), `volume-${id}`);
}

/** The directory of a first attempt. */
function workOf(host: string, id: string): string {
  return join(dirname(pathOf(host, id)), "attempts", `volume-${id}-a1`);
}

function makeOlder(path: string, hours: number): void {
  const then = new Date(Date.now() - hours * HOUR_MS);
  utimesSync(path, then, then);
}

function makeFile(path: string, ageHours: number): void {
  writeFileSync(path, "");
  truncateSync(path, 2 ** 30);
  makeOlder(path, ageHours);
}

async function finished(): Promise<VolumeRecord> {
  return under.settled(await under.create({ sizeGib: 1, availabilityZone: "az1" }));
}

function foundOf({ findings }: AuditReport, id: string) {
  return findings.find((one) => one.id === id);
}

describe("on a deployment where nothing is wrong", () => {
  it("finds its volumes and nothing else", async () => {
    const volume = await finished();
    const report = await audit({ host: FIRST });
    expect(report).toMatchObject({ complete: true, findings: [] });
    expect(report.hosts[FIRST]?.volumes).toBeGreaterThan(0);
    await clients.functions.deleteVolume(volume.id);
  });
});

describe("the report of an audit of all backends", () => {
  it("is kept as the last one; an audit of one backend is not", async () => {
    const credentials = { accessKeyId: "local", secretAccessKey: "local" };
    const client = new DynamoDBClient({ endpoint: under.cloud.endpoints.dynamodb, region: "us-east-1", credentials });
    onTestFinished(() => client.destroy());
    const audits = new DynamoDbAuditRepository({ client, tableName: under.cloud.outputs["ProjectsTableName"] ?? "" });
    const whole = await audit();
    expect(await audits.last()).toEqual(keptAudit(whole));
    await audit({ host: FIRST });
    expect(await audits.last()).toEqual(keptAudit(whole));
  });
});

describe("an orphan", () => {
  it("is reported, then reaped when that is asked for, and gone then", async () => {
    const id = randomUUID();
    makeFile(pathOf(FIRST, id), 25);
    expect(foundOf(await audit(), id)).toMatchObject({ kind: "orphan", host: FIRST, outcome: "reported" });
    expect(existsSync(pathOf(FIRST, id))).toBe(true);
    expect(foundOf(await audit({ reap: true }), id)).toMatchObject({ kind: "orphan", outcome: "reaped" });
    expect(existsSync(pathOf(FIRST, id))).toBe(false);
    expect(foundOf(await audit({ reap: true }), id)).toBeUndefined();
  });

  it("is not an orphan while it is young", async () => {
    const id = randomUUID();
    makeFile(pathOf(FIRST, id), 23);
    expect(foundOf(await audit({ reap: true }), id)).toBeUndefined();
    expect(foundOf(await audit({ reap: true, older_than_hours: 22 }), id)).toMatchObject({ outcome: "reaped" });
  });
});

describe("the unfinished work of an attempt", () => {
  it("of no volume is a leftover, and goes with all that is in it", async () => {
    const area = workOf(FIRST, randomUUID());
    mkdirSync(area, { recursive: true });
    makeFile(join(area, "copy.data"), 25);
    makeOlder(area, 30);
    const report = await audit({ reap: true });
    expect(report.findings).toMatchObject([{ kind: "leftover", outcome: "reaped" }]);
    // A file has the name now: the attempt is closed.
    expect(statSync(area).isFile()).toBe(true);
  });

  it("that is still written to is left alone, though the area itself is old", async () => {
    const area = workOf(FIRST, randomUUID());
    mkdirSync(area, { recursive: true });
    makeFile(join(area, "copy.data"), 1);
    makeOlder(area, 30);
    expect((await audit({ reap: true })).findings).toEqual([]);
    rmSync(area, { recursive: true });
  });
});

describe("a volume whose file is missing", () => {
  it("is reported, and not repaired", async () => {
    const volume = await finished();
    rmSync(pathOf(FIRST, volume.id));
    const report = await audit({ reap: true });
    expect(foundOf(report, volume.id)).toMatchObject({ kind: "missing", host: FIRST, outcome: "reported" });
    expect(await under.volumes.get(volume.id)).toMatchObject({ status: "available" });
    await clients.functions.deleteVolume(volume.id);
    expect((await audit()).findings).toEqual([]);
  });
});

describe("a volume or snapshot that was truncated on its backend", () => {
  it("is reported, and refused as a source by name", async () => {
    const volume = await finished();
    const snapshot = await clients.functions.createSnapshot({
      snapshot_id: randomUUID(),
      volume_id: volume.id,
      name: null,
      project_id: volume.project_id,
      user_id: volume.user_id,
    });
    truncateSync(pathOf(FIRST, volume.id), 1000);
    truncateSync(join(directory, "first", `snapshot-${snapshot.id}`), 2 ** 29);
    const report = await audit({ reap: true });
    expect(foundOf(report, volume.id)).toMatchObject({ kind: "damaged", size_bytes: 1000, outcome: "reported" });
    expect(foundOf(report, snapshot.id)).toMatchObject({ kind: "damaged", what: "snapshot", size_bytes: 2 ** 29 });
    expect(report.totals).toMatchObject({ damaged: 2, missing: 0 });
    const clones = await Promise.all([
      under.create({ sizeGib: 1, sourceVolumeId: volume.id }),
      under.create({ sizeGib: 1, snapshotId: snapshot.id }),
    ]);
    for (const id of clones) {
      const { status, attempts } = await under.settled(id);
      expect([status, attempts["1"]?.error]).toEqual(["error", "VolumeBackendAPIException"]);
      expect(attempts["1"]?.cause).toContain("bytes on its backend");
      await clients.functions.deleteVolume(id);
    }
    await clients.functions.deleteSnapshot(snapshot.id);
    await clients.functions.deleteVolume(volume.id);
  });
});

describe("a suspect of the ledger", () => {
  it("is cleared by a check, and reported when there is data", async () => {
    const volume = await finished();
    const id = randomUUID();
    const line = {
      host: `${SLOW}#pool`,
      execution: "x",
      started_at: volume.created_at,
      outcome: "rescheduled" as const,
    };
    const attempts = { "1": { ...line, ended_at: volume.created_at, suspected_orphan: true } };
    // Other services write records too; this one has no capacity counted.
    await under.volumes.create({ ...volume, id, status: "error", host: null, attempts });
    expect((await audit({ host: SLOW })).hosts[SLOW]?.cleared).toBe(1);

    makeFile(pathOf(SLOW, id), 0);
    expect(foundOf(await audit({ host: SLOW, reap: true }), id)).toMatchObject({
      kind: "suspect",
      outcome: "reported",
    });
    makeOlder(pathOf(SLOW, id), 25);
    // Its attempt ended a moment ago, and a volume in error may be sent to the scheduler again.
    expect(foundOf(await audit({ host: SLOW, reap: true }), id)?.outcome).toBe("reported");
    await clients.functions.deleteVolume(id);
    expect(foundOf(await audit({ host: SLOW, reap: true }), id)).toMatchObject({ kind: "orphan", outcome: "reaped" });
    await clients.functions.deleteVolume(volume.id);
  });
});

describe("a volume in the middle of its creation", () => {
  it("is never reaped, however old its file looks", async () => {
    const id = await under.create({ sizeGib: 1, availabilityZone: "az2" });
    await expect.poll(() => existsSync(pathOf(SLOW, id))).toBe(true);
    makeOlder(pathOf(SLOW, id), 1000);
    const report = await audit({ reap: true });
    expect(await under.volumes.get(id)).toMatchObject({ status: "creating", phase: "creating" });
    expect(report.findings).toEqual([]);
    expect(report.hosts[SLOW]).toMatchObject({ volumes: 1, reaped: 0 });
    expect(existsSync(pathOf(SLOW, id))).toBe(true);
  });
});

it("writes its metrics in all, and by backend those that are not zero", async () => {
  makeFile(pathOf(FIRST, randomUUID()), 25);
  logged.length = 0;
  await audit();
  const metrics = () => logged.filter((line) => line.includes("CloudWatchMetrics")).join("\n");
  await expect.poll(metrics).toMatch(/Orphans\\?":1/);
  await expect.poll(metrics).toMatch(/backend\\?":\\?"node@first/);
  await expect.poll(metrics).toMatch(/MissingVolumes\\?":0/);
  expect(metrics()).toContain("Cinderless");
  expect(metrics()).not.toMatch(/Suspects/);
  await audit({ reap: true });
});

it("an invalid request is refused by name", async () => {
  await expect(audit({ older_than_hours: 0 })).rejects.toThrow(/older_than_hours must be at least 1/);
  await expect(audit({ host: "node@nowhere" })).rejects.toThrow(/no backend node@nowhere is configured/);
});
