import { InvalidVolume, VolumeBackendAPIException, VolumeNotFound } from "../errors.ts";
import { isCachedVolume } from "../image-cache.ts";
import type { BackendRepository, Drivers, SnapshotRepository, VolumeRepository } from "../ports.ts";
import { isInFlow, type VolumeRecord } from "../records.ts";
import { phaseDeadline } from "../time-bounds.ts";
import { readyDriver } from "./create-on-backend.ts";
import { type RemovalDependencies, removeRequestedVolume } from "./remove-requested-volume.ts";
import { holderOf } from "./source-locks.ts";

/** What deleting a volume uses. */
export type DeleteVolumeDependencies = RemovalDependencies & {
  volumes: Pick<VolumeRepository, "get" | "getMany" | "unlock" | "requestDelete" | "beginDelete" | "finishDelete">;
  snapshots: Pick<SnapshotRepository, "get" | "listOfVolume">;
  backends: Pick<BackendRepository, "list" | "release" | "returnCapacity">;
};

/** `requested`: the volume is being created, and the end of that removes it. */
export type DeleteVolumeResult = { outcome: "deleted" | "requested" };

/**
 * Deletes a volume: from its backend, then its capacity, then its record. Of one that is being created the wish is recorded: its
 * flow ends at its next write and removes what it made. Each part may be repeated, so a deletion that died is finished by the next
 * one; a volume that is gone is deleted.
 *
 * The mark that the capacity was given back outlasts the record: a second deletion of the same volume, which was under way when the
 * first one ended, would give it back again. The sweep forgets it when no deletion can be under way any more.
 *
 * A create that ends between the look and the request wins, and its volume is deleted like any other.
 *
 * @throws InvalidVolume while snapshots of it exist, or another volume is made of it; VolumeBackendAPIException,
 *   DriverNotInitialized.
 */
export async function deleteVolume(deps: DeleteVolumeDependencies, volumeId: string): Promise<DeleteVolumeResult> {
  try {
    const volume = await deps.volumes.get(volumeId);
    if (isCachedVolume(volume)) {
      throw new InvalidVolume(`volume ${volumeId} belongs to the image-volume cache: evict it there`);
    }
    if (isInFlow(volume.status) && (await isRequested(deps, volumeId))) {
      return { outcome: "requested" };
    }
    if (volume.delete_requested_at === null) {
      await deleteAtRest(deps, volume);
    } else {
      await removeRequestedVolume(deps, { volumeId, fence: volume.fence });
    }
  } catch (error) {
    if (!(error instanceof VolumeNotFound)) {
      throw error;
    }
    await forgetVolume(deps.backends, volumeId);
  }
  return { outcome: "deleted" };
}

/** Records the wish. False when the volume has come to rest meanwhile. */
async function isRequested(deps: DeleteVolumeDependencies, volumeId: string): Promise<boolean> {
  try {
    await deps.volumes.requestDelete(volumeId, phaseDeadline(deps, "queued"));
    return true;
  } catch (error) {
    if (error instanceof InvalidVolume) {
      return false;
    }
    throw error;
  }
}

async function deleteAtRest(deps: DeleteVolumeDependencies, found: VolumeRecord): Promise<void> {
  await requireUnused(deps, found);
  await deleteUnlocked(deps, found.id);
}

/** What {@link deleteUnlocked} uses. */
export type DeleteUnlockedDependencies = {
  volumes: Pick<VolumeRepository, "beginDelete" | "finishDelete">;
  backends: Pick<BackendRepository, "list" | "release" | "returnCapacity">;
  drivers: Drivers;
};

/** Deletes a volume at rest that nobody has locked. @throws InvalidVolume when that is not so */
export async function deleteUnlocked(deps: DeleteUnlockedDependencies, volumeId: string): Promise<void> {
  const volume = await deps.volumes.beginDelete(volumeId);
  if (volume.host === null) {
    await forgetVolume(deps.backends, volumeId);
    await deps.volumes.finishDelete(volumeId);
    return;
  }
  const driver = await readyDriver(deps.drivers, volume.host);
  await driver.deleteVolume(volumeId);
  if ((await driver.findVolume(volumeId)) !== "absent") {
    throw new VolumeBackendAPIException(`volume ${volumeId} is still on ${volume.host} after its deletion`);
  }
  await deps.backends.returnCapacity(volume.host, volumeId, volume.size);
  await deps.volumes.finishDelete(volumeId);
}

/**
 * Takes stale locks off, so that the first write of the deletion, whose condition is that there are none, refuses only who locked
 * since. The list of snapshots is read as well: it has those that were taken before there were locks.
 */
async function requireUnused(deps: DeleteVolumeDependencies, { id, locks }: VolumeRecord): Promise<void> {
  const snapshots = await deps.snapshots.listOfVolume(id);
  if (snapshots.length > 0) {
    throw new InvalidVolume(`volume ${id} still has ${snapshots.length} snapshot(s), first ${snapshots[0]?.id}`);
  }
  const holder = await holderOf(deps, locks);
  if (holder !== undefined) {
    const why = holder.what === "snapshot" ? "still has snapshot" : "is being copied to volume";
    throw new InvalidVolume(`volume ${id} ${why} ${holder.id}`);
  }
  for (const [stale, value] of Object.entries(locks)) {
    await deps.volumes.unlock(id, { holder: stale, value });
  }
}

/** Gives back what a scheduling that died holds for the volume on any backend's item. */
async function forgetVolume(backends: DeleteVolumeDependencies["backends"], volumeId: string): Promise<void> {
  for (const { host, claims } of await backends.list()) {
    const claim = claims[volumeId];
    if (claim !== undefined) {
      await backends.release(host, { volumeId, attempt: claim.attempt });
    }
  }
}
