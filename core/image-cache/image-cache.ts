import { v5 as uuidv5 } from "uuid";
import { type Backend, backendHost } from "../backends/backends.ts";
import type { ImageMeta } from "../drivers/driver-ports.ts";
import type { Listed } from "../ports.ts";
import type { VolumeRecord } from "../records.ts";
import type { WorkCheckpoint } from "../spec.ts";

/**
 * The image-volume cache (`cinder/image/cache.py`, ImageVolumeCache): a volume of an image is kept on its backend, and later volumes
 * of the image are clones of it. See docs/adr/0018 for its states, and for what happens when a step is repeated, dies or is late.
 */

/** Owner of the cached volumes, in the place of Cinder's `cinder_internal_tenant_project_id`. No request comes in its name. */
export const IMAGE_CACHE_PROJECT_ID = "cinderless-image-volume-cache";

/** Cached volumes are made by one attempt. */
export const IMAGE_CACHE_ATTEMPT = 1;

/** Names the ids of entries and cached volumes. Another one would forget them all. */
const IMAGE_CACHE_NAMESPACE = "6f4a1f0c-8d0b-5c0e-9d3c-0c8a2d1b7e55";

/** A backend's configuration of the cache, by Cinder's option names; a bound of 0 means no limit. */
export type ImageCacheSettings = { maxCount: number; maxSizeGib: number };

/** State of an entry: see docs/adr/0018. */
export type ImageCacheState = "filling" | "copying" | "available" | "evicting";

/** A cached image on a backend (`image_volume_cache_entries` in Cinder). */
export type ImageCacheEntry = {
  /** See {@link imageCacheId}. */
  id: string;
  /** The cached volume: see {@link cachedVolumeId}. */
  volume_id: string;
  /** `host@backend#pool`. */
  host: string;
  image_id: string;
  /** GiB of the volume that it is filled from, and so of the cached volume. */
  size: number;
  state: ImageCacheState;
  /** The attempt that fills it. */
  fence: string;
  /** Time until which only that attempt may continue; null when no attempt is at work. */
  lease_until: string | null;
  /** Where the copy of the volume stopped. */
  checkpoint: WorkCheckpoint | null;
  created_at: string;
  last_used_at: string;
};

/** Initial fields of an entry. */
export type NewEntry = Pick<ImageCacheEntry, "id" | "volume_id" | "host" | "image_id" | "size">;

/** The attempt that fills an entry, and the end of its lease. */
export type FillLease = { fence: string; now: Date; until: Date };

/**
 * Entries of the cache. Every method that writes is one conditional update of one item, answers whether it was made, and changes
 * nothing when it was not.
 */
export interface ImageCacheRepository {
  /** Consistent. */
  get(id: string): Promise<ImageCacheEntry | undefined>;
  /** All entries, of all hosts; consistent. There are as many as cached images. */
  list(): Promise<Listed<ImageCacheEntry>>;
  /** Takes the entry for the attempt: when there is none, or one that is `filling` whose lease is over. */
  beginFill(entry: NewEntry, lease: FillLease): Promise<boolean>;
  /** Keeps a fill of the attempt going. */
  renew(id: string, lease: FillLease, checkpoint?: WorkCheckpoint | null): Promise<boolean>;
  /** `filling` to `copying`: from here on something of it may be on the backend. */
  beginCopy(id: string, lease: FillLease): Promise<boolean>;
  /** `copying` to `available`. */
  complete(id: string, fence: string, now: Date): Promise<boolean>;
  /** Removes an entry that is `filling`, called by its owner, or after its lease has expired. */
  abandon(id: string, by: { fence: string } | { now: Date }): Promise<boolean>;
  /** Keeps that the cached volume was used. */
  touch(id: string, now: Date): Promise<boolean>;
  /** To `evicting`: with a fence what its owner has begun to copy; without, what is `available`, or `copying` with its lease over. */
  beginEvict(id: string, by: { fence: string | null; now: Date }): Promise<boolean>;
  /** Removes an entry that is `evicting`, when nothing of it is left. */
  finishEvict(id: string): Promise<void>;
}

/** The cache as tasks get it, with the methods that they call; absent where no backend has it switched on. */
export type ImageCache<Method extends keyof ImageCacheRepository> = {
  entries: Pick<ImageCacheRepository, Method>;
  /** Undefined for a backend without a cache. @param host with or without its pool */
  settingsOf(host: string): ImageCacheSettings | undefined;
};

/** Finds a backend's settings. */
export function settingsByHost(
  backends: readonly Pick<
    Backend,
    "host" | "image_volume_cache_enabled" | "image_volume_cache_max_count" | "image_volume_cache_max_size_gb"
  >[],
): Map<string, ImageCacheSettings> {
  return new Map(
    backends
      .filter(({ image_volume_cache_enabled: isEnabled }) => isEnabled === true)
      .map(({ host, image_volume_cache_max_count: maxCount = 0, image_volume_cache_max_size_gb: maxSizeGib = 0 }) => [
        host,
        { maxCount, maxSizeGib },
      ]),
  );
}

/** The cache with these ports; undefined, and no port made, when no backend has settings for it. */
export function imageCacheOf<Ports extends object>(
  settings: ReadonlyMap<string, ImageCacheSettings>,
  ports: () => Ports,
): (Ports & Pick<ImageCache<never>, "settingsOf">) | undefined {
  return settings.size === 0 ? undefined : { ...ports(), settingsOf: (host) => settings.get(backendHost(host)) };
}

/**
 * The id of an image's entry: a UUID of its host, the image's id, its content and its formats. Undefined for an image without a hash that
 * cannot be forged: only sha256 and sha512 count.
 *
 * @param host `host@backend#pool`
 */
export function imageCacheId(host: string, imageId: string, meta: ImageMeta): string | undefined {
  const { os_hash_algo: algorithm, os_hash_value: hash, size, disk_format: disk, container_format: container } = meta;
  if (hash === null || hash === "" || size === null || (algorithm !== "sha256" && algorithm !== "sha512")) {
    return undefined;
  }
  const content = [host, imageId, algorithm, hash.toLowerCase(), size, disk, container];
  return uuidv5(JSON.stringify(content), IMAGE_CACHE_NAMESPACE);
}

/**
 * The id of a fill's volume: the same for every repeat of the attempt, and never that of another fill, so that a late call cannot affect a
 * later fill.
 */
export function cachedVolumeId(entryId: string, fence: string): string {
  return uuidv5(`${entryId}/${fence}`, IMAGE_CACHE_NAMESPACE);
}

/** Whether a volume is the cache's own. */
export function isCachedVolume({ project_id: projectId }: Pick<VolumeRecord, "project_id">): boolean {
  return projectId === IMAGE_CACHE_PROJECT_ID;
}
