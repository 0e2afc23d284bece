import { copyImageToVolume } from "../core/tasks/copy-image-to-volume.ts";
import { bounds, clock, drivers, images, volumes } from "./runtime/composition.ts";
import { taskHandler } from "./runtime/task-handler.ts";

/** The state CopyImageToVolume. */
export const handler = taskHandler(["volume_spec"], (input, turn) =>
  copyImageToVolume({ volumes: volumes(), drivers: drivers(), images: images(), clock, ...bounds() }, input, turn),
);
