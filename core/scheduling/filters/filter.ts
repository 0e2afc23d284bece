import type { PoolState } from "../pool-state.ts";
import type { FilterProperties } from "../request.ts";

/** Passed, or in a few words why not, written to follow the pool's name: "h@b#p has 3 GiB left of 5 wanted". */
export type FilterVerdict = { passes: true } | { passes: false; reason: string };

/** A scheduler filter: one pool, one request, no state. `name` is the class name that Cinder's settings use. */
export type Filter = {
  readonly name: string;
  passes(pool: PoolState, filterProperties: FilterProperties): FilterVerdict;
};

/** The verdict of every filter that has nothing against a pool. */
export const PASSES: FilterVerdict = { passes: true };

/** A verdict against a pool. */
export function fails(reason: string): FilterVerdict {
  return { passes: false, reason };
}
