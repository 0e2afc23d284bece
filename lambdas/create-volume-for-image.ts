import { createVolumeForImage } from "../core/workflow/create-volume-for-image.ts";
import { bounds, clock, drivers, volumes } from "./runtime/composition.ts";
import { made, type PortsOf } from "./runtime/ports.ts";
import { taskHandler } from "./runtime/task-handler.ts";

export const ports = {
  volumes: volumes("beginCreate", "persistModelUpdate"),
} satisfies PortsOf<Parameters<typeof createVolumeForImage>[0]>;

/** The state CreateVolumeForImage. */
export const handler = taskHandler([], (input, turn) =>
  createVolumeForImage({ ...made(ports), drivers: drivers(), clock, ...bounds() }, input, turn),
);
