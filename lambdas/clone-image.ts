import { type CloneImageDependencies, cloneImage } from "../core/workflow/clone-image.ts";
import {
  bounds,
  clock,
  drivers,
  imageCache,
  imageCacheEntries,
  images,
  locks,
  volumes,
} from "./runtime/composition.ts";
import { made, type PortsOf } from "./runtime/ports.ts";
import { writeMetrics } from "./runtime/metrics.ts";
import { taskHandler } from "./runtime/task-handler.ts";

export const ports = {
  volumes: volumes("beginCreate", "persistModelUpdate"),
} satisfies PortsOf<CloneImageDependencies>;

/** With the image-volume cache only. */
export const imageCachePorts = {
  entries: imageCacheEntries("beginEvict", "beginFill", "get", "touch"),
  locks: locks("put", "remove", "withdraw"),
  volumes: volumes("countLock"),
} satisfies PortsOf<NonNullable<CloneImageDependencies["imageCache"]>>;

/** The state CloneImage. */
export const handler = taskHandler(["volume_spec"], (input, turn) =>
  cloneImage(
    {
      ...made(ports),
      drivers: drivers(),
      images: images(),
      imageCache: imageCache(imageCachePorts),
      onImageCacheUse: (use) => writeMetrics(use === "hit" ? { imageCacheHits: 1 } : { imageCacheMisses: 1 }),
      clock,
      ...bounds(),
    },
    input,
    turn,
  ),
);
