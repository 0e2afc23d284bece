import { createHash, randomUUID } from "node:crypto";
import { createReadStream, readFileSync } from "node:fs";
import path from "node:path";
import { gunzipSync } from "node:zlib";
import { DynamoDBClient, ScanCommand } from "@aws-sdk/client-dynamodb";
import { GetExecutionHistoryCommand, ListExecutionsCommand, SFNClient } from "@aws-sdk/client-sfn";
import { SNSClient, SubscribeCommand } from "@aws-sdk/client-sns";
import { CreateQueueCommand, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { sparseContent } from "../support/drivers.ts";
import { FakeGlance } from "../support/fake-glance.ts";
import { type CinderlessUnderTest, startUnderTest } from "../support/local-cinderless.ts";

/** In the form of Keystone's Fernet tokens. */
const TOKEN = `gAAAAAB${randomUUID().replaceAll("-", "")}${randomUUID().replaceAll("-", "")}`;
const OTHER_TOKEN = `gAAAAAB${randomUUID().replaceAll("-", "")}`;
const MINE = { projectId: "proj-a", userId: "user-a", authSecret: "cinderless/tokens/a" };

const RAW = sparseContent(6_000_000, 3);
const QCOW2 = gunzipSync(readFileSync(new URL("../data/images/q2-v3-64k.qcow2.gz", import.meta.url)));

/** The result of `qemu-img convert`: `expected.json` next to the image. */
const QCOW2_DISK = {
  bytes: 10_485_760,
  sha256: "ceb0fa24a85181df2bde00aebd4a344ebcba7b8a47dd16781530a480ccc41f8d",
};

let glance: FakeGlance;
let under: CinderlessUnderTest;
const logs: string[] = [];

beforeAll(async () => {
  glance = await FakeGlance.start();
  glance.authentication = "token";
  glance.tokens.set(TOKEN, "proj-a").set(OTHER_TOKEN, "proj-b");
  const secrets = { "cinderless/tokens/a": { token: TOKEN }, "cinderless/tokens/b": { token: OTHER_TOKEN } };
  vi.stubEnv("CINDERLESS_SECRETS", JSON.stringify(secrets));
  under = await startUnderTest({
    context: {
      image_services: { glance: { api_servers: [glance.url], num_retries: 1, auth: { type: "passed_token" } } },
    },
    functionEnvironment: { POWERTOOLS_LOG_LEVEL: "DEBUG" },
    logSink: (line) => logs.push(line),
  });
});

afterAll(async () => {
  vi.unstubAllEnvs();
  await under.stop();
  await glance.stop();
});

beforeEach(() => {
  glance.ranges = "answered";
});

/** SHA-256 of the first `bytes` of a volume. */
async function contentOf(volumeId: string, bytes: number): Promise<string> {
  const file = under.files().find((name) => name.endsWith(`volume-${volumeId}`)) ?? "";
  const hash = createHash("sha256");
  for await (const piece of createReadStream(path.join(under.backendsDirectory, file), { end: bytes - 1 })) {
    hash.update(piece as Buffer);
  }
  return hash.digest("hex");
}

const sha256 = (content: Buffer): string => createHash("sha256").update(content).digest("hex");

describe.each(["answered", "refused", "ignored"] as const)("where a Range is %s", (ranges) => {
  it("a raw image becomes a bootable volume", async () => {
    glance.ranges = ranges;
    const imageId = glance.add(RAW, { visibility: "private" });
    const volume = await under.settled(await under.create({ sizeGib: 1, imageId, ...MINE }));
    expect(volume).toMatchObject({ status: "available", bootable: true, fault: null });
    expect(volume.glance_metadata).toMatchObject({ image_id: imageId, disk_format: "raw", hw_disk_bus: "virtio" });
    expect(await contentOf(volume.id, RAW.length)).toBe(sha256(RAW));
  });

  it("so does a qcow2 image", async () => {
    glance.ranges = ranges;
    const imageId = glance.add(QCOW2, { disk_format: "qcow2", virtual_size: QCOW2_DISK.bytes });
    const volume = await under.settled(await under.create({ sizeGib: 1, imageId, ...MINE }));
    expect(volume).toMatchObject({ status: "available", bootable: true, fault: null });
    expect(await contentOf(volume.id, QCOW2_DISK.bytes)).toBe(QCOW2_DISK.sha256);
  });
});

it.each([
  ["ami", "ami"],
  ["aki", "aki"],
  ["ari", "ari"],
  ["raw", "ovf"],
  ["raw", "docker"],
])(
  "raw content of disk format %s in container format %s becomes a volume with its kernel and ramdisk",
  async (disk, container) => {
    const parts = { kernel_id: randomUUID(), ramdisk_id: randomUUID() };
    const imageId = glance.add(RAW, {
      disk_format: disk,
      container_format: container,
      signature_verified: "True",
      ...parts,
    });
    const volume = await under.settled(await under.create({ sizeGib: 1, imageId, ...MINE }));
    expect(volume).toMatchObject({ status: "available", bootable: true, fault: null });
    expect(volume.glance_metadata).toMatchObject({ disk_format: disk, container_format: container, ...parts });
    expect(volume.glance_metadata).not.toHaveProperty("signature_verified");
    expect(await contentOf(volume.id, RAW.length)).toBe(sha256(RAW));
  },
);

describe("an image by its address", () => {
  it("is read where the address leads", async () => {
    const href = `${glance.url}/v2/images/${glance.add(RAW)}`;
    const volume = await under.settled(await under.create({ sizeGib: 1, imageId: href, ...MINE }));
    expect(volume).toMatchObject({ status: "available", fault: null });
    expect(await contentOf(volume.id, RAW.length)).toBe(sha256(RAW));
  });

  it("on a host that is not allowed is refused, and no server is asked", async () => {
    const other = await FakeGlance.start();
    const href = `${other.url}/v2/images/${other.add(RAW)}`;
    const volume = await under.settled(await under.create({ sizeGib: 1, imageId: href, ...MINE }));
    expect(volume).toMatchObject({ status: "error", fault: { error: "InvalidImageRef", attempts: [] } });
    expect(other.requests).toEqual([]);
    await other.stop();
  });
});

describe("what a caller may not have", () => {
  it.each<[string, Record<string, unknown>, Record<string, unknown>, string]>([
    ["another project's image", { visibility: "private" }, { authSecret: "cinderless/tokens/b" }, "ImageNotFound"],
    ["a deactivated image", { status: "deactivated" }, {}, "InvalidInput"],
    ["an image without a token", {}, { authSecret: null }, "ImageNotAuthorized"],
    [
      "an image with a secret that does not hold a token",
      {},
      { authSecret: "cinderless/secrets/x" },
      "ImageNotAuthorized",
    ],
  ])("%s is a final error by its name, and nothing is left", async (_what, document, caller, error) => {
    const imageId = glance.add(RAW, document);
    const volume = await under.settled(await under.create({ sizeGib: 1, imageId, ...MINE, ...caller }));
    expect(volume).toMatchObject({ status: "error", fault: { error, attempt: 1, attempts: [] } });
    expect(volume.fault?.cause).toContain(imageId);
    expect(under.files().filter((name) => name.includes(volume.id))).toEqual([]);
  });

  it("an image that is deactivated while it is copied is a final error", async () => {
    const imageId = glance.add(RAW);
    glance.fail({ status: 403 }, new RegExp(`${imageId}/file$`));
    const volume = await under.settled(await under.create({ sizeGib: 1, imageId, ...MINE }));
    expect(volume).toMatchObject({ status: "error", fault: { error: "ImageNotAuthorized" } });
  });

  it("an image with another hash than its metadata say is a failed copy, of which nothing is left", async () => {
    const imageId = glance.add(RAW, { os_hash_value: "0".repeat(128) });
    const volume = await under.settled(await under.create({ sizeGib: 1, imageId, ...MINE }));
    expect(volume).toMatchObject({ status: "error", fault: { error: "ImageCopyFailure" } });
    expect(under.files().filter((name) => name.endsWith(`volume-${volume.id}`))).toEqual([]);
  });
});

describe("a Glance that fails", () => {
  it.each([{ status: 503 }, "hang up", "cut", "html"] as const)("once, by %j, is asked again", async (fault) => {
    const imageId = glance.add(RAW);
    glance.fail(fault, fault === "html" ? new RegExp(`${imageId}$`) : new RegExp(`${imageId}/file$`));
    const volume = await under.settled(await under.create({ sizeGib: 1, imageId, ...MINE }));
    expect(volume).toMatchObject({ status: "available", fault: null });
    expect(await contentOf(volume.id, RAW.length)).toBe(sha256(RAW));
  });
});

describe("a token", () => {
  it("is in no message, record, state document or log, whichever way it comes", async () => {
    const { outputs, endpoints } = under.cloud;
    const options = { region: "us-east-1", credentials: { accessKeyId: "local", secretAccessKey: "local" } };
    const sqs = new SQSClient({ endpoint: endpoints.sqs, ...options });
    const sns = new SNSClient({ endpoint: endpoints.sns, ...options });
    const sfn = new SFNClient({ endpoint: endpoints.sfn, ...options });
    const dynamodb = new DynamoDBClient({ endpoint: endpoints.dynamodb, ...options });
    const { QueueUrl = "" } = await sqs.send(new CreateQueueCommand({ QueueName: "told" }));
    const TopicArn = outputs["NotificationsTopicArn"];
    const Endpoint = `arn:aws:sqs:us-east-1:000000000000:told`;
    await sns.send(new SubscribeCommand({ TopicArn, Protocol: "sqs", Endpoint }));

    const imageId = glance.add(RAW);
    const asCinderSends = (message: { context: Record<string, unknown> }, more: Record<string, unknown> = {}) => ({
      ...message,
      context: { ...message.context, auth_token: TOKEN, service_catalog: [{ token: TOKEN }], ...more },
    });
    const good = await under.create({ sizeGib: 1, imageId, ...MINE }, (message) => asCinderSends(message));
    // Put where a name belongs, it is refused and not shown.
    const wrong = await under.create({ sizeGib: 1, imageId, ...MINE }, (message) =>
      asCinderSends(message, { auth_secret: TOKEN }),
    );
    // A failure names its request.
    const missing = await under.create({ sizeGib: 1, ...MINE, imageId: randomUUID() }, (message) =>
      asCinderSends(message),
    );
    expect((await under.settled(good)).status).toBe("available");
    expect((await under.settled(missing)).fault?.error).toBe("ImageNotFound");
    const refused = await under.settled(wrong);
    expect(refused.fault).toMatchObject({ error: "InvalidInput", cause: expect.stringContaining("auth_secret") });
    await under.deadLetters(1);

    const seen: Record<string, string> = { logs: logs.join("\n") };
    for (const [name, table] of Object.entries(outputs).filter(([key]) => key.endsWith("TableName"))) {
      seen[name] = JSON.stringify((await dynamodb.send(new ScanCommand({ TableName: table }))).Items);
    }
    const stateMachineArn = (outputs["StateMachineArn"] ?? "").replace(/(:stateMachine:[^:]+):.*$/, "$1");
    const { executions = [] } = await sfn.send(new ListExecutionsCommand({ stateMachineArn, maxResults: 1000 }));
    for (const { executionArn } of executions) {
      const history = await sfn.send(new GetExecutionHistoryCommand({ executionArn, includeExecutionData: true }));
      seen[`execution ${executionArn}`] = JSON.stringify(history.events);
    }
    seen["notifications"] = "";
    for (let empty = 0; empty < 2;) {
      const { Messages = [] } = await sqs.send(
        new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 1 }),
      );
      empty += Messages.length === 0 ? 1 : 0;
      seen["notifications"] += JSON.stringify(Messages);
    }
    // Makes sure that all texts were searched.
    expect(executions.length).toBeGreaterThan(2);
    expect(seen["DeadLettersTableName"]).toContain(wrong);
    expect(seen["VolumesTableName"]).toContain(good);
    expect(seen["notifications"]).toContain(good);
    expect(seen["logs"]).toContain(good);
    expect(JSON.stringify(seen)).toContain("cinderless/tokens/a");
    const places = Object.entries(seen).flatMap(([where, text]) => (text.includes(TOKEN) ? [where] : []));
    expect(places).toEqual([]);
    expect(glance.requests.some(({ headers }) => headers["x-auth-token"] === TOKEN)).toBe(true);
    for (const client of [sqs, sns, sfn, dynamodb]) {
      client.destroy();
    }
  });
});
