import type { UseImageCacheDependencies } from "../../core/image-cache/use-image-cache.ts";
import { imageCache, imageCacheEntries, locks, volumes } from "./composition.ts";
import { writeMetrics } from "./metrics.ts";
import type { PortsOf } from "./ports.ts";

/** The ports of a state that creates from the image-volume cache, where a backend has one. */
export const imageCachePorts = {
  entries: imageCacheEntries("beginEvict", "beginFill", "get", "touch"),
  locks: locks("put", "remove", "withdraw"),
  volumes: volumes("countLock"),
} satisfies PortsOf<NonNullable<UseImageCacheDependencies["imageCache"]>>;

/** The cache for such a state, which counts its hits and misses. */
export const imageCacheUse = (): Pick<UseImageCacheDependencies, "imageCache" | "onImageCacheUse"> => ({
  imageCache: imageCache(imageCachePorts),
  onImageCacheUse: (use) => writeMetrics(use === "hit" ? { imageCacheHits: 1 } : { imageCacheMisses: 1 }),
});
