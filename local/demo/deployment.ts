import { CreateQueueCommand, GetQueueAttributesCommand, SQSClient } from "@aws-sdk/client-sqs";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { S3Client } from "@aws-sdk/client-s3";
import { SNSClient, SubscribeCommand } from "@aws-sdk/client-sns";
import type { EmbeddedCloud } from "@cinderless/embedded-cloud";
import { DynamoDbBackendRepository } from "../../adapters/dynamodb/backend-repository.ts";
import { DynamoDbSnapshotRepository } from "../../adapters/dynamodb/snapshot-repository.ts";
import { DynamoDbVolumeRepository } from "../../adapters/dynamodb/volume-repository.ts";
import { SqsSchedulerQueue } from "../../adapters/sqs/scheduler-queue.ts";
import type {
  BackendRepository,
  Clock,
  SchedulerQueue,
  SnapshotRepository,
  VolumeRepository,
} from "../../core/ports.ts";
import type { CreateSnapshotInput } from "../../core/snapshots/create-snapshot.ts";

/** The deployed stack as its clients reach it: through the AWS SDK. */
export type Deployment = {
  volumes: VolumeRepository;
  snapshots: SnapshotRepository;
  backends: BackendRepository;
  queue: SchedulerQueue;
  s3: S3Client;
  sqs: SQSClient;
  imagesBucket: string;
  /** Takes a snapshot with the stack's own function. @throws Error under the name of the function's error */
  createSnapshot(input: CreateSnapshotInput): Promise<void>;
  /** Makes a queue of that name, subscribes it to the notifications, and returns its URL. */
  subscribeQueue(name: string): Promise<string>;
  close(): void;
};

const clock: Clock = { now: () => new Date() };

/** Clients for a running cloud that the stack is deployed to. */
export function connect(cloud: EmbeddedCloud): Deployment {
  const { endpoints, environment } = cloud;
  const output = (name: string): string => {
    const value = cloud.outputs[name];
    if (value === undefined) {
      throw new Error(`the stack has no output ${name}`);
    }
    return value;
  };
  const options = (endpoint: string) => ({
    endpoint,
    region: environment["AWS_REGION"] ?? "us-east-1",
    credentials: {
      accessKeyId: environment["AWS_ACCESS_KEY_ID"] ?? "local",
      secretAccessKey: environment["AWS_SECRET_ACCESS_KEY"] ?? "local",
    },
  });
  const dynamodb = new DynamoDBClient(options(endpoints.dynamodb));
  const sqs = new SQSClient(options(endpoints.sqs));
  const sns = new SNSClient(options(endpoints.sns));
  const s3 = new S3Client({ ...options(endpoints.s3), forcePathStyle: true });
  const lambda = new LambdaClient(options(endpoints.lambda));
  const table = (name: string) => ({ client: dynamodb, tableName: output(name), clock });
  return {
    volumes: new DynamoDbVolumeRepository(table("VolumesTableName")),
    snapshots: new DynamoDbSnapshotRepository(table("SnapshotsTableName")),
    backends: new DynamoDbBackendRepository({
      ...table("BackendsTableName"),
      claimsTableName: output("ClaimsTableName"),
    }),
    queue: new SqsSchedulerQueue({
      client: sqs,
      queueUrl: output("SchedulerQueueUrl"),
      deadLetterQueueUrl: output("SchedulerDeadLetterQueueUrl"),
    }),
    s3,
    sqs,
    imagesBucket: output("ImagesBucketName"),
    createSnapshot: (input) => invoke(lambda, output("CreateSnapshotFunctionName"), input),
    subscribeQueue: (name) => subscribeQueue(sqs, sns, output("NotificationsTopicArn"), name),
    close: () => {
      for (const client of [dynamodb, sqs, sns, s3, lambda]) {
        client.destroy();
      }
    },
  };
}

async function invoke(lambda: LambdaClient, functionName: string, payload: object): Promise<void> {
  const { FunctionError, Payload } = await lambda.send(
    new InvokeCommand({ FunctionName: functionName, Payload: Buffer.from(JSON.stringify(payload)) }),
  );
  if (FunctionError !== undefined) {
    const { errorType, errorMessage } = JSON.parse(Buffer.from(Payload ?? []).toString()) as Record<string, unknown>;
    throw Object.defineProperty(new Error(String(errorMessage)), "name", { value: String(errorType) });
  }
}

async function subscribeQueue(sqs: SQSClient, sns: SNSClient, topicArn: string, name: string): Promise<string> {
  const { QueueUrl = "" } = await sqs.send(new CreateQueueCommand({ QueueName: name }));
  const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["QueueArn"] }));
  await sns.send(
    new SubscribeCommand({
      TopicArn: topicArn,
      Protocol: "sqs",
      Endpoint: Attributes?.["QueueArn"],
      Attributes: { RawMessageDelivery: "true" },
    }),
  );
  return QueueUrl;
}
