import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { CreateBucketCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { startFauxqs } from "fauxqs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FileDriver } from "../../adapters/file/driver.ts";
import { S3ImageService } from "../../adapters/s3/image-service.ts";
import { type NewImage, putImage } from "../../adapters/s3/put-image.ts";
import { aVolume, KeptProgress, MIB, sparseContent, temporaryDirectory, unhurried, uuid } from "../support/drivers.ts";

let server: Awaited<ReturnType<typeof startFauxqs>>;
let client: S3Client;
let service: S3ImageService;
const context = { request_id: "", user_id: null, project_id: "project", is_admin: false, roles: [] };

beforeAll(async () => {
  server = await startFauxqs({ port: 0, host: "127.0.0.1", logger: false });
  client = new S3Client({
    endpoint: `http://127.0.0.1:${server.port}`,
    region: "us-east-1",
    forcePathStyle: true,
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
  });
  await client.send(new CreateBucketCommand({ Bucket: "images" }));
  service = new S3ImageService(client, "images");
});

afterAll(async () => {
  client.destroy();
  await server.stop();
});

let count = 0;

function newImage(overrides: Partial<NewImage> = {}): NewImage {
  count += 1;
  return {
    id: uuid(count),
    name: "disk",
    disk_format: "raw",
    container_format: "bare",
    min_disk: 0,
    min_ram: 0,
    owner: "project",
    visibility: "private",
    properties: {},
    ...overrides,
  };
}

async function* pieces(content: Buffer, bytes = 64 * 1024): AsyncGenerator<Buffer> {
  for (let at = 0; at < content.length; at += bytes) {
    yield content.subarray(at, at + bytes);
  }
}

async function read(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of body) {
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** The objects that have to do with an image. */
async function keysOf(id: string): Promise<string[]> {
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: "images", Prefix: id }));
  return Contents.map(({ Key = "" }) => Key);
}

type Call = { input: Record<string, unknown> };

/** A client whose chosen calls fail, before or after they were made. */
function failingClient(fails: (call: Call) => boolean, when: "before" | "after" = "before"): S3Client {
  return new Proxy(client, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name);
      if (name !== "send") return value;
      return async (command: Call) => {
        const failing = fails(command);
        if (failing && when === "before") throw new Error("made to fail");
        const answer: unknown = await target.send(command as never);
        if (failing) throw new Error("made to fail");
        return answer;
      };
    },
  });
}

describe("putting an image", () => {
  test.each([
    ["in one request", 5],
    ["in parts", 12 * MIB + 3],
  ])("%s: its bytes, size and hashes are as sent", async (_how, bytes) => {
    const content = sparseContent(bytes, 1, 1);
    const image = newImage();
    const meta = await putImage(client, "images", image, pieces(content));
    expect(meta).toMatchObject({
      size: bytes,
      os_hash_algo: "sha512",
      os_hash_value: createHash("sha512").update(content).digest("hex"),
      checksum: createHash("md5").update(content).digest("hex"),
      status: "active",
    });
    expect(await service.show(context, image.id)).toEqual(meta);
    expect((await read((await service.openRange(image.id, 0)).body)).equals(content)).toBe(true);
  });

  test("reports its progress, up to the end", async () => {
    const told: number[] = [];
    await putImage(client, "images", newImage(), pieces(Buffer.alloc(11 * MIB, 1)), (bytes) => told.push(bytes));
    expect(told.at(-1)).toBe(11 * MIB);
    expect(told).toEqual(told.toSorted((a, b) => a - b));
  });

  test("one that breaks off makes no image, and may be repeated", async () => {
    const image = newImage();
    async function* breaking(): AsyncGenerator<Buffer> {
      yield Buffer.alloc(6 * MIB, 1);
      throw new Error("the file went away");
    }
    await expect(putImage(client, "images", image, breaking())).rejects.toThrow("the file went away");
    await expect(service.show(context, image.id)).rejects.toMatchObject({ name: "ImageNotFound" });
    await putImage(client, "images", image, pieces(Buffer.from("disk")));
    expect(await service.show(context, image.id)).toMatchObject({ size: 4 });
  });

  test.each([
    ["while its bytes are sent in parts", [Buffer.alloc(6 * MIB, 1)], "the file went away"],
    ["while its bytes are sent in one request", [Buffer.from("disk")], "the file went away"],
  ])("one that fails %s leaves no object", async (_when, sent, reason) => {
    const image = newImage();
    async function* breaking(): AsyncGenerator<Buffer> {
      yield* sent;
      throw new Error(reason);
    }
    await expect(putImage(client, "images", image, breaking())).rejects.toThrow(reason);
    expect(await keysOf(image.id)).toEqual([]);
  });

  test("one whose document cannot be written leaves no object", async () => {
    const image = newImage();
    const failing = failingClient(({ input }) => input.Key === `${image.id}.json` && "Body" in input);
    await expect(putImage(failing, "images", image, pieces(Buffer.from("disk")))).rejects.toThrow("made to fail");
    expect(await keysOf(image.id)).toEqual([]);
  });

  test("one whose last answer is lost is there", async () => {
    const image = newImage();
    const failing = failingClient(({ input }) => input.Key === `${image.id}.json` && "Body" in input, "after");
    await putImage(failing, "images", image, pieces(Buffer.from("disk")));
    expect(await service.show(context, image.id)).toMatchObject({ size: 4 });
  });

  test("one that fails and cannot be cleaned up says where its bytes are", async () => {
    const image = newImage();
    let failures = 0;
    const failing = failingClient(({ input }) => {
      const fails = (input.Key === `${image.id}.json` && "Body" in input) || failures > 0;
      if (fails) failures += 1;
      return fails;
    });
    await expect(putImage(failing, "images", image, pieces(Buffer.from("disk")))).rejects.toMatchObject({
      name: "BytesLeft",
      message: `image ${image.id} was not added: made to fail; its bytes could not be deleted (made to fail) and may be left as s3://images/${image.id}`,
    });
    expect(await keysOf(image.id)).toEqual([image.id]);
  });

  test("bytes without the document are not an image", async () => {
    const { id } = newImage();
    await client.send(new PutObjectCommand({ Bucket: "images", Key: id, Body: "disk" }));
    await expect(service.show({ ...context, is_admin: true }, id)).rejects.toMatchObject({ name: "ImageNotFound" });
  });

  test("an image that exists is not replaced", async () => {
    const image = newImage();
    await putImage(client, "images", image, pieces(Buffer.from("first")));
    await expect(putImage(client, "images", image, pieces(Buffer.from("later")))).rejects.toMatchObject({
      name: "InvalidInput",
    });
    expect(String(await read((await service.openRange(image.id, 0)).body))).toBe("first");
  });
});

