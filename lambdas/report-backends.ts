import { type ReportDependencies, reportBackends } from "../core/backends/report-backends.ts";
import { backends, clock, configuredBackends, drivers, givenUpCalls } from "./runtime/composition.ts";
import { made, type PortsOf } from "./runtime/ports.ts";
import { logger } from "./runtime/logger.ts";
import { writeMetrics } from "./runtime/metrics.ts";
import { netTimeLimit } from "./runtime/net-time-limit.ts";
import { serviceHandler } from "./runtime/service-handler.ts";

export const ports = {
  backends: backends("openCapacity", "report"),
} satisfies PortsOf<ReportDependencies>;

const onDropped = (host: string, capabilities: readonly string[]): void => {
  logger.warn("capabilities dropped that cannot be stored", { host, capabilities });
};

/** Runs on a schedule. A backend that cannot report is logged and named in the answer. */
export const handler = serviceHandler(async (_event, context) => {
  const timeLimit = netTimeLimit(() => context.getRemainingTimeInMillis());
  const deps = { drivers: drivers(), timeLimit, givenUp: givenUpCalls(), ...made(ports), clock, onDropped };
  const unreported = await reportBackends(deps, configuredBackends());
  for (const backend of unreported) {
    logger.error("backend did not report", backend);
  }
  writeMetrics({ unreportedBackends: unreported.length });
  return { unreported };
});
