import { randomUUID } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { DynamoDbBackendRepository } from "../../adapters/dynamodb/backend-repository.ts";
import { DynamoDbDeadLetterRepository } from "../../adapters/dynamodb/dead-letter-repository.ts";
import { DynamoDbSnapshotRepository } from "../../adapters/dynamodb/snapshot-repository.ts";
import { DynamoDbVolumeRepository } from "../../adapters/dynamodb/volume-repository.ts";
import { buildCreateRequest, type CreateRequestInput } from "../../core/requests/create-request.ts";
import type { DeadLetterRecord } from "../../core/dead-letters/dead-letters.ts";
import type { CreateVolumeMessage } from "../../core/requests/messages.ts";
import type { VolumeRecord } from "../../core/records.ts";
import { isInFlow } from "../../core/volume-lifecycle.ts";
import { type LocalCinderless, type LocalOptions, startCinderless } from "../../local/cinderless.ts";
import { until } from "./until.ts";

/** Cinderless with its real bundles in the embedded cloud, and what a test does to it. */
export type CinderlessUnderTest = LocalCinderless & {
  volumes: DynamoDbVolumeRepository;
  snapshots: DynamoDbSnapshotRepository;
  backends: DynamoDbBackendRepository;
  /** Puts the record and sends the message; `change` makes the message wrong. Returns the volume's id. */
  create(input: CreateRequestInput, change?: (message: CreateVolumeMessage) => unknown): Promise<string>;
  /** Sends a body to the scheduler queue as it is. */
  send(body: string): Promise<void>;
  /** The record once it has left the flow. */
  settled(volumeId: string): Promise<VolumeRecord>;
  /** Sends a body to the dead-letter queue, as SQS does with a message that was received too often. */
  giveUp(body: string): Promise<void>;
  /** Waits for that many dead letters that were not given before, and gives them. */
  deadLetters(count: number): Promise<DeadLetterRecord[]>;
  /** Names of the files on all backends. */
  files(): string[];
  stop(): Promise<void>;
};

/**
 * Starts it in a temporary directory, and waits until its backends have reported.
 *
 * @param options `onDeployed` is called before that wait, for who stands between functions and services
 */
export async function startUnderTest({
  onDeployed,
  ...options
}: Omit<LocalOptions, "directory"> & {
  onDeployed?: (cloud: LocalCinderless["cloud"]) => void;
} = {}): Promise<CinderlessUnderTest> {
  const directory = mkdtempSync(path.join(tmpdir(), "cinderless-test-"));
  const local = await startCinderless({ directory, ...options });
  onDeployed?.(local.cloud);
  const { outputs, endpoints } = local.cloud;
  const output = (name: string): string => outputs[name] ?? "";
  const credentials = { accessKeyId: "local", secretAccessKey: "local" };
  const region = "us-east-1";
  const client = new DynamoDBClient({ endpoint: endpoints.dynamodb, region, credentials });
  const sqs = new SQSClient({ endpoint: endpoints.sqs, region, credentials });
  const clock = { now: () => new Date() };
  const volumes = new DynamoDbVolumeRepository({ client, tableName: output("VolumesTableName"), clock });
  const backends = new DynamoDbBackendRepository({
    client,
    tableName: output("BackendsTableName"),
    claimsTableName: output("ClaimsTableName"),
    clock,
  });
  const deadLetters = new DynamoDbDeadLetterRepository({ client, tableName: output("DeadLettersTableName") });
  const given = new Set<string>();
  await until(async () => (await backends.list()).length >= 2);
  const send = async (body: string): Promise<void> => {
    await sqs.send(new SendMessageCommand({ QueueUrl: output("SchedulerQueueUrl"), MessageBody: body }));
  };
  return {
    ...local,
    volumes,
    snapshots: new DynamoDbSnapshotRepository({ client, tableName: output("SnapshotsTableName") }),
    backends,
    send,
    create: async (input, change = (message) => message) => {
      const ids = { volumeId: randomUUID(), requestId: `req-${randomUUID()}` };
      const { record, message } = buildCreateRequest(input, clock.now(), ids);
      await volumes.create(record);
      await send(JSON.stringify(change(message)));
      return record.id;
    },
    settled: async (volumeId) => {
      let volume = await volumes.get(volumeId);
      await until(async () => !isInFlow((volume = await volumes.get(volumeId))));
      return volume;
    },
    giveUp: async (body) => {
      const QueueUrl = output("SchedulerDeadLetterQueueUrl");
      await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: body }));
    },
    deadLetters: async (count) => {
      let letters: DeadLetterRecord[] = [];
      await until(async () => {
        const { items } = await deadLetters.list(1000);
        letters = items.filter(({ id }) => !given.has(id));
        return letters.length >= count;
      });
      for (const { id } of letters) {
        given.add(id);
      }
      return letters;
    },
    files: () => readdirSync(local.backendsDirectory, { recursive: true }).map(String),
    stop: async () => {
      await local.cloud.stop();
      client.destroy();
      sqs.destroy();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
