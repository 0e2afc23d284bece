// @ts-nocheck
import type { ImageCache, ImageCacheEntry } from "../../image-cache.ts";
import { sweepEach, type SweepTurn } from "../sweep-turn.ts";
import { type EvictDependencies, evictCachedImage } from "./evict-cached-image.ts";

/** What the sweep of the cache uses. */
export type SweepImageCacheDependencies = Omit<EvictDependencies, "entries"> & { cache: ImageCache };

/**
 * Removes what fills that died have left, what is to be evicted and nobody has evicted yet, and what lies on backends whose cache was
 * switched off. What is still being cloned from waits for a later sweep.
 *
 * @returns how many cached volumes were removed
 */
export async function sweepImageCache(deps: SweepImageCacheDependencies, turn: SweepTurn): Promise<number> {
  let evicted = 0;
  const entries = await deps.cache.entries.list();
  const idOf = (entry: ImageCacheEntry): string => entry.volume_id;
  await sweepEach(turn, entries, idOf, async (entry) => {
    evicted += (await sweepEntry(deps, entry)) ? 1 : 0;
  });
  return evicted;
}

async function sweepEntry(deps: SweepImageCacheDependencies, entry: ImageCacheEntry): Promise<boolean> {
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
  const isBegun = await entries.beginEvict(entry.id, { fence: null, now });
  return isBegun && (await evictCachedImage({ ...deps, entries }, entry));
}
