import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { arrayOrEmpty, booleanOf, isJsonObject, numberOf, objectOrEmpty, scalarText, textOf } from "../json.ts";
import type { JsonObject } from "../json.ts";
import { functionNameOf } from "../functions/function-emulator.ts";
import { arnOf, physicalName, stableUuid } from "../physical-names.ts";
import type { ResolvedResource, ResourceHandler } from "./resource-handler.ts";
import { unsupported } from "./resource-handler.ts";

const DEFAULT_TIMEOUT_SECONDS = 3;
const DEFAULT_MEMORY_MIB = 128;

/** AWS::Lambda::Function with a Node runtime, from a zip asset's directory or inline code. */
export const lambdaFunction: ResourceHandler = {
  properties: [
    "FunctionName",
    "Code",
    "Handler",
    "Runtime",
    "Environment",
    "Timeout",
    "MemorySize",
    "ReservedConcurrentExecutions",
    "DeadLetterConfig",
    "Description",
    "Role",
    "Architectures",
    "TracingConfig",
    "LoggingConfig",
    "Tags",
    "PackageType",
    "EphemeralStorage",
    "KmsKeyArn",
    "RecursiveLoop",
    "RuntimeManagementConfig",
  ],
  identify: ({ logicalId, properties }, context) => {
    const name = textOf(properties["FunctionName"], physicalName(context, logicalId, 64));
    return { ref: name, attributes: { Arn: arnOf(context, "lambda", `function:${name}`) } };
  },
  check: ({ properties }, { assets }) => {
    const code = objectOrEmpty(properties["Code"]);
    const problems: string[] = [];
    if (!/^nodejs\d+\.x$/.test(textOf(properties["Runtime"])))
      problems.push(unsupported(`Runtime ${textOf(properties["Runtime"])}`));
    if ((properties["PackageType"] ?? "Zip") !== "Zip") problems.push(unsupported("PackageType Image"));
    if (code["ZipFile"] === undefined && !assets.has(textOf(code["S3Key"]))) {
      problems.push(`property Code.S3Key ${textOf(code["S3Key"])} names no asset directory of the synthesised app`);
    }
    return problems;
  },
  deploy: (resource, identity, parts) => {
    const { properties } = resource;
    const deadLetterTarget = objectOrEmpty(properties["DeadLetterConfig"])["TargetArn"];
    const logging = objectOrEmpty(properties["LoggingConfig"]);
    parts.functions.register({
      name: identity.ref,
      arn: identity.attributes["Arn"] ?? "",
      handler: textOf(properties["Handler"]),
      runtime: textOf(properties["Runtime"]),
      codeDirectory: codeDirectory(resource, parts.assets, parts.inlineCodeDirectory),
      environment: variables(properties),
      timeoutSeconds: numberOf(properties["Timeout"]) ?? DEFAULT_TIMEOUT_SECONDS,
      memorySizeMib: numberOf(properties["MemorySize"]) ?? DEFAULT_MEMORY_MIB,
      reservedConcurrency: numberOf(properties["ReservedConcurrentExecutions"]),
      logGroupName: textOf(logging["LogGroup"], `/aws/lambda/${identity.ref}`),
      description: textOf(properties["Description"], ""),
      deadLetterQueueArn: typeof deadLetterTarget === "string" ? deadLetterTarget : undefined,
    });
  },
};

function variables(properties: JsonObject): Record<string, string> {
  const declared = objectOrEmpty(objectOrEmpty(properties["Environment"])["Variables"]);
  return Object.fromEntries(Object.entries(declared).map(([name, value]) => [name, scalarText(value) ?? ""]));
}

function codeDirectory(
  { logicalId, properties }: ResolvedResource,
  assets: ReadonlyMap<string, string>,
  inlineRoot: string,
): string {
  const { S3Key: key, ZipFile: inline } = objectOrEmpty(properties["Code"]);
  if (typeof inline !== "string") return assets.get(textOf(key)) ?? "";
  // A directory for each code: an update must not change files that an earlier environment is about to load.
  const directory = path.join(inlineRoot, logicalId, stableUuid(inline));
  mkdirSync(directory, { recursive: true });
  writeFileSync(path.join(directory, "index.js"), inline);
  return directory;
}

