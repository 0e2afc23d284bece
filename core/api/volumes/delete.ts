import { describeError } from "../../errors.ts";
import { isCachedVolume } from "../../image-cache/image-cache.ts";
import { isInFlow, SNAPSHOT_LOCK, type VolumeRecord } from "../../records.ts";
import { requireUnused as requireUnusedSnapshot } from "../../snapshots/delete-snapshot.ts";
import { requireUnused } from "../../volumes/delete-volume.ts";
import { holderOf } from "../../attempt/source-locks.ts";
import { phaseDeadline } from "../../settings/time-bounds.ts";
import type { ApiDependencies } from "../dependencies.ts";
import { badRequest } from "../errors.ts";
import type { Answer, Call } from "../http.ts";
import { booleanParameter } from "../parameters.ts";
import { authorize } from "../policies.ts";
import { visibleVolume } from "./show.ts";

/** Microversion of `force`. */
const FORCE = 23;

const NOT_DELETABLE =
  "Invalid volume: Volume status must be available or error or error_restoring or error_extending or error_managing and must not be " +
  "migrating, attached, belong to a group, have snapshots, awaiting a transfer, or be disassociated from snapshots after volume " +
  "transfer.";

/** Cinder's, and `error_deleting`, which it leaves to administrators. */
const DELETABLE: readonly string[] = [
  "available",
  "error",
  "error_restoring",
  "error_extending",
  "error_managing",
  "error_deleting",
];

/** A successful delete has a body of no type, as webob answers. */
const ACCEPTED: Answer = { status: 202, headers: { "Content-Type": "text/html; charset=UTF-8" } };

/**
 * `DELETE /volumes/{id}`: marks the volume, then starts its removal. A volume that is being created is removed by the end of its
 * create, where Cinder refuses one that has a host.
 *
 * Interrupted after the mark: the sweep begins the removal at the deadline that the mark has set.
 * Repeated: 400 while the volume is being deleted, 404 when it is gone.
 */
export async function deleteVolume(deps: ApiDependencies, call: Call): Promise<Answer> {
  const cascade = booleanParameter(call.query, "cascade");
  const force = call.version >= FORCE && booleanParameter(call.query, "force");
  const volume = await visibleVolume(deps, call.caller, call.params["id"] ?? "");
  if (force) {
    authorize(call.caller, "volume:force_delete");
  }
  await markForDeletion(deps, volume, { force, cascade });
  await deps.work.start("DeleteVolume", { volume_id: volume.id });
  return ACCEPTED;
}

/** `os-force_delete`: as a delete, in any status of a volume at rest. */
export async function forceDelete(deps: ApiDependencies, volume: VolumeRecord): Promise<Answer> {
  await markForDeletion(deps, volume, { force: true, cascade: false });
  await deps.work.start("DeleteVolume", { volume_id: volume.id });
  return { status: 202 };
}

async function markForDeletion(
  deps: ApiDependencies,
  volume: VolumeRecord,
  { force, cascade }: { force: boolean; cascade: boolean },
): Promise<void> {
  if (isInFlow(volume)) {
    await deps.volumes.requestDelete(volume.id, phaseDeadline(deps, "queued"));
    return;
  }
  if (!(force || DELETABLE.includes(volume.status)) || isCachedVolume(volume)) {
    throw badRequest(NOT_DELETABLE);
  }
  try {
    const snapshots = cascade ? await removableSnapshots(deps, volume) : [];
    if (snapshots.length === 0) {
      await requireUnused(deps, volume);
    }
    await deps.volumes.beginDelete(volume.id, phaseDeadline(deps, "removal"), { force, snapshots });
  } catch (error) {
    throw describeError(error).name === "InvalidVolume" ? badRequest(NOT_DELETABLE) : error;
  }
}

/** More snapshots than these are not deleted with their volume: one condition has to name them all. */
const MOST_SNAPSHOTS = 100;

/**
 * Ids of the snapshots that go with the volume. The removal deletes them before it asks the backend for the volume.
 *
 * @throws ApiError 400 when one of them is in use, or they are too many
 */
async function removableSnapshots(deps: ApiDependencies, volume: VolumeRecord): Promise<string[]> {
  const holders = Object.entries(volume.locks).flatMap(([id, value]) => (value === SNAPSHOT_LOCK ? [id] : []));
  await removeStaleLocks(deps, volume);
  const snapshots = await deps.snapshots.getMany(holders);
  for (const snapshot of snapshots.values()) {
    if (!["available", "error", "deleting", "error_deleting"].includes(snapshot.status)) {
      throw badRequest("Invalid volume: Failed to update snapshot.");
    }
    await requireUnusedSnapshot(deps, snapshot).catch((error: unknown) => {
      throw describeError(error).name === "InvalidSnapshot"
        ? badRequest("Invalid volume: Failed to update snapshot.")
        : error;
    });
  }
  if (holders.length > MOST_SNAPSHOTS) {
    throw badRequest(
      `Invalid volume: the volume has ${holders.length} snapshots, and at most ${MOST_SNAPSHOTS} are deleted with it. Delete some first.`,
    );
  }
  return holders;
}

/** Removes the locks of creates that have ended. @throws ApiError 400 while a volume is created from this one */
async function removeStaleLocks(deps: ApiDependencies, { id, locks }: VolumeRecord): Promise<void> {
  const others = Object.entries(locks).filter(([, value]) => value !== SNAPSHOT_LOCK);
  if (others.length > 0 && (await holderOf(deps, Object.fromEntries(others))) !== undefined) {
    throw badRequest(NOT_DELETABLE);
  }
  for (const [holder, value] of others) {
    await deps.volumes.unlock(id, holder, [value]);
  }
}
