import { sweepOverdueVolumes } from "../core/nets/sweep-overdue-volumes.ts";
import {
  backends,
  bounds,
  clock,
  remoteDrivers,
  imageCache,
  notifier,
  membership,
  projects,
  locks,
  snapshots,
  volumes,
} from "./runtime/composition.ts";
import { logger } from "./runtime/logger.ts";
import { writeMetrics } from "./runtime/metrics.ts";
import { netTimeLimit } from "./runtime/net-time-limit.ts";
import { serviceHandler } from "./runtime/service-handler.ts";

/** Runs on a schedule. Failures make the function fail at its end, so that an alarm goes off; the next sweep tries again. */
export const handler = serviceHandler(async (_event, context) => {
  const remainingTimeMs = (): number => context.getRemainingTimeInMillis();
  const deps = {
    volumes: volumes(),
    snapshots: snapshots(),
    locks: locks(),
    backends: backends(),
    membership: membership(),
    projects: projects(),
    drivers: remoteDrivers(),
    notifier: notifier(),
    imageCache: imageCache(),
    timeLimit: netTimeLimit(remainingTimeMs),
    clock,
    ...bounds(),
  };
  const result = await sweepOverdueVolumes(deps, remainingTimeMs);
  logger.info("swept", result);
  writeMetrics({ sweptVolumes: result.errored_out });
  if (result.images_evicted !== undefined && result.images_evicted > 0) {
    writeMetrics({ imageCacheEvictions: result.images_evicted });
  }
  const [first] = result.failures;
  if (first !== undefined) {
    const { volume_id, error, cause } = first;
    throw new Error(`${result.failures.length} failed in this sweep, first volume ${volume_id}: ${error}: ${cause}`);
  }
  return result;
});
