import { unlogged } from "../adapters/unlogged.ts";
import { SERVICE_DOWN_SECONDS } from "../core/settings/time-bounds.ts";
import type { Clock } from "../core/ports.ts";
import type { Connection } from "./connection.ts";
import { CliError } from "./errors.ts";
import { findOutputs, outputOf } from "./outputs.ts";
import type { OutputName, Target } from "./outputs.ts";

/** A client whose sockets have to be closed. */
type Client = Parameters<typeof unlogged>[0] & { destroy(): void };

const clock: Clock = { now: () => new Date() };

/**
 * Opens a deployment through the AWS SDK. Clients take region, keys and endpoints (AWS_ENDPOINT_URL_*) from the process's environment, to
 * which the variables next to an outputs file are added first. So this must run before any client is created.
 */
export async function openConnection(
  target: Target,
  environment: Record<string, string | undefined>,
): Promise<Connection> {
  const clients: Client[] = [];
  const keep = <Kind extends Client>(client: Kind): Kind => {
    clients.push(client);
    return unlogged(client);
  };
  takeTarget(target, environment);
  const outputs = await findOutputs(target, environment, (stack) => describeStack(stack, keep));
  const output = (name: OutputName): string => outputOf(outputs, name);
  const dynamodb = once(async () => {
    const { DynamoDBClient } = await import("@aws-sdk/client-dynamodb");
    return keep(new DynamoDBClient({}));
  });
  return {
    volumes: once(async () => {
      const { DynamoDbVolumeRepository } = await import("../adapters/dynamodb/volume-repository.ts");
      const tableName = output("VolumesTableName");
      return new DynamoDbVolumeRepository({ client: await dynamodb(), tableName, clock });
    }),
    snapshots: once(async () => {
      const { DynamoDbSnapshotRepository } = await import("../adapters/dynamodb/snapshot-repository.ts");
      const tableName = output("SnapshotsTableName");
      return new DynamoDbSnapshotRepository({ client: await dynamodb(), tableName });
    }),
    locks: once(async () => {
      const { DynamoDbLockRepository } = await import("../adapters/dynamodb/lock-repository.ts");
      return new DynamoDbLockRepository({ client: await dynamodb(), tableName: output("LocksTableName") });
    }),
    volumeTypes: once(async () => {
      const { DynamoDbVolumeTypeRepository } = await import("../adapters/dynamodb/volume-type-repository.ts");
      const tableName = output("VolumeTypesTableName");
      return new DynamoDbVolumeTypeRepository({ client: await dynamodb(), tableName });
    }),
    backends: once(async () => {
      const { DynamoDbBackendRepository } = await import("../adapters/dynamodb/backend-repository.ts");
      const tableName = output("BackendsTableName");
      const claimsTableName = output("ClaimsTableName");
      return new DynamoDbBackendRepository({ client: await dynamodb(), tableName, claimsTableName, clock });
    }),
    deadLetters: once(async () => {
      const { DynamoDbDeadLetterRepository } = await import("../adapters/dynamodb/dead-letter-repository.ts");
      const tableName = output("DeadLettersTableName");
      return new DynamoDbDeadLetterRepository({ client: await dynamodb(), tableName });
    }),
    projects: once(async () => {
      const { DynamoDbProjectRepository } = await import("../adapters/dynamodb/project-repository.ts");
      const tableName = output("ProjectsTableName");
      return new DynamoDbProjectRepository({ client: await dynamodb(), tableName, clock });
    }),
    audits: once(async () => {
      const { DynamoDbAuditRepository } = await import("../adapters/dynamodb/audit-repository.ts");
      const tableName = output("ProjectsTableName");
      return new DynamoDbAuditRepository({ client: await dynamodb(), tableName });
    }),
    imageCache: once(async () => {
      const { DynamoDbImageCacheRepository } = await import("../adapters/dynamodb/image-cache-repository.ts");
      const tableName = output("ImageCacheTableName");
      return new DynamoDbImageCacheRepository({ client: await dynamodb(), tableName });
    }),
    schedulerQueue: once(async () => {
      const queueUrl = output("SchedulerQueueUrl");
      const deadLetterQueueUrl = output("SchedulerDeadLetterQueueUrl");
      const { SQSClient } = await import("@aws-sdk/client-sqs");
      const { SqsSchedulerQueue } = await import("../adapters/sqs/scheduler-queue.ts");
      return new SqsSchedulerQueue({
        client: keep(new SQSClient({})),
        queueUrl,
        deadLetterQueueUrl,
      });
    }),
    images: once(async () => {
      const bucket = output("ImagesBucketName");
      const { S3Client } = await import("@aws-sdk/client-s3");
      const { ImageBucket } = await import("./image-bucket.ts");
      // A bucket's name can only be a host's first label where the host is Amazon's.
      const forcePathStyle =
        environment["AWS_ENDPOINT_URL_S3"] !== undefined || environment["AWS_ENDPOINT_URL"] !== undefined;
      return new ImageBucket(keep(new S3Client({ forcePathStyle })), bucket);
    }),
    // Deployments of releases without this setting have no such output.
    defaultImageService: async () => (outputs.values["DefaultImageService"] === "glance" ? "glance" : "bucket"),
    // Stacks of earlier releases have no such output.
    backendHosts: async () => (outputs.values["BackendHosts"] ?? "").split(",").filter((host) => host !== ""),
    serviceDownSeconds: async () => Number(outputs.values["ServiceDownSeconds"] ?? SERVICE_DOWN_SECONDS),
    consumersAccessPoint: async () => outputs.values["VolumeConsumersAccessPointId"],
    driverFunctions: once(async () => {
      const { LambdaClient } = await import("@aws-sdk/client-lambda");
      const { LambdaDriverFunctions } = await import("./driver-functions.ts");
      return new LambdaDriverFunctions(keep(new LambdaClient({})), {
        createSnapshot: () => output("CreateSnapshotFunctionName"),
        deleteSnapshot: () => output("DeleteSnapshotFunctionName"),
        deleteVolume: () => output("DeleteVolumeFunctionName"),
        extendVolume: () => output("ExtendVolumeFunctionName"),
        callDriver: () => output("CallDriverFunctionName"),
        auditBackends: () => output("AuditBackendsFunctionName"),
      });
    }),
    executions: once(async () => {
      const stateMachineArn = output("StateMachineArn");
      const { SFNClient } = await import("@aws-sdk/client-sfn");
      const { SfnExecutions } = await import("./executions.ts");
      return new SfnExecutions(keep(new SFNClient({})), stateMachineArn);
    }),
    alarms: once(async () => {
      const topicArn = output("AlarmsTopicArn");
      const { CloudWatchClient } = await import("@aws-sdk/client-cloudwatch");
      const { CloudWatchAlarms } = await import("./alarms.ts");
      return new CloudWatchAlarms(keep(new CloudWatchClient({})), topicArn);
    }),
    close: () => {
      for (const client of clients) {
        client.destroy();
      }
    },
  };
}

