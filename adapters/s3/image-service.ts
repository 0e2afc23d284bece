import {
  GetObjectCommand,
  type GetObjectCommandInput,
  type GetObjectCommandOutput,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  type S3Client,
} from "@aws-sdk/client-s3";
import type { Readable } from "node:stream";
import { describeError, ImageCopyFailure, ImageNotAuthorized, ImageNotFound } from "../../core/errors.ts";
import type { RequestContext } from "../../core/requests/messages.ts";
import type { ImageMeta, ImageRange, ImageService, RangeOptions } from "../../core/drivers/driver-ports.ts";
import type { ImageLocation } from "../../core/spec.ts";
import { steadyBytes } from "../steady-bytes.ts";
import { documentKey, parseImageDocument, parseObjectMetadata } from "./image-document.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Visibilities that every project may see (Glance's `is_image_visible`). */
const VISIBLE_TO_ALL: readonly string[] = ["public", "community"];

/**
 * Images in a bucket: the object `<image_id>` with the bytes, and `<image_id>.json` next to it with the metadata in Cinder's shape
 * (`ImageMeta`). An object that has no such document is described by its own metadata, `x-amz-meta-disk-format` and so on: see
 * `image-document.ts`.
 *
 * A caller who may not see an image gets the same answer as for a missing one, as from Glance.
 */
export class S3ImageService implements ImageService {
  readonly #client: Pick<S3Client, "send">;
  readonly #bucket: string;

  constructor(client: Pick<S3Client, "send">, bucket: string) {
    this.#client = client;
    this.#bucket = bucket;
  }

  async show(context: RequestContext, imageId: string): Promise<ImageMeta> {
    requireImageId(imageId);
    const meta = (await this.#readDocument(imageId)) ?? (await this.#readObjectMetadata(imageId));
    const visible =
      context.is_admin ||
      VISIBLE_TO_ALL.includes(meta.visibility) ||
      (meta.owner !== null && meta.owner === context.project_id);
    if (!visible) {
      throw new ImageNotFound(imageId);
    }
    return meta;
  }

  async getLocation(context: RequestContext, imageId: string): Promise<ImageLocation> {
    await this.show(context, imageId);
    const url = `s3://${this.#bucket}/${imageId}`;
    return { direct_url: url, locations: [{ url, metadata: {} }] };
  }

  /** The tag is the object's ETag: with it, S3 answers only with exactly that content. */
  async openRange(imageId: string, from: number, { to, tag, signal }: RangeOptions = {}): Promise<ImageRange> {
    requireImageId(imageId);
    const range = `bytes=${from}-${to === undefined ? "" : to - 1}`;
    const output = await this.#get(
      imageId,
      { Key: imageId, Range: range, ...(tag === undefined ? {} : { IfMatch: tag }) },
      signal,
    );
    const totalSize = totalSizeOf(output, from);
    if (output.Body === undefined || output.ETag === undefined || totalSize === undefined) {
      throw new ImageCopyFailure(`the bucket's answer for image ${imageId} from byte ${from} has no range`);
    }
    // In Node the body is a readable stream.
    const body = steadyBytes(output.Body as Readable, (error) => brokeOff(imageId, error), signal);
    return { body, tag: output.ETag, totalSize, ranged: output.ContentRange !== undefined };
  }

  async #readDocument(imageId: string): Promise<ImageMeta | undefined> {
    let text: string | undefined;
    try {
      const output = await this.#get(imageId, { Key: documentKey(imageId) });
      text = await output.Body?.transformToString();
    } catch (error) {
      if (error instanceof ImageNotFound) {
        return undefined;
      }
      throw error;
    }
    return parseImageDocument(imageId, text ?? "");
  }

  /** An object without a disk format is not an image: its upload stopped half-way, or it was never meant to be one. */
  async #readObjectMetadata(imageId: string): Promise<ImageMeta> {
    let output: HeadObjectCommandOutput;
    try {
      output = await this.#client.send(new HeadObjectCommand({ Bucket: this.#bucket, Key: imageId }));
    } catch (error) {
      throw asImageError(error, imageId);
    }
    if (output.Metadata?.["disk-format"] === undefined) {
      throw new ImageNotFound(imageId);
    }
    return parseObjectMetadata(imageId, output.Metadata, output.ContentLength ?? null);
  }

  async #get(
    imageId: string,
    input: Omit<GetObjectCommandInput, "Bucket">,
    signal?: AbortSignal,
  ): Promise<GetObjectCommandOutput> {
    try {
      return await this.#client.send(
        new GetObjectCommand({ Bucket: this.#bucket, ...input }),
        signal === undefined ? {} : { abortSignal: signal },
      );
    } catch (error) {
      throw asImageError(error, imageId);
    }
  }
}

/** Of no known name, so that the copy continues from its last checkpoint. */
function brokeOff(imageId: string, error: unknown): Error {
  return new Error(`image ${imageId} broke off: ${describeError(error).message}`, { cause: error });
}

/** An id that is not a UUID names no image, and no object either. */
function requireImageId(imageId: string): void {
  if (!UUID.test(imageId)) {
    throw new ImageNotFound(imageId.slice(0, 80));
  }
}

/** The whole object's size, from `Content-Range: bytes 0-9/100`; undefined when the answer is not of the range asked for. */
function totalSizeOf(output: GetObjectCommandOutput, from: number): number | undefined {
  const match = /^bytes (\d+)-\d+\/(\d+)$/.exec(output.ContentRange ?? "");
  if (match !== null) {
    return Number(match[1]) === from ? Number(match[2]) : undefined;
  }
  // A store that ignores ranges sends everything.
  return from === 0 ? output.ContentLength : undefined;
}

/** S3's answers, by status: error codes differ between stores, and HEAD has no body to name one. */
function asImageError(error: unknown, imageId: string): unknown {
  const status = statusOf(error);
  if (status === 403) {
    return new ImageNotAuthorized(imageId);
  }
  if (status === 404) {
    return new ImageNotFound(imageId);
  }
  if (status === 412) {
    return new ImageCopyFailure(`image ${imageId} changed while it was read`);
  }
  return status === 416 ? new ImageCopyFailure(`the size of image ${imageId} changed while it was read`) : error;
}

function statusOf(error: unknown): number | undefined {
  if (typeof error !== "object" || error === null || !("$metadata" in error)) {
    return undefined;
  }
  const metadata = error.$metadata;
  const hasStatus = typeof metadata === "object" && metadata !== null && "httpStatusCode" in metadata;
  return hasStatus && typeof metadata.httpStatusCode === "number" ? metadata.httpStatusCode : undefined;
}
