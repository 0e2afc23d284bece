import { describeError, routeOf, SourceDamaged, VolumeNotFound } from "../errors.ts";
import { cachedVolumeId, type ImageCache, type ImageCacheEntry, imageCacheId } from "./image-cache.ts";
import type { CreateOutcome, Driver, ImageSource, Work } from "../drivers/driver-ports.ts";
import type { Clock, LockedSource } from "../ports.ts";
import type { VolumeRecord } from "../records.ts";
import type { WorkCheckpoint } from "../spec.ts";
import { deadlineAfter } from "../settings/time-bounds.ts";
import { lockVolume, type SourceUnlocker, type VolumeLocker } from "../attempt/source-locks.ts";
import type { OwnerInput } from "../workflow/input.ts";

/** Dependencies of a clone from the cache. */
export type UseImageCacheDependencies = {
  imageCache?: UsableCache | undefined;
  /** Called once the cache has decided: the volume is a clone, or its image must be downloaded. Not called without a cache. */
  onImageCacheUse?: (use: "hit" | "miss") => void;
  clock: Clock;
};

type UsableCache = ImageCache<"get" | "beginFill" | "touch" | "beginEvict"> & VolumeLocker & SourceUnlocker;

/** Time without progress after which another create takes over a fill: longer than the time between two saves of a copy's progress. */
export const FILL_LEASE_SECONDS = 300;

/** How long a create waits for another one's fill before it downloads for itself. */
const FILL_WAIT_SECONDS = 900;

/** The longest pause between two looks at a fill; the first ones are shorter, for small images. */
const LONGEST_PAUSE_SECONDS = 15;

/** The cache's key of a checkpoint, next to the driver's own keys. */
const CHECKPOINT_KEY = "image_cache";

/** Whether the turn before ended in the cache: its driver has said already that it cannot clone the image itself. */
export function isInImageCache(checkpoint: WorkCheckpoint | null): boolean {
  return checkpoint?.[CHECKPOINT_KEY] !== undefined;
}

type Outcome = CreateOutcome & { cloned: boolean };

const NOT_CLONED: Outcome = { done: true, wait_seconds: 0, checkpoint: null, model_update: null, cloned: false };

/**
 * CreateVolumeFromSpecTask._create_from_image_cache: makes the volume a clone of the cached one, if there is one. If another create is
 * about to make one, waits for it (`cloned` with `done` false, so that the workflow asks again). Otherwise says `cloned` false: the image
 * is to be downloaded. The first such create owns the entry, and fills it when its copy has ended.
 *
 * An earlier turn may have cloned nevertheless, with a lost answer: {@link Driver.copyImageToVolume} finds or replaces that.
 *
 * @throws errors of a clone that have no known answer: tried again as everywhere
 */
export async function cloneFromImageCache(
  deps: UseImageCacheDependencies,
  input: OwnerInput,
  driver: Driver,
  volume: VolumeRecord,
  image: ImageSource,
  work: Work,
): Promise<Outcome> {
  const cache = deps.imageCache;
  const id = cache?.settingsOf(input.host) && imageCacheId(input.host, image.imageId, image.meta);
  if (cache === undefined || id === undefined) {
    return NOT_CLONED;
  }
  const outcome = await cloneOrWait(deps, cache, id, { input, driver, volume, image, work });
  if (outcome.done) {
    deps.onImageCacheUse?.(outcome.cloned ? "hit" : "miss");
  }
  return outcome;
}

/** One turn of a create that may be cloned from an entry. */
async function cloneOrWait(
  deps: UseImageCacheDependencies,
  cache: UsableCache,
  id: string,
  create: { input: OwnerInput; driver: Driver; volume: VolumeRecord; image: ImageSource; work: Work },
): Promise<Outcome> {
  const { input, driver, volume, image, work } = create;
  // The cache's table fails no create: without it the image is downloaded.
  const entry = await cache.entries.get(id).catch(() => null);
  if (entry === null) {
    return NOT_CLONED;
  }
  if (entry?.state === "available") {
    const outcome = await cloneCached(deps, cache, input, driver, volume, entry, work);
    return outcome ?? NOT_CLONED;
  }
  const since = waitingSince(work.checkpoint) ?? deps.clock.now();
  if (entry !== undefined && entry.fence !== input.fence && isUnderWay(entry, deps.clock)) {
    return pause(deps.clock, since) ?? NOT_CLONED;
  }
  if (entry === undefined || entry.state === "filling") {
    // An entry that may nevertheless exist is recognized by its fence when the copy has ended.
    const begun =
      entry?.fence === input.fence || (await beginFill(deps, cache, input, volume, image, id).catch(() => true));
    // Another create was faster: the next read finds its progress.
    return begun ? NOT_CLONED : (pause(deps.clock, since) ?? NOT_CLONED);
  }
  return NOT_CLONED;
}