/** A profile's credentials and region replace those of the shell, because the command names the profile. */
function takeTarget({ aws_profile: profile, region }: Target, environment: Record<string, string | undefined>): void {
  if (profile !== undefined) {
    environment["AWS_PROFILE"] = profile;
    delete environment["AWS_ACCESS_KEY_ID"];
    delete environment["AWS_SECRET_ACCESS_KEY"];
    delete environment["AWS_SESSION_TOKEN"];
  }
  if (region !== undefined) {
    environment["AWS_REGION"] = region;
  }
}

/** The outputs of a deployed stack. */
async function describeStack(
  name: string,
  keep: <Kind extends Client>(client: Kind) => Kind,
): Promise<Record<string, string>> {
  const { CloudFormationClient, DescribeStacksCommand } = await import("@aws-sdk/client-cloudformation");
  const client = keep(new CloudFormationClient({}));
  const { Stacks = [] } = await client.send(new DescribeStacksCommand({ StackName: name }));
  const [stack] = Stacks;
  if (stack === undefined) {
    throw new CliError(`there is no stack ${name}`);
  }
  const pairs = (stack.Outputs ?? []).map(({ OutputKey = "", OutputValue = "" }) => [OutputKey, OutputValue] as const);
  return Object.fromEntries(pairs);
}

function once<Value>(make: () => Promise<Value>): () => Promise<Value> {
  let made: Promise<Value> | undefined;
  return () => (made ??= make());
}
