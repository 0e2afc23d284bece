import { type SweepDependencies, sweepOverdueVolumes } from "../core/nets/sweep-overdue-volumes.ts";
import type { MembershipDependencies } from "../core/volumes/leave-project.ts";
import {
  backends,
  bounds,
  clock,
  imageCache,
  imageCacheEntries,
  locks,
  membership,
  notifier,
  projects,
  remoteDrivers,
  snapshots,
  volumes,
} from "./runtime/composition.ts";
import { made, type PortsOf } from "./runtime/ports.ts";
import { logger } from "./runtime/logger.ts";
import { writeMetrics } from "./runtime/metrics.ts";
import { netTimeLimit } from "./runtime/net-time-limit.ts";
import { serviceHandler } from "./runtime/service-handler.ts";

export const ports = {
  backends: backends("list", "openClaims", "release", "returnCapacity", "settle", "settleUnsent", "tidy"),
  locks: locks("of", "put", "remove"),
  projects: projects("claimName", "giveBack", "leave"),
  snapshots: snapshots(
    "beginDelete",
    "delete",
    "forgetLock",
    "get",
    "getMany",
    "listOverdue",
    "markError",
    "markErrorDeleting",
  ),
  volumes: volumes(
    "beginRequestedDelete",
    "endExtend",
    "finishDelete",
    "forgetDeadline",
    "forgetLock",
    "get",
    "getMany",
    "listOverdue",
    "markError",
    "markErrorDeleting",
    "markUnschedulable",
  ),
} satisfies PortsOf<SweepDependencies & MembershipDependencies>;

/** With the image-volume cache only. */
export const imageCachePorts = {
  backends: backends("claimOf", "list", "release", "returnCapacity", "settle"),
  entries: imageCacheEntries("abandon", "beginEvict", "finishEvict", "list"),
  locks: locks("of", "put", "remove"),
  snapshots: snapshots("forgetLock", "getMany"),
  volumes: volumes("beginDelete", "finishDelete", "forgetLock", "get", "getMany", "markError", "markErrorDeleting"),
} satisfies PortsOf<NonNullable<SweepDependencies["imageCache"]>>;

/** Runs on a schedule. Failures make the function fail at its end, so that an alarm goes off; the next sweep tries again. */
export const handler = serviceHandler(async (_event, context) => {
  const remainingTimeMs = (): number => context.getRemainingTimeInMillis();
  const deps = {
    ...made(ports),
    membership: membership(ports),
    drivers: remoteDrivers(),
    notifier: notifier(),
    imageCache: imageCache(imageCachePorts),
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
