import { createRawVolume } from "../core/workflow/create-raw-volume.ts";
import { bounds, clock, drivers, volumes } from "./runtime/composition.ts";
import { made, type PortsOf } from "./runtime/ports.ts";
import { taskHandler } from "./runtime/task-handler.ts";

export const ports = {
  volumes: volumes("beginCreate", "persistModelUpdate"),
} satisfies PortsOf<Parameters<typeof createRawVolume>[0]>;

/** The state CreateRawVolume. */
export const handler = taskHandler([], (input, turn) =>
  createRawVolume({ ...made(ports), drivers: drivers(), clock, ...bounds() }, input, turn),
);
