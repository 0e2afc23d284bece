/** The scheduler's view of one pool (`cinder/scheduler/host_manager.py`, PoolState). Pure: every change gives a new state. */

import { isInfiniteOrUnknown } from "./capacity.ts";
import { pythonFloat } from "./python-values.ts";

/** GiB, or `"infinite"` or `"unknown"`, or null where a driver reported null. Other text is read as Python's `float` reads it. */
export type CapacityFigure = number | string | null;

/** A pool as filters and weighers see it. */
export type PoolState = {
  /** `host@backend#pool`: what a volume's record names. */
  host: string;
  /** `cluster@backend#pool` when the backend is clustered. */
  cluster_name: string | null;
  /** The cluster name if there is one, else the host: what `retry.backends` and a pin are compared with. */
  backend_id: string;
  /** Zone of the service, which all pools of a backend share. */
  availability_zone: string | null;
  total_capacity_gb: CapacityFigure;
  free_capacity_gb: CapacityFigure;
  /** GiB of the volumes that were placed here. */
  allocated_capacity_gb: CapacityFigure;
  /** GiB that all volumes of the pool could grow to. */
  provisioned_capacity_gb: CapacityFigure;
  reserved_percentage: CapacityFigure;
  max_over_subscription_ratio: CapacityFigure;
  thin_provisioning_support: boolean;
  thick_provisioning_support: boolean;
  /** The whole report, including the figures above, unchanged by later consumption. */
  capabilities: Record<string, unknown>;
  /** Time of the newest report, ISO 8601. A report that is older is late and changes nothing. */
  reported_at: string;
  /** Time of the newest report or consumption. A report that is older does not change the figures. */
  updated_at: string;
};

/** One pool's part of a backend's report; see `poolReports` for how it comes out of a whole one. */
export type PoolReport = Pick<PoolState, "host" | "cluster_name" | "availability_zone"> & {
  /** When the backend made the report, ISO 8601. */
  timestamp: string;
  capability: Record<string, unknown>;
};

/** The value of "auto" for a pool that holds nothing yet. */
const INITIAL_AUTO_RATIO = 20;

/** Where no over-subscription can be worked out, none is allowed. */
const NO_OVER_SUBSCRIPTION = 1;

/**
 * A pool's state from its report, with Cinder's defaults for missing values.
 *
 * @param globalRatio setting `max_over_subscription_ratio`: a number, its text, or "auto"
 */
export function poolStateFromReport(report: PoolReport, globalRatio: string | number): PoolState {
  return {
    host: report.host,
    cluster_name: report.cluster_name,
    backend_id: report.cluster_name ?? report.host,
    availability_zone: report.availability_zone,
    ...figuresOf(report.capability, globalRatio),
    capabilities: report.capability,
    reported_at: report.timestamp,
    updated_at: report.timestamp,
  };
}

type Figures = Omit<
  PoolState,
  "host" | "cluster_name" | "backend_id" | "availability_zone" | "capabilities" | "reported_at" | "updated_at"
>;

function figuresOf(capability: Record<string, unknown>, globalRatio: string | number): Figures {
  const allocated = figure(capability, "allocated_capacity_gb", 0);
  return {
    total_capacity_gb: figure(capability, "total_capacity_gb", 0),
    free_capacity_gb: figure(capability, "free_capacity_gb", 0),
    allocated_capacity_gb: allocated,
    provisioned_capacity_gb: figure(capability, "provisioned_capacity_gb", allocated),
    reserved_percentage: figure(capability, "reserved_percentage", 0),
    max_over_subscription_ratio: maxOverSubscriptionRatio(capability, globalRatio),
    thin_provisioning_support: Boolean(capability["thin_provisioning_support"]),
    thick_provisioning_support: Boolean(capability["thick_provisioning_support"]),
  };
}

