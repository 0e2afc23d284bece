import { ArnFormat, type CfnElement, Stack } from "aws-cdk-lib";
import type { IKey } from "aws-cdk-lib/aws-kms";
import type { Bucket } from "aws-cdk-lib/aws-s3";
import type { Queue } from "aws-cdk-lib/aws-sqs";
import { secretsOf } from "../core/images/image-services.ts";
import type { ExportedFileSystem } from "../core/backends/backends.ts";
import { type FunctionName, FUNCTIONS, type FunctionUse } from "../core/settings/functions.ts";
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

/** Whether a function has the configuration of the backends next to its code. */
export function usesBackends(name: FunctionName): boolean {
  return FUNCTIONS[name].uses.some((use) => use === "drivers" || use === "remote-drivers");
}

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
  for (const name of parts.functions.using("scheduler-settings")) {
    parts.functions.setEnvironment(name, { schedulerSettings: JSON.stringify(parts.configuration.scheduler) });
  }
}

function wireDrivers({ functions, fileSystemExport }: Parts): void {
  if (fileSystemExport !== undefined) {
    functions.setEnvironment("CallDriver", { fileSystemExport: Stack.of(functions).toJsonString(fileSystemExport) });
  }
  const { functionArn, functionName } = functions.get("CallDriver");
  for (const name of functions.using("remote-drivers")) {
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
  for (const name of functions.using("images")) {
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
  for (const name of functions.using("images")) {
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
  const { notificationsTopic, schedulerQueue, schedulerDeadLetterQueue } = messaging;
  for (const name of functions.using("notifications")) {
    functions.allow(name, ["sns:Publish"], notificationsTopic.topicArn);
    functions.setEnvironment(name, {
      notificationsTopicArn: notificationsTopic.topicArn,
      notificationEra: configuration.notificationEra,
    });
  }
  const sends = (use: FunctionUse, queue: Queue): void => {
    for (const name of functions.using(use)) {
      functions.allow(name, ["sqs:SendMessage"], queue.queueArn);
      functions.setEnvironment(name, {
        schedulerQueueUrl: schedulerQueue.queueUrl,
        schedulerDeadLetterQueueUrl: schedulerDeadLetterQueue.queueUrl,
      });
    }
  };
  sends("requests", schedulerQueue);
  sends("dead-letters", schedulerDeadLetterQueue);
}
