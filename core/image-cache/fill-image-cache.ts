import { requireAnswerWithinBudget } from "../drivers/driver-answers.ts";
import { placingClaimOf } from "../claims.ts";
import { ifThere } from "../if-there.ts";
import {
  IMAGE_CACHE_PROJECT_ID,
  type ImageCache,
  type ImageCacheEntry,
  imageCacheId,
  type ImageCacheSettings,
} from "./image-cache.ts";
import type { ImageSource } from "../drivers/driver-ports.ts";
import type { BackendRepository, VolumeRepository } from "../ports.ts";
import { newVolume, type VolumeRecord } from "../records.ts";
import { type DeadlineDependencies, phaseDeadline } from "../settings/time-bounds.ts";
import { readyDriver, type Turn } from "../attempt/create-on-backend.ts";
import { type OwnerInput, ownerOf } from "../workflow/input.ts";
import { type EvictDependencies, evictCachedImage, ownerOfCached } from "./evict-cached-image.ts";
import { FILL_LEASE_SECONDS, fillLease } from "./use-image-cache.ts";

/** Dependencies of filling the cache. */
export type FillDependencies = DeadlineDependencies &
  Omit<EvictDependencies, "entries"> & {
    cache: FilledCache;
    /** Called for each cached image that was evicted to make room. */
    onImageEvicted?: () => void;
    volumes: Pick<VolumeRepository, "get" | "create" | "markAvailable" | "saveProgress">;
    backends: Pick<BackendRepository, "get" | "claim" | "settle">;
  };

type FilledCache = ImageCache<
  "get" | "list" | "renew" | "beginCopy" | "complete" | "abandon" | "beginEvict" | "finishEvict"
>;

/** Longer than a function lives: after it expires, no function works on the copy. */
export const COPY_LEASE_SECONDS = 1800;

/** A lease is renewed when less than this is left of it. */
const RENEW_BELOW_SECONDS = FILL_LEASE_SECONDS - 60;

/** Number of retries of a claim because the backend has reported in between. */
const CLAIM_ROUNDS = 3;

/** The entry that this attempt has to fill; undefined when another attempt or none does, or when the cache does not answer. */
export async function findOwnFill(
  cache: FilledCache | undefined,
  { host, fence }: OwnerInput,
  image: ImageSource,
): Promise<ImageCacheEntry | undefined> {
  const id = cache?.settingsOf(host) && imageCacheId(host, image.imageId, image.meta);
  const entry =
    cache === undefined || id === undefined ? undefined : await cache.entries.get(id).catch(() => undefined);
  const isOwn = entry?.fence === fence && (entry.state === "filling" || entry.state === "copying");
  return isOwn ? entry : undefined;
}

/** Keeps others from taking the entry while the image is downloaded, at most once a minute; a copy does not fail for it. */
export function leaseKeeper({ cache, clock }: FillDependencies, entry: ImageCacheEntry): () => Promise<void> {
  let until = Date.parse(entry.lease_until ?? "");
  return async () => {
    if (until - clock.now().getTime() < RENEW_BELOW_SECONDS * 1000) {
      const lease = fillLease(clock, entry.fence);
      until = lease.until.getTime();
      await cache.entries.renew(entry.id, lease).catch(() => false);
    }
  };
}

/** The attempt caches nothing: the entry is free, or the sweep removes the created data. */
export async function giveUpFill({ cache, clock }: FillDependencies, { id, fence }: ImageCacheEntry): Promise<void> {
  if (!(await cache.entries.abandon(id, { fence }))) {
    await cache.entries.beginEvict(id, { fence, now: clock.now() });
  }
}

/**
 * Manager._create_image_cache_volume_entry, one turn of it: copies the volume, whose image is complete and verified and which is not used
 * yet, into the cached volume. True when that is done, or cannot be: the cache never fails a create.
 *
 * @throws FenceLost, VolumeDeleteRequested when the volume is not the attempt's any more; what giving the entry up throws, to be
 *   tried again
 */
