import { clearSnapshot } from "../drivers/clear-backend.ts";
import { InvalidSnapshot, SnapshotNotFound } from "../errors.ts";
import { ifThere } from "../if-there.ts";
import type { Drivers } from "../drivers/driver-ports.ts";
import type { SnapshotRepository } from "../ports.ts";
import { holderOfQuota, positionOfSnapshot, type ProjectRepository, usageOfSnapshot } from "../projects.ts";
import { type SnapshotRecord, SNAPSHOT_LOCK } from "../records.ts";
import {
  deadlineAfter,
  type DeadlineDependencies,
  LONG_FUNCTION_TIMEOUT_SECONDS,
  phaseDeadline,
} from "../settings/time-bounds.ts";
import { readyDriver } from "../attempt/create-on-backend.ts";
import { holderOf, type LockHolders } from "../attempt/source-locks.ts";

/** Dependencies of deleting a snapshot. */
export type DeleteSnapshotDependencies = DeadlineDependencies &
  LockHolders & {
    snapshots: Pick<SnapshotRepository, "get" | "beginDelete" | "markErrorDeleting" | "delete">;
    projects: Pick<ProjectRepository, "giveBack" | "leave">;
    drivers: Drivers;
  };

/**
 * Deletes a snapshot from its backend, then its volume's lock, then its record. One that is in `creating` longer than its function lives
 * was given up, and may be deleted. A backend that refuses leaves `error_deleting`, as in Cinder, until the next request.
 * Repeated: a snapshot that is gone is deleted.
 * Interrupted: the record reads `deleting`; the next request, or the sweep at the deadline, continues.
 *
 * @param options `goesWithVolume`: the lock stays on the volume; the removal of the volume takes it off
 * @throws InvalidSnapshot while it is taken, or a volume is created from it; VolumeBackendAPIException, DriverNotInitialized
 */
export async function deleteSnapshot(
  deps: DeleteSnapshotDependencies,
  snapshotId: string,
  { goesWithVolume = false } = {},
): Promise<void> {
  try {
    const snapshot = await deps.snapshots.get(snapshotId);
    if (snapshot.status !== "deleting") {
      await requireUnused(deps, snapshot);
      await deps.snapshots.beginDelete(snapshot, phaseDeadline(deps, "removal"));
    }
    await deleteSnapshotFromBackend(deps, snapshot);
    if (!goesWithVolume) {
      await deps.locks.remove({ what: "volume", id: snapshot.volume_id }, snapshotId, [SNAPSHOT_LOCK]);
    }
    await leaveProject(deps, snapshot);
  } catch (error) {
    if (!(error instanceof SnapshotNotFound)) {
      throw error;
    }
  }
}

/** The quota is given back before the record goes, and the list's entry goes after it. */
async function leaveProject(
  { projects, snapshots }: DeleteSnapshotDependencies,
  snapshot: SnapshotRecord,
): Promise<void> {
  const { id, project_id: projectId, volume_size: size, volume_type_id: typeId = null } = snapshot;
  if (snapshot.use_quota === true) {
    const isStillThere = async (): Promise<boolean> => (await ifThere(snapshots.get(id))) !== undefined;
    await projects.giveBack(projectId, holderOfQuota("snapshot", id), usageOfSnapshot(size, typeId), isStillThere);
  }
  await snapshots.delete(id);
  await projects.leave(positionOfSnapshot(snapshot));
}

/** Deletes the data of a snapshot from its backend, after its record reads that it is being deleted. */
export async function deleteSnapshotFromBackend(
  deps: { snapshots: Pick<SnapshotRepository, "markErrorDeleting">; drivers: Drivers },
  { id, host }: SnapshotRecord,
): Promise<void> {
  try {
    const driver = await readyDriver(deps.drivers, host);
    await clearSnapshot(driver, id);
  } catch (error) {
    // The caller learns the first error; without the mark the record reads `deleting`.
    await deps.snapshots.markErrorDeleting(id).catch(() => {});
    throw error;
  }
}

/** Removes stale locks. @throws InvalidSnapshot while the snapshot is taken, or a volume is created from it */
export async function requireUnused(
  deps: LockHolders & Pick<DeleteSnapshotDependencies, "clock">,
  snapshot: SnapshotRecord,
): Promise<void> {
  const { id, status, created_at: createdAt } = snapshot;
  const givenUpAt = deadlineAfter(new Date(createdAt), LONG_FUNCTION_TIMEOUT_SECONDS);
  if (status === "creating" && deps.clock.now() <= givenUpAt) {
    throw new InvalidSnapshot(`snapshot ${id} is being taken; it can be deleted after ${givenUpAt.toISOString()}`);
  }
  const holder = await holderOf(deps, "snapshot", snapshot);
  if (holder !== undefined) {
    throw new InvalidSnapshot(`snapshot ${id} is being copied to volume ${holder.id}`);
  }
}
