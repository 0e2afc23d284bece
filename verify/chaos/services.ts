import { setTimeout as delay } from "node:timers/promises";
import { DynamoDBClient, QueryCommand } from "@aws-sdk/client-dynamodb";
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { S3Client } from "@aws-sdk/client-s3";
import { SFNClient } from "@aws-sdk/client-sfn";
import { SNSClient } from "@aws-sdk/client-sns";
import { SQSClient } from "@aws-sdk/client-sqs";
import { DynamoDbBackendRepository } from "../../adapters/dynamodb/backend-repository.ts";
import { DynamoDbDeadLetterRepository } from "../../adapters/dynamodb/dead-letter-repository.ts";
import { DynamoDbProjectRepository } from "../../adapters/dynamodb/project-repository.ts";
import { DynamoDbLockRepository } from "../../adapters/dynamodb/lock-repository.ts";
import { DynamoDbSnapshotRepository } from "../../adapters/dynamodb/snapshot-repository.ts";
import { DynamoDbVolumeRepository } from "../../adapters/dynamodb/volume-repository.ts";
import { SqsSchedulerQueue } from "../../adapters/sqs/scheduler-queue.ts";
import { INDEXES } from "../../core/settings/environment.ts";
import type { CloudReady } from "./cloud-process.ts";

/** The cloud as its users see it, past the faults of services. */
export type Services = ReturnType<typeof connect>;

const clock = { now: () => new Date() };

/** Clients of the cloud. A call while it is dead fails; {@link persist} repeats it. */
export function connect({ outputs, endpoints, resources }: CloudReady) {
  const client = (endpoint: string | undefined) => ({
    endpoint: endpoint ?? "",
    region: "us-east-1",
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
    maxAttempts: 1,
    requestHandler: { requestTimeout: 30_000, throwOnRequestTimeout: true },
  });
  const dynamodb = new DynamoDBClient(client(endpoints["dynamodb"]));
  const lambda = new LambdaClient(client(endpoints["lambda"]));
  const sqs = new SQSClient(client(endpoints["sqs"]));
  const output = (name: string): string => {
    const value = outputs[name];
    if (value === undefined) {
      throw new Error(`the stack has no output ${name}`);
    }
    return value;
  };
  const table = (name: string) => ({ client: dynamodb, tableName: output(name), clock });
  return {
    output,
    dynamodb,
    /** Physical names of every table of the stack. */
    tables: Object.entries(outputs).flatMap(([name, value]) => (name.endsWith("TableName") ? [value] : [])),
    volumes: new DynamoDbVolumeRepository(table("VolumesTableName")),
    snapshots: new DynamoDbSnapshotRepository(table("SnapshotsTableName")),
    locks: new DynamoDbLockRepository(table("LocksTableName")),
    backends: new DynamoDbBackendRepository({
      ...table("BackendsTableName"),
      claimsTableName: output("ClaimsTableName"),
    }),
    projects: new DynamoDbProjectRepository(table("ProjectsTableName")),
    deadLetters: new DynamoDbDeadLetterRepository(table("DeadLettersTableName")),
    s3: new S3Client({ ...client(endpoints["s3"]), forcePathStyle: true }),
    sqs,
    schedulerQueue: new SqsSchedulerQueue({
      client: sqs,
      queueUrl: output("SchedulerQueueUrl"),
      deadLetterQueueUrl: output("SchedulerDeadLetterQueueUrl"),
    }),
    sns: new SNSClient(client(endpoints["sns"])),
    sfn: new SFNClient(client(endpoints["sfn"])),
    /** Physical name of the function of that name. */
    functionName: (name: string): string => {
      const found = Object.entries(resources).find(([id]) => new RegExp(`^Functions${name}[0-9A-F]{8}$`).test(id));
      return found?.[1] ?? name;
    },
    /** Calls a function and waits. @throws FunctionFailed under the function's own error */
    call: (name: string, payload: object) => callFunction(lambda, name, payload),
    /** How many volumes are in the flow. */
    inFlow: async (): Promise<number> => {
      const { Count = 0 } = await dynamodb.send(
        new QueryCommand({
          TableName: output("VolumesTableName"),
          IndexName: INDEXES.volumesByDeadline,
          KeyConditionExpression: "in_flow = :yes",
          ExpressionAttributeValues: { ":yes": { S: "y" } },
          Select: "COUNT",
        }),
      );
      return Count;
    },
  };
}

/** A function answered with an error; `name` is the error's own. */
export class FunctionFailed extends Error {
  override readonly name = "FunctionFailed";
  readonly errorType: string;
  constructor(errorType: string, message: string) {
    super(`${errorType}: ${message}`);
    this.errorType = errorType;
  }
}

async function callFunction(client: LambdaClient, name: string, payload: object): Promise<unknown> {
  const { Payload, FunctionError } = await client.send(
    new InvokeCommand({ FunctionName: name, Payload: Buffer.from(JSON.stringify(payload)) }),
  );
  const answer: unknown = JSON.parse(Buffer.from(Payload ?? []).toString() || "null");
  if (FunctionError !== undefined) {
    const { errorType, errorMessage } = (answer ?? {}) as { errorType?: string; errorMessage?: string };
    throw new FunctionFailed(errorType ?? FunctionError, errorMessage ?? "");
  }
  return answer;
}

const PAUSE_MS = 100;
/** A kill and a restart on a machine that is very busy, and then some. */
const LONGEST_MS = 600_000;

/**
 * Repeats a call until it is answered, as a client does whose service is away for a moment.
 *
 * @param isFinal says of an error that it is an answer
 * @throws the last error after {@link LONGEST_MS}; the signal's reason
 */
export async function persist<Result>(
  signal: AbortSignal,
  call: () => Promise<Result>,
  isFinal: (error: unknown) => boolean = () => false,
): Promise<Result> {
  const deadline = Date.now() + LONGEST_MS;
  for (;;) {
    signal.throwIfAborted();
    try {
      return await call();
    } catch (error) {
      if (isFinal(error) || Date.now() > deadline) {
        throw error;
      }
      await delay(PAUSE_MS);
    }
  }
}
