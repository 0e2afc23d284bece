import { SnapshotNotFound } from "../errors.ts";
import type { Drivers, SnapshotRepository } from "../ports.ts";
import { readyDriver } from "./create-on-backend.ts";

/**
 * Deletes a snapshot from its backend, then its record. May be repeated; a snapshot that is gone is deleted.
 *
 * @throws VolumeBackendAPIException, DriverNotInitialized
 */
export async function deleteSnapshot(
  deps: { snapshots: Pick<SnapshotRepository, "get" | "delete">; drivers: Drivers },
  snapshotId: string,
): Promise<void> {
  try {
    const snapshot = await deps.snapshots.get(snapshotId);
    const driver = await readyDriver(deps.drivers, snapshot.host);
    await driver.deleteSnapshot(snapshotId);
    await deps.snapshots.delete(snapshotId);
  } catch (error) {
    if (!(error instanceof SnapshotNotFound)) {
      throw error;
    }
  }
}
