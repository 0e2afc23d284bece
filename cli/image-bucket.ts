import { createReadStream } from "node:fs";
import { DeleteObjectCommand, ListObjectsV2Command } from "@aws-sdk/client-s3";
import type { S3Client } from "@aws-sdk/client-s3";
import { checkImageFile, type ImageReport } from "../adapters/file/check-image.ts";
import { documentKey } from "../adapters/s3/image-document.ts";
import { S3ImageService } from "../adapters/s3/image-service.ts";
import { putImage } from "../adapters/s3/put-image.ts";
import { blankImageMeta } from "../core/images/blank-image-meta.ts";
import { ImageNotFound, ImageUnacceptable } from "../core/errors.ts";
import type { RequestContext } from "../core/requests/messages.ts";
import type { ImageMeta } from "../core/drivers/driver-ports.ts";
import type { ImageStore, NewImage } from "./connection.ts";
import { CliError } from "./errors.ts";

/** A user with access to the bucket itself sees every project's images. */
const ADMINISTRATOR: RequestContext = {
  request_id: "",
  user_id: null,
  project_id: null,
  is_admin: true,
  roles: [],
};

/** How many documents a listing reads at a time. */
const READS_AT_ONCE = 8;

const DOCUMENT_KEY = /^([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\.json$/;

/** The images bucket, for its administrators. */
export class ImageBucket implements ImageStore {
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #service: S3ImageService;

  constructor(client: S3Client, bucket: string) {
    this.#client = client;
    this.#bucket = bucket;
    this.#service = new S3ImageService(client, bucket);
  }

  /** @throws CliError when the file is not an image that could become a volume. */
  async add(
    image: NewImage,
    onProgress: (bytesDone: number, bytesTotal: number) => void,
    signal: AbortSignal,
  ): Promise<ImageMeta> {
    const { size, disk_format, virtual_size } = await checkedImage(image.path);
    onProgress(0, size);
    return putImage(
      this.#client,
      this.#bucket,
      {
        id: image.id,
        name: image.name,
        disk_format,
        container_format: "bare",
        virtual_size,
        min_disk: image.minDisk,
        min_ram: 0,
        owner: image.owner,
        visibility: image.visibility,
        properties: image.properties,
      },
      // An aborted stream fails the upload, which then removes its parts.
      createReadStream(image.path, { signal, highWaterMark: 1024 * 1024 }),
      (bytesSent) => onProgress(bytesSent, size),
    );
  }

  async get(imageId: string): Promise<ImageMeta> {
    return this.#service.show(ADMINISTRATOR, imageId);
  }

  /** In the order of their ids. A document that cannot be read shows as an image in status `unreadable`. */
  async list(): Promise<ImageMeta[]> {
    const ids = await this.#ids();
    const images: (ImageMeta | undefined)[] = [];
    for (let start = 0; start < ids.length; start += READS_AT_ONCE) {
      const batch = ids.slice(start, start + READS_AT_ONCE);
      images.push(...(await Promise.all(batch.map((id) => this.#describe(id)))));
    }
    return images.filter((image) => image !== undefined);
  }

  /** The document first: without it, the remaining bytes are not an image. */
  async delete(imageId: string): Promise<void> {
    if ((await this.#describe(imageId)) === undefined) {
      throw new ImageNotFound(imageId);
    }
    for (const Key of [documentKey(imageId), imageId]) {
      await this.#client.send(new DeleteObjectCommand({ Bucket: this.#bucket, Key }));
    }
  }

  /** An image; undefined when it does not exist, or does not exist any more. */
  async #describe(imageId: string): Promise<ImageMeta | undefined> {
    try {
      return await this.get(imageId);
    } catch (error) {
      if (error instanceof ImageNotFound) {
        return undefined;
      }
      if (error instanceof ImageUnacceptable) {
        return blankImageMeta(imageId, "unreadable");
      }
      throw error;
    }
  }

  async #ids(): Promise<string[]> {
    const ids: string[] = [];
    let token: string | undefined;
    do {
      const page = await this.#client.send(
        new ListObjectsV2Command({ Bucket: this.#bucket, ContinuationToken: token }),
      );
      ids.push(...(page.Contents ?? []).flatMap(({ Key }) => DOCUMENT_KEY.exec(Key ?? "")?.[1] ?? []));
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
    return ids;
  }
}

/** Checks the file the way an image copy would, so that an unusable image is not uploaded. */
async function checkedImage(path: string): Promise<ImageReport> {
  const report = await checkImageFile(path);
  if (report.error !== null) {
    // The errors of the bucket name an image by its id; this one has none yet.
    throw new CliError(report.error.message, {
      name: report.error.name,
      hint: `cinderless image check ${path} prints more`,
    });
  }
  return report;
}
