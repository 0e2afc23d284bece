import { InvalidImageRef } from "../core/errors.ts";
import type { ImageService, ImageServices } from "../core/ports.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/**
 * The image services that are configured: those of one bucket. A reference is an image's id, or its address in that bucket,
 * `s3://BUCKET/ID`. No other host or bucket is ever asked: a reference comes from a message, and must not choose who is sent
 * the service's credentials.
 */
export function createImageServices(bucket: string, service: ImageService): ImageServices {
  const prefix = `s3://${bucket}/`;
  return {
    forHref(_context, imageHref) {
      const imageId = imageHref.startsWith(prefix) ? imageHref.slice(prefix.length) : imageHref;
      if (!UUID.test(imageId)) {
        throw new InvalidImageRef(imageHref.slice(0, 200));
      }
      return { service, imageId };
    },
  };
}
