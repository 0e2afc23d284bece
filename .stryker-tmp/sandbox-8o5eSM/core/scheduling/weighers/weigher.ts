// @ts-nocheck
import type { PoolState } from "../pool-state.ts";
import type { FilterProperties } from "../request.ts";

/** The settings that weighers read. */
export type WeigherSettings = {
  /** Positive spreads volumes over pools, negative stacks them. */
  capacity_weight_multiplier: number;
  /** Negative spreads volumes over pools, positive stacks them. */
  allocated_capacity_weight_multiplier: number;
};

/** A scheduler weigher. `name` is the class name that Cinder's settings use. */
export type Weigher = {
  readonly name: string;
  multiplier(settings: WeigherSettings): number;
  /** One finite number a candidate, in their order, before normalisation. */
  rawWeights(candidates: readonly PoolState[], filterProperties: FilterProperties, settings: WeigherSettings): number[];
};
