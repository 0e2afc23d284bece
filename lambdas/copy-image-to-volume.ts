import { copyImageToVolume } from "../core/workflow/copy-image-to-volume.ts";
import {
  backends,
  bounds,
  clock,
  drivers,
  imageCache,
  images,
  locks,
  snapshots,
  volumes,
} from "./runtime/composition.ts";
import { writeMetrics } from "./runtime/metrics.ts";
import { taskHandler } from "./runtime/task-handler.ts";

/** The state CopyImageToVolume. */
export const handler = taskHandler(["volume_spec"], (input, turn) => {
  const deps = { volumes: volumes(), drivers: drivers(), clock, ...bounds() };
  const cache = imageCache();
  const onImageEvicted = () => writeMetrics({ imageCacheEvictions: 1 });
  const fill = cache && {
    ...deps,
    cache,
    snapshots: snapshots(),
    locks: locks(),
    backends: backends(),
    onImageEvicted,
  };
  return copyImageToVolume({ ...deps, images: images(), fill }, input, turn);
});
