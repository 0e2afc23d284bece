// @ts-nocheck
import { VolumeBackendAPIException } from "../errors.ts";
import type { Drivers } from "../driver-ports.ts";
import { readyDriver } from "./create-on-backend.ts";

/**
 * Deletes a volume from its backend, which has to confirm that nothing of it is there any more. May be repeated.
 *
 * @throws DriverNotInitialized; VolumeBackendAPIException when it is still there; what the driver throws
 */
export async function requireGone(drivers: Drivers, host: string, volumeId: string): Promise<void> {
  const driver = await readyDriver(drivers, host);
  await driver.deleteVolume(volumeId);
  if ((await driver.findVolume(volumeId)) !== "absent") {
    throw new VolumeBackendAPIException(`volume ${volumeId} is still on ${host} after its deletion`);
  }
}
