import { createHash } from "node:crypto";
import { mkdir, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { startFauxqs } from "fauxqs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ImageBucket } from "../../cli/image-bucket.ts";
import { runCli } from "../support/cli-context.ts";
import { temporaryDirectory, uuid } from "../support/drivers.ts";
import { aQcow2Image } from "../support/qcow2-writer.ts";

const { file: QCOW2, disk: DISK } = aQcow2Image(3 * 2 ** 20 + 512);

async function fileOf(content: Uint8Array): Promise<string> {
  const path = join(await temporaryDirectory(), "disk.img");
  await writeFile(path, content);
  return path;
}

function withBackingFile(): Buffer {
  const image = Buffer.from(QCOW2);
  image.writeBigUInt64BE(1024n, 8);
  image.writeUInt32BE(11, 16);
  image.write("/etc/passwd", 1024);
  return image;
}

describe("image check", () => {
  test("says of a qcow2 image what it is and which volume it needs", async () => {
    const { status, stdout } = await runCli(["image", "check", await fileOf(QCOW2)]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^format +qcow2$/m);
    expect(stdout).toMatch(new RegExp(`^virtual size .*\\(${DISK.length} bytes\\)$`, "m"));
    expect(stdout).toMatch(/^smallest volume +1 GiB$/m);
    expect(stdout).toMatch(/^acceptable +yes$/m);
  });

  test("asks for a volume that a file larger than its disk fits too, as Cinder does", async () => {
    const path = await fileOf(QCOW2);
    await truncate(path, 2 ** 30 + 1);
    expect((await runCli(["image", "check", path])).stdout).toMatch(/^smallest volume +2 GiB$/m);
  });

  test("names a backing file without following it, and fails", async () => {
    const { status, stdout, stderr } = await runCli(["image", "check", await fileOf(withBackingFile())]);
    expect(status).toBe(1);
    expect(stdout).toMatch(/^backing file +\/etc\/passwd$/m);
    expect(stdout).toMatch(/^acceptable +no$/m);
    expect(stderr).toContain("it has a backing file");
  });

  test("--json answers with one document, also of what is refused", async () => {
    const { status, stdout } = await runCli(["image", "check", await fileOf(QCOW2), "--format", "raw", "--json"]);
    expect(status).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      disk_format: "raw",
      content: "qcow2",
      acceptable: false,
      error: { name: "ImageUnacceptable" },
    });
  });

  test.each<[string, number, string | number[]]>([
    ["LUKS", 0, "LUKS\xba\xbe"],
    ["GPT", 512, "EFI PART"],
    ["ISO 9660", 0x8001, "CD001"],
    ["MBR or boot sector", 510, [0x55, 0xaa]],
  ])("says that a raw disk begins with %s", async (what, offset, magic) => {
    const disk = Buffer.alloc(65_536);
    disk.set(typeof magic === "string" ? Buffer.from(magic, "latin1") : magic, offset);
    const { status, stdout } = await runCli(["image", "check", await fileOf(disk)]);
    expect([status, stdout]).toEqual([0, expect.stringContaining(`raw, ${what}`)]);
  });

  test.each([
    ["a file that is not there", "nothing", "no such file"],
    ["a directory", "directory", "is not a regular file"],
  ])("of %s fails in one line", async (_what, name, reason) => {
    const parent = await temporaryDirectory();
    await mkdir(join(parent, "directory"));
    const { status, stderr } = await runCli(["image", "check", join(parent, name)]);
    expect(status).toBe(1);
    expect(stderr.trim().split("\n")).toEqual([expect.stringContaining(reason)]);
  });

  test("follows a link", async () => {
    const link = join(await temporaryDirectory(), "latest");
    await symlink(await fileOf(Buffer.alloc(512, "disk")), link);
    expect(await runCli(["image", "check", link])).toMatchObject({ status: 0, stderr: "" });
  });

  test("of an empty file says that it contains no data", async () => {
    const { status, stderr } = await runCli(["image", "check", await fileOf(Buffer.alloc(0))]);
    expect([status, stderr]).toEqual([1, expect.stringContaining("contains no data")]);
  });
});

describe("image add", () => {
  let server: Awaited<ReturnType<typeof startFauxqs>>;
  let bucket: ImageBucket;

  beforeAll(async () => {
    server = await startFauxqs({ port: 0, host: "127.0.0.1", logger: false });
    const client = new S3Client({
      endpoint: `http://127.0.0.1:${server.port}`,
      region: "us-east-1",
      forcePathStyle: true,
      credentials: { accessKeyId: "test", secretAccessKey: "test" },
    });
    await client.send(new CreateBucketCommand({ Bucket: "images" }));
    bucket = new ImageBucket(client, "images");
  });

  afterAll(() => server.stop());

  const add = (path: string, number: number) => {
    const image = { id: uuid(number), path, name: "disk", minDisk: 0, properties: {}, owner: "project" };
    return bucket.add({ ...image, visibility: "private" }, () => {}, new AbortController().signal);
  };

  test("puts a qcow2 image with the size of its disk, so that a volume too small is refused when it is asked for", async () => {
    await add(await fileOf(QCOW2), 1);
    expect(await bucket.get(uuid(1))).toMatchObject({
      disk_format: "qcow2",
      size: QCOW2.length,
      virtual_size: DISK.length,
      os_hash_value: createHash("sha512").update(QCOW2).digest("hex"),
    });
  });

  test("refuses what could not become a volume, with the reason, and puts nothing", async () => {
    await expect(add(await fileOf(withBackingFile()), 2)).rejects.toMatchObject({
      name: "ImageUnacceptable",
      message: expect.stringContaining("backing file"),
    });
    await expect(bucket.get(uuid(2))).rejects.toMatchObject({ name: "ImageNotFound" });
  });
});
