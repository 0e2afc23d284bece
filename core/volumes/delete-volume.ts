import { InvalidVolume, VolumeNotFound } from "../errors.ts";
import { isCachedVolume } from "../image-cache/image-cache.ts";
import type { SnapshotRepository, VolumeRepository } from "../ports.ts";
import { SNAPSHOT_LOCK, type VolumeRecord } from "../records.ts";
import { isBeingRemoved, isInFlow } from "../volume-lifecycle.ts";
import { deleteSnapshot, type DeleteSnapshotDependencies } from "../snapshots/delete-snapshot.ts";
import { phaseDeadline } from "../settings/time-bounds.ts";
import { releaseClaims, type RestRemovalDependencies, removeVolumeAtRest } from "./remove-requested-volume.ts";
import { holderOf, type LockHolders, snapshotsOf, unlockSource } from "../attempt/source-locks.ts";

/** Dependencies of deleting a volume. */
export type DeleteVolumeDependencies = RestRemovalDependencies & {
  volumes: Pick<VolumeRepository, "get" | "requestDelete">;
  snapshots: Pick<SnapshotRepository, "listOfVolume">;
} & SnapshotsRemovalDependencies;

/** `requested`: the volume is being created, and the end of that removes it. */
export type DeleteVolumeResult = { outcome: "deleted" | "requested" };

/**
 * Deletes a volume: from its backend, then its capacity, then its record. Deleting a volume that is still being created cancels the create:
 * its flow ends at its next write and removes its data.
 * Repeated: each part may be repeated; a missing volume counts as deleted.
 * Interrupted: the sweep or the next request begins again, also after the backend refused.
 *
 * A create that ends between the look and the request wins, and its volume is deleted like any other.
 *
 * @throws InvalidVolume while snapshots of it exist, or another volume is created from it; VolumeBackendAPIException,
 *   DriverNotInitialized.
 */
export async function deleteVolume(deps: DeleteVolumeDependencies, volumeId: string): Promise<DeleteVolumeResult> {
  try {
    const volume = await deps.volumes.get(volumeId);
    if (isCachedVolume(volume)) {
      throw new InvalidVolume(`volume ${volumeId} belongs to the image-volume cache: evict it there`);
    }
    if (isInFlow(volume) && (await isRequested(deps, volumeId))) {
      return { outcome: "requested" };
    }
    if (isBeingRemoved(volume)) {
      await removeSnapshots(deps, volume);
    } else {
      await requireUnused(deps, volume);
    }
    // A removal that died may have left the lock of a create that never ended.
    await unlockSource(deps, volume);
    await removeVolumeAtRest(deps, volume);
  } catch (error) {
    if (!(error instanceof VolumeNotFound)) {
      throw error;
    }
    await releaseClaims(deps.backends, volumeId);
  }
  return { outcome: "deleted" };
}

/** Dependencies of removing the snapshots of a volume. */
export type SnapshotsRemovalDependencies = DeleteSnapshotDependencies;

/**
 * Deletes the snapshots that go with a volume which is being removed: those that have it locked. A snapshot of which a volume is being made
 * holds the removal up until that has ended. Each lock goes after its snapshot, so that a removal that died finds the snapshot again.
 *
 * Repeated: missing objects are skipped.
 * Interrupted: the sweep, or the next request, continues.
 * Throws: InvalidSnapshot; VolumeBackendAPIException, DriverNotInitialized.
 */
export async function removeSnapshots(deps: SnapshotsRemovalDependencies, volume: VolumeRecord): Promise<void> {
  for await (const ids of snapshotsOf(deps, volume)) {
    for (const id of ids) {
      await deleteSnapshot(deps, id, { goesWithVolume: true });
      await deps.locks.remove({ what: "volume", id: volume.id }, id, [SNAPSHOT_LOCK]);
    }
  }
}

/** Records the wish. False when the volume has come to rest in the meantime. */
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

/**
 * Refuses a volume that is in use. The first write of the deletion, with the same record, refuses who locked since. The list of snapshots is
 * read as well: it has those that were taken before there were locks.
 *
 * @throws InvalidVolume while snapshots of it exist, or another volume is created from it
 */
export async function requireUnused(
  deps: LockHolders & { snapshots: Pick<SnapshotRepository, "listOfVolume"> },
  volume: VolumeRecord,
): Promise<void> {
  const { id } = volume;
  const snapshots = await deps.snapshots.listOfVolume(id);
  if (snapshots.length > 0) {
    throw new InvalidVolume(`volume ${id} still has ${snapshots.length} snapshot(s), first ${snapshots[0]?.id}`);
  }
  const holder = await holderOf(deps, "volume", volume);
  if (holder !== undefined) {
    const why = holder.what === "snapshot" ? "still has snapshot" : "is being copied to volume";
    throw new InvalidVolume(`volume ${id} ${why} ${holder.id}`);
  }
}
