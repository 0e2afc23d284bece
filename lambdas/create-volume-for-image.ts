import { createVolumeForImage } from "../core/workflow/create-volume-for-image.ts";
import { bounds, clock, drivers, volumes } from "./runtime/composition.ts";
import { taskHandler } from "./runtime/task-handler.ts";

/** The state CreateVolumeForImage. */
export const handler = taskHandler([], (input, turn) =>
  createVolumeForImage({ volumes: volumes(), drivers: drivers(), clock, ...bounds() }, input, turn),
);
