import { cloneImage } from "../core/workflow/clone-image.ts";
import { bounds, clock, drivers, imageCache, images, volumes } from "./runtime/composition.ts";
import { writeMetrics } from "./runtime/metrics.ts";
import { taskHandler } from "./runtime/task-handler.ts";

/** The state CloneImage. */
export const handler = taskHandler(["volume_spec"], (input, turn) =>
  cloneImage(
    {
      volumes: volumes(),
      drivers: drivers(),
      images: images(),
      imageCache: imageCache(),
      onImageCacheUse: (use) => writeMetrics(use === "hit" ? { imageCacheHits: 1 } : { imageCacheMisses: 1 }),
      clock,
      ...bounds(),
    },
    input,
    turn,
  ),
);
