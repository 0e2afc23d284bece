import { createVolumeFromSnapshot } from "../core/workflow/create-volume-from-snapshot.ts";
import { bounds, clock, drivers, snapshots, volumes } from "./runtime/composition.ts";
import { taskHandler } from "./runtime/task-handler.ts";

/** The state CreateVolumeFromSnapshot. */
export const handler = taskHandler(["volume_spec"], (input, turn) =>
  createVolumeFromSnapshot(
    { volumes: volumes(), snapshots: snapshots(), drivers: drivers(), clock, ...bounds() },
    input,
    turn,
  ),
);
