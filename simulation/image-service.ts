import { ImageNotFound } from "../core/errors.ts";
import type { ImageMeta, ImageService } from "../core/drivers/driver-ports.ts";

/** Images in memory, without bytes: seen by their owner and, if public, by everybody. */
export function imageServiceFake(images: ReadonlyMap<string, ImageMeta>): ImageService {
  return {
    show: async (context, imageId) => {
      const meta = images.get(imageId);
      const isVisible = meta?.visibility === "public" || meta?.owner === context.project_id || context.is_admin;
      if (meta === undefined || !isVisible) {
        throw new ImageNotFound(imageId);
      }
      return structuredClone(meta);
    },
    getLocation: async (_context, imageId) => ({ direct_url: `s3://images/${imageId}`, locations: [] }),
    openRange: async () => {
      throw new Error("the fake driver reads no bytes");
    },
  };
}
