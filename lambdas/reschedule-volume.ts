import { routeOf } from "../core/errors.ts";
import { limitDrivers } from "../core/backends/limited-drivers.ts";
import { type RescheduleDependencies, rescheduleVolume } from "../core/workflow/reschedule-volume.ts";
import { backends, bounds, clock, queue, remoteDrivers, volumes } from "./runtime/composition.ts";
import { made, type PortsOf } from "./runtime/ports.ts";
import { writeMetrics } from "./runtime/metrics.ts";
import { netTimeLimit } from "./runtime/net-time-limit.ts";
import { taskHandler } from "./runtime/task-handler.ts";

export const ports = {
  backends: backends("release"),
  volumes: volumes("get", "markError", "releaseForReschedule"),
} satisfies PortsOf<RescheduleDependencies>;

/** The state RescheduleVolume. */
export const handler = taskHandler(
  ["image_id", "snapshot_id", "source_volid", "request_spec", "filter_properties", "failure"],
  async (input, turn) => {
    const result = await rescheduleVolume(
      {
        ...made(ports),
        drivers: limitDrivers(
          remoteDrivers(),
          netTimeLimit(() => turn.remainingTimeMs()),
        ),
        queue: queue(),
        clock,
        ...bounds(),
      },
      input,
    );
    writeMetrics({ reschedules: 1 });
    writeMetrics({ failures: 1 }, { route: routeOf(input.failure.Error) });
    return result;
  },
);
