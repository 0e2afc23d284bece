import { describeError } from "../../errors.ts";
import { isCachedVolume } from "../../image-cache/image-cache.ts";
import type { SnapshotRecord, VolumeRecord } from "../../records.ts";
import { isInFlow } from "../../volume-lifecycle.ts";
import { requireUnused as requireUnusedSnapshot } from "../../snapshots/delete-snapshot.ts";
import { requireUnused } from "../../volumes/delete-volume.ts";
import { holderOf, snapshotsOf } from "../../attempt/source-locks.ts";
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
    if (!cascade || !(await hasRemovableSnapshots(deps, volume))) {
      await requireUnused(deps, volume);
    }
    await deps.volumes.beginDelete(volume, phaseDeadline(deps, "removal"), { force });
  } catch (error) {
    throw describeError(error).name === "InvalidVolume" ? badRequest(NOT_DELETABLE) : error;
  }
}

/** Statuses of a snapshot that goes with its volume. */
const REMOVABLE: readonly string[] = ["available", "error", "deleting", "error_deleting"];

/**
 * Whether there are snapshots that go with the volume. The removal deletes them before it asks the backend for the volume.
 *
 * @throws ApiError 400 when one of them is in use, or a volume is created from this one
 */
async function hasRemovableSnapshots(deps: ApiDependencies, volume: VolumeRecord): Promise<boolean> {
  if ((await holderOf(deps, "volume", volume, true)) !== undefined) {
    throw badRequest(NOT_DELETABLE);
  }
  let isFound = false;
  for await (const ids of snapshotsOf(deps, volume)) {
    for (const snapshot of (await deps.snapshots.getMany(ids)).values()) {
      isFound = true;
      if (!REMOVABLE.includes(snapshot.status) || !(await isUnused(deps, snapshot))) {
        throw badRequest("Invalid volume: Failed to update snapshot.");
      }
    }
  }
  return isFound;
}

async function isUnused(deps: ApiDependencies, snapshot: SnapshotRecord): Promise<boolean> {
  try {
    await requireUnusedSnapshot(deps, snapshot);
    return true;
  } catch (error) {
    if (describeError(error).name === "InvalidSnapshot") {
      return false;
    }
    throw error;
  }
}
