// @ts-nocheck
import { pythonFloat } from "../python-values.ts";
import type { Weigher } from "./weigher.ts";

/** By the size of the volumes already placed (`cinder/scheduler/weights/capacity.py`, AllocatedCapacityWeigher). */
export const allocatedCapacityWeigher: Weigher = {
  name: "AllocatedCapacityWeigher",
  multiplier: (settings) => settings.allocated_capacity_weight_multiplier,
  rawWeights: (candidates) => candidates.map((pool) => finiteOrZero(pythonFloat(pool.allocated_capacity_gb))),
};

function finiteOrZero(value: number | null): number {
  return value !== null && Number.isFinite(value) ? value : 0;
}
