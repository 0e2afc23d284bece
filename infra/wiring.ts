import { ArnFormat, type CfnElement, Stack } from "aws-cdk-lib";
import type { Table } from "aws-cdk-lib/aws-dynamodb";
import type { IKey } from "aws-cdk-lib/aws-kms";
import type { Bucket } from "aws-cdk-lib/aws-s3";
import { INDEXES } from "../core/environment.ts";
import { secretsOf } from "../core/image-services.ts";
import { type FunctionName, FUNCTIONS } from "../core/functions.ts";
import { settingsByHost } from "../core/image-cache.ts";
import { acknowledge } from "./acknowledge.ts";
import type { Configuration } from "./configuration.ts";
import type { Functions } from "./functions.ts";
import type { Messaging } from "./messaging.ts";
import type { Records } from "./records.ts";
import type { Workflow } from "./workflow.ts";

/** What functions are wired to. */
export type Parts = {
  functions: Functions;
  records: Records;
  messaging: Messaging;
  imagesBucket: Bucket;
  configuration: Configuration;
  encryptionKey: IKey | undefined;
};

/** What is stored under the customer's key is read and written through the services, in the name of the function. */
const USE_KEY = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"];

const READ_ITEMS = ["dynamodb:GetItem"];
const READ_ALL_ITEMS = ["dynamodb:BatchGetItem", "dynamodb:Scan"];
const UPDATE_ITEMS = ["dynamodb:GetItem", "dynamodb:UpdateItem"];
const DELETE_ITEMS = ["dynamodb:DeleteItem"];

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
  "KeepDeadLetters",
];

/** Functions that may find that a volume's deletion was asked for while it was being created. */
const REMOVES_VOLUMES: readonly FunctionName[] = [
  "ErrorOutVolume",
  "ErrorOutFailedExecution",
  "SweepOverdueVolumes",
  "ScheduleVolume",
  "KeepDeadLetters",
  "DeleteVolume",
];

const READS_SNAPSHOTS: readonly FunctionName[] = [
  "ExtractVolumeSpec",
  "CreateVolumeFromSnapshot",
  "CheckBackend",
  "HandleBootableVolume",
  "ScheduleVolume",
];

const READS_IMAGES: readonly FunctionName[] = ["ExtractVolumeSpec", "CloneImage", "CheckBackend", "CopyImageToVolume"];

/** Functions that reach the volumes themselves. */
export const CALLS_DRIVERS: readonly FunctionName[] = [
  "CreateRawVolume",
  "CreateVolumeFromSnapshot",
  "CreateClonedVolume",
  "CloneImage",
  "CreateVolumeForImage",
  "CheckBackend",
  "CopyImageToVolume",
  "RescheduleVolume",
  "ErrorOutVolume",
  "ErrorOutFailedExecution",
  "SweepOverdueVolumes",
  "ReportBackends",
  "CreateSnapshot",
  "DeleteSnapshot",
  "DeleteVolume",
  "AuditBackends",
];

const NOTIFIES: readonly FunctionName[] = [
  "NotifyCreateStart",
  "CreateVolumeOnFinish",
  "ErrorOutVolume",
  "ErrorOutFailedExecution",
  "SweepOverdueVolumes",
  "ScheduleVolume",
  "KeepDeadLetters",
];

/** Gives each function the variables and the permissions of its work, and no others. */
export function wireFunctions(parts: Parts): void {
  wireRecords(parts);
  wireBackends(parts);
  wireMessaging(parts);
  wireImageCache(parts);
  wireImages(parts);
  for (const name of CALLS_DRIVERS) {
    parts.functions.setEnvironment(name, { backends: JSON.stringify(parts.configuration.backends) });
  }
  if (parts.encryptionKey !== undefined) {
    for (const name of Object.keys(FUNCTIONS) as FunctionName[]) {
      parts.functions.allow(name, USE_KEY, parts.encryptionKey.keyArn);
    }
  }
  parts.functions.setEnvironment("ScheduleVolume", {
    schedulerSettings: JSON.stringify(parts.configuration.scheduler),
  });
}

