import type { ImageCache, ImageCacheEntry } from "./image-cache.ts";
import type { BackendWork } from "../nets/backend-work.ts";
import { sweepEach, type SweepTurn } from "../nets/sweep-turn.ts";
import { type EvictDependencies, evictCachedImage } from "./evict-cached-image.ts";

/** Dependencies of the cache's sweep. */
export type SweepImageCacheDependencies = Omit<EvictDependencies, "entries"> & {
  cache: ImageCache<"list" | "abandon" | "beginEvict" | "finishEvict">;
};

/**
 * Removes the remains of dead fills, entries that must still be evicted, and entries on backends whose cache was switched off. A volume
 * that is still being cloned waits for a later sweep.
 *
 * @param later receives work that has to ask a backend
 * @param evicted is called for each cached volume that is removed, when `later` runs
 */
export async function sweepImageCache(
  deps: SweepImageCacheDependencies,
  turn: SweepTurn,
  later: BackendWork,
  evicted: () => void,
): Promise<void> {
  const { entries } = deps.cache;
  const idOf = (entry: ImageCacheEntry): string => entry.volume_id;
  const listed = await entries.list();
  for (const { id, reason } of listed.unreadable ?? []) {
    turn.failures.push({ volume_id: id, error: "UnreadableRecord", cause: reason });
  }
  await sweepEach(turn, listed, idOf, async (entry) => {
    if (await beginsToEvict(deps, entry)) {
      later.add(entry.host, entry.volume_id, async () => {
        if (await evictCachedImage({ ...deps, entries }, entry)) {
          evicted();
        }
      });
    }
  });
}

async function beginsToEvict(deps: SweepImageCacheDependencies, entry: ImageCacheEntry): Promise<boolean> {
  const { entries } = deps.cache;
  const now = deps.clock.now();
  const isOver = entry.lease_until === null || entry.lease_until < now.toISOString();
  if (entry.state === "filling") {
    if (isOver) {
      await entries.abandon(entry.id, { now });
    }
    return false;
  }
  const isOff = deps.cache.settingsOf(entry.host) === undefined;
  if (entry.state === "available" ? !isOff : entry.state === "copying" && !isOver) {
    return false;
  }
  return entries.beginEvict(entry.id, { fence: null, now });
}
