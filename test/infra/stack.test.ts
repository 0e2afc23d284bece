import { Template } from "aws-cdk-lib/assertions";
import { describe, expect, it } from "vitest";
import { INDEXES } from "../../core/settings/environment.ts";
import { FUNCTIONS, FUNCTION_NAMES, type FunctionName } from "../../core/settings/functions.ts";
import {
  LONG_FUNCTION_TIMEOUT_SECONDS,
  PHASE_BOUND_SECONDS,
  SHORT_FUNCTION_TIMEOUT_SECONDS,
} from "../../core/settings/time-bounds.ts";
import { functionNameIn, inlineTemplate } from "../../infra/inline-template.ts";
import { codeFilesOf } from "../support/code-files.ts";

const json = inlineTemplate({ fileSystem: "none" });
const template = Template.fromJSON(json);
const only = (type: string): Record<string, unknown> => {
  const found = Object.values(template.findResources(type));
  expect(found).toHaveLength(1);
  return found[0] as Record<string, unknown>;
};

/** The properties of the resource of that type whose logical id begins so. */
function propertiesOf(type: string, idPrefix: string): Record<string, unknown> {
  const found = Object.entries(template.findResources(type)).filter(([id]) => id.startsWith(idPrefix));
  expect(found).toHaveLength(1);
  return found[0]?.[1]?.["Properties"] as Record<string, unknown>;
}

describe("the outputs", () => {
  it("have the names that clients read, and no others", () => {
    expect(Object.keys(json.Outputs).toSorted()).toEqual([
      "AlarmsTopicArn",
      "AuditBackendsFunctionName",
      "BackendHosts",
      "BackendsTableName",
      "BlockStorageApiUrl",
      "CallDriverFunctionName",
      "ClaimsTableName",
      "CreateSnapshotFunctionName",
      "DeadLettersTableName",
      "DefaultImageService",
      "DeleteSnapshotFunctionName",
      "DeleteVolumeFunctionName",
      "ExtendVolumeFunctionName",
      "ImageCacheTableName",
      "ImagesBucketName",
      "LocksTableName",
      "NotificationsTopicArn",
      "ProjectsTableName",
      "SchedulerDeadLetterQueueUrl",
      "SchedulerQueueUrl",
      "ServiceDownSeconds",
      "SnapshotsTableName",
      "StateMachineArn",
      "VolumeTypesTableName",
      "VolumesTableName",
    ]);
  });

  it.each([
    ["SchedulerQueueUrl", "MessagingSchedulerQueue"],
    ["SchedulerDeadLetterQueueUrl", "MessagingSchedulerDeadLetterQueue"],
    ["StateMachineArn", "WorkflowCreateVolume"],
    ["NotificationsTopicArn", "MessagingNotificationsTopic"],
    ["VolumesTableName", "RecordsVolumesTable"],
    ["SnapshotsTableName", "RecordsSnapshotsTable"],
    ["VolumeTypesTableName", "RecordsVolumeTypesTable"],
    ["BackendsTableName", "RecordsBackendsTable"],
    ["ClaimsTableName", "RecordsClaimsTable"],
    ["LocksTableName", "RecordsLocksTable"],
    ["DeadLettersTableName", "RecordsDeadLettersTable"],
    ["ImageCacheTableName", "RecordsImageCacheTable"],
    ["ProjectsTableName", "RecordsProjectsTable"],
    ["ImagesBucketName", "ImagesBucket"],
    ["DeleteVolumeFunctionName", "FunctionsDeleteVolume"],
    ["ExtendVolumeFunctionName", "FunctionsExtendVolume"],
    ["CallDriverFunctionName", "FunctionsCallDriver"],
    ["AuditBackendsFunctionName", "FunctionsAuditBackends"],
  ])("%s is %s", (output, idPrefix) => {
    const { Value } = json.Outputs[output] ?? {};
    expect(Value).toEqual({ Ref: expect.stringMatching(new RegExp(`^${idPrefix}[0-9A-F]{8}$`)) });
  });
});

