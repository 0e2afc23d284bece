import { changeAttachments, type Decide } from "../../volumes/attachments.ts";
import { describeError } from "../../errors.ts";
import { CINDER_VOLUME_STATUSES, type VolumeRecord, type VolumeStatus } from "../../records.ts";
import { resetVolumeStatus } from "../../volumes/reset-status.ts";
import { leaveAttachments } from "../attachments/find.ts";
import type { ApiDependencies } from "../dependencies.ts";
import { type ApiError, badRequest } from "../errors.ts";
import type { Answer } from "../http.ts";
import { isObject, type Schema } from "../validation.ts";

/** Statuses of an attachment and of a migration (cinder/api/validation/validators.py; cinder/objects/fields.py). */
const ATTACH_STATUSES = ["attached", "detached"];
const MIGRATION_STATUSES = ["migrating", "error", "success", "completing", "none", "starting"];

/** One of these words, in any case, or Cinder's answer that lists them; nothing and an empty text are as if it was not given. */
function wordOf(words: readonly string[], what: string, [open, close]: readonly [string, string] = ["(", ")"]): Schema {
  const known = words.map((word) => `'${word}'`).join(", ");
  const format = (value: unknown): ApiError | undefined =>
    typeof value !== "string" || value === "" || words.includes(value.toLowerCase())
      ? undefined
      : badRequest(`${what}: ${value.slice(0, 255)} is invalid, valid statuses are: ${open}${known}${close}.`);
  return { type: ["string", "null"], format };
}

const KEYS = ["status", "attach_status", "migration_status"] as const;

/** `validate_volume_reset_body` of Cinder: any status has to be one, in the sense of Python. */
function requireStatus(value: unknown): ApiError | undefined {
  const statuses = KEYS.map((key) => isObject(value) && value[key]);
  return statuses.every((status) => !status || (typeof status === "object" && Object.keys(status).length === 0))
    ? badRequest("Must specify 'status', 'attach_status' or 'migration_status' for update.")
    : undefined;
}

/** Body of `os-reset_status`. */
export const resetStatusSchema: Schema = {
  type: "object",
  format: requireStatus,
  properties: {
    status: wordOf(CINDER_VOLUME_STATUSES, "Volume status"),
    attach_status: wordOf(ATTACH_STATUSES, "Volume attach status", ["[", "]"]),
    migration_status: wordOf(MIGRATION_STATUSES, "Volume migration status"),
  },
  additionalProperties: false,
};

type ResetStatusBody = Partial<Record<(typeof KEYS)[number], string | null>>;

/**
 * `os-reset_status`: see {@link resetVolumeStatus}. `detached` removes all attachments. Other attach statuses follow from the attachments,
 * and no volume migrates here, so they can only be set to their present value.
 *
 * @throws ApiError 400
 */
export async function resetStatus(deps: ApiDependencies, volume: VolumeRecord, value: unknown): Promise<Answer> {
  const [wanted, wantedAttach, wantedMigration] = KEYS.map(
    (key) => (value as ResetStatusBody)[key]?.toLowerCase() || undefined,
  );
  const isAttached = Object.keys(volume.attachments ?? {}).length > 0;
  if (wanted === "in-use" && !isAttached) {
    throw badRequest("Cannot reset-state to in-use because volume does not have any attachments.");
  }
  if (
    wantedAttach !== undefined &&
    wantedAttach !== "detached" &&
    wantedAttach !== (volume.attach_status ?? "detached")
  ) {
    throw badRequest(`Cannot set the attach status ${wantedAttach}: it follows from the attachments of the volume.`);
  }
  if (wantedMigration !== undefined && wantedMigration !== "none") {
    throw badRequest(`Cannot set the migration status ${wantedMigration}: volumes are not migrated here.`);
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
