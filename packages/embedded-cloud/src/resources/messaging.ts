import { booleanOf, isJsonObject, scalarText, textOf } from "../json.ts";
import type { JsonObject, JsonValue } from "../json.ts";
import { ACCOUNT_ID, arnOf, physicalName } from "../physical-names.ts";
import type { ResourceHandler } from "./resource-handler.ts";
import { unsupported } from "./resource-handler.ts";

const QUEUE_ATTRIBUTES = [
  "DelaySeconds",
  "MaximumMessageSize",
  "MessageRetentionPeriod",
  "ReceiveMessageWaitTimeSeconds",
  "VisibilityTimeout",
  "RedrivePolicy",
  "RedriveAllowPolicy",
  "FifoQueue",
  "ContentBasedDeduplication",
  "SqsManagedSseEnabled",
  "KmsMasterKeyId",
  "KmsDataKeyReusePeriodSeconds",
];

/** AWS::SQS::Queue. Its Ref is `http://127.0.0.1:PORT/000000000000/NAME`. Messages are not removed after the retention period. */
export const sqsQueue: ResourceHandler = {
  properties: ["QueueName", ...QUEUE_ATTRIBUTES, "Tags"],
  identify: ({ logicalId, properties }, context) => {
    const fifo = booleanOf(properties["FifoQueue"]) === true;
    const name = textOf(
      properties["QueueName"],
      physicalName(context, logicalId, fifo ? 75 : 80) + (fifo ? ".fifo" : ""),
    );
    const url = `${context.messagingEndpoint}/${ACCOUNT_ID}/${name}`;
    return {
      ref: url,
      attributes: { Arn: arnOf(context, "sqs", name), QueueName: name, QueueUrl: url },
    };
  },
  deploy: async ({ properties }, { attributes }, { messaging }) => {
    await messaging.ensureQueue({
      name: attributes["QueueName"] ?? "",
      attributes: textAttributes(properties, QUEUE_ATTRIBUTES),
    });
  },
};

/** AWS::SNS::Topic. */
export const snsTopic: ResourceHandler = {
  properties: ["TopicName", "DisplayName", "KmsMasterKeyId", "SignatureVersion", "TracingConfig", "Tags"],
  identify: ({ logicalId, properties }, context) => {
    const name = textOf(properties["TopicName"], physicalName(context, logicalId, 256));
    const arn = arnOf(context, "sns", name);
    return { ref: arn, attributes: { TopicArn: arn, TopicName: name } };
  },
  deploy: async ({ properties }, { attributes }, { messaging }) => {
    await messaging.ensureTopic({
      name: attributes["TopicName"] ?? "",
      attributes: textAttributes(properties, ["DisplayName", "KmsMasterKeyId"]),
    });
  },
};

const SUBSCRIPTION_ATTRIBUTES = ["FilterPolicy", "FilterPolicyScope", "RawMessageDelivery", "RedrivePolicy"];

/** AWS::SNS::Subscription of a queue. A redrive policy is stored; delivery to a queue of this cloud does not fail. */
export const snsSubscription: ResourceHandler = {
  properties: ["TopicArn", "Endpoint", "Protocol", "Region", ...SUBSCRIPTION_ATTRIBUTES],
  check: ({ properties }) =>
    properties["Protocol"] === "sqs" ? [] : [unsupported(`Protocol ${textOf(properties["Protocol"])}`)],
  identify: ({ logicalId, properties }) => {
    const arn = `${textOf(properties["TopicArn"])}:${logicalId}`;
    return { ref: arn, attributes: { Arn: arn } };
  },
  deploy: async ({ properties }, _identity, { messaging }) => {
    await messaging.ensureSubscription({
      topicArn: textOf(properties["TopicArn"]),
      endpoint: textOf(properties["Endpoint"]),
      attributes: textAttributes(properties, SUBSCRIPTION_ATTRIBUTES),
    });
  },
};

/** AWS::S3::Bucket: objects only. Encryption, ownership, life cycle and the like are accepted without effect. */
export const s3Bucket: ResourceHandler = {
  properties: [
    "BucketName",
    "BucketEncryption",
    "PublicAccessBlockConfiguration",
    "OwnershipControls",
    "LifecycleConfiguration",
    "VersioningConfiguration",
    "LoggingConfiguration",
    "AccessControl",
    "Tags",
  ],
  identify: ({ logicalId, properties }, context) => {
    const name = textOf(properties["BucketName"], physicalName(context, logicalId, 63).toLowerCase());
    const host = new URL(context.messagingEndpoint).host;
    return {
      ref: name,
      attributes: {
        Arn: `arn:aws:s3:::${name}`,
        DomainName: `${name}.${host}`,
        RegionalDomainName: `${name}.${host}`,
      },
    };
  },
  deploy: async (_resource, { ref }, { messaging }) => {
    await messaging.ensureBucket({ name: ref });
  },
};

/** The named properties in the form of SQS and SNS: text, objects as JSON. */
function textAttributes(properties: JsonObject, names: readonly string[]): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const name of names) {
    const value: JsonValue | undefined = properties[name];
    if (value === undefined || value === null) continue;
    attributes[name] = isJsonObject(value) || Array.isArray(value) ? JSON.stringify(value) : (scalarText(value) ?? "");
  }
  return attributes;
}
