import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  S3Client,
} from "@aws-sdk/client-s3";
import { mockClient } from "aws-sdk-client-mock";
import { beforeEach, describe, expect, test } from "vitest";
import { ImageBucket } from "../../cli/image-bucket.ts";
import { image, VOLUME_ID } from "../support/cli-context.ts";

const s3 = mockClient(S3Client);
const bucket = new ImageBucket(new S3Client({ region: "eu-west-1" }), "images");
const ONE = VOLUME_ID;
const TWO = image().id;

/** An answer of S3 that there is no such object. */
function notFound(): Error {
  return Object.assign(new Error("not found"), { name: "NoSuchKey", $metadata: { httpStatusCode: 404 } });
}

/** Puts a document into the bucket. */
function document(id: string, content: string): void {
  const Body = { transformToString: async () => content } as never;
  s3.on(GetObjectCommand, { Key: `${id}.json` }).resolves({ Body });
}

beforeEach(() => {
  s3.reset();
  s3.on(GetObjectCommand).rejects(notFound());
  s3.on(HeadObjectCommand).rejects(notFound());
  s3.on(DeleteObjectCommand).resolves({});
});

describe("the list of images", () => {
  test("is that of the documents, over all pages, and of nothing else in the bucket", async () => {
    s3.on(ListObjectsV2Command, { ContinuationToken: undefined }).resolves({
      Contents: [{ Key: ONE }, { Key: `${ONE}.json` }, { Key: "notes.json" }],
      IsTruncated: true,
      NextContinuationToken: "next",
    });
    s3.on(ListObjectsV2Command, { ContinuationToken: "next" }).resolves({ Contents: [{ Key: `${TWO}.json` }] });
    document(ONE, JSON.stringify(image({ id: ONE, owner: "another project" })));
    document(TWO, JSON.stringify(image()));
    expect((await bucket.list()).map(({ id }) => id)).toEqual([ONE, TWO]);
  });

  test("shows a document that cannot be read, and leaves out one that is gone in the meantime", async () => {
    s3.on(ListObjectsV2Command).resolves({ Contents: [{ Key: `${ONE}.json` }, { Key: `${TWO}.json` }] });
    document(ONE, "{");
    expect(await bucket.list()).toMatchObject([{ id: ONE, status: "unreadable" }]);
  });

  test("of an empty bucket is empty", async () => {
    s3.on(ListObjectsV2Command).resolves({});
    expect(await bucket.list()).toEqual([]);
  });
});

describe("deleting an image", () => {
  const deleted = () => s3.commandCalls(DeleteObjectCommand).map(({ args: [{ input }] }) => input.Key);

  test("deletes the document first: the rest of an interrupted deletion is not an image", async () => {
    document(ONE, JSON.stringify(image({ id: ONE })));
    await bucket.delete(ONE);
    expect(deleted()).toEqual([`${ONE}.json`, ONE]);
  });

  test("works for one whose document cannot be read", async () => {
    document(ONE, "{");
    await bucket.delete(ONE);
    expect(deleted()).toHaveLength(2);
  });

  test("of an image that is not there is refused", async () => {
    await expect(bucket.delete(ONE)).rejects.toThrow(`Image ${ONE} could not be found.`);
    expect(deleted()).toEqual([]);
  });
});

test("an image of any project can be looked up", async () => {
  document(ONE, JSON.stringify(image({ id: ONE, owner: "another project" })));
  await expect(bucket.get(ONE)).resolves.toMatchObject({ id: ONE, owner: "another project" });
});
