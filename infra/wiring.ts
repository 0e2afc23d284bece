import type { Bucket } from "aws-cdk-lib/aws-s3";
import type { StateMachine } from "aws-cdk-lib/aws-stepfunctions";
import type { FunctionName } from "../core/functions.ts";
import type { Configuration } from "./configuration.ts";
import type { Functions } from "./functions.ts";
import type { Messaging } from "./messaging.ts";
import type { Records } from "./records.ts";

/** What functions are wired to. */
export type Parts = {
  functions: Functions;
  records: Records;
  messaging: Messaging;
  imagesBucket: Bucket;
  configuration: Configuration;
};

const READ_ITEMS = ["dynamodb:GetItem"];
const UPDATE_ITEMS = ["dynamodb:GetItem", "dynamodb:UpdateItem"];

const OWNED_BY_VOLUME_TABLE: readonly FunctionName[] = [
  "CreateRawVolume",
  "CreateVolumeFromSnapshot",
  "CreateClonedVolume",
  "CloneImage",
  "CreateVolumeForImage",
  "CheckBackend",
  "CopyImageToVolume",
  "HandleBootableVolume",
  "CreateVolumeOnFinish",
  "RescheduleVolume",
  "ErrorOutVolume",
  "ErrorOutFailedExecution",
];

const READS_SNAPSHOTS: readonly FunctionName[] = [
  "ExtractVolumeSpec",
  "CreateVolumeFromSnapshot",
  "CheckBackend",
  "HandleBootableVolume",
  "ScheduleVolume",
];

const READS_IMAGES: readonly FunctionName[] = ["ExtractVolumeSpec", "CloneImage", "CheckBackend", "CopyImageToVolume"];

const CALLS_DRIVERS: readonly FunctionName[] = [
  "CreateRawVolume",
  "CreateVolumeFromSnapshot",
  "CreateClonedVolume",
  "CloneImage",
  "CreateVolumeForImage",
  "CheckBackend",
  "CopyImageToVolume",
  "RescheduleVolume",
  "ReportBackends",
  "CreateSnapshot",
  "DeleteSnapshot",
  "DeleteVolume",
];

const NOTIFIES: readonly FunctionName[] = [
  "NotifyCreateStart",
  "CreateVolumeOnFinish",
  "ErrorOutVolume",
  "ErrorOutFailedExecution",
  "SweepOverdueVolumes",
  "ScheduleVolume",
];

/** Gives each function the variables and the permissions of its work, and no others. */
export function wireFunctions(parts: Parts): void {
  wireRecords(parts);
  wireBackends(parts);
  wireMessaging(parts);
  for (const name of READS_IMAGES) {
    parts.imagesBucket.grantRead(parts.functions.get(name));
    parts.functions.setEnvironment(name, { imagesBucket: parts.imagesBucket.bucketName });
  }
  for (const name of CALLS_DRIVERS) {
    parts.functions.setEnvironment(name, { backends: JSON.stringify(parts.configuration.backends) });
  }
  parts.functions.setEnvironment("ScheduleVolume", {
    schedulerSettings: JSON.stringify(parts.configuration.scheduler),
  });
}

/** Scheduling starts executions; wired apart, because the state machine is made of the other functions. */
export function wireStateMachine({ functions }: Parts, stateMachine: StateMachine): void {
  stateMachine.grantStartExecution(functions.get("ScheduleVolume"));
  functions.setEnvironment("ScheduleVolume", { stateMachineArn: stateMachine.stateMachineArn });
}

function wireRecords({ functions, records }: Parts): void {
  const volumes = (name: FunctionName, actions: string[]): void => {
    records.volumes.grant(functions.get(name), ...actions);
    functions.setEnvironment(name, { volumesTable: records.volumes.tableName });
  };
  const snapshots = (name: FunctionName, actions: string[]): void => {
    records.snapshots.grant(functions.get(name), ...actions);
    functions.setEnvironment(name, { snapshotsTable: records.snapshots.tableName });
  };
  for (const name of OWNED_BY_VOLUME_TABLE) {
    volumes(name, UPDATE_ITEMS);
  }
  for (const name of ["ExtractVolumeRef", "ExtractVolumeSpec", "CreateSnapshot"] as const) {
    volumes(name, READ_ITEMS);
  }
  volumes("ScheduleVolume", [...UPDATE_ITEMS, "dynamodb:BatchGetItem"]);
  volumes("SweepOverdueVolumes", [...UPDATE_ITEMS, "dynamodb:Query"]);
  volumes("DeleteVolume", [...UPDATE_ITEMS, "dynamodb:DeleteItem"]);
  for (const name of READS_SNAPSHOTS) {
    snapshots(name, READ_ITEMS);
  }
  snapshots("CreateSnapshot", [...UPDATE_ITEMS, "dynamodb:PutItem"]);
  snapshots("DeleteSnapshot", [...READ_ITEMS, "dynamodb:DeleteItem"]);
  snapshots("DeleteVolume", ["dynamodb:Query"]);
  records.volumeTypes.grant(functions.get("ScheduleVolume"), ...READ_ITEMS);
  functions.setEnvironment("ScheduleVolume", { volumeTypesTable: records.volumeTypes.tableName });
}

function wireBackends({ functions, records }: Parts): void {
  const grants: [FunctionName, string[]][] = [
    ["ScheduleVolume", [...UPDATE_ITEMS, "dynamodb:Scan"]],
    ["SweepOverdueVolumes", [...UPDATE_ITEMS, "dynamodb:Scan"]],
    ["ReportBackends", ["dynamodb:UpdateItem"]],
    ["CreateVolumeOnFinish", UPDATE_ITEMS],
    ["RescheduleVolume", UPDATE_ITEMS],
    ["ErrorOutVolume", UPDATE_ITEMS],
    ["ErrorOutFailedExecution", UPDATE_ITEMS],
    ["DeleteVolume", [...UPDATE_ITEMS, "dynamodb:Scan"]],
  ];
  for (const [name, actions] of grants) {
    records.backends.grant(functions.get(name), ...actions);
    functions.setEnvironment(name, { backendsTable: records.backends.tableName });
  }
}

function wireMessaging({ configuration, functions, messaging }: Parts): void {
  for (const name of NOTIFIES) {
    messaging.notificationsTopic.grantPublish(functions.get(name));
    functions.setEnvironment(name, {
      notificationsTopicArn: messaging.notificationsTopic.topicArn,
      notificationEra: configuration.notificationEra,
    });
  }
  for (const name of ["RescheduleVolume", "ScheduleVolume"] as const) {
    functions.setEnvironment(name, {
      schedulerQueueUrl: messaging.schedulerQueue.queueUrl,
      schedulerDeadLetterQueueUrl: messaging.schedulerDeadLetterQueue.queueUrl,
    });
  }
  messaging.schedulerQueue.grantSendMessages(functions.get("RescheduleVolume"));
  messaging.schedulerDeadLetterQueue.grantSendMessages(functions.get("ScheduleVolume"));
}
