// @ts-nocheck
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { HeadObjectCommand, PutObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { InvalidInput } from "../../core/errors.ts";
import type { ImageMeta } from "../../core/driver-ports.ts";
import { documentKey } from "./image-document.ts";

/** What the uploader says of an image; the rest is found on the way. */
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
 * Puts an image into the bucket: its bytes in parts, hashed on the way (SHA-512 and MD5), then the document that makes an image of
 * them. An upload that stops half-way leaves an object without a document, which is no image, and may be repeated.
 *
 * @param body the bytes, in pieces of any size
 * @param onProgress is told the bytes that the bucket has
 * @returns the metadata as it stands in the bucket
 * @throws InvalidInput when there is an image of that id: the bytes of an image never change.
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
  const meta: ImageMeta = {
    ...image,
    status: "active",
    size,
    virtual_size: image.virtual_size ?? (image.disk_format === "raw" ? size : null),
    checksum: md5.digest("hex"),
    os_hash_algo: "sha512",
    os_hash_value: sha512.digest("hex"),
  };
  await client.send(
    new PutObjectCommand({
      Bucket: bucket,
      Key: documentKey(image.id),
      Body: JSON.stringify(meta),
      ContentType: "application/json",
    }),
  );
  return meta;
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
