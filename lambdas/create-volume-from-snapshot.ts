import { createVolumeFromSnapshot } from "../core/workflow/create-volume-from-snapshot.ts";
import { bounds, clock, drivers, snapshots, volumes } from "./runtime/composition.ts";
import { made, type PortsOf } from "./runtime/ports.ts";
import { taskHandler } from "./runtime/task-handler.ts";

export const ports = {
  snapshots: snapshots("get"),
  volumes: volumes("beginCreate", "get", "persistModelUpdate"),
} satisfies PortsOf<Parameters<typeof createVolumeFromSnapshot>[0]>;

/** The state CreateVolumeFromSnapshot. */
export const handler = taskHandler(["volume_spec"], (input, turn) =>
  createVolumeFromSnapshot({ ...made(ports), drivers: drivers(), clock, ...bounds() }, input, turn),
);