/** Images of the bucket, and of Glance where it is configured, with the secrets that its authentication reads and no others. */
function wireImages({ configuration, functions, imagesBucket }: Parts): void {
  for (const name of READS_IMAGES) {
    functions.allow(name, ["s3:GetObject"], imagesBucket.arnForObjects("*"));
    // Without it an object that is missing would read as forbidden.
    functions.allow(name, ["s3:ListBucket"], imagesBucket.bucketArn);
    functions.setEnvironment(name, { imagesBucket: imagesBucket.bucketName });
  }
  const bucketId = Stack.of(imagesBucket).getLogicalId(imagesBucket.node.defaultChild as CfnElement);
  acknowledge(functions, {
    [`AwsSolutions-IAM5[Resource::<${bucketId}.Arn>/*]`]:
      "Which image is asked for is known at the time of the call only; the bucket holds images and nothing else",
  });
  const { imageServices } = configuration;
  if (imageServices.glance === undefined) {
    return;
  }
  const { name: secretName, prefix } = secretsOf(imageServices.glance.auth);
  const secretArn = (resourceName: string): string =>
    Stack.of(functions).formatArn({
      service: "secretsmanager",
      resource: "secret",
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
      resourceName,
    });
  // Secrets Manager adds six characters to the name.
  const resources = [
    ...(secretName === undefined ? [] : [secretArn(`${secretName}-??????`)]),
    ...(prefix === undefined ? [] : [secretArn(`${prefix}*`)]),
  ];
  for (const name of READS_IMAGES) {
    functions.setEnvironment(name, { imageServices: JSON.stringify(imageServices) });
    if (resources.length > 0) {
      functions.allow(name, ["secretsmanager:GetSecretValue"], ...resources);
    }
  }
  if (prefix !== undefined) {
    acknowledge(functions, {
      [`AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:${prefix}*]`]:
        "Whose token is asked for is known at the time of the call only; the prefix holds tokens and nothing else",
    });
  }
}

/** Scheduling starts executions; wired apart, because the state machine is made of the other functions. */
export function wireWorkflow({ functions }: Parts, { aliasArn }: Workflow): void {
  functions.allow("ScheduleVolume", ["states:StartExecution"], aliasArn);
  functions.setEnvironment("ScheduleVolume", { stateMachineArn: aliasArn });
}

function wireRecords({ functions, records }: Parts): void {
  const volumes = (name: FunctionName, actions: string[]): void => {
    allowItems(functions, name, actions, records.volumes, INDEXES.volumesByDeadline);
    functions.setEnvironment(name, { volumesTable: records.volumes.tableName });
  };
  const snapshots = (name: FunctionName, actions: string[]): void => {
    allowItems(functions, name, actions, records.snapshots, INDEXES.snapshotsByVolume);
    functions.setEnvironment(name, { snapshotsTable: records.snapshots.tableName });
  };
  for (const name of OWNED_BY_VOLUME_TABLE) {
    volumes(name, UPDATE_ITEMS);
  }
  for (const name of REMOVES_VOLUMES) {
    volumes(name, DELETE_ITEMS);
  }
  volumes("ExtractVolumeRef", READ_ITEMS);
  // These lock volumes, and take locks off.
  for (const name of ["ExtractVolumeSpec", "CreateSnapshot"] as const) {
    volumes(name, UPDATE_ITEMS);
  }
  volumes("DeleteSnapshot", ["dynamodb:BatchGetItem", "dynamodb:UpdateItem"]);
  volumes("ScheduleVolume", [...UPDATE_ITEMS, "dynamodb:BatchGetItem"]);
  volumes("SweepOverdueVolumes", [...UPDATE_ITEMS, "dynamodb:Query"]);
  volumes("DeleteVolume", [...UPDATE_ITEMS, "dynamodb:BatchGetItem"]);
  volumes("AuditBackends", READ_ALL_ITEMS);
  snapshots("AuditBackends", READ_ALL_ITEMS);
  for (const name of READS_SNAPSHOTS) {
    snapshots(name, READ_ITEMS);
  }
  snapshots("CreateSnapshot", [...UPDATE_ITEMS, "dynamodb:PutItem"]);
  snapshots("DeleteSnapshot", [...UPDATE_ITEMS, "dynamodb:DeleteItem"]);
  snapshots("DeleteVolume", [...READ_ITEMS, "dynamodb:Query"]);
  for (const name of ["ExtractVolumeSpec", "CreateVolumeOnFinish", "ErrorOutVolume"] as const) {
    snapshots(name, ["dynamodb:UpdateItem"]);
  }
  allowItems(functions, "ScheduleVolume", READ_ITEMS, records.volumeTypes, INDEXES.volumeTypesByName);
  functions.setEnvironment("ScheduleVolume", { volumeTypesTable: records.volumeTypes.tableName });
  functions.allow("KeepDeadLetters", [...READ_ITEMS, "dynamodb:PutItem"], records.deadLetters.tableArn);
  functions.setEnvironment("KeepDeadLetters", { deadLettersTable: records.deadLetters.tableName });
}

