import { routeOf } from "../core/errors.ts";
import { errorOutVolume } from "../core/workflow/error-out-volume.ts";
import { limitDrivers } from "../core/backends/limited-drivers.ts";
import { backends, bounds, clock, remoteDrivers, notifier, locks, membership, volumes } from "./runtime/composition.ts";
import { writeMetrics } from "./runtime/metrics.ts";
import { netTimeLimit } from "./runtime/net-time-limit.ts";
import { taskHandler } from "./runtime/task-handler.ts";

/** The state ErrorOutVolume. */
export const handler = taskHandler(["failure", "reschedule_failure"], async (input, turn) => {
  const result = await errorOutVolume(
    {
      volumes: volumes(),
      locks: locks(),
      backends: backends(),
      membership: membership(),
      drivers: limitDrivers(
        remoteDrivers(),
        netTimeLimit(() => turn.remainingTimeMs()),
      ),
      notifier: notifier(),
      clock,
      ...bounds(),
    },
    input,
  );
  writeMetrics({ creates: 1 }, { outcome: result.outcome });
  writeMetrics({ failures: 1 }, { route: routeOf(input.failure.Error) });
  return result;
});
