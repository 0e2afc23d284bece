/** One scheduling of one volume, without its writes (`cinder/scheduler/filter_scheduler.py`, `_schedule`). */

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
 * Filters and weighs the pools for a request and takes the best. Changes nothing: the caller consumes or claims the space, and may continue
 * down `weighed` if another scheduler was faster there.
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
function isAt(backendId: string, pin: string): boolean {
  return (pin.split("#")[1] ? backendId : backendId.split("#")[0]) === pin;
}

function splitByPin(weighed: readonly WeighedPool[], pin: string): [WeighedPool[], DroppedPool[]] {
  const isPinned = ({ pool }: WeighedPool): boolean => isAt(pool.backend_id, pin);
  const pinnedOut = weighed
    .filter((candidate) => !isPinned(candidate))
    .map(({ pool }) => ({
      backend_id: pool.backend_id,
      filter: "resource_backend",
      reason: `is not ${pin}`,
    }));
  return [weighed.filter(isPinned), pinnedOut];
}

/** Pools of one reason that are named in a fault; an installation may have hundreds. */
const EXPLAINED_POOLS = 3;

/** Reasons by who says them, from the furthest from a placement to the nearest, and how pools of that reason are counted. */
const DISTANCES: readonly { filter: string; counted: (count: number) => string }[] = [
  { filter: "service", counted: (count) => `${count} down or disabled` },
  { filter: "AvailabilityZoneFilter", counted: (count) => `${count} in another zone` },
  { filter: "CapabilitiesFilter", counted: (count) => `${count} of another type` },
  { filter: "resource_backend", counted: (count) => `${count} not the one that the request is bound to` },
  { filter: "IgnoreAttemptedHostsFilter", counted: (count) => `${count} tried before` },
  { filter: "CapacityFilter", counted: (count) => `${count} full` },
];

/** The binding of a request to one backend: the backend and the reason. */
export type Pin = { backend: string; because: string };

/**
 * Why no pool was left, in one line for a volume's fault. Pools are counted by reason, the furthest from a placement first; those of
 * the nearest reason are named: "5 in another zone; 2 of another type; CapacityFilter: h9 has 0 GiB left of 3 wanted".
 *
 * A request that is bound to a backend, as a clone is to its source's, can be placed nowhere else, so only that one is explained.
 */
export function explainDropped(dropped: readonly DroppedPool[], pin?: Pin): string {
  if (pin !== undefined) {
    const own = dropped.filter(({ backend_id: id, filter }) => isAt(id, pin.backend) && filter !== "resource_backend");
    const why = own.length === 0 ? `${pin.backend} is not in service` : explainDropped(own);
    return `${pin.because} binds it to ${pin.backend}: ${why}`;
  }
  const groups = DISTANCES.map(({ filter, counted }) => ({
    pools: dropped.filter((pool) => pool.filter === filter),
    counted,
  })).filter(({ pools }) => pools.length > 0);
  const nearest = groups.pop();
  if (nearest === undefined) {
    return "no pool is in service";
  }
  const counts = groups.map(({ pools, counted }) => counted(pools.length));
  return [...counts, named(nearest.pools)].join("; ");
}

function named(pools: readonly DroppedPool[]): string {
  const shown = pools.slice(0, EXPLAINED_POOLS).map(({ backend_id: id, reason }) => `${id} ${reason}`);
  const others = pools.length - shown.length;
  return `${pools[0]?.filter ?? ""}: ${[...shown, ...(others > 0 ? [`and ${others} more`] : [])].join(", ")}`;
}
