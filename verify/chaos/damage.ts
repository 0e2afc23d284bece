import { truncate } from "node:fs/promises";
import { PutObjectCommand } from "@aws-sdk/client-s3";
import { volumePlace } from "../../adapters/file/paths.ts";
import { IMAGE_CACHE_PROJECT_ID } from "../../core/image-cache/image-cache.ts";
import { everything } from "./gather.ts";
import { persist, type Services } from "./services.ts";
import { backendDirectory, CACHING_BACKEND } from "./stack.ts";

/** Bytes that go lost behind the product's back: nothing may be made of what is left. */

/** Remaining bytes of a cached volume: less than the data of any image except the smallest. */
const LEFT_OF_CACHED = 1000;

/** New content of an image whose document stays unchanged. */
const DAMAGES = [
  (bytes: Buffer): Buffer => {
    const changed = Buffer.from(bytes);
    changed.writeUInt8(changed.readUInt8(changed.length - 1) ^ 1, changed.length - 1);
    return changed;
  },
  (bytes: Buffer): Buffer => bytes.subarray(0, -1),
] as const;

/** Replaces the bytes of an image: by as many with one bit changed, or by all but the last one. */
export async function damageImage(
  { s3, output }: Services,
  imageId: string,
  bytes: Buffer,
  number: number,
  signal: AbortSignal,
): Promise<void> {
  const damage = DAMAGES[number % DAMAGES.length] ?? DAMAGES[0];
  const request = { Bucket: output("ImagesBucketName"), Key: imageId, Body: damage(bytes) };
  await persist(signal, () => s3.send(new PutObjectCommand(request)));
}

/** The files of the cached volumes that are there now. */
export async function cachedFiles({ volumes }: Services, directory: string, signal: AbortSignal): Promise<string[]> {
  const filter = { projectId: IMAGE_CACHE_PROJECT_ID, status: "available" };
  const records = await persist(signal, () => everything((limit, from) => volumes.list(filter, limit, from)));
  const files = backendDirectory(directory, CACHING_BACKEND.name);
  return records.map(({ id, fence }) => volumePlace(files, id, fence).path);
}

/** Takes the most of them away. Returns their number, without those that were evicted since. */
export async function truncateFiles(paths: readonly string[]): Promise<number> {
  const results = await Promise.allSettled(paths.map((path) => truncate(path, LEFT_OF_CACHED)));
  return results.filter(({ status }) => status === "fulfilled").length;
}
