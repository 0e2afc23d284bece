import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { S3Client } from "@aws-sdk/client-s3";
import { SendMessageBatchCommand, SQSClient } from "@aws-sdk/client-sqs";
import { DynamoDbBackendRepository } from "../adapters/dynamodb/backend-repository.ts";
import { DynamoDbVolumeRepository } from "../adapters/dynamodb/volume-repository.ts";
import { buildCreateRequest, type CreateRequestInput } from "../core/requests/create-request.ts";
import type { CreateVolumeMessage } from "../core/requests/messages.ts";
import { type LocalCinderless, type LocalOptions, startCinderless } from "../local/cinderless.ts";

/** Cinderless in a temporary directory, with the actions of a benchmark. */
export type Rig = LocalCinderless & {
  directory: string;
  s3: S3Client;
  volumes: DynamoDbVolumeRepository;
  /** Puts a volume's record without sending its message. */
  putRecord(input: CreateRequestInput): Promise<CreateVolumeMessage>;
  /** Sends the volume's message; resolves with the milliseconds until its execution has succeeded. */
  create(message: CreateVolumeMessage, longestMs?: number): Promise<number>;
  /** Resolves when the execution of the volume has succeeded; to be called before it can have started. */
  ended(volumeId: string): Promise<void>;
  /** Stops the cloud, removes the directory, and restores the variables of this process, which named the cloud's services. */
  stop(): Promise<void>;
};

const clock = { now: () => new Date() };

/** Volumes here are empty, but their sizes count: the default ratio of 20 provisions the disk 20 times. */
export const ROOM_FOR_ALL = { scheduler: { max_over_subscription_ratio: 10_000 } };

/** A create that takes longer has no execution: it ended in `error` when it was scheduled. */
const LONGEST_CREATE_MS = 60_000;

/**
 * Starts Cinderless and waits until its backends have reported.
 *
 * @param onStarted receives the cloud before its functions can reach any service
 */
export async function startRig(
  options: Omit<LocalOptions, "directory"> = {},
  onStarted: (local: LocalCinderless) => void = () => {},
): Promise<Rig> {
  const directory = mkdtempSync(path.join(tmpdir(), "cinderless-bench-"));
  const local = await startCinderless({
    directory,
    maxHistory: 100,
    context: ROOM_FOR_ALL,
    ...options,
  });
  onStarted(local);
  const { outputs, environment } = local.cloud;
  const replaced = Object.keys(environment).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, environment);
  const client = new DynamoDBClient({});
  const sqs = new SQSClient({});
  const volumes = new DynamoDbVolumeRepository({ client, tableName: required(outputs["VolumesTableName"]), clock });
  const backends = new DynamoDbBackendRepository({
    client,
    tableName: required(outputs["BackendsTableName"]),
    claimsTableName: required(outputs["ClaimsTableName"]),
    clock,
  });
  while ((await backends.list()).length < 2) {
    await delay(50);
  }
  const endings = executionEndings(local);
  const send = batchedSends(sqs, outputs["SchedulerQueueUrl"] ?? "");
  return {
    ...local,
    directory,
    volumes,
    s3: new S3Client({ forcePathStyle: true }),
    putRecord: async (input) => {
      const { record, message } = buildCreateRequest(input, clock.now(), {
        volumeId: randomUUID(),
        requestId: `req-${randomUUID()}`,
      });
      await volumes.create(record);
      return message;
    },
    create: async (message, longestMs = LONGEST_CREATE_MS) => {
      const ended = endings.of(message.volume_id);
      const start = performance.now();
      await send(JSON.stringify(message));
      const giveUp = new AbortController();
      const tooLong = delay(longestMs, "too long", { signal: giveUp.signal }).catch(() => undefined);
      if ((await Promise.race([ended, tooLong])) === "too long") {
        const { status, fault } = await volumes.get(message.volume_id);
        throw new Error(`volume ${message.volume_id} is ${status}: ${fault?.cause ?? "no fault"}`);
      }
      giveUp.abort();
      return performance.now() - start;
    },
    ended: (volumeId) => endings.of(volumeId),
    stop: async () => {
      await local.cloud.stop();
      rmSync(directory, { recursive: true, force: true });
      for (const [name, value] of replaced) {
        if (value === undefined) {
          delete process.env[name];
        } else {
          process.env[name] = value;
        }
      }
    },
  };
}

/** Messages that SQS takes at once. */
const LARGEST_BATCH = 10;

/** Batches the messages of one turn of the event loop, as a busy producer would. */
function batchedSends(sqs: SQSClient, queueUrl: string): (body: string) => Promise<void> {
  const waiting: { body: string; resolve: () => void; reject: (error: unknown) => void }[] = [];
  const flush = async (): Promise<void> => {
    const batch = waiting.splice(0, LARGEST_BATCH);
    if (waiting.length > 0) {
      setImmediate(() => void flush());
    }
    try {
      const entries = batch.map(({ body }, index) => ({ Id: String(index), MessageBody: body }));
      const { Failed = [] } = await sqs.send(new SendMessageBatchCommand({ QueueUrl: queueUrl, Entries: entries }));
      batch.forEach(({ resolve, reject }, index) => {
        const failure = Failed.find(({ Id }) => Id === String(index));
        if (failure === undefined) {
          resolve();
        } else {
          reject(new Error(failure.Message));
        }
      });
    } catch (error) {
      for (const { reject } of batch) {
        reject(error);
      }
    }
  };
  return (body) =>
    new Promise((resolve, reject) => {
      waiting.push({ body, resolve, reject });
      if (waiting.length === 1) {
        setImmediate(() => void flush());
      }
    });
}

/** Promises of executions' ends, by volume; a failed execution is an error, because a benchmark counts successes only. */
function executionEndings({ cloud }: LocalCinderless): { of(volumeId: string): Promise<void> } {
  const waiting = new Map<string, { resolve(): void; reject(error: Error): void }>();
  cloud.executions.onTransition(({ name }, event) => {
    const ended = /^Execution(Succeeded|Failed|Aborted|TimedOut)$/.exec(event.type)?.[1];
    if (ended === undefined) {
      return;
    }
    const volumeId = name.replace(/-a\d+$/, "");
    const waiter = waiting.get(volumeId);
    waiting.delete(volumeId);
    if (ended === "Succeeded") {
      waiter?.resolve();
    } else {
      waiter?.reject(new Error(`the execution of volume ${volumeId} ended as ${ended}`));
    }
  });
  return {
    of: (volumeId) => new Promise<void>((resolve, reject) => waiting.set(volumeId, { resolve, reject })),
  };
}

/** Keeps `limit` calls of `run` in progress until all items are done. */
export async function inFlight<Item>(
  items: readonly Item[],
  limit: number,
  run: (item: Item) => Promise<void>,
): Promise<void> {
  const rest = items.values();
  const lanes = Array.from({ length: limit }, async () => {
    for (const item of rest) {
      await run(item);
    }
  });
  await Promise.all(lanes);
}

/** An output of the stack, which is always there. */
function required(value: string | undefined): string {
  if (value === undefined) {
    throw new Error("the stack has no such output");
  }
  return value;
}

/** The value below which `share` of the sorted values lie. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
