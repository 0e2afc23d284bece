import { extractVolumeRef } from "../core/workflow/extract-volume-ref.ts";
import { volumes } from "./runtime/composition.ts";
import { taskHandler } from "./runtime/task-handler.ts";

/** The state ExtractVolumeRef. */
export const handler = taskHandler([], (input) => extractVolumeRef({ volumes: volumes() }, input));