describe("reading an image", () => {
  test("from the middle, with the whole one's size", async () => {
    const content = sparseContent(300_000, 2, 1);
    const image = newImage();
    await putImage(client, "images", image, pieces(content));
    const { tag } = await service.openRange(image.id, 0);
    const range = await service.openRange(image.id, 123_457, { tag });
    expect(range.totalSize).toBe(content.length);
    expect((await read(range.body)).equals(content.subarray(123_457))).toBe(true);
  });

  test("one that was replaced in the meantime is refused", async () => {
    const image = newImage();
    await putImage(client, "images", image, pieces(Buffer.from("first")));
    const { tag } = await service.openRange(image.id, 0);
    await client.send(new PutObjectCommand({ Bucket: "images", Key: image.id, Body: "later" }));
    await expect(service.openRange(image.id, 2, { tag })).rejects.toMatchObject({ name: "ImageCopyFailure" });
  });

  test("one that became shorter is refused", async () => {
    const image = newImage();
    await putImage(client, "images", image, pieces(Buffer.from("long enough")));
    await client.send(new PutObjectCommand({ Bucket: "images", Key: image.id, Body: "x" }));
    await expect(service.openRange(image.id, 5)).rejects.toMatchObject({ name: "ImageCopyFailure" });
  });

  test("one that does not exist is not found", async () => {
    await expect(service.openRange(uuid(999), 0)).rejects.toMatchObject({ name: "ImageNotFound" });
    await expect(service.show(context, uuid(999))).rejects.toMatchObject({ name: "ImageNotFound" });
  });
});

test("an image of the bucket becomes a volume, in several turns", async () => {
  const content = sparseContent(9 * MIB + 17, 3);
  const image = newImage();
  const meta = await putImage(client, "images", image, pieces(content));
  const directory = await temporaryDirectory();
  const driver = new FileDriver("node@file", { directory });
  await driver.createVolume(aVolume(), unhurried());
  const kept = new KeptProgress();
  const source = { service, imageId: image.id, meta };
  let turns = 1;
  while (
    !(
      await driver.copyImageToVolume(
        aVolume(),
        source,
        kept.work(() => 1_000),
      )
    ).done
  ) {
    turns += 1;
  }
  const file = await open(join(directory, `volume-${uuid(1)}`));
  const { buffer } = await file.read(Buffer.alloc(content.length), 0, content.length, 0);
  await file.close();
  expect(turns).toBeGreaterThan(5);
  expect(buffer.equals(content)).toBe(true);
});
