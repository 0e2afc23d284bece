import { checkBackend } from "../core/workflow/check-backend.ts";
import { bounds, clock, drivers, imageCache, images, snapshots, volumes } from "./runtime/composition.ts";
import { writeMetrics } from "./runtime/metrics.ts";
import { taskHandler } from "./runtime/task-handler.ts";

/** The state CheckBackend. */
export const handler = taskHandler(["volume_spec", "creation"], (input, turn) =>
  checkBackend(
    {
      volumes: volumes(),
      snapshots: snapshots(),
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
