/** The weighers by the class names that Cinder's setting `scheduler_default_weighers` uses, and how they are put together. */
// @ts-nocheck


import type { PoolState } from "../pool-state.ts";
import type { FilterProperties } from "../request.ts";
import { allocatedCapacityWeigher } from "./allocated-capacity-weigher.ts";
import { capacityWeigher } from "./capacity-weigher.ts";
import { normalize } from "./normalize.ts";
import type { Weigher, WeigherSettings } from "./weigher.ts";

/** Every weigher there is. */
export const WEIGHERS: ReadonlyMap<string, Weigher> = new Map(
  [capacityWeigher, allocatedCapacityWeigher].map((weigher) => [weigher.name, weigher]),
);

/** A candidate with its score. */
export type WeighedPool = { pool: PoolState; weight: number };

/**
 * The candidates, best first: the normalised weights of all weighers, each times its multiplier, added up. Candidates with
 * equal scores keep the order in which they came in (`cinder/scheduler/base_weight.py`, `get_weighed_objects`).
 */
export function weighPools(
  weighers: readonly Weigher[],
  candidates: readonly PoolState[],
  filterProperties: FilterProperties,
  settings: WeigherSettings,
): WeighedPool[] {
  const weighed = candidates.map((pool) => ({ pool, weight: 0 }));
  for (const weigher of weighers) {
    const multiplier = weigher.multiplier(settings);
    const normalized = normalize(weigher.rawWeights(candidates, filterProperties, settings));
    for (const [index, candidate] of weighed.entries()) {
      candidate.weight += multiplier * (normalized[index] ?? 0);
    }
  }
  return weighed.toSorted((left, right) => right.weight - left.weight);
}
