import { createRawVolume } from "../core/workflow/create-raw-volume.ts";
import { bounds, clock, drivers, volumes } from "./runtime/composition.ts";
import { taskHandler } from "./runtime/task-handler.ts";

/** The state CreateRawVolume. */
export const handler = taskHandler([], (input, turn) =>
  createRawVolume({ volumes: volumes(), drivers: drivers(), clock, ...bounds() }, input, turn),
);
