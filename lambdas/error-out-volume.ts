import { errorOutVolume } from "../core/tasks/error-out-volume.ts";
import { backends, clock, drivers, notifier, snapshots, volumes } from "./runtime/composition.ts";
import { taskHandler } from "./runtime/task-handler.ts";

/** The state ErrorOutVolume. */
export const handler = taskHandler(["failure", "reschedule_failure"], (input) =>
  errorOutVolume(
    {
      volumes: volumes(),
      snapshots: snapshots(),
      backends: backends(),
      drivers: drivers(),
      notifier: notifier(),
      clock,
    },
    input,
  ),
);