describe("the tables", () => {
  const TABLES: [string, string, string | undefined, string[], string][] = [
    ["RecordsVolumesTable", "id", INDEXES.volumesByDeadline, ["in_flow", "deadline"], "KEYS_ONLY"],
    ["RecordsSnapshotsTable", "id", INDEXES.snapshotsByVolume, ["volume_id"], "ALL"],
    ["RecordsVolumeTypesTable", "id", INDEXES.volumeTypesByName, ["name"], "ALL"],
    ["RecordsBackendsTable", "host", undefined, [], ""],
    ["RecordsDeadLettersTable", "id", undefined, [], ""],
    ["RecordsImageCacheTable", "id", undefined, [], ""],
  ];

  it("of locks has an item for each lock on a source", () => {
    expect(propertiesOf("AWS::DynamoDB::Table", "RecordsLocksTable")).toMatchObject({
      KeySchema: [
        { AttributeName: "source", KeyType: "HASH" },
        { AttributeName: "lock", KeyType: "RANGE" },
      ],
    });
  });

  it("of claims has a sort key, expires what is over, and an index of what is open that can be read consistently", () => {
    expect(propertiesOf("AWS::DynamoDB::Table", "RecordsClaimsTable")).toMatchObject({
      KeySchema: [
        { AttributeName: "host", KeyType: "HASH" },
        { AttributeName: "claim", KeyType: "RANGE" },
      ],
      LocalSecondaryIndexes: [
        {
          IndexName: INDEXES.openClaims,
          KeySchema: [
            { AttributeName: "host", KeyType: "HASH" },
            { AttributeName: "open_since", KeyType: "RANGE" },
          ],
          Projection: { ProjectionType: "ALL" },
        },
      ],
      TimeToLiveSpecification: { AttributeName: "expires_at", Enabled: true },
    });
  });

  it("of projects has a sort key, and an index by name that can be read consistently", () => {
    expect(propertiesOf("AWS::DynamoDB::Table", "RecordsProjectsTable")).toMatchObject({
      KeySchema: [
        { AttributeName: "project_id", KeyType: "HASH" },
        { AttributeName: "entry", KeyType: "RANGE" },
      ],
      LocalSecondaryIndexes: [
        {
          IndexName: INDEXES.projectEntriesByName,
          KeySchema: [
            { AttributeName: "project_id", KeyType: "HASH" },
            { AttributeName: "display_name", KeyType: "RANGE" },
          ],
        },
      ],
    });
  });

  it.each(TABLES)("%s has its key %s and its index", (id, key, index, indexKeys, projection) => {
    const properties = propertiesOf("AWS::DynamoDB::Table", id);
    expect(properties["KeySchema"]).toEqual([{ AttributeName: key, KeyType: "HASH" }]);
    const KeySchema = indexKeys.map((AttributeName, place) => ({
      AttributeName,
      KeyType: place === 0 ? "HASH" : "RANGE",
    }));
    const [first] = (properties["GlobalSecondaryIndexes"] ?? []) as unknown[];
    const expected = { IndexName: index, KeySchema, Projection: { ProjectionType: projection } };
    expect(first).toEqual(index === undefined ? undefined : expected);
  });

  it("of snapshots has an index by deadline, as that of volumes has", () => {
    const indexOf = (id: string) =>
      (propertiesOf("AWS::DynamoDB::Table", id)["GlobalSecondaryIndexes"] as { IndexName: string }[]).find(
        ({ IndexName }) => IndexName === INDEXES.snapshotsByDeadline,
      );
    expect(indexOf("RecordsSnapshotsTable")).toEqual(indexOf("RecordsVolumesTable"));
  });

  it("are all on demand, encrypted, recoverable, and kept when the stack goes", () => {
    expect(Object.keys(template.findResources("AWS::DynamoDB::Table"))).toHaveLength(TABLES.length + 3);
    template.allResources("AWS::DynamoDB::Table", {
      Properties: {
        BillingMode: "PAY_PER_REQUEST",
        SSESpecification: { SSEEnabled: true },
        PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
      },
      DeletionPolicy: "Retain",
      UpdateReplacePolicy: "Retain",
    });
  });
});

