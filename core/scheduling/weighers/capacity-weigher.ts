import { isInfiniteOrUnknown, virtualFreeCapacity } from "../capacity.ts";
import type { PoolState } from "../pool-state.ts";
import type { FilterProperties } from "../request.ts";
import type { Weigher } from "./weigher.ts";

/** Distance of the infinite weights after the last finite one when little is preferred: times the spread, or flat. */
const OFFSET_FACTOR = 100;
const OFFSET_WITHOUT_SPREAD = 10_000;

/**
 * By virtual free capacity (`cinder/scheduler/weights/capacity.py`). Pools with unknown capacity lose against the others, for either sign
 * of the multiplier. Unlike in Cinder, so do pools with a broken figure, and candidates with only unknown capacities are all equal.
 */
export const capacityWeigher: Weigher = {
  name: "CapacityWeigher",
  multiplier: (settings) => settings.capacity_weight_multiplier,
  rawWeights(candidates, filterProperties, settings) {
    const known = candidates.map((pool) => knownFreeCapacity(pool, filterProperties));
    const unknownWeight =
      settings.capacity_weight_multiplier > 0 ? -1 : weightBeyond(known.filter((free) => free !== null));
    return known.map((free) => free ?? unknownWeight);
  },
};

function knownFreeCapacity(pool: PoolState, filterProperties: FilterProperties): number | null {
  if (isInfiniteOrUnknown(pool.free_capacity_gb) || isInfiniteOrUnknown(pool.total_capacity_gb)) {
    return null;
  }
  const free = virtualFreeCapacity(pool, filterProperties.volume_type);
  return free !== null && Number.isFinite(free) ? free : null;
}

function weightBeyond(weights: readonly number[]): number {
  if (weights.length === 0) {
    return 0;
  }
  const greatest = Math.max(...weights);
  const offset = (greatest - Math.min(...weights)) * OFFSET_FACTOR;
  return greatest + (offset === 0 ? OFFSET_WITHOUT_SPREAD : offset);
}
