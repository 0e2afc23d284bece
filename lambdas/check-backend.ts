import { type CheckBackendDependencies, checkBackend } from "../core/workflow/check-backend.ts";
import {
  bounds,
  clock,
  drivers,
  imageCache,
  imageCacheEntries,
  images,
  locks,
  snapshots,
  volumes,
} from "./runtime/composition.ts";
import { made, type PortsOf } from "./runtime/ports.ts";
import { writeMetrics } from "./runtime/metrics.ts";
import { taskHandler } from "./runtime/task-handler.ts";

export const ports = {
  snapshots: snapshots("get"),
  volumes: volumes("beginCreate", "get", "persistModelUpdate"),
} satisfies PortsOf<CheckBackendDependencies>;

/** With the image-volume cache only. */
export const imageCachePorts = {
  entries: imageCacheEntries("beginEvict", "beginFill", "get", "touch"),
  locks: locks("put", "remove", "withdraw"),
  volumes: volumes("countLock"),
} satisfies PortsOf<NonNullable<CheckBackendDependencies["imageCache"]>>;

/** The state CheckBackend. */
export const handler = taskHandler(["volume_spec", "creation"], (input, turn) =>
  checkBackend(
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
