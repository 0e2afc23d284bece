import { requireAnswerWithinBudget } from "../drivers/driver-answers.ts";
import * as v from "valibot";
import { InvalidSnapshot, InvalidVolume, VolumeNotFound } from "../errors.ts";
import { ifThere } from "../if-there.ts";
import { Uuid } from "../requests/identifiers.ts";
import type { Drivers } from "../drivers/driver-ports.ts";
import type { LockRepository, SnapshotRepository, VolumeRepository } from "../ports.ts";
import { positionOfSnapshot, type ProjectRepository } from "../projects.ts";
import { type SnapshotRecord, SNAPSHOT_LOCK, type VolumeRecord, type VolumeStatus } from "../records.ts";
import { requireRoomForSnapshot } from "./snapshot-details.ts";
import { type DeadlineDependencies, phaseDeadline } from "../settings/time-bounds.ts";
import { readyDriver } from "../attempt/create-on-backend.ts";
import { lockVolume, type VolumeLocker } from "../attempt/source-locks.ts";
import { deleteSnapshotFromBackend } from "./delete-snapshot.ts";

/** Dependencies of taking a snapshot. */
export type CreateSnapshotDependencies = DeadlineDependencies & {
  volumes: Pick<VolumeRepository, "get" | "countLock">;
  locks: Pick<LockRepository, "put" | "withdraw" | "remove">;
  snapshots: Pick<
    SnapshotRepository,
    "create" | "delete" | "get" | "markAvailable" | "markError" | "markErrorDeleting"
  >;
  projects: Pick<ProjectRepository, "enter" | "leave">;
  drivers: Drivers;
};

/** The request for a snapshot. The caller chooses its id, so that a repeated request makes one snapshot. */
export const CreateSnapshotInputSchema = v.object({
  snapshot_id: Uuid,
  volume_id: Uuid,
  name: v.optional(v.nullable(v.string()), null),
  project_id: v.string(),
  user_id: v.string(),
  /** Whether the caller has put the record: without it, the snapshot was deleted. */
  recorded: v.optional(v.boolean(), false),
});

/** See {@link CreateSnapshotInputSchema}. */
export type CreateSnapshotInput = v.InferInput<typeof CreateSnapshotInputSchema>;

/** Statuses of a volume of which a snapshot may be taken (Cinder without `--force`, and with it `in-use`). */
const SNAPSHOT_STATUSES: readonly VolumeStatus[] = ["available", "in-use"];

/**
 * Takes a snapshot of a volume (`cinder/volume/manager.py`, create_snapshot). Its image metadata is copied then, as in Cinder.
 *
 * The record comes first, then the lock that keeps the volume from being deleted, which stays until the snapshot is deleted: so a delete of
 * the volume finds the snapshot by the lock, or has set `deleting` before the lock was requested.
 *
 * Repeated: a snapshot that is available is returned as it is; drivers create snapshots by id.
 * Interrupted: the record says `creating`, and the next call with the same id finishes it; the sweep puts it in `error` at its deadline.
 * Late, while the snapshot is deleted or after: what this call made is deleted again, under a record, so that a backend never holds content
 * without one.
 *
 * @throws InvalidInput when its name is too long for the byte budget; VolumeNotFound also for another project's volume;
 *   SnapshotNotFound when the record that the caller had put is gone; InvalidVolume, VolumeBackendAPIException, DriverNotInitialized.
 */
export async function createSnapshot(
  deps: CreateSnapshotDependencies,
  input: CreateSnapshotInput,
): Promise<SnapshotRecord> {
  const volume = await sourceOf(deps, input);
  const snapshot = snapshotOf(deps, volume, volume.host, input);
  requireRoomForSnapshot(snapshot);
  const known = input.recorded === true ? await deps.snapshots.get(snapshot.id) : await recordSnapshot(deps, snapshot);
  if (known.status === "available") {
    return known;
  }
  if (known.status === "deleting" || known.status === "error_deleting") {
    throw new InvalidSnapshot(`snapshot ${snapshot.id} is ${known.status}; take another one under an id of its own`);
  }
  try {
    const driver = await readyDriver(deps.drivers, volume.host);
    await requireLocked(deps, volume, snapshot.id);
    const update = await driver.createSnapshot(snapshot, volume);
    requireAnswerWithinBudget("model_update", update);
    return await deps.snapshots.markAvailable(snapshot.id, update?.provider_location ?? null);
  } catch (error) {
    // The caller learns the first error; a record that stays `creating` is finished by the next request of its id.
    await abandon(deps, snapshot).catch(() => {});
    throw error;
  }
}

