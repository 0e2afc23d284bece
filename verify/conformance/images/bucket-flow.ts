import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { S3Client } from "@aws-sdk/client-s3";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { DynamoDbBackendRepository } from "../../../adapters/dynamodb/backend-repository.ts";
import { DynamoDbVolumeRepository } from "../../../adapters/dynamodb/volume-repository.ts";
import { putImage } from "../../../adapters/s3/put-image.ts";
import { buildCreateRequest, DEFAULT_PROJECT_ID } from "../../../core/requests/create-request.ts";
import type { VolumeRecord } from "../../../core/records.ts";
import { isInFlow } from "../../../core/volume-lifecycle.ts";
import { startCinderless } from "../../../local/cinderless.ts";

/** Sizes of volumes count, although they hold little: one of 1 TiB must fit any disk. */
const ROOM_FOR_ALL = { scheduler: { max_over_subscription_ratio: 100_000 } };

/** Cinderless in the embedded cloud, with a bucket of images. */
export type BucketFlow = {
  directory: string;
  bucket: string;
  /** Variables with which a process reaches the cloud. */
  environment: Record<string, string>;
  /** Puts an image as it is, without a look at it; returns its id. */
  put(bytes: Buffer, diskFormat: string): Promise<string>;
  /** Asks for a volume of an image, and waits until it has left the flow. */
  create(imageId: string, sizeGib: number): Promise<{ volume: VolumeRecord; milliseconds: number }>;
  stop(): Promise<void>;
};

/** Starts it in a temporary directory, and waits until its backends have reported. */
export async function startBucketFlow(): Promise<BucketFlow> {
  const directory = mkdtempSync(path.join(tmpdir(), "cinderless-images-"));
  const local = await startCinderless({
    directory,
    context: ROOM_FOR_ALL,
    functionEnvironment: { POWERTOOLS_LOG_LEVEL: "SILENT" },
  });
  const { endpoints, environment } = local.cloud;
  const output = (name: string): string => local.cloud.outputs[name] ?? "";
  const connection = { region: "us-east-1", credentials: { accessKeyId: "local", secretAccessKey: "local" } };
  const client = new DynamoDBClient({ ...connection, endpoint: endpoints.dynamodb });
  const sqs = new SQSClient({ ...connection, endpoint: endpoints.sqs });
  const s3 = new S3Client({ ...connection, endpoint: endpoints.s3, forcePathStyle: true });
  const clock = { now: () => new Date() };
  const volumes = new DynamoDbVolumeRepository({ client, tableName: output("VolumesTableName"), clock });
  const backends = new DynamoDbBackendRepository({
    client,
    tableName: output("BackendsTableName"),
    claimsTableName: output("ClaimsTableName"),
    clock,
  });
  const bucket = output("ImagesBucketName");
  while ((await backends.list()).length === 0) {
    await delay(50);
  }
  return {
    directory,
    bucket,
    environment: { ...environment },
    put: async (bytes, diskFormat) => {
      const id = randomUUID();
      await putImage(s3, bucket, imageOf(id, diskFormat), pieces(bytes));
      return id;
    },
    create: async (imageId, sizeGib) => {
      const ids = { volumeId: randomUUID(), requestId: `req-${randomUUID()}` };
      const { record, message } = buildCreateRequest({ sizeGib, imageId }, clock.now(), ids);
      await volumes.create(record);
      const start = performance.now();
      const QueueUrl = output("SchedulerQueueUrl");
      await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: JSON.stringify(message) }));
      for (;;) {
        const volume = await volumes.get(record.id);
        if (!isInFlow(volume)) {
          return { volume, milliseconds: Math.round(performance.now() - start) };
        }
        await delay(20);
      }
    },
    stop: async () => {
      await local.stop();
      for (const each of [client, sqs, s3]) {
        each.destroy();
      }
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function imageOf(id: string, diskFormat: string) {
  return {
    id,
    name: "conformance",
    disk_format: diskFormat,
    container_format: "bare",
    min_disk: 0,
    min_ram: 0,
    owner: DEFAULT_PROJECT_ID,
    visibility: "private",
    properties: {},
  };
}

async function* pieces(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 2 ** 20) {
    yield bytes.subarray(at, at + 2 ** 20);
  }
}