export async function fillImageCache(
  deps: FillDependencies,
  input: OwnerInput,
  source: VolumeRecord,
  entry: ImageCacheEntry,
  turn: Turn,
): Promise<boolean> {
  if (entry.state === "copying" && source.progress !== null) {
    await deps.volumes.saveProgress(ownerOf(input), source.progress, phaseDeadline(deps, "copying"));
  }
  let progress: FillProgress;
  try {
    progress = await fillOneTurn(deps, source, entry, turn);
  } catch {
    progress = "impossible";
  }
  if (progress === "impossible") {
    await giveUpFill(deps, entry);
  } else if (progress === "uncertain") {
    await deps.cache.entries.renew(entry.id, fillLease(deps.clock, entry.fence, COPY_LEASE_SECONDS));
  }
  return progress !== "again";
}

/**
 * `uncertain`: the cached volume's record was written or will be, or not at all. The entry keeps its lease, and the sweep removes its data
 * after the lease: checked now, the record might come later and be forgotten.
 */
type FillProgress = "done" | "again" | "impossible" | "uncertain";

async function fillOneTurn(
  deps: FillDependencies,
  source: VolumeRecord,
  entry: ImageCacheEntry,
  turn: Turn,
): Promise<FillProgress> {
  const { entries } = deps.cache;
  if (entry.state === "filling" && !(await makeRoom(deps, entry))) {
    return "impossible";
  }
  if (!(await entries.beginCopy(entry.id, fillLease(deps.clock, entry.fence, COPY_LEASE_SECONDS)))) {
    return "impossible";
  }
  if (entry.state === "filling" && !(await hasRoom(deps, entry))) {
    return "impossible";
  }
  const cached = await cachedVolume(deps, entry);
  if (cached === undefined || cached === "uncertain") {
    return cached ?? "impossible";
  }
  const driver = await readyDriver(deps.drivers, entry.host);
  const work = { checkpoint: entry.checkpoint, remainingTimeMs: () => turn.remainingTimeMs() };
  const outcome = await driver.createClonedVolume(cached, source, work);
  requireAnswerWithinBudget("checkpoint", outcome.checkpoint);
  requireAnswerWithinBudget("model_update", outcome.model_update);
  if (!outcome.done) {
    const lease = fillLease(deps.clock, entry.fence, COPY_LEASE_SECONDS);
    // The workflow asks for another turn at once: a backend that works in the background would be asked all the time.
    const goesOn = outcome.wait_seconds === 0 && (await entries.renew(entry.id, lease, outcome.checkpoint));
    return goesOn ? "again" : "impossible";
  }
  const now = deps.clock.now();
  await deps.volumes.markAvailable(ownerOfCached(cached.id), "available", now, outcome.model_update ?? {});
  await deps.backends.settle(entry.host, placingClaimOf(cached));
  return (await entries.complete(entry.id, entry.fence, now)) ? "done" : "impossible";
}

/** The cached volume's record, with its capacity counted; undefined when there is not enough. The claim comes first. */
async function cachedVolume(
  deps: FillDependencies,
  entry: ImageCacheEntry,
): Promise<VolumeRecord | "uncertain" | undefined> {
  const cached = await ifThere(deps.volumes.get(entry.volume_id));
  if (cached !== undefined) {
    return cached;
  }
  const startedAt = await claimedAt(deps, entry);
  if (startedAt === undefined) {
    return undefined;
  }
  const record = recordOf(entry, startedAt);
  try {
    await deps.volumes.create(record);
    return record;
  } catch {
    return "uncertain";
  }
}

