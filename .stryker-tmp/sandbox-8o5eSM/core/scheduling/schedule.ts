/** One scheduling of one volume, without its writes (`cinder/scheduler/filter_scheduler.py`, `_schedule`). */
// @ts-nocheck


import { NoValidBackend } from "../errors.ts";
import { FILTERS } from "./filters/index.ts";
import type { PoolState } from "./pool-state.ts";
import type { FilterProperties } from "./request.ts";
import type { SchedulerSettings } from "./settings.ts";
import { WEIGHERS, weighPools, type WeighedPool } from "./weighers/index.ts";

/** A pool that is out, who said so, and why. `filter` is a class name, or `resource_backend` for the request's own pin. */
export type DroppedPool = { backend_id: string; filter: string; reason: string };

/** The choice, with what led to it. */
export type Selection =
  | { selected: PoolState; weighed: WeighedPool[]; dropped: DroppedPool[]; noValidBackend: null }
  | { selected: null; weighed: []; dropped: DroppedPool[]; noValidBackend: NoValidBackend };

/**
 * Filters and weighs the pools for a request and takes the best. Changes nothing: the caller consumes or claims the space, and
 * may go on down `weighed` if another scheduler was faster there.
 *
 * @param filterProperties as `populateFilterProperties` made them
 * @param pools candidates in the order in which they became known, which decides between equals: pools of backends that are
 *   enabled, up, and have reported
 */
export function selectPool(
  filterProperties: FilterProperties,
  pools: readonly PoolState[],
  settings: SchedulerSettings,
): Selection {
  const { candidates, dropped } = filterPools(filterProperties, pools, settings);
  const weighers = settings.scheduler_default_weighers.flatMap((name) => WEIGHERS.get(name) ?? []);
  // The pin comes after the weighing, as in Cinder: it does not change the scores of the pools that it leaves.
  const weighed = weighPools(weighers, candidates, filterProperties, settings);
  const pin = filterProperties.request_spec?.resource_backend;
  const [admitted, pinnedOut] = pin ? splitByPin(weighed, pin) : [weighed, []];
  const allDropped = [...dropped, ...pinnedOut];
  const [best] = admitted;
  if (best === undefined) {
    const noValidBackend = new NoValidBackend("No weighed backends available");
    return { selected: null, weighed: [], dropped: allDropped, noValidBackend };
  }
  return { selected: best.pool, weighed: admitted, dropped: allDropped, noValidBackend: null };
}

/** The filters of the settings one after the other, each on the survivors of the one before. */
function filterPools(
  filterProperties: FilterProperties,
  pools: readonly PoolState[],
  settings: SchedulerSettings,
): { candidates: readonly PoolState[]; dropped: DroppedPool[] } {
  const dropped: DroppedPool[] = [];
  let candidates = pools;
  for (const filter of settings.scheduler_default_filters.flatMap((name) => FILTERS.get(name) ?? [])) {
    candidates = candidates.filter((pool) => {
      const verdict = filter.passes(pool, filterProperties);
      if (!verdict.passes) {
        dropped.push({ backend_id: pool.backend_id, filter: filter.name, reason: verdict.reason });
      }
      return verdict.passes;
    });
  }
  return { candidates, dropped };
}

/** A pin with a pool is compared with the whole id, one without with the backend's part. */
function splitByPin(weighed: readonly WeighedPool[], pin: string): [WeighedPool[], DroppedPool[]] {
  const pinHasPool = Boolean(pin.split("#")[1]);
  const isPinned = ({ pool }: WeighedPool): boolean =>
    (pinHasPool ? pool.backend_id : pool.backend_id.split("#")[0]) === pin;
  const pinnedOut = weighed
    .filter((candidate) => !isPinned(candidate))
    .map(({ pool }) => ({
      backend_id: pool.backend_id,
      filter: "resource_backend",
      reason: `is not ${pin}`,
    }));
  return [weighed.filter(isPinned), pinnedOut];
}

/** Pools named in a fault; an installation may have hundreds. */
const EXPLAINED_POOLS = 5;

/**
 * Why no pool was left, in one line for a volume's fault: "no pool is in service", or
 * "CapacityFilter: h@b#p has 3 GiB left, 5 GiB are needed; CapabilitiesFilter: ...; and 7 more".
 */
export function explainDropped(dropped: readonly DroppedPool[]): string {
  if (dropped.length === 0) {
    return "no pool is in service";
  }
  const named = dropped
    .slice(0, EXPLAINED_POOLS)
    .map(({ filter, backend_id: id, reason }) => `${filter}: ${id} ${reason}`);
  const others = dropped.length - named.length;
  return [...named, ...(others > 0 ? [`and ${others} more`] : [])].join("; ");
}
