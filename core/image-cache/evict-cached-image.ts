import { ifThere } from "../if-there.ts";
import { IMAGE_CACHE_ATTEMPT, type ImageCacheEntry, type ImageCacheRepository } from "./image-cache.ts";
import type { BackendRepository, Owner, VolumeRepository } from "../ports.ts";
import { fenceOf } from "../records.ts";
import { isInFlow } from "../volume-lifecycle.ts";
import { holderOf, type LockHolders } from "../attempt/source-locks.ts";
import { UNLISTED } from "../volumes/leave-project.ts";
import { type RestRemovalDependencies, removeVolumeAtRest } from "../volumes/remove-requested-volume.ts";

/** Dependencies of removing a cached volume. */
export type EvictDependencies = Omit<RestRemovalDependencies, "membership"> &
  LockHolders & {
    backends: Pick<BackendRepository, "claimOf">;
    entries: Pick<ImageCacheRepository, "finishEvict">;
    volumes: Pick<VolumeRepository, "get" | "markError">;
  };

/** The attempt that owns a cached volume's record. */
export function ownerOfCached(volumeId: string): Owner {
  return { volumeId, fence: fenceOf(volumeId, IMAGE_CACHE_ATTEMPT), attempt: IMAGE_CACHE_ATTEMPT };
}

/**
 * Takes away the volume of an entry that is `evicting`, then the entry. False, without a deletion, while it is being cloned; no new clone
 * of it begins.
 *
 * Each part may be repeated, and two at once are as two deletions of one volume. The entry goes last: as long as anything of the
 * cached volume may be there, it says so.
 *
 * @throws what the backend throws; InvalidVolume when it was locked in between.
 */
export async function evictCachedImage(deps: EvictDependencies, entry: ImageCacheEntry): Promise<boolean> {
  const volume = await ifThere(deps.volumes.get(entry.volume_id));
  if (volume === undefined) {
    // A fill that died between its claim and the record; after a deletion there is no claim to release.
    const claim = await deps.backends.claimOf(entry.host, entry.volume_id, IMAGE_CACHE_ATTEMPT);
    if (claim !== undefined) {
      const { attempt, claimed_at: claimedAt } = claim;
      await deps.backends.release(entry.host, { key: entry.volume_id, attempt, claimedAt });
    }
    await deps.entries.finishEvict(entry.id);
    return true;
  }
  if ((await holderOf(deps, "volume", volume)) !== undefined) {
    return false;
  }
  if (isInFlow(volume)) {
    const at = deps.clock.now().toISOString();
    const fault = { error: "ImageCopyFailure", cause: "The image was not cached.", attempt: IMAGE_CACHE_ATTEMPT, at };
    await deps.volumes.markError(ownerOfCached(volume.id), { ...fault, attempts: [] });
  }
  await removeVolumeAtRest({ ...deps, membership: UNLISTED }, volume);
  await deps.entries.finishEvict(entry.id);
  return true;
}
