import { type AuditRepository, keptAudit } from "../core/audit/kept-audit.ts";
import { describeError } from "../core/errors.ts";
import { type HostCounts, parseAuditRequest } from "../core/audit/report.ts";
import { longestPhaseSeconds } from "../core/audit/run.ts";
import { type AuditDependencies, auditBackends } from "../core/audit/audit-backends.ts";
import { type AuditProjectsDependencies, auditProjects } from "../core/audit/audit-projects.ts";
import { limitDrivers } from "../core/backends/limited-drivers.ts";
import {
  audits,
  backends,
  bounds,
  clock,
  drivers,
  givenUpCalls,
  locks,
  projects,
  snapshots,
  volumes,
} from "./runtime/composition.ts";
import { made, type PortsOf } from "./runtime/ports.ts";
import { logger } from "./runtime/logger.ts";
import { writeMetrics } from "./runtime/metrics.ts";
import { auditTimeLimit } from "./runtime/net-time-limit.ts";
import { serviceHandler } from "./runtime/service-handler.ts";

export const ports = {
  audits: audits("keep"),
  backends: backends("list", "openClaims"),
  locks: locks("list", "put", "remove"),
  projects: projects("cancel", "confirm", "correctName", "correctUsage", "listAll", "listQuotas", "removeEntry"),
  snapshots: snapshots("forgetLock", "get", "getMany", "list"),
  volumes: volumes("forgetLock", "get", "getMany", "list"),
} satisfies PortsOf<AuditDependencies & AuditProjectsDependencies & { audits: AuditRepository }>;

/** Runs on a schedule, and called synchronously by clients; both send the request. */
export const handler = serviceHandler(async (event, context) => {
  const request = parseAuditRequest(event, longestPhaseSeconds(bounds()));
  const timeLimit = auditTimeLimit(() => context.getRemainingTimeInMillis(), drivers().hosts.length);
  const repositories = made(ports);
  const report = await auditBackends(
    {
      ...repositories,
      drivers: limitDrivers(drivers(), timeLimit, givenUpCalls()),
      clock,
      timeLimit,
      remainingTimeMs: () => context.getRemainingTimeInMillis(),
      ...bounds(),
    },
    request,
  );
  for (const [host, counts] of Object.entries(report.hosts)) {
    writeMetrics(notZero(metricsOf(counts)), { backend: host });
  }
  if (request.host === null) {
    writeMetrics(notZero(metricsOf(report.totals), ALARMING));
  }
  const { findings, ...summary } = report;
  logger.info("audited", summary);
  if (request.host === null) {
    // The report is in the log in any case.
    await repositories.audits
      .keep(keptAudit(report))
      .catch((error: unknown) => logger.warn("the audit was not kept", describeError(error)));
    logger.info("audited projects", await auditProjects({ ...repositories, clock }));
  }
  for (const finding of findings.filter(({ kind }) => kind !== "held")) {
    const isLoss = ["missing", "damaged", "unreadable"].includes(finding.kind);
    logger[isLoss ? "error" : "warn"]("found", { ...finding });
  }
  return report;
});

/** Alarms keep their state until the next audit, so zero is written too. */
const ALARMING: ReadonlySet<string> = new Set(["orphans", "missingVolumes", "damagedVolumes", "unreadableRecords"]);

/** Leaves out zeros that are not `kept`: each metric is billed for every hour in which it is written. */
function notZero<Counts extends Readonly<Record<string, number>>>(
  counts: Counts,
  kept: ReadonlySet<string> = new Set(),
): Partial<Counts> {
  const entries = Object.entries(counts).filter(([name, count]) => count > 0 || kept.has(name));
  return Object.fromEntries(entries) as Partial<Counts>;
}

/** The findings; the number of reaped ones is a separate metric. */
function metricsOf(counts: HostCounts) {
  const { orphan, missing, damaged, unreadable, suspect, leftover, reaped } = counts;
  return {
    orphans: orphan,
    missingVolumes: missing,
    damagedVolumes: damaged,
    unreadableRecords: unreadable,
    suspects: suspect,
    leftovers: leftover,
    reaped,
  };
}
