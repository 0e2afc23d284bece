import { createHash, randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { open, truncate } from "node:fs/promises";
import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { InvokeCommand } from "@aws-sdk/client-lambda";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DynamoDbImageCacheRepository } from "../../adapters/dynamodb/image-cache-repository.ts";
import { putImage } from "../../adapters/s3/put-image.ts";
import { parseAuditRequest } from "../../core/audit/report.ts";
import type { ImageCacheEntry } from "../../core/image-cache/image-cache.ts";
import type { VolumeRecord } from "../../core/records.ts";
import { type CinderlessUnderTest, startUnderTest } from "../support/local-cinderless.ts";
import { type ServiceClients, serviceClients } from "../support/service-clients.ts";

/** The complete image-volume cache: real bundles, the synthesised workflow, an image service whose reads are counted. */

const CACHED = "cached";
const PLAIN = "plain";
const MIB = 2 ** 20;

let directory: string;
let under: CinderlessUnderTest;
let counter: Server;
/** Ids of the objects that functions have read the bytes of, once for each read. */
const reads: string[] = [];
/** Lines of the functions' logs: metrics, and errors if there are any. */
const logged: string[] = [];
let clients: ServiceClients;
let dynamodb: DynamoDBClient;
let entries: DynamoDbImageCacheRepository;

/** Stands before the embedded S3 and notes the reads of objects. */
async function startCounter(): Promise<string> {
  counter = createServer((incoming, outgoing) => {
    const id = /[0-9a-f-]{36}(?=\?|$)/.exec(incoming.url ?? "")?.[0];
    if (incoming.method === "GET" && id !== undefined) {
      reads.push(id);
    }
    const { method, headers, url } = incoming;
    const target = new URL(url ?? "/", under.cloud.endpoints.s3);
    const passed = request(target, { method, headers: { ...headers, host: target.host } }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(outgoing);
    });
    passed.on("error", () => outgoing.destroy());
    incoming.pipe(passed);
  });
  counter.listen(0, "127.0.0.1");
  await once(counter, "listening");
  return `http://127.0.0.1:${(counter.address() as AddressInfo).port}`;
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "cinderless-image-cache-"));
  const backend = (name: string, options: object) => ({
    host: `node@${name}`,
    driver: "file",
    availability_zone: name,
    options: { directory: join(directory, name) },
    ...options,
  });
  const s3 = await startCounter();
  under = await startUnderTest({
    logSink: (line) => void logged.push(line),
    functionEnvironment: { AWS_ENDPOINT_URL_S3: s3, POWERTOOLS_LOG_LEVEL: "SILENT" },
    context: {
      backends: [
        backend(CACHED, { image_volume_cache_enabled: true, image_volume_cache_max_count: 2 }),
        backend(PLAIN, {}),
      ],
    },
  });
  const { outputs, endpoints } = under.cloud;
  clients = serviceClients(under.cloud);
  dynamodb = new DynamoDBClient({
    endpoint: endpoints.dynamodb,
    region: "us-east-1",
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
  });
  const tableName = outputs["ImageCacheTableName"] ?? "";
  entries = new DynamoDbImageCacheRepository({ client: dynamodb, tableName });
});

afterAll(async () => {
  await under?.stop();
  counter?.close();
  clients?.destroy();
  dynamodb?.destroy();
  rmSync(directory, { recursive: true, force: true });
});

const CACHE_METRICS = ["ImageCacheMisses", "ImageCacheHits", "ImageCacheEvictions"];

/** The sum of a metric that the functions have written. */
function sumOf(name: string): number {
  const values = logged.flatMap((line) => new RegExp(`"${name}":(\\d+)`).exec(line)?.[1] ?? []);
  return values.reduce((sum, value) => sum + Number(value), 0);
}

type Image = { id: string; bytes: Buffer };

async function anImage(visibility: "public" | "private" = "public"): Promise<Image> {
  const bytes = randomBytes(3 * MIB);
  const image = {
    id: randomUUID(),
    name: "disk",
    disk_format: "raw",
    container_format: "bare",
    min_disk: 0,
    min_ram: 0,
    owner: "owner",
    visibility,
    properties: {},
  };
  const pieces = async function* () {
    yield bytes;
  };
  await putImage(clients.s3, under.cloud.outputs["ImagesBucketName"] ?? "", image, pieces());
  return { id: image.id, bytes };
}

const filesOfCached = (id: string): string[] =>
  readdirSync(join(directory, CACHED)).filter((name) => name.includes(id));

/** Calls the sweep, which its rule calls once a minute. */
async function sweep(): Promise<unknown> {
  const [, name] =
    Object.entries(under.cloud.resources).find(([id]) => /^FunctionsSweepOverdueVolumes[0-9A-F]{8}$/.test(id)) ?? [];
  const { Payload } = await clients.lambda.send(new InvokeCommand({ FunctionName: name }));
  return JSON.parse(new TextDecoder().decode(Payload)) as unknown;
}

const create = (image: Image, zone = CACHED, projectId = "owner") =>
  under.create({ sizeGib: 1, availabilityZone: zone, imageId: image.id, projectId });

const readsOf = (image: Image): number => reads.filter((id) => id === image.id).length;

