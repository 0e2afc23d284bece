import { randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  BatchGetItemCommand,
  DynamoDBClient,
  GetItemCommand,
  QueryCommand,
  ScanCommand,
  UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";
import { PublishCommand, SNSClient } from "@aws-sdk/client-sns";
import { marshall } from "@aws-sdk/util-dynamodb";
import { mockClient } from "aws-sdk-client-mock";
import { afterAll, beforeEach, describe, expect, it, vi } from "vitest";
import { volumeItem } from "../../adapters/dynamodb/volume-item.ts";
import { aVolume, VOLUME_ID } from "../support/builders.ts";
import { FUNCTION_ENVIRONMENT, invoke } from "../support/lambda.ts";
import { watchMetrics } from "../support/metrics.ts";

/** Metrics for the alarms, from the functions that events call: docs/guarantees.md, "Everything that needs a person". */

const directory = mkdtempSync(join(tmpdir(), "cinderless-metrics-"));
const backend = (name: string) => ({
  host: `node@${name}`,
  driver: "file",
  options: { directory: join(directory, name) },
});
for (const [name, value] of Object.entries({
  ...FUNCTION_ENVIRONMENT,
  LAMBDA_TASK_ROOT: directory,
})) {
  vi.stubEnv(name, value);
}
writeFileSync(join(directory, "backends.json"), JSON.stringify([backend("first"), backend("second")]));
// A file stands where the directory of the second backend would be, for all tests: a driver that has begun does not look again.
writeFileSync(join(directory, "second"), "");
const metrics = watchMetrics();
vi.resetModules();
const sweep = await import("../../lambdas/sweep-overdue-volumes.ts");
const report = await import("../../lambdas/report-backends.ts");
const audit = await import("../../lambdas/audit-backends.ts");

const dynamodb = mockClient(DynamoDBClient);
const sns = mockClient(SNSClient);

/** A volume whose message is lost; nothing else has decided it. */
const OVERDUE = aVolume({ deadline: "2026-01-01T00:00:00.000Z" });

beforeEach(() => {
  metrics.forget();
  dynamodb.reset();
  sns.reset();
  dynamodb.on(ScanCommand).resolves({ Items: [] });
  dynamodb.on(QueryCommand).resolves({ Items: [] });
  dynamodb.on(BatchGetItemCommand).resolves({ Responses: { volumes: [] } });
  dynamodb.on(GetItemCommand).resolves({ Item: volumeItem(OVERDUE) });
  dynamodb.on(UpdateItemCommand).resolves({ Attributes: volumeItem({ ...OVERDUE, status: "error" }) });
  sns.on(PublishCommand).resolves({});
  rmSync(join(directory, "first"), { recursive: true, force: true });
  mkdirSync(join(directory, "first"));
});
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  vi.resetModules();
});

describe("the sweep", () => {
  const overdue = () =>
    dynamodb
      .on(QueryCommand, { TableName: "volumes" })
      .resolvesOnce({ Items: [marshall({ id: VOLUME_ID, deadline: "x" })] });

  it("counts the volumes that it put in error", async () => {
    overdue();
    await invoke(sweep.handler, {});
    expect(metrics.written()).toEqual([{ service: "cinderless", SweptVolumes: 1 }]);
  });

  it("says that it has run when there was nothing to do, by which another alarm knows that it runs", async () => {
    await invoke(sweep.handler, {});
    expect(metrics.written()).toEqual([{ service: "cinderless", SweptVolumes: 0 }]);
  });

  it("fails when a volume could not be dealt with, and has counted the others", async () => {
    overdue();
    dynamodb.on(UpdateItemCommand).rejects(new Error("slow down"));
    await expect(invoke(sweep.handler, {})).rejects.toThrow(`1 failed in this sweep, first volume ${VOLUME_ID}`);
    expect(metrics.written()).toEqual([{ service: "cinderless", SweptVolumes: 0 }]);
  });
});

it("the reports of the backends count those that do not report", async () => {
  dynamodb.on(UpdateItemCommand).resolves({});
  expect(await invoke(report.handler, {})).toMatchObject({ unreported: [{ host: "node@second" }] });
  expect(metrics.written()).toEqual([{ service: "cinderless", UnreportedBackends: 1 }]);
});

it("an audit counts the orphans that it finds, in all and by backend, and says zero of what it does not find", async () => {
  const orphan = join(directory, "first", `volume-${randomUUID()}`);
  writeFileSync(orphan, "");
  utimesSync(orphan, new Date(0), new Date(0));
  await invoke(audit.handler, { host: null });
  const all = { Orphans: 1, MissingVolumes: 0, DamagedVolumes: 0, UnreadableRecords: 0 };
  expect(metrics.written()).toEqual(
    expect.arrayContaining([
      { service: "cinderless", backend: "node@first", Orphans: 1 },
      { service: "cinderless", ...all },
    ]),
  );
});
