import { VolumeBackendAPIException } from "../errors.ts";
import type { Driver } from "./driver-ports.ts";

/**
 * The one way to clear a backend: close, delete, look. Closing comes first, so that "absent" stays true: nothing of the closed attempts can
 * come afterwards. It ignores the data of later attempts, so a late run is harmless.
 *
 * Repeated: finds nothing.
 * Interrupted: the attempt stays closed, and the next run does the rest.
 * Throws: VolumeBackendAPIException when data is still there; the driver's errors.
 */
export async function clearVolume(driver: Driver, volumeId: string, fence: string | null): Promise<void> {
  if (driver.fencesAttempts) {
    await driver.closeAttempt(volumeId, fence);
  }
  await driver.deleteVolume(volumeId, fence);
  if ((await driver.findVolume(volumeId, fence)) !== "absent") {
    throw new VolumeBackendAPIException(`volume ${volumeId} is still there after its deletion`);
  }
}

/** The same for a snapshot. */
export async function clearSnapshot(driver: Driver, snapshotId: string): Promise<void> {
  if (driver.fencesAttempts) {
    await driver.closeSnapshot(snapshotId);
  }
  await driver.deleteSnapshot(snapshotId);
  if ((await driver.findSnapshot(snapshotId)) !== "absent") {
    throw new VolumeBackendAPIException(`snapshot ${snapshotId} is still there after its deletion`);
  }
}