/** The default is for a key that is absent: a reported null stays null, and means that the driver's statistics are broken. */
function figure(capability: Record<string, unknown>, key: string, absent: CapacityFigure): CapacityFigure {
  const value = capability[key];
  if (value === undefined) {
    return absent;
  }
  return typeof value === "number" || typeof value === "string" ? value : null;
}

/**
 * The pool's over-subscription ratio: 1 where it plays no part (no thin support, or capacity that is infinite or unknown), else the pool's
 * own unless that is absent or zero, else the global one. "auto" grows with the pool's observed use: 1 + provisioned / (used + 1).
 */
function maxOverSubscriptionRatio(capability: Record<string, unknown>, globalRatio: string | number): number {
  const total = figure(capability, "total_capacity_gb", 0);
  const free = figure(capability, "free_capacity_gb", 0);
  if (!capability["thin_provisioning_support"] || isInfiniteOrUnknown(total) || isInfiniteOrUnknown(free)) {
    return NO_OVER_SUBSCRIPTION;
  }
  const ratio = capability["max_over_subscription_ratio"] || globalRatio;
  if (ratio !== "auto") {
    return pythonFloat(ratio) ?? NO_OVER_SUBSCRIPTION;
  }
  const provisioned = figure(capability, "provisioned_capacity_gb", figure(capability, "allocated_capacity_gb", 0));
  return autoRatio(pythonFloat(total), pythonFloat(free), pythonFloat(provisioned));
}

function autoRatio(total: number | null, free: number | null, provisioned: number | null): number {
  if (provisioned === 0) {
    return INITIAL_AUTO_RATIO;
  }
  if (total === null || free === null || provisioned === null || total - free + 1 === 0) {
    return NO_OVER_SUBSCRIPTION;
  }
  return 1 + provisioned / (total - free + 1);
}

/**
 * The state after a volume of `sizeGib` was placed on the pool. A free capacity that is not a number stays as it is; a number may
 * become negative.
 *
 * @param now ISO 8601; reports made before it do not undo the consumption
 */
export function consumeFromVolume(pool: PoolState, sizeGib: number, now: string): PoolState {
  return { ...withConsumed(pool, sizeGib), updated_at: now };
}

/**
 * The state after the size of a volume whose placement failed was given back. The time does not move, so any report since the
 * consumption still replaces the figures.
 */
export function revertConsumedCapacity(pool: PoolState, sizeGib: number): PoolState {
  return withConsumed(pool, -sizeGib);
}

function withConsumed(pool: PoolState, sizeGib: number): PoolState {
  const free = isInfiniteOrUnknown(pool.free_capacity_gb) ? null : pythonFloat(pool.free_capacity_gb);
  return {
    ...pool,
    allocated_capacity_gb: (pythonFloat(pool.allocated_capacity_gb) ?? 0) + sizeGib,
    provisioned_capacity_gb: (pythonFloat(pool.provisioned_capacity_gb) ?? 0) + sizeGib,
    free_capacity_gb: free === null ? pool.free_capacity_gb : free - sizeGib,
  };
}

/**
 * The state after a report of the same pool arrived.
 *
 * ```
 *   reported_at          updated_at (consumed)
 *        |                      |
 *   late | capabilities only    | everything
 *  ------+----------------------+------------> the report's time
 * ```
 *
 * A report that is older than the last consumption was made without it, so its figures would give the space away twice.
 */
export function applyReport(pool: PoolState, report: PoolReport, globalRatio: string | number): PoolState {
  if (isBefore(report.timestamp, pool.reported_at)) {
    return pool;
  }
  if (isBefore(report.timestamp, pool.updated_at)) {
    return {
      ...pool,
      availability_zone: report.availability_zone,
      capabilities: report.capability,
      reported_at: report.timestamp,
    };
  }
  return poolStateFromReport(report, globalRatio);
}

function isBefore(time: string, other: string): boolean {
  return Date.parse(time) < Date.parse(other);
}