/**
 * Puts the record, after its entry in the project's list. A call that finds a record has no entry of its own: the one that made it entered it.
 * Interrupted after the entry: lists skip it, and the audit removes it.
 */
async function recordSnapshot(
  { projects, snapshots }: CreateSnapshotDependencies,
  snapshot: SnapshotRecord,
): Promise<SnapshotRecord> {
  if ((await ifThere(snapshots.get(snapshot.id))) !== undefined) {
    return snapshots.create(snapshot);
  }
  const position = positionOfSnapshot(snapshot);
  await projects.enter({ ...position, name: snapshot.display_name });
  const known = await snapshots.create(snapshot);
  if (known.created_at !== snapshot.created_at) {
    await projects.leave(position);
  }
  return known;
}

/** The volume, if a snapshot of it may be taken. Otherwise a record that the caller has put already goes to `error`. */
async function sourceOf(
  deps: CreateSnapshotDependencies,
  input: CreateSnapshotInput,
): Promise<VolumeRecord & { host: string }> {
  try {
    const volume = await deps.volumes.get(input.volume_id);
    if (volume.project_id !== input.project_id) {
      throw new VolumeNotFound(input.volume_id);
    }
    const { id, host, status } = volume;
    if (!SNAPSHOT_STATUSES.includes(status) || host === null) {
      throw new InvalidVolume(`volume ${id} is ${status}; a snapshot needs it available or in-use`);
    }
    return { ...volume, host };
  } catch (error) {
    if (error instanceof VolumeNotFound || error instanceof InvalidVolume) {
      await refuseRecord(deps.snapshots, input).catch(() => {});
    }
    throw error;
  }
}

/** Marks the record that the Block Storage API has put before it started this function, so that it does not stay in `creating`. */
async function refuseRecord(
  snapshots: Pick<SnapshotRepository, "get" | "markError">,
  { snapshot_id: id, volume_id: volumeId, project_id: projectId }: CreateSnapshotInput,
): Promise<void> {
  const known = await snapshots.get(id);
  if (known.volume_id === volumeId && known.project_id === projectId) {
    await snapshots.markError(id);
  }
}

/**
 * Marks the snapshot that could not be taken. A snapshot that was deleted in the meantime is deleted once more, with the data that this
 * call may have created since. Its record is there first, as one that is being deleted, so that a death leaves content with a record.
 */
async function abandon(deps: CreateSnapshotDependencies, snapshot: SnapshotRecord): Promise<void> {
  const isGone = (await ifThere(deps.snapshots.markError(snapshot.id).then(() => true))) === undefined;
  const deadline = phaseDeadline(deps, "removal").toISOString();
  const known = await deps.snapshots.create({ ...snapshot, status: "deleting", deadline });
  if (known.status !== "deleting" && known.status !== "error_deleting") {
    return;
  }
  await deleteSnapshotFromBackend(deps, known);
  await deps.locks.remove({ what: "volume", id: known.volume_id }, known.id, [SNAPSHOT_LOCK]);
  // The deletion removes the record itself, and updates the project.
  if (isGone) {
    await deps.snapshots.delete(known.id);
    await deps.projects.leave(positionOfSnapshot(known));
  }
}

/** @throws InvalidVolume when the volume has left its status in the meantime, mostly for a deletion */
async function requireLocked(deps: VolumeLocker, { id }: VolumeRecord, snapshotId: string): Promise<void> {
  const lock = { holder: snapshotId, value: SNAPSHOT_LOCK };
  if ((await lockVolume(deps, id, lock, SNAPSHOT_STATUSES, null)) === undefined) {
    throw new InvalidVolume(`volume ${id} is no longer ${SNAPSHOT_STATUSES.join(" or ")}`);
  }
}

function snapshotOf(
  deps: DeadlineDependencies,
  volume: VolumeRecord,
  host: string,
  input: CreateSnapshotInput,
): SnapshotRecord {
  return {
    id: input.snapshot_id,
    volume_id: volume.id,
    project_id: volume.project_id,
    user_id: input.user_id,
    status: "creating",
    display_name: input.name ?? null,
    volume_size: volume.size,
    host,
    provider_location: null,
    glance_metadata: volume.glance_metadata,
    created_at: deps.clock.now().toISOString(),
    deadline: phaseDeadline(deps, "creating").toISOString(),
  };
}
