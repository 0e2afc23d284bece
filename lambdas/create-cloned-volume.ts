import { createClonedVolume } from "../core/workflow/create-cloned-volume.ts";
import { bounds, clock, drivers, volumes } from "./runtime/composition.ts";
import { made, type PortsOf } from "./runtime/ports.ts";
import { taskHandler } from "./runtime/task-handler.ts";

export const ports = {
  volumes: volumes("beginCreate", "get", "persistModelUpdate"),
} satisfies PortsOf<Parameters<typeof createClonedVolume>[0]>;

/** The state CreateClonedVolume. */
export const handler = taskHandler(["volume_spec"], (input, turn) =>
  createClonedVolume({ ...made(ports), drivers: drivers(), clock, ...bounds() }, input, turn),
);
