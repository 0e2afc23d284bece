import { type CopyImageDependencies, copyImageToVolume } from "../core/workflow/copy-image-to-volume.ts";
import type { FillDependencies } from "../core/image-cache/fill-image-cache.ts";
import {
  backends,
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
  volumes: volumes("get", "saveProgress"),
} satisfies PortsOf<CopyImageDependencies>;

/** With the image-volume cache only. */
export const imageCachePorts = {
  backends: backends("claim", "claimOf", "get", "list", "release", "returnCapacity", "settle"),
  entries: imageCacheEntries("abandon", "beginCopy", "beginEvict", "complete", "finishEvict", "get", "list", "renew"),
  locks: locks("of", "put", "remove"),
  snapshots: snapshots("forgetLock", "getMany"),
  volumes: volumes(
    "beginDelete",
    "create",
    "finishDelete",
    "forgetLock",
    "get",
    "getMany",
    "markAvailable",
    "markError",
    "markErrorDeleting",
    "saveProgress",
  ),
} satisfies PortsOf<FillDependencies & FillDependencies["cache"]>;

/** The state CopyImageToVolume. */
export const handler = taskHandler(["volume_spec"], (input, turn) => {
  const deps = { ...made(ports), drivers: drivers(), clock, ...bounds() };
  const cache = imageCache(imageCachePorts);
  const onImageEvicted = () => writeMetrics({ imageCacheEvictions: 1 });
  const fill = cache && { ...deps, ...cache, cache, onImageEvicted };
  return copyImageToVolume({ ...deps, images: images(), fill }, input, turn);
});
