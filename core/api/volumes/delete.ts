import { describeError } from "../../errors.ts";
import { isCachedVolume } from "../../image-cache.ts";
import { isInFlow, type VolumeRecord } from "../../records.ts";
import { requireUnused } from "../../tasks/delete-volume.ts";
import { phaseDeadline } from "../../time-bounds.ts";
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
 * Interrupted after the mark: the sweep begins the removal at the deadline that the mark has set. Repeated: 400 while the volume is
 * being deleted, 404 when it is gone.
 */
export async function deleteVolume(deps: ApiDependencies, call: Call): Promise<Answer> {
  booleanParameter(call.query, "cascade");
  const force = call.version >= FORCE && booleanParameter(call.query, "force");
  const volume = await visibleVolume(deps, call.caller, call.params["id"] ?? "");
  if (force) {
    authorize(call.caller, "volume:force_delete");
  }
  await markForDeletion(deps, volume, force);
  await deps.work.start("DeleteVolume", { volume_id: volume.id });
  return ACCEPTED;
}

/** `os-force_delete`: as a delete, whatever the status of a volume at rest is. */
export async function forceDelete(deps: ApiDependencies, volume: VolumeRecord): Promise<Answer> {
  await markForDeletion(deps, volume, true);
  await deps.work.start("DeleteVolume", { volume_id: volume.id });
  return { status: 202 };
}

async function markForDeletion(deps: ApiDependencies, volume: VolumeRecord, force: boolean): Promise<void> {
  if (isInFlow(volume)) {
    await deps.volumes.requestDelete(volume.id, phaseDeadline(deps, "queued"));
    return;
  }
  if (!(force || DELETABLE.includes(volume.status)) || isCachedVolume(volume)) {
    throw badRequest(NOT_DELETABLE);
  }
  try {
    await requireUnused(deps, volume);
    await deps.volumes.beginDelete(volume.id, phaseDeadline(deps, "removal"), { force });
  } catch (error) {
    throw describeError(error).name === "InvalidVolume" ? badRequest(NOT_DELETABLE) : error;
  }
}
