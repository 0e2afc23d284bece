import { InvalidSnapshot, InvalidVolume, SnapshotNotFound, VolumeNotFound } from "../errors.ts";
import type { RequestContext } from "../requests/messages.ts";
import type { SnapshotRepository, VolumeRepository } from "../ports.ts";
import type { SnapshotRecord, VolumeRecord, VolumeStatus } from "../records.ts";

/** Sources of volumes, and access to them. */

/** Statuses of a volume whose bytes are whole (SRC_VOL_PROCEED_STATUS of Cinder's API, and a backup that only reads). */
export const SOURCE_STATUSES: readonly VolumeStatus[] = ["available", "in-use", "backing-up"];

/**
 * The snapshot, if the caller's project may use it.
 *
 * @throws SnapshotNotFound, InvalidSnapshot
 */
export async function readSnapshot(
  snapshots: Pick<SnapshotRepository, "get">,
  context: RequestContext,
  snapshotId: string,
): Promise<SnapshotRecord> {
  const snapshot = await snapshots.get(snapshotId);
  if (!mayUse(context, snapshot.project_id)) {
    throw new SnapshotNotFound(snapshotId);
  }
  if (snapshot.status !== "available") {
    throw new InvalidSnapshot(`snapshot ${snapshotId} is ${snapshot.status}, not available`);
  }
  return snapshot;
}

/**
 * The source volume, if the caller's project may use it. One that is itself being created, or has failed, would be copied half.
 *
 * @throws VolumeNotFound, InvalidVolume
 */
export async function readSourceVolume(
  volumes: Pick<VolumeRepository, "get">,
  context: RequestContext,
  sourceVolumeId: string,
): Promise<VolumeRecord> {
  const source = await volumes.get(sourceVolumeId);
  if (!mayUse(context, source.project_id)) {
    throw new VolumeNotFound(sourceVolumeId);
  }
  if (!SOURCE_STATUSES.includes(source.status)) {
    throw new InvalidVolume(`source volume ${sourceVolumeId} is ${source.status}, not ${SOURCE_STATUSES.join(" or ")}`);
  }
  return source;
}

function mayUse(context: RequestContext, projectId: string): boolean {
  return context.is_admin || context.project_id === projectId;
}
