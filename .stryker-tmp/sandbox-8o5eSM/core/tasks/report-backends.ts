// @ts-nocheck
import { type Backend, poolOf } from "../backends.ts";
import { describeError } from "../errors.ts";
import type { Drivers } from "../driver-ports.ts";
import type { BackendRepository, Clock } from "../ports.ts";

/** What reporting uses. */
export type ReportDependencies = {
  drivers: Drivers;
  backends: Pick<BackendRepository, "report">;
  clock: Clock;
};

/** A backend that did not report, and why. */
export type Unreported = { host: string; reason: string };

/**
 * `publish_service_capabilities`: every configured backend reports its capacity and capabilities. A backend that cannot is named
 * and left out, so its last report grows old and scheduling passes it by. A late report changes nothing.
 */
export async function reportBackends(deps: ReportDependencies, backends: readonly Backend[]): Promise<Unreported[]> {
  const results = await Promise.allSettled(backends.map((backend) => reportBackend(deps, backend)));
  return results.flatMap((result, index) =>
    result.status === "rejected"
      ? [{ host: backends[index]?.host ?? "", reason: describeError(result.reason).message }]
      : [],
  );
}

async function reportBackend(deps: ReportDependencies, backend: Backend): Promise<void> {
  const driver = deps.drivers.forHost(backend.host);
  const reportedAt = deps.clock.now().toISOString();
  if (!(await driver.initialized())) {
    throw new Error("its driver is not initialized");
  }
  const stats = await driver.getVolumeStats();
  await deps.backends.report({
    host: `${backend.host}#${poolOf(backend)}`,
    availability_zone: backend.availability_zone,
    driver: backend.driver,
    total_capacity_gb: stats.total_capacity_gb,
    free_capacity_gb: stats.free_capacity_gb,
    reserved_percentage: backend.reserved_percentage,
    max_over_subscription_ratio: backend.max_over_subscription_ratio,
    thin_provisioning_support: stats.thin_provisioning_support,
    thick_provisioning_support: stats.thick_provisioning_support,
    capabilities: { ...stats.capabilities, ...backend.capabilities },
    reported_at: reportedAt,
  });
}
