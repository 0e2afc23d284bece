import { extractVolumeRef } from "../core/workflow/extract-volume-ref.ts";
import { volumes } from "./runtime/composition.ts";
import { made, type PortsOf } from "./runtime/ports.ts";
import { taskHandler } from "./runtime/task-handler.ts";

export const ports = {
  volumes: volumes("get"),
} satisfies PortsOf<Parameters<typeof extractVolumeRef>[0]>;

/** The state ExtractVolumeRef. */
export const handler = taskHandler([], (input) => extractVolumeRef(made(ports), input));