describe("the scheduler queue", () => {
  const queue = propertiesOf("AWS::SQS::Queue", "MessagingSchedulerQueue") as {
    VisibilityTimeout: number;
    RedrivePolicy: { maxReceiveCount: number; deadLetterTargetArn: { "Fn::GetAtt": [string, string] } };
  };

  it("hides a message longer than the function that takes it may run", () => {
    expect(queue.VisibilityTimeout).toBeGreaterThan(FUNCTIONS.ScheduleVolume.timeoutSeconds);
  });

  it("gives a message up for dead before the sweep takes its volume", () => {
    const { maxReceiveCount } = queue.RedrivePolicy;
    expect(queue.VisibilityTimeout * maxReceiveCount).toBeLessThan(PHASE_BOUND_SECONDS.queued);
    expect(maxReceiveCount).toBeGreaterThanOrEqual(5);
  });

  it("sends what is dead to the dead letters, which are kept for two weeks", () => {
    expect(queue.RedrivePolicy.deadLetterTargetArn["Fn::GetAtt"][0]).toMatch(/^MessagingSchedulerDeadLetterQueue/);
    template.hasResourceProperties("AWS::SQS::Queue", { MessageRetentionPeriod: 14 * 24 * 3600 });
  });

  it.each([
    ["MessagingSchedulerQueue", "ScheduleVolume", 10],
    ["MessagingSchedulerDeadLetterQueue", "KeepDeadLetters", 5],
  ])("%s feeds %s in batches that may fail in part", (queueId, functionName, BatchSize) => {
    const mappings = Object.values(template.findResources("AWS::Lambda::EventSourceMapping"));
    expect(mappings).toHaveLength(2);
    const properties = mappings
      .map(({ Properties }) => Properties as { EventSourceArn: unknown; FunctionName: { Ref: string } })
      .find(({ EventSourceArn }) => new RegExp(`"${queueId}[0-9A-F]{8}"`).test(JSON.stringify(EventSourceArn)));
    expect(properties).toMatchObject({ BatchSize, FunctionResponseTypes: ["ReportBatchItemFailures"] });
    expect(functionNameIn(properties?.FunctionName.Ref ?? "")).toBe(functionName);
  });

  it("takes no message that would not fit a workflow's input or a dead letter's item", () => {
    expect(queue).toMatchObject({ MaximumMessageSize: 262_144 });
  });

  it("has dead letters that are hidden longer than the function that keeps them may run", () => {
    const { VisibilityTimeout } = propertiesOf("AWS::SQS::Queue", "MessagingSchedulerDeadLetterQueue");
    expect(VisibilityTimeout).toBeGreaterThan(FUNCTIONS.KeepDeadLetters.timeoutSeconds);
  });

  it("has dead letters that expire where they are kept", () => {
    expect(propertiesOf("AWS::DynamoDB::Table", "RecordsDeadLettersTable")).toMatchObject({
      TimeToLiveSpecification: { AttributeName: "expires_at", Enabled: true },
    });
  });

  it("and its dead letters are encrypted, and reached over TLS only", () => {
    template.allResourcesProperties("AWS::SQS::Queue", { SqsManagedSseEnabled: true });
    for (const [type, ofType] of [
      ["AWS::SQS::Queue", "AWS::SQS::QueuePolicy"],
      ["AWS::SNS::Topic", "AWS::SNS::TopicPolicy"],
      ["AWS::S3::Bucket", "AWS::S3::BucketPolicy"],
    ] as const) {
      const policies = Object.values(template.findResources(ofType));
      expect([ofType, policies.length]).toEqual([ofType, Object.keys(template.findResources(type)).length]);
      for (const policy of policies) {
        expect(JSON.stringify(policy)).toContain('"aws:SecureTransport":"false"');
      }
    }
  });
});

describe("the state machine", () => {
  it("is a standard one that logs everything but data", () => {
    expect(only("AWS::StepFunctions::StateMachine")["Properties"]).toMatchObject({
      StateMachineType: "STANDARD",
      LoggingConfiguration: { Level: "ALL", IncludeExecutionData: false },
      TracingConfiguration: { Enabled: true },
    });
  });

  it("ends after a day at the latest", () => {
    expect(JSON.stringify(only("AWS::StepFunctions::StateMachine"))).toContain('\\"TimeoutSeconds\\":86400');
  });
});

