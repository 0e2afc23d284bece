/**
 * How much a pool can still take (`cinder/scheduler/sched_utils.py`, `calculate_virtual_free_capacity`, and
 * `cinder/scheduler/filters/capacity_filter.py`). All figures in GiB, all arithmetic in doubles and in Cinder's order.
 */

import type { PoolState } from "./pool-state.ts";
import { pythonFloat, roundToTwoDecimals } from "./python-values.ts";
import type { VolumeType } from "./request.ts";

/** The figures of a pool that decide on capacity, as reported: numbers, `"infinite"`, `"unknown"`, or null. */
export type PoolCapacity = Pick<
  PoolState,
  | "total_capacity_gb"
  | "free_capacity_gb"
  | "provisioned_capacity_gb"
  | "reserved_percentage"
  | "max_over_subscription_ratio"
  | "thin_provisioning_support"
>;

/** Whether the capacity suffices, or in a few words why not. */
export type CapacityVerdict = { passes: true } | { passes: false; reason: string };

const SUFFICES: CapacityVerdict = { passes: true };

/** True for the two words a driver reports in place of a figure that it cannot give. */
export function isInfiniteOrUnknown(figure: unknown): boolean {
  return figure === "infinite" || figure === "unknown";
}

/** Thin only if the pool can do it and the type does not ask for thick; a pool without thin support takes every type as thick. */
function isThin(pool: PoolCapacity, volumeType: VolumeType | null | undefined): boolean {
  return pool.thin_provisioning_support && volumeType?.extra_specs?.["provisioning:type"] !== "thick";
}

/**
 * Total less the reserve, which is rounded down to whole GiB and taken after the division, so 29 % of 100 reserves 28. Null if total or
 * reserve is not a finite number.
 */
function usableCapacity(pool: PoolCapacity): number | null {
  const total = pythonFloat(pool.total_capacity_gb);
  const reserved = pythonFloat(pool.reserved_percentage);
  if (total === null || reserved === null) {
    return null;
  }
  const usable = total - Math.floor(total * (reserved / 100));
  return Number.isFinite(usable) ? usable : null;
}

/**
 * The virtual free capacity, rounded to two decimals. For thin: usable x ratio - provisioned, independent of the reported free capacity.
 * For thick: the lesser of reported free and usable - provisioned, so the reserve comes off the total only. May be negative.
 *
 * Null if a figure that is needed is not a number, `"infinite"` and `"unknown"` among them: callers decide on these before.
 */
export function virtualFreeCapacity(pool: PoolCapacity, volumeType: VolumeType | null | undefined): number | null {
  const usable = usableCapacity(pool);
  const provisioned = pythonFloat(pool.provisioned_capacity_gb);
  if (usable === null || provisioned === null) {
    return null;
  }
  const virtual = isThin(pool, volumeType)
    ? thinFree(usable, provisioned, pythonFloat(pool.max_over_subscription_ratio))
    : thickFree(usable, provisioned, pythonFloat(pool.free_capacity_gb));
  return virtual === null || Number.isNaN(virtual) ? null : roundToTwoDecimals(virtual);
}

function thinFree(usable: number, provisioned: number, ratio: number | null): number | null {
  return ratio === null ? null : usable * ratio - provisioned;
}

function thickFree(usable: number, provisioned: number, reportedFree: number | null): number | null {
  return reportedFree === null ? null : Math.min(reportedFree, usable - provisioned);
}

/**
 * The capacity filter's decision for a new request of `requestedGib` (0 is a volume that is only being managed, which always passes). The
 * places where Cinder's filter raises fail here: see `DEFINED_ANSWERS`.
 */
export function capacityVerdict(
  pool: PoolCapacity,
  requestedGib: number | null,
  volumeType: VolumeType | null | undefined,
): CapacityVerdict {
  if (requestedGib === 0) {
    return SUFFICES;
  }
  if (pool.free_capacity_gb === null || pool.free_capacity_gb === undefined) {
    return insufficient("reports no free capacity");
  }
  if (isInfiniteOrUnknown(pool.free_capacity_gb)) {
    return SUFFICES;
  }
  if (isInfiniteOrUnknown(pool.total_capacity_gb)) {
    return pythonFloat(pool.reserved_percentage) === 0
      ? SUFFICES
      : insufficient(`reserves ${pool.reserved_percentage} % of a total capacity that is ${pool.total_capacity_gb}`);
  }
  const total = pythonFloat(pool.total_capacity_gb);
  if (total === null || total <= 0) {
    return insufficient(`reports a total capacity of ${pool.total_capacity_gb} GiB`);
  }
  return isThin(pool, volumeType)
    ? thinVerdict(pool, requestedGib, volumeType)
    : roomVerdict(pool, requestedGib, volumeType);
}

function thinVerdict(
  pool: PoolCapacity,
  requestedGib: number | null,
  volumeType: VolumeType | null | undefined,
): CapacityVerdict {
  const ratio = pythonFloat(pool.max_over_subscription_ratio);
  if (ratio === null || !(ratio >= 1)) {
    return insufficient(`has a max_over_subscription_ratio of ${pool.max_over_subscription_ratio}, below 1`);
  }
  const usable = usableCapacity(pool);
  if (usable !== null && usable * ratio === 0) {
    return insufficient(`reserves all of its ${pool.total_capacity_gb} GiB`);
  }
  return roomVerdict(pool, requestedGib, volumeType);
}

function roomVerdict(
  pool: PoolCapacity,
  requestedGib: number | null,
  volumeType: VolumeType | null | undefined,
): CapacityVerdict {
  const virtualFree = virtualFreeCapacity(pool, volumeType);
  if (virtualFree === null) {
    return insufficient("reports a capacity figure that is not a number");
  }
  if (requestedGib === null) {
    return insufficient("cannot be judged: the request has no size");
  }
  return virtualFree >= requestedGib ? SUFFICES : insufficient(`has ${virtualFree} GiB left of ${requestedGib} wanted`);
}

function insufficient(reason: string): CapacityVerdict {
  return { passes: false, reason };
}
