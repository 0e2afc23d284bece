/** A backend's report taken apart into its pools (`cinder/scheduler/host_manager.py`, BackendState). */

import type { PoolReport } from "./pool-state.ts";
import { isMapping } from "./python-values.ts";

/** A volume service's report of a backend: its capabilities, with a list `pools` unless the driver has no pools. */
export type BackendReport = {
  /** `host@backend`. */
  host: string;
  /** `cluster@backend` when the backend is clustered. */
  cluster_name: string | null;
  availability_zone: string | null;
  /** ISO 8601. */
  timestamp: string;
  capability: Record<string, unknown>;
};

/** The name of the only pool of a driver that names neither pools nor itself. */
export const DEFAULT_POOL_NAME = "_pool0";

/** Spellings of one storage protocol. A pool that reports one is given all, so a type may ask for any of them. */
const STORAGE_PROTOCOL_FAMILIES: readonly (readonly string[])[] = [
  ["iSCSI", "iscsi"],
  ["FC", "fibre_channel", "fc"],
  ["NFS", "nfs"],
  ["NVMe-oF", "NVMeOF", "nvmeof"],
];

/** Capabilities that a pool takes from its backend where its own are absent or empty. */
const INHERITED_WHERE_EMPTY = ["volume_backend_name", "storage_protocol", "vendor_name", "driver_version"] as const;

/** Capabilities that a pool takes from its backend only where it does not name them at all. */
const INHERITED_WHERE_ABSENT = ["filter_function", "goodness_function"] as const;

/**
 * The pools of a report, in its order. A driver that reports no `pools` has one, named by `volume_backend_name`; one that
 * reports an empty list has none. A pool without a name is left out: nothing could be placed on it by name.
 */
export function poolReports(report: BackendReport): PoolReport[] {
  const pools = report.capability["pools"];
  if (pools === undefined || pools === null) {
    const name = report.capability["volume_backend_name"];
    return [poolReport(report, typeof name === "string" && name !== "" ? name : DEFAULT_POOL_NAME, report.capability)];
  }
  const listed: unknown[] = Array.isArray(pools) ? pools : [];
  return listed.filter(isMapping).flatMap((pool) => {
    const name = pool["pool_name"];
    return typeof name === "string" && name !== "" ? [poolReport(report, name, pool)] : [];
  });
}

function poolReport(report: BackendReport, poolName: string, pool: Record<string, unknown>): PoolReport {
  return {
    host: `${report.host}#${poolName}`,
    cluster_name: report.cluster_name === null ? null : `${report.cluster_name}#${poolName}`,
    availability_zone: report.availability_zone,
    timestamp: report.timestamp,
    capability: poolCapabilities(report.capability, pool),
  };
}

/** A pool's capabilities with what it inherits from its backend, and its storage protocol in all spellings. */
export function poolCapabilities(
  backend: Record<string, unknown>,
  pool: Record<string, unknown>,
): Record<string, unknown> {
  const capabilities = { ...pool };
  for (const key of INHERITED_WHERE_EMPTY) {
    capabilities[key] = pool[key] || (backend[key] ?? null);
  }
  for (const key of INHERITED_WHERE_ABSENT) {
    if (!Object.hasOwn(pool, key) && Object.hasOwn(backend, key)) {
      capabilities[key] = backend[key];
    }
  }
  capabilities["storage_protocol"] = allSpellings(capabilities["storage_protocol"]);
  return capabilities;
}

/** A protocol, or each of a list, replaced by its family; one without a family stays as it is. */
function allSpellings(protocol: unknown): unknown {
  if (Array.isArray(protocol)) {
    return [...new Set(protocol.flatMap((one: unknown) => allSpellings(one)))];
  }
  const family = STORAGE_PROTOCOL_FAMILIES.find((spellings) => spellings.some((spelling) => spelling === protocol));
  return family === undefined ? protocol : [...family];
}