describe("the functions", () => {
  it("are those of the list, each with its time-out", () => {
    const timeouts = Object.entries(template.findResources("AWS::Lambda::Function")).map(
      ([id, { Properties }]) => [functionNameIn(id), (Properties as { Timeout: number }).Timeout] as const,
    );
    expect(Object.fromEntries(timeouts)).toEqual(
      Object.fromEntries(FUNCTION_NAMES.map((name) => [name, FUNCTIONS[name].timeoutSeconds])),
    );
    const allowed = [SHORT_FUNCTION_TIMEOUT_SECONDS, LONG_FUNCTION_TIMEOUT_SECONDS];
    expect(timeouts.every(([, timeout]) => allowed.includes(timeout))).toBe(true);
  });

  it("all run on the same runtime, each with its own log group that forgets", () => {
    template.allResourcesProperties("AWS::Lambda::Function", { Runtime: "nodejs24.x", Handler: "index.handler" });
    template.allResourcesProperties("AWS::Logs::LogGroup", { RetentionInDays: 30 });
    const logGroups = Object.keys(template.findResources("AWS::Logs::LogGroup"));
    expect(logGroups).toHaveLength(FUNCTION_NAMES.length + 2);
  });

  it("that call drivers get the backends next to their code", () => {
    const told = [...codeFilesOf({})].flatMap(([name, files]) => (files["backends.json"] === undefined ? [] : [name]));
    expect(new Set(told)).toEqual(
      new Set([
        "AuditBackends",
        "BlockStorageApi",
        "CallDriver",
        "CheckBackend",
        "CloneImage",
        "CopyImageToVolume",
        "CreateClonedVolume",
        "CreateRawVolume",
        "CreateSnapshot",
        "CreateVolumeForImage",
        "CreateVolumeFromSnapshot",
        "DeleteSnapshot",
        "DeleteVolume",
        "ErrorOutFailedExecution",
        "ErrorOutVolume",
        "ExtendVolume",
        "ReportBackends",
        "RescheduleVolume",
        "SweepOverdueVolumes",
      ] satisfies FunctionName[]),
    );
  });
});

describe("the nets", () => {
  const targetOf = (idPrefix: string) => {
    const { Targets } = propertiesOf("AWS::Events::Rule", idPrefix) as {
      Targets: { Arn: { "Fn::GetAtt": [string] } }[];
    };
    return Targets.map(({ Arn }) => functionNameIn(Arn["Fn::GetAtt"][0]));
  };

  it("catch executions that failed, timed out or were aborted", () => {
    expect(propertiesOf("AWS::Events::Rule", "NetsExecutionFailed")["EventPattern"]).toMatchObject({
      source: ["aws.states"],
      "detail-type": ["Step Functions Execution Status Change"],
      detail: { status: ["FAILED", "TIMED_OUT", "ABORTED"] },
    });
    expect(targetOf("NetsExecutionFailed")).toEqual(["ErrorOutFailedExecution"]);
  });

  it("sweep every minute", () => {
    expect(propertiesOf("AWS::Events::Rule", "NetsSweepSchedule")["ScheduleExpression"]).toBe("rate(1 minute)");
    expect(targetOf("NetsSweepSchedule")).toEqual(["SweepOverdueVolumes"]);
  });

  it("audit the backends every hour, and reap nothing unless configured to", () => {
    const rule = propertiesOf("AWS::Events::Rule", "NetsAuditSchedule") as { Targets: { Input: string }[] };
    expect(rule).toMatchObject({ ScheduleExpression: "rate(1 hour)" });
    expect(targetOf("NetsAuditSchedule")).toEqual(["AuditBackends"]);
    expect(JSON.parse(rule.Targets[0]?.Input ?? "null")).toEqual({ reap: false, older_than_hours: 24, max_reap: 25 });
  });
});

it("the images bucket is private, encrypted and kept", () => {
  expect(only("AWS::S3::Bucket")).toMatchObject({
    DeletionPolicy: "Retain",
    Properties: {
      PublicAccessBlockConfiguration: {
        BlockPublicAcls: true,
        BlockPublicPolicy: true,
        IgnorePublicAcls: true,
        RestrictPublicBuckets: true,
      },
    },
  });
  expect(JSON.stringify(only("AWS::S3::Bucket"))).toContain("SSEAlgorithm");
});