const MAXIMUM_SQS_BATCH = 10_000;
const MAXIMUM_BATCH_WITHOUT_WINDOW = 10;

/** AWS::Lambda::EventSourceMapping of an SQS queue. */
export const lambdaEventSourceMapping: ResourceHandler = {
  properties: [
    "EventSourceArn",
    "FunctionName",
    "BatchSize",
    "MaximumBatchingWindowInSeconds",
    "FunctionResponseTypes",
    "ScalingConfig",
    "Enabled",
    "Tags",
    "MetricsConfig",
  ],
  identify: ({ logicalId }, context) => {
    const id = stableUuid(`${context.stackName}/${logicalId}`);
    return {
      ref: id,
      attributes: {
        Id: id,
        EventSourceMappingArn: arnOf(context, "lambda", `event-source-mapping:${id}`),
      },
    };
  },
  check: ({ properties }) => {
    const batchSize = numberOf(properties["BatchSize"]) ?? 10;
    const window = numberOf(properties["MaximumBatchingWindowInSeconds"]) ?? 0;
    const problems: string[] = [];
    if (!textOf(properties["EventSourceArn"]).includes(":sqs:"))
      problems.push(unsupported(`EventSourceArn ${textOf(properties["EventSourceArn"])}`));
    if (batchSize < 1 || batchSize > MAXIMUM_SQS_BATCH)
      problems.push(`property BatchSize must be 1 to ${MAXIMUM_SQS_BATCH}`);
    if (batchSize > MAXIMUM_BATCH_WITHOUT_WINDOW && window < 1) {
      problems.push(
        `property MaximumBatchingWindowInSeconds must be 1 or more with a BatchSize above ${MAXIMUM_BATCH_WITHOUT_WINDOW}`,
      );
    }
    return problems;
  },
  deploy: ({ properties }, _identity, parts) => {
    if (booleanOf(properties["Enabled"]) === false) return;
    parts.addEventSource({
      queueArn: textOf(properties["EventSourceArn"]),
      functionName: functionNameOf(textOf(properties["FunctionName"])),
      batchSize: numberOf(properties["BatchSize"]) ?? 10,
      maximumBatchingWindowSeconds: numberOf(properties["MaximumBatchingWindowInSeconds"]) ?? 0,
      reportBatchItemFailures: arrayOrEmpty(properties["FunctionResponseTypes"]).includes("ReportBatchItemFailures"),
      maximumConcurrency: numberOf(objectOrEmpty(properties["ScalingConfig"])["MaximumConcurrency"]),
    });
  },
};

/** AWS::Lambda::EventInvokeConfig: retries of asynchronous events and the queue for failed ones. */
export const lambdaEventInvokeConfig: ResourceHandler = {
  properties: ["FunctionName", "Qualifier", "MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig"],
  identify: ({ logicalId }, context) => ({
    ref: physicalName(context, logicalId, 128),
    attributes: {},
  }),
  check: ({ properties }) => {
    const { OnSuccess: onSuccess, OnFailure: onFailure } = objectOrEmpty(properties["DestinationConfig"]);
    const destination = objectOrEmpty(onFailure)["Destination"];
    return [
      ...(isJsonObject(onSuccess) ? [unsupported("DestinationConfig.OnSuccess")] : []),
      ...(typeof destination === "string" && !destination.includes(":sqs:")
        ? [unsupported(`DestinationConfig.OnFailure ${destination}`)]
        : []),
    ];
  },
  deploy: ({ properties }, _identity, { asynchronous }) => {
    const destination = objectOrEmpty(objectOrEmpty(properties["DestinationConfig"])["OnFailure"])["Destination"];
    asynchronous.setPolicy(functionNameOf(textOf(properties["FunctionName"])), {
      maximumRetryAttempts: numberOf(properties["MaximumRetryAttempts"]) ?? 2,
      failureQueueArn: typeof destination === "string" ? destination : undefined,
    });
  },
};