async function entryOf(image: Image): Promise<ImageCacheEntry | undefined> {
  return (await entries.list()).find(({ image_id: id }) => id === image.id);
}

/** The volume is available, bootable, and holds the image and nothing behind it. */
async function expectWhole(volume: VolumeRecord, image: Image): Promise<void> {
  expect(volume).toMatchObject({ status: "available", fault: null, bootable: true });
  expect(volume.glance_metadata).toMatchObject({ image_id: image.id });
  await using file = await open(volume.provider_location ?? "");
  const content = Buffer.alloc(image.bytes.length + MIB);
  await file.read(content, 0, content.length, 0);
  const sha = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
  expect(sha(content.subarray(0, image.bytes.length))).toBe(sha(image.bytes));
  expect(content.subarray(image.bytes.length).every((byte) => byte === 0)).toBe(true);
}

describe("volumes of one image", () => {
  it("that are created at once read it once, and all hold it", async () => {
    const image = await anImage();
    const ids = await Promise.all([create(image), create(image), create(image)]);
    const volumes = await Promise.all(ids.map((id) => under.settled(id)));
    for (const volume of volumes) {
      await expectWhole(volume, image);
    }
    expect(readsOf(image)).toBe(1);
    expect(await entryOf(image)).toMatchObject({ state: "available", host: "node@cached#_pool0" });
  });

  it("read it each time on a backend without a cache", async () => {
    const image = await anImage();
    for (const expected of [1, 2]) {
      await expectWhole(await under.settled(await create(image, PLAIN)), image);
      expect(readsOf(image)).toBe(expected);
    }
    expect(await entryOf(image)).toBeUndefined();
  });

  it("are not made for a project that may not see it, however it is cached", async () => {
    const image = await anImage("private");
    await expectWhole(await under.settled(await create(image)), image);
    const stranger = await under.settled(await create(image, CACHED, "stranger"));
    expect(stranger).toMatchObject({ status: "error", fault: { error: "ImageNotFound" } });
    expect(readsOf(image)).toBe(1);
  });
});

describe("cached volumes", () => {
  it("stay within their bound; what was put out leaves nothing, and is downloaded again", async () => {
    const images = [await anImage(), await anImage(), await anImage()] as const;
    const others = (await entries.list()).length;
    const [misses = 0, hits = 0, evictions = 0] = CACHE_METRICS.map(sumOf);
    for (const image of images) {
      await under.settled(await create(image));
    }
    const cached = await entries.list();
    expect(cached.map(({ image_id: id }) => id).toSorted()).toEqual([images[1].id, images[2].id].toSorted());
    await expectWhole(await under.settled(await create(images[2])), images[2]);
    expect(readsOf(images[2])).toBe(1);
    await expectWhole(await under.settled(await create(images[0])), images[0]);
    expect(readsOf(images[0])).toBe(2);
    // Two of these make room for the others, after all that were there.
    expect(CACHE_METRICS.map(sumOf)).toEqual([misses + 4, hits + 1, evictions + others + 2]);
  });

  it("that were evicted are removed by the sweep, record, file and capacity", async () => {
    const image = await anImage();
    const { host, size } = await under.settled(await create(image));
    const allocated = async () =>
      (await under.backends.list()).find((backend) => backend.host === host)?.allocated_capacity_gb ?? 0;
    const before = await allocated();
    const { id = "", volume_id: cachedId = "" } = (await entryOf(image)) ?? {};
    expect(filesOfCached(cachedId)).toHaveLength(1);
    expect(await entries.beginEvict(id, { fence: null, now: new Date() })).toBe(true);
    expect(await sweep()).toMatchObject({ failures: [] });
    expect(await entryOf(image)).toBeUndefined();
    expect((await under.volumes.getMany([cachedId])).size).toBe(0);
    expect(filesOfCached(cachedId)).toEqual([]);
    expect(await allocated()).toBe(before - size);
  });

  it("that were truncated on their backend are evicted, and the image is downloaded again", async () => {
    const image = await anImage();
    await under.settled(await create(image));
    const { id = "", volume_id: cachedId = "" } = (await entryOf(image)) ?? {};
    await truncate(join(directory, CACHED, `volume-${cachedId}`), 1000);
    const report = await clients.functions.auditBackends(parseAuditRequest({}));
    expect(report.findings).toMatchObject([{ kind: "damaged", id: cachedId, size_bytes: 1000 }]);
    await expectWhole(await under.settled(await create(image)), image);
    expect(readsOf(image)).toBe(2);
    expect((await entries.get(id))?.state).toBe("evicting");
    expect(await sweep()).toMatchObject({ failures: [] });
    await expectWhole(await under.settled(await create(image)), image);
    await expectWhole(await under.settled(await create(image)), image);
    expect(readsOf(image)).toBe(3);
  });

  it("cannot be deleted by users, and are not findings of the audit", async () => {
    const image = await anImage();
    await under.settled(await create(image));
    const id = (await entryOf(image))?.volume_id ?? "";
    await expect(clients.functions.deleteVolume(id)).rejects.toThrow("belongs to the image-volume cache");
    const report = await clients.functions.auditBackends(parseAuditRequest({}));
    expect(report).toMatchObject({ complete: true, findings: [] });
  });
});
