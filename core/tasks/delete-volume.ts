import { InvalidVolume, VolumeBackendAPIException, VolumeNotFound } from "../errors.ts";
import type { BackendRepository, Drivers, SnapshotRepository, VolumeRepository } from "../ports.ts";
import { readyDriver } from "./create-on-backend.ts";

/** What deleting a volume uses. */
export type DeleteVolumeDependencies = {
  volumes: Pick<VolumeRepository, "get" | "beginDelete" | "finishDelete">;
  snapshots: Pick<SnapshotRepository, "listOfVolume">;
  backends: Pick<BackendRepository, "list" | "release" | "returnCapacity" | "forgetReturned">;
  drivers: Drivers;
};

/**
 * Deletes a volume: from its backend, then its capacity, then its record. Each part may be repeated, so a deletion that died is
 * finished by the next one; a volume that is gone is deleted.
 *
 * @throws InvalidVolume while the flow uses the volume or snapshots of it exist; VolumeBackendAPIException, DriverNotInitialized.
 */
export async function deleteVolume(deps: DeleteVolumeDependencies, volumeId: string): Promise<void> {
  const snapshots = await deps.snapshots.listOfVolume(volumeId);
  if (snapshots.length > 0) {
    throw new InvalidVolume(`volume ${volumeId} still has ${snapshots.length} snapshot(s), first ${snapshots[0]?.id}`);
  }
  let volume;
  try {
    volume = await deps.volumes.beginDelete(volumeId);
  } catch (error) {
    if (error instanceof VolumeNotFound) {
      await forgetVolume(deps.backends, volumeId);
      return;
    }
    throw error;
  }
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
  await deps.backends.forgetReturned(volume.host, volumeId);
}

/** Removes what a scheduling or a deletion that died has left of the volume on any backend's item. */
async function forgetVolume(backends: DeleteVolumeDependencies["backends"], volumeId: string): Promise<void> {
  for (const { host, claims } of await backends.list()) {
    const claim = claims[volumeId];
    if (claim !== undefined) {
      await backends.release(host, { volumeId, fence: "", attempt: claim.attempt });
      await backends.forgetReturned(host, volumeId);
    }
  }
}
