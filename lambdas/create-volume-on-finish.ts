import { createVolumeOnFinish } from "../core/tasks/create-volume-on-finish.ts";
import { backends, clock, notifier, snapshots, volumes } from "./runtime/composition.ts";
import { taskHandler } from "./runtime/task-handler.ts";

/** The state CreateVolumeOnFinish. */
export const handler = taskHandler(["volume_spec", "creation"], (input) =>
  createVolumeOnFinish(
    { volumes: volumes(), snapshots: snapshots(), backends: backends(), notifier: notifier(), clock },
    input,
  ),
);
