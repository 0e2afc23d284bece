import { type Backend, poolOf } from "./backends.ts";
import { describeError } from "../errors.ts";
import type { Drivers } from "../drivers/driver-ports.ts";
import type { BackendReport, BackendRepository, Clock, OpenCapacity } from "../ports.ts";
import { storable } from "../requests/storable.ts";
import { type GivenUpCalls, limitDrivers, type TimeLimit } from "./limited-drivers.ts";

/** Dependencies of reporting. */
export type ReportDependencies = {
  drivers: Drivers;
  /** Fails a call of a driver that gives no answer. */
  timeLimit: TimeLimit;
  /** Calls of earlier reports of this process that hang still. */
  givenUp?: GivenUpCalls;
  backends: Pick<BackendRepository, "openCapacity" | "report">;
  clock: Clock;
  /** Receives the names of capabilities that cannot be stored, which the report omits. */
  onDropped?: (host: string, names: readonly string[]) => void;
};

/** No report takes so long: a clock that has moved by as much was corrected. */
const CLOCK_CORRECTION_MS = 60_000;

/** A backend that did not report, and why. */
export type Unreported = { host: string; reason: string };

/**
 * `publish_service_capabilities`: every configured backend reports its capacity and capabilities. A backend that cannot, or gives no
 * answer in time, is named and left out, so its last report grows old and scheduling passes it by. All are asked at once, so none
 * waits for another.
 *
 * @param backends the configuration of each backend that has a readable one; the others have no driver and are named as well
 */
export async function reportBackends(deps: ReportDependencies, backends: readonly Backend[]): Promise<Unreported[]> {
  const drivers = limitDrivers(deps.drivers, deps.timeLimit, deps.givenUp);
  const hosts = [...new Set([...backends.map(({ host }) => host), ...drivers.hosts])];
  const results = await Promise.allSettled(
    hosts.map((host) =>
      reportBackend(
        { ...deps, drivers },
        host,
        backends.find((each) => each.host === host),
      ),
    ),
  );
  return results.flatMap((result, index) =>
    result.status === "rejected" ? [{ host: hosts[index] ?? "", reason: describeError(result.reason).message }] : [],
  );
}

async function reportBackend(deps: ReportDependencies, host: string, backend: Backend | undefined): Promise<void> {
  const driver = deps.drivers.forHost(host);
  if (backend === undefined) {
    throw new Error("it is not configured");
  }
  if (!(await driver.initialized())) {
    throw new Error("its driver is not initialized");
  }
  const pool = `${backend.host}#${poolOf(backend)}`;
  // Read before the driver looks: a volume that is finished in between would be neither claimed any more nor among what the driver has seen.
  const claimed = await deps.backends.openCapacity(pool);
  const stats = await driver.getVolumeStats();
  const { value: capabilities, dropped } = storable({ ...stats.capabilities, ...backend.capabilities });
  if (dropped.length > 0) {
    deps.onDropped?.(host, dropped);
  }
  const report = {
    host: pool,
    availability_zone: backend.availability_zone,
    driver: backend.driver,
    total_capacity_gb: stats.total_capacity_gb,
    free_capacity_gb: stats.free_capacity_gb,
    reserved_percentage: backend.reserved_percentage,
    max_over_subscription_ratio: backend.max_over_subscription_ratio,
    thin_provisioning_support: stats.thin_provisioning_support,
    thick_provisioning_support: stats.thick_provisioning_support,
    capabilities,
  };
  await takeReport(deps, report, claimed);
}

/**
 * Stamps a report as it is sent. In a new process the first answer of the table may correct the clock: then the report is sent once
 * more, with the time of the one clock that the scheduler compares it with.
 */
async function takeReport(
  { backends, clock }: Pick<ReportDependencies, "clock"> & { backends: Pick<BackendRepository, "report"> },
  report: Omit<BackendReport, "reported_at">,
  claimed: OpenCapacity,
): Promise<void> {
  for (;;) {
    const reportedAt = clock.now();
    await backends.report({ ...report, reported_at: reportedAt.toISOString() }, claimed);
    if (Math.abs(clock.now().getTime() - reportedAt.getTime()) < CLOCK_CORRECTION_MS) {
      return;
    }
  }
}
