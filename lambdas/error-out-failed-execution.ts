import * as v from "valibot";
import { parseOrThrow } from "../core/requests/parsing.ts";
import { type FailedExecutionDependencies, errorOutFailedExecution } from "../core/nets/error-out-failed-execution.ts";
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
import { logger } from "./runtime/logger.ts";
import { netTimeLimit } from "./runtime/net-time-limit.ts";
import { serviceHandler } from "./runtime/service-handler.ts";

export const ports = {
  backends: backends("claimOf", "list", "release", "returnCapacity", "settle", "settleUnsent"),
  locks: locks("remove"),
  projects: projects("claimName", "giveBack", "leave"),
  volumes: volumes("beginRequestedDelete", "finishDelete", "get", "markError", "markErrorDeleting"),
} satisfies PortsOf<FailedExecutionDependencies & MembershipDependencies>;

/** "Step Functions Execution Status Change" of EventBridge, as far as it is read here. */
const EventSchema = v.object({
  detail: v.object({
    name: v.string(),
    status: v.string(),
    error: v.optional(v.nullable(v.string()), null),
    cause: v.optional(v.nullable(v.string()), null),
  }),
});

/** Answers the rule on executions that failed, timed out or were aborted. An event may come twice, late, or never. */
export const handler = serviceHandler(async (event, context) => {
  const { detail } = parseOrThrow(EventSchema, event, "event");
  const deps = {
    ...made(ports),
    membership: membership(ports),
    drivers: limitDrivers(
      remoteDrivers(),
      netTimeLimit(() => context.getRemainingTimeInMillis()),
    ),
    notifier: notifier(),
    clock,
    ...bounds(),
  };
  const result = await errorOutFailedExecution(deps, detail);
  logger.info("execution ended", { execution: detail.name, status: detail.status, outcome: result.outcome });
  return result;
});
