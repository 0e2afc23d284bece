import type { ImageMeta, ImageService, ImageServices } from "../../core/drivers/driver-ports.ts";
import type { ImageLocation } from "../../core/spec.ts";
import { recordedAnswer, replayed } from "./recording.ts";

/** Takes the place of `adapters/images.ts`: images are as they were when the execution read them. No byte of them is there. */

const SERVICE: Pick<ImageService, "show" | "getLocation"> = {
  show: async () => specOf()["image_meta"] as ImageMeta,
  getLocation: async () => specOf()["image_location"] as ImageLocation,
};

/** ExtractVolumeSpec reads the image, and its answer is what the later states have. */
function specOf(): Record<string, unknown> {
  return replayed.call?.state === "ExtractVolumeSpec" ? recordedAnswer() : replayed.imageSpec;
}

export * from "../../adapters/images.ts";

/** Overrides the export of the same name. */
export const createImageServices = (): ImageServices => ({
  forHref: (_context, imageHref) => ({
    service: SERVICE as ImageService,
    imageId: imageHref.slice(imageHref.lastIndexOf("/") + 1),
  }),
});