async function beginFill(
  { clock }: UseImageCacheDependencies,
  cache: UsableCache,
  { host, fence }: OwnerInput,
  volume: VolumeRecord,
  image: ImageSource,
  id: string,
): Promise<boolean> {
  const entry = { id, volume_id: cachedVolumeId(id, fence), host, image_id: image.imageId, size: volume.size };
  return cache.entries.beginFill(entry, fillLease(clock, fence));
}

/** From now on. */
export function fillLease(clock: Clock, fence: string, seconds = FILL_LEASE_SECONDS) {
  const now = clock.now();
  return { fence, now, until: deadlineAfter(now, seconds) };
}

function isUnderWay({ state, lease_until: until }: ImageCacheEntry, clock: Clock): boolean {
  const isAtWork = state === "filling" || state === "copying";
  return isAtWork && until !== null && until >= clock.now().toISOString();
}

function waitingSince(checkpoint: WorkCheckpoint | null): Date | undefined {
  const since = checkpoint?.["since"];
  return checkpoint?.[CHECKPOINT_KEY] === "waiting" && typeof since === "string" ? new Date(since) : undefined;
}

/** Undefined when the create has waited for long enough. */
function pause(clock: Clock, since: Date): Outcome | undefined {
  const waited = (clock.now().getTime() - since.getTime()) / 1000;
  if (!(waited < FILL_WAIT_SECONDS)) {
    return undefined;
  }
  const checkpoint = { [CHECKPOINT_KEY]: "waiting", since: since.toISOString() };
  const wait_seconds = Math.min(LONGEST_PAUSE_SECONDS, 1 + Math.floor(waited / 2));
  return { done: false, wait_seconds, checkpoint, model_update: null, cloned: true };
}

/** Undefined when it cannot be cloned, and the image is to be downloaded. */
async function cloneCached(
  deps: UseImageCacheDependencies,
  cache: UsableCache,
  input: OwnerInput,
  driver: Driver,
  volume: VolumeRecord,
  entry: ImageCacheEntry,
  work: Work,
): Promise<Outcome | undefined> {
  const { entries, locks } = cache;
  const evict = () => entries.beginEvict(entry.id, { fence: null, now: deps.clock.now() }).catch(() => false);
  if (entry.size > volume.size) {
    await evict();
    return undefined;
  }
  const lock = { holder: input.volume_id, value: input.fence };
  const locked: LockedSource = { what: "volume", id: entry.volume_id };
  const source = await lockVolume(cache, entry.volume_id, lock, ["available"], null);
  if (source === undefined) {
    await evict();
    return undefined;
  }
  await entries.touch(entry.id, deps.clock.now()).catch(() => false);
  try {
    const checkpoint = driversOwn(work.checkpoint);
    const outcome = await driver.createClonedVolume(volume, source, {
      checkpoint,
      remainingTimeMs: () => work.remainingTimeMs(),
    });
    if (outcome.done) {
      await locks.remove(locked, lock.holder, [lock.value]);
      return { ...outcome, cloned: true };
    }
    return { ...outcome, checkpoint: { ...outcome.checkpoint, [CHECKPOINT_KEY]: "cloning" }, cloned: true };
  } catch (error) {
    if (routeOf(describeError(error).name) === "uncertain") {
      throw error;
    }
    await locks.remove(locked, lock.holder, [lock.value]);
    if (error instanceof VolumeNotFound || error instanceof SourceDamaged) {
      await evict();
    }
    return undefined;
  }
}

function driversOwn(checkpoint: WorkCheckpoint | null): WorkCheckpoint | null {
  if (checkpoint?.[CHECKPOINT_KEY] !== "cloning") {
    return null;
  }
  const { [CHECKPOINT_KEY]: _, ...own } = checkpoint;
  return own;
}
