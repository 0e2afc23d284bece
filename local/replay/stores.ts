import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { startEmbeddedCloud } from "@cinderless/embedded-cloud";
import { DynamoDbSnapshotRepository } from "../../adapters/dynamodb/snapshot-repository.ts";
import { DynamoDbVolumeRepository } from "../../adapters/dynamodb/volume-repository.ts";
import { BACKENDS_FILE, ENVIRONMENT } from "../../core/settings/environment.ts";
import { DEFAULT_NOTIFICATION_ERA } from "../../core/notifications/notifications.ts";
import { attemptOfFence, type SnapshotRecord, type VolumeRecord } from "../../core/records.ts";
import { inlineTemplate } from "../../infra/inline-template.ts";
import type { RecordedCall } from "../../cli/replay.ts";
import { type Recording, replayed } from "./recording.ts";

/** The stores of the functions. Nothing else of the stack is needed, because this process calls the functions itself. */
const STORE_TYPES = ["AWS::DynamoDB::Table", "AWS::SQS::Queue", "AWS::SNS::Topic", "AWS::S3::Bucket"];

const HOUR_MILLISECONDS = 3_600_000;

/**
 * Starts the stack's tables, queues, topics and bucket in memory, and points the functions of this process to them.
 *
 * @returns stops and removes them
 */
export async function startStores(recording: Recording): Promise<() => Promise<void>> {
  const { Resources: resources, Outputs: outputs } = inlineTemplate({ fileSystem: "none", blockStorageApi: "none" });
  const stores = Object.entries(resources).filter(([, { Type }]) => STORE_TYPES.includes(Type));
  const ids = stores.map(([id]) => id);
  const kept = Object.entries(outputs).filter(([, { Value }]) => ids.includes((Value as { Ref?: string }).Ref ?? ""));
  const cloud = await startEmbeddedCloud({
    template: { Resources: Object.fromEntries(stores), Outputs: Object.fromEntries(kept) },
    assetDirectory: tmpdir(),
  });
  const output = (name: string): string => cloud.outputs[name] ?? "";
  const codeDirectory = mkdtempSync(path.join(tmpdir(), "cinderless-replay-"));
  // Its driver is the recorded one, whatever is named here.
  const backends = [{ host: hostOf(recording.calls), driver: "file", options: { directory: tmpdir() } }];
  writeFileSync(path.join(codeDirectory, BACKENDS_FILE), JSON.stringify(backends));
  Object.assign(process.env, cloud.environment, {
    [ENVIRONMENT.volumesTable]: output("VolumesTableName"),
    [ENVIRONMENT.snapshotsTable]: output("SnapshotsTableName"),
    [ENVIRONMENT.volumeTypesTable]: output("VolumeTypesTableName"),
    [ENVIRONMENT.backendsTable]: output("BackendsTableName"),
    [ENVIRONMENT.claimsTable]: output("ClaimsTableName"),
    [ENVIRONMENT.locksTable]: output("LocksTableName"),
    [ENVIRONMENT.projectsTable]: output("ProjectsTableName"),
    [ENVIRONMENT.deadLettersTable]: output("DeadLettersTableName"),
    [ENVIRONMENT.imageCacheTable]: output("ImageCacheTableName"),
    [ENVIRONMENT.imagesBucket]: output("ImagesBucketName"),
    [ENVIRONMENT.schedulerQueueUrl]: output("SchedulerQueueUrl"),
    [ENVIRONMENT.schedulerDeadLetterQueueUrl]: output("SchedulerDeadLetterQueueUrl"),
    [ENVIRONMENT.notificationsTopicArn]: output("NotificationsTopicArn"),
    [ENVIRONMENT.notificationEra]: DEFAULT_NOTIFICATION_ERA,
    [ENVIRONMENT.schedulerSettings]: "{}",
    [ENVIRONMENT.callDriverFunction]: "CallDriver",
    LAMBDA_TASK_ROOT: codeDirectory,
  });
  await putRecords(recording);
  return async () => {
    await cloud.stop();
    rmSync(codeDirectory, { recursive: true });
  };
}

/** The records as they were when the execution began. */
async function putRecords({ execution, calls, sources }: Recording): Promise<void> {
  const client = new DynamoDBClient({});
  const clock = { now: () => new Date() };
  const volumes = new DynamoDbVolumeRepository({
    client,
    tableName: process.env[ENVIRONMENT.volumesTable] ?? "",
    clock,
  });
  const snapshots = new DynamoDbSnapshotRepository({
    client,
    tableName: process.env[ENVIRONMENT.snapshotsTable] ?? "",
  });
  const volume = volumeAtStart(execution, calls);
  if (volume !== undefined) {
    await volumes.create(volume);
  }
  if (sources.volume !== null) {
    await volumes.create(sources.volume as VolumeRecord);
  }
  if (sources.snapshot !== null) {
    await snapshots.create(sources.snapshot as SnapshotRecord);
  }
  client.destroy();
}

/** The first state answers with the record but for what follows from the attempt itself. Undefined when it has failed. */
function volumeAtStart(execution: string, calls: readonly RecordedCall[]): VolumeRecord | undefined {
  const first = calls.find(({ state, output }) => state === "ExtractVolumeRef" && output !== null);
  if (first === undefined) {
    return undefined;
  }
  const volumeRef = JSON.parse(first.output ?? "") as VolumeRecord;
  const now = new Date().toISOString();
  return {
    ...volumeRef,
    phase: "scheduled",
    progress: null,
    fault: null,
    delete_requested_at: null,
    deadline: new Date(Date.now() + HOUR_MILLISECONDS).toISOString(),
    attempts: {
      [attemptOfFence(execution)]: { host: volumeRef.host, execution, started_at: now, outcome: "running" },
    },
  };
}

function hostOf(calls: readonly RecordedCall[]): string {
  const { host } = JSON.parse(calls[0]?.input ?? "{}") as { host?: string };
  return (host ?? "recorded@backend").split("#")[0] ?? "";
}

/** Later states get the image from ExtractVolumeSpec's answer. */
export function takeImageSpec(call: RecordedCall): void {
  if (call.state === "ExtractVolumeSpec" && call.output !== null) {
    replayed.imageSpec = JSON.parse(call.output) as Record<string, unknown>;
  }
}
