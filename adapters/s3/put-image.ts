import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { InvalidInput } from "../../core/errors.ts";
import type { ImageMeta } from "../../core/drivers/driver-ports.ts";
import { BytesLeft } from "./bytes-left.ts";
import { documentKey } from "./image-document.ts";

/** The uploader's description of an image; everything else is found during the upload. */
export type NewImage = Pick<
  ImageMeta,
  | "id"
  | "name"
  | "disk_format"
  | "container_format"
  | "min_disk"
  | "min_ram"
  | "owner"
  | "visibility"
  | "properties"
  | "virtual_size"
>;

/**
 * Puts an image into the bucket: its bytes in parts, hashed on the way (SHA-512 and MD5), then the document that makes them an image.
 *
 * Interrupted: an upload that fails deletes its bytes, which no listing would show. One whose process dies leaves an object without a
 * document, which is not an image; the upload may be repeated under the same id.
 *
 * @param body the bytes, in pieces of any size
 * @param onProgress receives the bytes that the bucket has
 * @returns the metadata in the bucket
 * @throws InvalidInput when an image of that id exists: the bytes of an image never change.
 * @throws BytesLeft when the upload failed and its bytes could not be deleted.
 */
export async function putImage(
  client: S3Client,
  bucket: string,
  image: NewImage,
  body: AsyncIterable<Uint8Array>,
  onProgress: (bytesSent: number) => void = () => {},
): Promise<ImageMeta> {
  if (await hasObject(client, bucket, documentKey(image.id))) {
    throw new InvalidInput(`image ${image.id} exists already`);
  }
  const sha512 = createHash("sha512");
  const md5 = createHash("md5");
  let size = 0;
  async function* hashed(): AsyncGenerator<Uint8Array> {
    for await (const piece of body) {
      sha512.update(piece);
      md5.update(piece);
      size += piece.length;
      yield piece;
    }
  }
  const store: ImageBytes = { client, bucket, id: image.id };
  try {
    const upload = new Upload({
      client,
      params: {
        Bucket: bucket,
        Key: image.id,
        Body: Readable.from(hashed(), { objectMode: false }),
        ContentType: "application/octet-stream",
      },
    });
    upload.on("httpUploadProgress", ({ loaded }) => onProgress(loaded ?? 0));
    await upload.done();
  } catch (error) {
    throw await cleanedUp(store, error);
  }
  const meta: ImageMeta = {
    ...image,
    status: "active",
    size,
    virtual_size: image.virtual_size ?? (image.disk_format === "raw" ? size : null),
    checksum: md5.digest("hex"),
    os_hash_algo: "sha512",
    os_hash_value: sha512.digest("hex"),
  };
  await putDocument(store, JSON.stringify(meta));
  return meta;
}

/** Where the bytes of an image are. */
type ImageBytes = { client: S3Client; bucket: string; id: string };

async function putDocument(store: ImageBytes, document: string): Promise<void> {
  const Key = documentKey(store.id);
  try {
    await store.client.send(
      new PutObjectCommand({ Bucket: store.bucket, Key, Body: document, ContentType: "application/json" }),
    );
  } catch (error) {
    // The answer alone may have been lost.
    if ((await textOf(store, Key).catch(() => undefined)) !== document) {
      throw await cleanedUp(store, error);
    }
  }
}

/**
 * Deletes the bytes of an image that was not added, unless another upload has added one of that id since.
 *
 * @returns the error to throw: the failure, or BytesLeft
 */
async function cleanedUp(store: ImageBytes, failure: unknown): Promise<unknown> {
  const { client, bucket, id } = store;
  try {
    if (!(await hasObject(client, bucket, documentKey(id)))) {
      await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: id }));
    }
    return failure;
  } catch (error) {
    return new BytesLeft(store, failure, error);
  }
}

async function textOf({ client, bucket }: ImageBytes, key: string): Promise<string | undefined> {
  const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
  return Body?.transformToString();
}

async function hasObject(client: S3Client, bucket: string, key: string): Promise<boolean> {
  try {
    await client.send(new HeadObjectCommand({ Bucket: bucket, Key: key }));
    return true;
  } catch (error) {
    // HEAD has no body, so the SDK knows the error by its status only.
    if (error instanceof Error && error.name === "NotFound") {
      return false;
    }
    throw error;
  }
}
