import { createHash, randomUUID } from "node:crypto";
import { createReadStream, readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { SQSClient } from "@aws-sdk/client-sqs";
import { DynamoDbBackendRepository } from "../../adapters/dynamodb/backend-repository.ts";
import { DynamoDbVolumeRepository } from "../../adapters/dynamodb/volume-repository.ts";
import { SqsSchedulerQueue } from "../../adapters/sqs/scheduler-queue.ts";
import { buildCreateRequest, type CreateRequestInput } from "../../core/requests/create-request.ts";
import type { GlanceAuth } from "../../core/images/image-services.ts";
import type { VolumeRecord } from "../../core/records.ts";
import { isInFlow } from "../../core/volume-lifecycle.ts";
import { startCinderless } from "../../local/cinderless.ts";

/** Cinderless on the embedded cloud, with images from a Glance. */
export type Deployment = {
  /** Creates a volume and waits until it has left the flow. */
  create(input: Omit<CreateRequestInput, "sizeGib">): Promise<VolumeRecord>;
  /** SHA-256 of the first `bytes` of a volume. */
  contentOf(volumeId: string, bytes: number): Promise<string>;
  stop(): Promise<void>;
};

const SETTLED_MS = 120_000;

/** Deploys, and waits until the backends have reported. */
export async function deploy(
  directory: string,
  glanceUrl: string,
  auth: Partial<GlanceAuth>,
  secrets: Record<string, unknown>,
): Promise<Deployment> {
  const { cloud, backendsDirectory, stop } = await startCinderless({
    directory,
    context: { image_services: { glance: { api_servers: [glanceUrl], auth } } },
    functionEnvironment: { CINDERLESS_SECRETS: JSON.stringify(secrets) },
  });
  const { endpoints, outputs } = cloud;
  const options = { region: "us-east-1", credentials: { accessKeyId: "local", secretAccessKey: "local" } };
  const client = new DynamoDBClient({ endpoint: endpoints.dynamodb, ...options });
  const sqs = new SQSClient({ endpoint: endpoints.sqs, ...options });
  const clock = { now: () => new Date() };
  const volumes = new DynamoDbVolumeRepository({ client, tableName: outputs["VolumesTableName"] ?? "", clock });
  const backends = new DynamoDbBackendRepository({
    client,
    tableName: outputs["BackendsTableName"] ?? "",
    claimsTableName: outputs["ClaimsTableName"] ?? "",
    clock,
  });
  const queue = new SqsSchedulerQueue({
    client: sqs,
    queueUrl: outputs["SchedulerQueueUrl"] ?? "",
    deadLetterQueueUrl: outputs["SchedulerDeadLetterQueueUrl"] ?? "",
  });
  while ((await backends.list()).length < 2) {
    await delay(20);
  }
  return {
    create: async (input) => {
      const ids = { volumeId: randomUUID(), requestId: `req-${randomUUID()}` };
      const { record, message } = buildCreateRequest({ sizeGib: 1, ...input }, clock.now(), ids);
      await volumes.create(record);
      await queue.send(message);
      const until = Date.now() + SETTLED_MS;
      for (;;) {
        const volume = await volumes.get(record.id);
        if (!isInFlow(volume)) {
          return volume;
        }
        if (Date.now() > until) {
          throw new Error(`volume ${record.id} is ${volume.status} after ${SETTLED_MS / 1000} s`);
        }
        await delay(20);
      }
    },
    contentOf: async (volumeId, bytes) => {
      const names = readdirSync(backendsDirectory, { recursive: true }).map(String);
      const file = names.find((name) => name.endsWith(`volume-${volumeId}`));
      if (file === undefined) {
        throw new Error(`no backend holds volume ${volumeId}`);
      }
      const hash = createHash("sha256");
      for await (const piece of createReadStream(join(backendsDirectory, file), { end: bytes - 1 })) {
        hash.update(piece as Buffer);
      }
      return hash.digest("hex");
    },
    stop: async () => {
      client.destroy();
      sqs.destroy();
      await stop();
    },
  };
}
