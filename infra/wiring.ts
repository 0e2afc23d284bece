import { ArnFormat, type CfnElement, Stack } from "aws-cdk-lib";
import type { IKey } from "aws-cdk-lib/aws-kms";
import type { Bucket } from "aws-cdk-lib/aws-s3";
import { secretsOf } from "../core/image-services.ts";
import type { ExportedFileSystem } from "../core/backends.ts";
import type { FunctionName } from "../core/functions.ts";
import { acknowledge } from "./acknowledge.ts";
import type { Configuration } from "./configuration.ts";
import type { Conditions, Functions } from "./functions.ts";
import type { Messaging } from "./messaging.ts";
import type { Records } from "./records.ts";
import { grantTables } from "./table-access.ts";
import { LIVE_ALIAS, type Workflow } from "./workflow.ts";

/** The resources that functions are wired to. */
export type Parts = {
  functions: Functions;
  records: Records;
  messaging: Messaging;
  imagesBucket: Bucket;
  configuration: Configuration;
  encryptionKey: IKey | undefined;
  /** The stack's file system, for the function that names it to hosts; undefined when no host may mount it. */
  fileSystemExport: ExportedFileSystem | undefined;
};

/** These services read and write data under the customer's key in the name of the function. */
const KEY_SERVICES = ["dynamodb", "s3", "sns", "sqs"];

const USE_KEY = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"];

const READS_IMAGES: readonly FunctionName[] = ["ExtractVolumeSpec", "CloneImage", "CheckBackend", "CopyImageToVolume"];

/** Functions that access the volumes directly: they are in the network of the file system, and need only DynamoDB and S3. */
export const CALLS_DRIVERS: readonly FunctionName[] = [
  "CreateRawVolume",
  "CreateVolumeFromSnapshot",
  "CreateClonedVolume",
  "CloneImage",
  "CreateVolumeForImage",
  "CheckBackend",
  "CopyImageToVolume",
  "ReportBackends",
  "CreateSnapshot",
  "DeleteSnapshot",
  "DeleteVolume",
  "ExtendVolume",
  "AuditBackends",
  "CallDriver",
];

/** Functions that clear backends or request connections, and also call other services: CallDriver has the drivers for them. */
const CALLS_REMOTE_DRIVERS: readonly FunctionName[] = [
  "RescheduleVolume",
  "ErrorOutVolume",
  "ErrorOutFailedExecution",
  "SweepOverdueVolumes",
  "BlockStorageApi",
];

/** Functions with the configuration of the backends next to their code. */
export const HAS_BACKENDS: readonly FunctionName[] = [...CALLS_DRIVERS, ...CALLS_REMOTE_DRIVERS];

const NOTIFIES: readonly FunctionName[] = [
  "NotifyCreateStart",
  "CreateVolumeOnFinish",
  "ErrorOutVolume",
  "ErrorOutFailedExecution",
  "SweepOverdueVolumes",
  "ScheduleVolume",
  "KeepDeadLetters",
];

/** Gives each function only the variables and permissions of its work. */
export function wireFunctions(parts: Parts): void {
  grantTables(parts);
  wireMessaging(parts);
  wireImages(parts);
  wireDrivers(parts);
  if (parts.encryptionKey !== undefined) {
    for (const name of parts.functions.names) {
      // The caller of StartExecution passes the input to Step Functions, which encrypts it.
      const services = name === "ScheduleVolume" ? [...servicesOf(parts), "states"] : servicesOf(parts);
      parts.functions.allowIf(name, throughServices(parts, services), USE_KEY, parts.encryptionKey.keyArn);
    }
  }
  for (const name of ["ScheduleVolume", "ExtendVolume"] as const) {
    parts.functions.setEnvironment(name, { schedulerSettings: JSON.stringify(parts.configuration.scheduler) });
  }
}

function wireDrivers({ functions, fileSystemExport }: Parts): void {
  if (fileSystemExport !== undefined) {
    functions.setEnvironment("CallDriver", { fileSystemExport: Stack.of(functions).toJsonString(fileSystemExport) });
  }
  const { functionArn, functionName } = functions.get("CallDriver");
  for (const name of CALLS_REMOTE_DRIVERS.filter((each) => functions.names.includes(each))) {
    functions.allow(name, ["lambda:InvokeFunction"], functionArn);
    functions.setEnvironment(name, { callDriverFunction: functionName });
  }
}

function servicesOf({ configuration }: Parts): readonly string[] {
  return configuration.imageServices.glance === undefined ? KEY_SERVICES : [...KEY_SERVICES, "secretsmanager"];
}

/** The services that the function calls use the key, not the function itself. Services in China have another suffix. */
function throughServices({ functions }: Parts, services: readonly string[]): Conditions {
  const { region } = Stack.of(functions);
  return { StringLike: { "kms:ViaService": services.map((service) => `${service}.${region}.amazonaws.com*`) } };
}

/** Images of the bucket, and of Glance if it is configured, with only the secrets that its authentication reads. */
function wireImages({ configuration, functions, imagesBucket }: Parts): void {
  for (const name of READS_IMAGES) {
    functions.allow(name, ["s3:GetObject"], imagesBucket.arnForObjects("*"));
    // Without it S3 would answer "forbidden" for a missing object.
    functions.allow(name, ["s3:ListBucket"], imagesBucket.bucketArn);
    functions.setEnvironment(name, { imagesBucket: imagesBucket.bucketName });
  }
  const bucketId = Stack.of(imagesBucket).getLogicalId(imagesBucket.node.defaultChild as CfnElement);
  acknowledge(functions, {
    [`AwsSolutions-IAM5[Resource::<${bucketId}.Arn>/*]`]:
      "Only the call itself names the image; the bucket contains only images",
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
  // The API asks Glance with its callers' tokens, and needs no secret.
  for (const name of functions.names.filter((each) => each === "BlockStorageApi")) {
    functions.setEnvironment(name, { imageServices: JSON.stringify(imageServices) });
  }
  for (const name of READS_IMAGES) {
    functions.setEnvironment(name, { imageServices: JSON.stringify(imageServices) });
    if (resources.length > 0) {
      functions.allow(name, ["secretsmanager:GetSecretValue"], ...resources);
    }
  }
  if (prefix !== undefined) {
    acknowledge(functions, {
      [`AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:${prefix}*]`]:
        "Only the call itself names the token; the prefix contains only tokens",
    });
  }
}

/**
 * Scheduling starts executions. It is wired separately, because the state machine refers to the other functions. A call that names an alias
 * is authorised for the state machine, and the alias is a condition.
 *
 * @see https://docs.aws.amazon.com/step-functions/latest/dg/auth-version-alias.html
 */
export function wireWorkflow({ functions }: Parts, { aliasArn, stateMachine }: Workflow): void {
  const throughAlias =
    aliasArn === undefined ? {} : { "ForAnyValue:StringEquals": { "states:StateMachineQualifier": LIVE_ALIAS } };
  functions.allowIf("ScheduleVolume", throughAlias, ["states:StartExecution"], stateMachine.stateMachineArn);
  functions.setEnvironment("ScheduleVolume", { stateMachineArn: aliasArn ?? stateMachine.stateMachineArn });
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
