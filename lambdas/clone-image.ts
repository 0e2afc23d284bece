import { cloneImage } from "../core/tasks/clone-image.ts";
import { bounds, clock, drivers, imageCache, images, volumes } from "./runtime/composition.ts";
import { taskHandler } from "./runtime/task-handler.ts";

/** The state CloneImage. */
export const handler = taskHandler(["volume_spec"], (input, turn) =>
  cloneImage(
    {
      volumes: volumes(),
      drivers: drivers(),
      images: images(),
      imageCache: imageCache(),
      clock,
      ...bounds(),
    },
    input,
    turn,
  ),
);
