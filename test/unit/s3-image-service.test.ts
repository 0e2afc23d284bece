import { Readable } from "node:stream";
import { GetObjectCommand, type GetObjectCommandOutput, HeadObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { mockClient } from "aws-sdk-client-mock";
import { beforeEach, describe, expect, test } from "vitest";
import { S3ImageService } from "../../adapters/s3/image-service.ts";
import { anImage, uuid } from "../support/drivers.ts";

const s3 = mockClient(S3Client);
const service = new S3ImageService(new S3Client({ region: "us-east-1" }), "images");
const id = uuid(500);
const context = { request_id: "", user_id: null, project_id: "project", is_admin: false, roles: [] };

beforeEach(() => {
  s3.reset();
});

function body(text: string): NonNullable<GetObjectCommandOutput["Body"]> {
  const stream = Object.assign(Readable.from([Buffer.from(text)]), { transformToString: async () => text });
  return stream as unknown as NonNullable<GetObjectCommandOutput["Body"]>;
}

function s3Error(status: number): Error {
  return Object.assign(new Error(`status ${status}`), { $metadata: { httpStatusCode: status } });
}

function withDocument(document: object): void {
  s3.on(GetObjectCommand, { Key: `${id}.json` }).resolves({ Body: body(JSON.stringify(document)) });
}

describe("show", () => {
  test("returns the document's fields", async () => {
    const meta = anImage(Buffer.from("disk"));
    withDocument(meta);
    expect(await service.show(context, id)).toMatchObject(meta);
  });

  test.each([
    ["its owner", "private", "project", false, true],
    ["another project", "private", "other", false, false],
    ["another project, shared", "shared", "other", false, false],
    ["another project, when it is public", "public", "other", false, true],
    ["another project, when it is community", "community", "other", false, true],
    ["an administrator", "private", "other", true, true],
    ["a caller without a project, when it has no owner", "private", null, false, false],
  ])("for %s", async (_who, visibility, owner, is_admin, visible) => {
    withDocument(anImage(Buffer.from("disk"), { visibility, owner }));
    const project_id = owner === null ? null : "project";
    const shown = service.show({ ...context, project_id, is_admin }, id).then(
      () => "shown",
      (error: Error) => error.name,
    );
    expect(await shown).toBe(visible ? "shown" : "ImageNotFound");
  });

  test("without a document, returns the object's metadata", async () => {
    s3.on(GetObjectCommand).rejects(s3Error(404));
    s3.on(HeadObjectCommand, { Bucket: "images", Key: id }).resolves({
      ContentLength: 4,
      Metadata: { "disk-format": "raw", "container-format": "bare", visibility: "public" },
    });
    expect(await service.show(context, id)).toMatchObject({ id, size: 4, disk_format: "raw" });
  });

  test("an object without image metadata is not an image: its upload stopped half-way", async () => {
    s3.on(GetObjectCommand).rejects(s3Error(404));
    s3.on(HeadObjectCommand).resolves({ ContentLength: 4, Metadata: {} });
    await expect(service.show({ ...context, is_admin: true }, id)).rejects.toMatchObject({ name: "ImageNotFound" });
  });

  test("a missing object is not an image", async () => {
    s3.on(GetObjectCommand).rejects(s3Error(404));
    s3.on(HeadObjectCommand).rejects(s3Error(404));
    await expect(service.show(context, id)).rejects.toMatchObject({ name: "ImageNotFound" });
  });

  test.each(["../secret", `${id}/x`, "cirros", ""])("the id %j asks the bucket for nothing", async (imageId) => {
    await expect(service.show(context, imageId)).rejects.toMatchObject({ name: "ImageNotFound" });
    await expect(service.openRange(imageId, 0)).rejects.toMatchObject({ name: "ImageNotFound" });
    expect(s3.calls()).toHaveLength(0);
  });
});

test("the location is the object's address, for those who may see it", async () => {
  withDocument(anImage(Buffer.from("disk"), { owner: "other" }));
  await expect(service.getLocation(context, id)).rejects.toMatchObject({ name: "ImageNotFound" });
  const url = `s3://images/${id}`;
  expect(await service.getLocation({ ...context, is_admin: true }, id)).toEqual({
    direct_url: url,
    locations: [{ url, metadata: {} }],
  });
});

describe("openRange", () => {
  test("asks for the bytes from there, of the content with the tag", async () => {
    s3.on(GetObjectCommand).resolves({ Body: body("ef"), ETag: '"tag"', ContentRange: "bytes 4-5/6" });
    const range = await service.openRange(id, 4, { tag: '"tag"' });
    const pieces: Uint8Array[] = [];
    for await (const piece of range.body) {
      pieces.push(piece);
    }
    expect(Buffer.concat(pieces).toString()).toBe("ef");
    expect(range).toMatchObject({ tag: '"tag"', totalSize: 6 });
    expect(s3.commandCalls(GetObjectCommand)[0]?.args[0].input).toEqual({
      Bucket: "images",
      Key: id,
      Range: "bytes=4-",
      IfMatch: '"tag"',
    });
  });

  test("without a tag, takes the content as it is", async () => {
    s3.on(GetObjectCommand).resolves({ Body: body("ab"), ETag: '"tag"', ContentRange: "bytes 0-1/2" });
    await service.openRange(id, 0);
    expect(s3.commandCalls(GetObjectCommand)[0]?.args[0].input).not.toHaveProperty("IfMatch");
  });

  test.each([
    [403, "ImageNotAuthorized"],
    [404, "ImageNotFound"],
    [412, "ImageCopyFailure"],
    [416, "ImageCopyFailure"],
  ])("status %s is %s", async (status, name) => {
    s3.on(GetObjectCommand).rejects(s3Error(status));
    await expect(service.openRange(id, 0, { tag: '"tag"' })).rejects.toMatchObject({ name });
  });

  test("an error of the service stays what it is, to be asked again", async () => {
    s3.on(GetObjectCommand).rejects(s3Error(503));
    await expect(service.openRange(id, 0)).rejects.toThrow("status 503");
  });

  test("an answer of other bytes than asked for is not taken", async () => {
    s3.on(GetObjectCommand).resolves({ Body: body("abcdef"), ETag: '"tag"', ContentLength: 6 });
    await expect(service.openRange(id, 4)).rejects.toMatchObject({ name: "ImageCopyFailure" });
  });

  test("a signal ends the request", async () => {
    s3.on(GetObjectCommand).resolves({ Body: body("ab"), ETag: '"tag"', ContentRange: "bytes 0-1/2" });
    const { signal } = new AbortController();
    await service.openRange(id, 0, { signal });
    const sent: readonly unknown[] = s3.commandCalls(GetObjectCommand)[0]?.args ?? [];
    expect(sent[1]).toEqual({ abortSignal: signal });
  });
});
