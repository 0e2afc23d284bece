import { GetObjectCommand, HeadObjectCommand } from "@aws-sdk/client-s3";
import { documentKey } from "../adapters/s3/image-document.ts";
import type { ImageMeta } from "../core/drivers/driver-ports.ts";

/** The SDK client's error for a missing key. */
class NoSuchKey extends Error {
  override readonly name = "NoSuchKey";
  readonly $metadata = { httpStatusCode: 404 };
}

/**
 * S3 as far as `S3ImageService` calls it: the documents of images, so that the product's own rule decides who may see one. The fake
 * drivers read no bytes.
 */
export function imageBucket(images: ReadonlyMap<string, ImageMeta>) {
  return {
    send: async (command: unknown): Promise<never> => {
      const key = command instanceof GetObjectCommand || command instanceof HeadObjectCommand ? command.input.Key : "";
      const found = [...images].find(([id]) => documentKey(id) === key)?.[1];
      if (!(command instanceof GetObjectCommand) || found === undefined) {
        throw new NoSuchKey(`there is no ${key}`);
      }
      const text = JSON.stringify(found);
      return { Body: { transformToString: async () => text } } as never;
    },
  };
}
