import { rescheduleVolume } from "../core/tasks/reschedule-volume.ts";
import { backends, bounds, clock, drivers, queue, volumes } from "./runtime/composition.ts";
import { taskHandler } from "./runtime/task-handler.ts";

/** The state RescheduleVolume. */
export const handler = taskHandler(
  ["image_id", "snapshot_id", "source_volid", "request_spec", "filter_properties", "failure"],
  (input) =>
    rescheduleVolume(
      { volumes: volumes(), backends: backends(), drivers: drivers(), queue: queue(), clock, ...bounds() },
      input,
    ),
);
