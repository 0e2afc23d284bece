import { createClonedVolume } from "../core/workflow/create-cloned-volume.ts";
import { bounds, clock, drivers, volumes } from "./runtime/composition.ts";
import { taskHandler } from "./runtime/task-handler.ts";

/** The state CreateClonedVolume. */
export const handler = taskHandler(["volume_spec"], (input, turn) =>
  createClonedVolume({ volumes: volumes(), drivers: drivers(), clock, ...bounds() }, input, turn),
);