/** Free capacity is all that is asked for: Cinder's cache asks for none. */
async function claimedAt(deps: FillDependencies, entry: ImageCacheEntry): Promise<string | undefined> {
  const owner = ownerOfCached(entry.volume_id);
  for (let round = 0; round < CLAIM_ROUNDS; round += 1) {
    const backend = await deps.backends.get(entry.host);
    if (backend === undefined || backend.disabled) {
      return undefined;
    }
    const hasFigure = typeof backend.free_capacity_gb === "number";
    const limits = { maxProvisionedCapacityGb: null, minFreeCapacityGb: hasFigure ? entry.size : null };
    const claimed = await deps.backends.claim(backend, owner, entry.size, limits);
    if (claimed !== undefined) {
      return claimed.claims[entry.volume_id]?.claimed_at;
    }
  }
  return undefined;
}

/** Without a deadline: the entry's lease takes its place, and the sweep of the cache that of the sweep of volumes. */
function recordOf(entry: ImageCacheEntry, startedAt: string): VolumeRecord {
  const { volumeId, fence } = ownerOfCached(entry.volume_id);
  return newVolume({
    id: volumeId,
    project_id: IMAGE_CACHE_PROJECT_ID,
    user_id: IMAGE_CACHE_PROJECT_ID,
    size: entry.size,
    display_name: `image-${entry.image_id}`,
    host: entry.host,
    created_at: startedAt,
    scheduled_at: startedAt,
    fence,
    attempts: { 1: { host: entry.host, execution: fence, started_at: startedAt, outcome: "running" } },
    phase: "creating",
    in_flow: true,
  });
}

/**
 * ImageVolumeCache.ensure_space: evicts entries of the same image with other content, then the least recently used, until the entry fits.
 * False when entries in use leave no room.
 */
async function makeRoom(deps: FillDependencies, entry: ImageCacheEntry): Promise<boolean> {
  const { cache } = deps;
  const settings = cache.settingsOf(entry.host);
  if (settings === undefined || !fits(settings, [], entry)) {
    return false;
  }
  const others = await othersOf(cache, entry);
  const oldestFirst = others.toSorted((one, other) => (one.last_used_at < other.last_used_at ? -1 : 1));
  const stale = oldestFirst.filter(({ image_id: imageId }) => imageId === entry.image_id);
  const left = new Set(others);
  for (const one of [...stale, ...oldestFirst.filter((each) => !stale.includes(each))]) {
    if ((stale.includes(one) || !fits(settings, [...left], entry)) && (await isEvicted(deps, one))) {
      left.delete(one);
    }
  }
  return fits(settings, [...left], entry);
}

/** Two fills may both have made room for themselves: who comes second, or both, cache nothing. */
async function hasRoom({ cache }: FillDependencies, entry: ImageCacheEntry): Promise<boolean> {
  const settings = cache.settingsOf(entry.host);
  if (settings === undefined) {
    return false;
  }
  const isUnbounded = settings.maxCount === 0 && settings.maxSizeGib === 0;
  return isUnbounded || fits(settings, await othersOf(cache, entry), entry);
}

/** The backend's other entries, but for those of which nothing is there yet. */
async function othersOf({ entries }: FilledCache, { id, host }: ImageCacheEntry): Promise<ImageCacheEntry[]> {
  return (await entries.list()).filter((other) => other.host === host && other.id !== id && other.state !== "filling");
}

function fits(
  { maxCount, maxSizeGib }: ImageCacheSettings,
  others: readonly ImageCacheEntry[],
  entry: ImageCacheEntry,
): boolean {
  const sizeGib = others.reduce((sum, { size }) => sum + size, entry.size);
  return (maxCount === 0 || others.length < maxCount) && (maxSizeGib === 0 || sizeGib <= maxSizeGib);
}

async function isEvicted(deps: FillDependencies, entry: ImageCacheEntry): Promise<boolean> {
  const { entries } = deps.cache;
  try {
    const isBegun = await entries.beginEvict(entry.id, { fence: null, now: deps.clock.now() });
    const isGone = isBegun && (await evictCachedImage({ ...deps, entries }, entry));
    if (isGone) {
      deps.onImageEvicted?.();
    }
    return isGone;
  } catch {
    return false;
  }
}
