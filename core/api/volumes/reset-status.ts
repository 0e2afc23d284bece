import { changeAttachments, type Decide } from "../../volumes/attachments.ts";
import { describeError } from "../../errors.ts";
import { CINDER_VOLUME_STATUSES, type VolumeRecord, type VolumeStatus } from "../../records.ts";
import { resetVolumeStatus } from "../../volumes/reset-status.ts";
import { leaveAttachments } from "../attachments/find.ts";
import type { ApiDependencies } from "../dependencies.ts";
import { type ApiError, badRequest } from "../errors.ts";
import type { Answer } from "../http.ts";
import type { Schema } from "../validation.ts";

/** Statuses of an attachment and of a migration (cinder/objects/fields.py, VolumeAttachStatus; AdminController of Cinder). */
const ATTACH_STATUSES = [
  "attached",
  "attaching",
  "detached",
  "reserved",
  "error_attaching",
  "error_detaching",
  "deleted",
];
const MIGRATION_STATUSES = ["migrating", "error", "success", "completing", "none", "starting"];

/** One of these words, in any case, or Cinder's answer that lists them. */
function wordOf(words: readonly string[], what: string): Schema {
  const known = words.map((word) => `'${word}'`).join(", ");
  const format = (value: unknown): ApiError | undefined =>
    words.includes(String(value).toLowerCase())
      ? undefined
      : badRequest(`${what}: ${String(value).slice(0, 255)} is invalid, valid statuses are: (${known}).`);
  return { type: "string", format };
}

/** Body of `os-reset_status`. */
export const resetStatusSchema: Schema = {
  type: "object",
  properties: {
    status: wordOf(CINDER_VOLUME_STATUSES, "Volume status"),
    attach_status: wordOf(ATTACH_STATUSES, "Attach status"),
    migration_status: wordOf(MIGRATION_STATUSES, "Migration status"),
  },
  additionalProperties: false,
};

type ResetStatusBody = { status?: string; attach_status?: string; migration_status?: string };

/**
 * `os-reset_status`: see {@link resetVolumeStatus}. `detached` removes all attachments. Other attach statuses follow from the attachments,
 * and no volume migrates here, so they can only be set to their present value.
 *
 * @throws ApiError 400
 */
export async function resetStatus(deps: ApiDependencies, volume: VolumeRecord, value: unknown): Promise<Answer> {
  const { status, attach_status: attachStatus, migration_status: migrationStatus } = value as ResetStatusBody;
  if (status === undefined && attachStatus === undefined && migrationStatus === undefined) {
    throw badRequest("Must specify 'status', 'attach_status' or 'migration_status' for update.");
  }
  const wanted = status?.toLowerCase();
  const isAttached = Object.keys(volume.attachments ?? {}).length > 0;
  if (wanted === "in-use" && !isAttached) {
    throw badRequest("Cannot reset-state to in-use because volume does not have any attachments.");
  }
  const wantedAttach = attachStatus?.toLowerCase();
  if (
    wantedAttach !== undefined &&
    wantedAttach !== "detached" &&
    wantedAttach !== (volume.attach_status ?? "detached")
  ) {
    throw badRequest(`Cannot set the attach status ${wantedAttach}: it follows from the attachments of the volume.`);
  }
  if (migrationStatus !== undefined && migrationStatus.toLowerCase() !== "none") {
    throw badRequest(`Cannot set the migration status ${migrationStatus}: volumes are not migrated here.`);
  }
  if (wantedAttach === "detached" && isAttached) {
    const changed = await changeAttachments(deps.volumes, volume, detachAll);
    await leaveAttachments(deps, volume, changed);
  }
  if (wanted !== undefined) {
    await reset(deps, volume, wanted as VolumeStatus);
  }
  return { status: 202 };
}

const detachAll: Decide = () => ({ attachStatus: "detached", attachments: {}, attachedMode: null });

async function reset(deps: ApiDependencies, volume: VolumeRecord, status: VolumeStatus): Promise<void> {
  try {
    await resetVolumeStatus(deps, volume, status);
  } catch (error) {
    const { name, message } = describeError(error);
    throw name === "InvalidVolume" ? badRequest(message) : error;
  }
}
