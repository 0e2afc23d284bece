import { routeOf } from "../core/errors.ts";
import { type EndAttemptDependencies, errorOutVolume } from "../core/workflow/error-out-volume.ts";
import { limitDrivers } from "../core/backends/limited-drivers.ts";
import type { MembershipDependencies } from "../core/volumes/leave-project.ts";
import {
  backends,
  bounds,
  clock,
  locks,
  membership,
  notifier,
  projects,
  remoteDrivers,
  volumes,
} from "./runtime/composition.ts";
import { made, type PortsOf } from "./runtime/ports.ts";
import { writeMetrics } from "./runtime/metrics.ts";
import { netTimeLimit } from "./runtime/net-time-limit.ts";
import { taskHandler } from "./runtime/task-handler.ts";

export const ports = {
  backends: backends("list", "release", "returnCapacity", "settle", "settleUnsent"),
  locks: locks("remove"),
  projects: projects("claimName", "giveBack", "leave"),
  volumes: volumes("beginRequestedDelete", "finishDelete", "get", "markError", "markErrorDeleting"),
} satisfies PortsOf<EndAttemptDependencies & MembershipDependencies>;

/** The state ErrorOutVolume. */
export const handler = taskHandler(["failure", "reschedule_failure"], async (input, turn) => {
  const result = await errorOutVolume(
    {
      ...made(ports),
      membership: membership(ports),
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
