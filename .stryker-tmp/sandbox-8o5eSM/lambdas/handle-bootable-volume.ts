// @ts-nocheck
import { handleBootableVolume } from "../core/tasks/handle-bootable-volume.ts";
import { snapshots, volumes } from "./runtime/composition.ts";
import { taskHandler } from "./runtime/task-handler.ts";

/** The state HandleBootableVolume. */
export const handler = taskHandler(["volume_spec"], (input) =>
  handleBootableVolume({ volumes: volumes(), snapshots: snapshots() }, input),
);