/** Allows item actions on the table and queries on its index, which is all that is ever queried. */
function allowItems(
  functions: Functions,
  name: FunctionName,
  actions: readonly string[],
  table: Table,
  index: string,
): void {
  const onItems = actions.filter((action) => action !== "dynamodb:Query");
  if (onItems.length > 0) {
    functions.allow(name, onItems, table.tableArn);
  }
  if (onItems.length < actions.length) {
    functions.allow(name, ["dynamodb:Query"], `${table.tableArn}/index/${index}`);
  }
}

function wireBackends({ functions, records }: Parts): void {
  const grants: [FunctionName, string[]][] = [
    ["ScheduleVolume", [...UPDATE_ITEMS, "dynamodb:Scan"]],
    ["SweepOverdueVolumes", [...UPDATE_ITEMS, "dynamodb:Scan"]],
    ["KeepDeadLetters", [...UPDATE_ITEMS, "dynamodb:Scan"]],
    ["ReportBackends", ["dynamodb:UpdateItem"]],
    ["AuditBackends", ["dynamodb:Scan"]],
    ["CreateVolumeOnFinish", ["dynamodb:UpdateItem"]],
    ["RescheduleVolume", UPDATE_ITEMS],
    ["ErrorOutVolume", UPDATE_ITEMS],
    ["ErrorOutFailedExecution", UPDATE_ITEMS],
    ["DeleteVolume", [...UPDATE_ITEMS, "dynamodb:Scan"]],
  ];
  for (const [name, actions] of grants) {
    functions.allow(name, actions, records.backends.tableArn);
    functions.setEnvironment(name, { backendsTable: records.backends.tableName });
  }
}

/** Nothing where no backend has the cache switched on. */
function wireImageCache({ configuration, functions, records }: Parts): void {
  if (settingsByHost(configuration.backends).size === 0) {
    return;
  }
  const use = UPDATE_ITEMS;
  const evict = ["dynamodb:Scan", "dynamodb:UpdateItem", ...DELETE_ITEMS];
  const grants: [FunctionName, string[]][] = [
    ["CloneImage", use],
    ["CheckBackend", use],
    ["CopyImageToVolume", [...READ_ITEMS, ...evict]],
    ["SweepOverdueVolumes", evict],
  ];
  for (const [name, actions] of grants) {
    functions.allow(name, actions, records.imageCache.tableArn);
    functions.setEnvironment(name, { imageCacheTable: records.imageCache.tableName });
  }
  // Makes cached volumes, and deletes them.
  const remove = ["dynamodb:BatchGetItem", ...DELETE_ITEMS];
  functions.allow("CopyImageToVolume", ["dynamodb:PutItem", ...remove], records.volumes.tableArn);
  functions.allow("CopyImageToVolume", UPDATE_ITEMS, records.backends.tableArn);
  functions.setEnvironment("CopyImageToVolume", { backendsTable: records.backends.tableName });
  functions.allow("SweepOverdueVolumes", ["dynamodb:BatchGetItem"], records.volumes.tableArn);
}

function wireMessaging({ configuration, functions, messaging }: Parts): void {
  for (const name of NOTIFIES) {
    functions.allow(name, ["sns:Publish"], messaging.notificationsTopic.topicArn);
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
  functions.allow("RescheduleVolume", ["sqs:SendMessage"], messaging.schedulerQueue.queueArn);
  functions.allow("ScheduleVolume", ["sqs:SendMessage"], messaging.schedulerDeadLetterQueue.queueArn);
}
