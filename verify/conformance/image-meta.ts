import { blankImageMeta } from "../../core/images/blank-image-meta.ts";
import type { ImageMeta } from "../../core/drivers/driver-ports.ts";
import type { Given } from "./cases.ts";

/** The image that the recording's service shows when a case says nothing else. */
const USUAL_IMAGE: Record<string, unknown> = {
  name: "Fedora 20",
  status: "active",
  disk_format: "raw",
  container_format: "bare",
  size: 1_048_576,
  min_disk: 1,
  min_ram: 512,
  checksum: "d41d8cd98f00b204e9800998ecf8427e",
  owner: "proj",
  visibility: "public",
  properties: { os_distro: "fedora", hw_disk_bus: "virtio", dropped: null },
};

/** The image of a case, in the shape in which this project's image services give it: what is absent in Glance's is null. */
export function imageMetaOf(given: Given, imageId: string): ImageMeta {
  const shown: Record<string, unknown> = { ...(given.image_meta ?? { ...USUAL_IMAGE, ...given.image.meta }) };
  for (const [key, value] of Object.entries(shown)) {
    if (value === "<absent>") {
      delete shown[key];
    }
  }
  return { ...blankImageMeta(imageId, "active"), ...shown, id: imageId };
}
