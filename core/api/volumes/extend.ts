import { describeError } from "../../errors.ts";
import { ifThere } from "../../if-there.ts";
import { holderOfExtension, UNLIMITED, usageOfExtension } from "../../projects.ts";
import type { VolumeRecord } from "../../records.ts";
import { beginExtendVolume } from "../../volumes/begin-extend-volume.ts";
import type { ApiDependencies } from "../dependencies.ts";
import { badRequest, invalidInput, overLimit } from "../errors.ts";
import type { Answer } from "../http.ts";
import { quotaOf } from "../quotas/limits.ts";
import { reserve } from "../quotas/reserve.ts";
import * as types from "../schemas/types.ts";
import { findType } from "../types/default-type.ts";
import type { Schema } from "../validation.ts";

/** Body of `os-extend`. */
export const extendSchema: Schema = {
  type: "object",
  properties: { new_size: types.volumeSize },
  required: ["new_size"],
  additionalProperties: false,
};

/**
 * `os-extend` (`API._extend` of cinder/volume/api.py): reserves what the volume is to grow by, takes the volume into `extending`, confirms the
 * reservation, and starts the work.
 *
 * Interrupted after the reservation: it is cancelled when left-overs are settled, because no record has the extension. Interrupted after
 * the record: the sweep ends the extension at its deadline.
 * Repeated: 400, because the volume is `extending`.
 *
 * @throws ApiError 400, 413
 */
export async function extendVolume(deps: ApiDependencies, volume: VolumeRecord, body: unknown): Promise<Answer> {
  const size = Number((body as { new_size: number | string }).new_size);
  requireExtendable(volume, size);
  const extensionId = deps.newId();
  const isCounted = volume.use_quota === true;
  if (isCounted) {
    await reserveGrowth(deps, volume, extensionId, size);
  }
  const input = { volume_id: volume.id, extension_id: extensionId, new_size: size };
  try {
    await beginExtendVolume(deps, input, isCounted ? volume : undefined);
  } catch (error) {
    throw await refused(deps, volume, extensionId, error);
  }
  if (isCounted) {
    // The rest is settled later, by the record.
    await deps.projects.confirm(volume.project_id, holderOfExtension(volume.id, extensionId)).catch(() => {});
  }
  await deps.work.start("ExtendVolume", input);
  return { status: 202 };
}

function requireExtendable({ id, status, size: current }: VolumeRecord, size: number): void {
  if (status !== "available" && status !== "error_extending") {
    throw badRequest(
      `Invalid volume: Volume ${id} status must be available to extend, but current status is: ${status}.`,
    );
  }
  if (size <= current) {
    throw invalidInput(
      `New size for extend must be greater than current size. (current: ${current}, extended: ${size}).`,
    );
  }
}

async function reserveGrowth(deps: ApiDependencies, volume: VolumeRecord, extensionId: string, size: number) {
  const { project_id: projectId, volume_type_id: typeId } = volume;
  const { limits } = await quotaOf(deps.projects, projectId);
  const most = limits["per_volume_gigabytes"] ?? UNLIMITED;
  if (most !== UNLIMITED && size > most) {
    throw overLimit(
      `VolumeSizeExceedsLimit: Requested volume size ${size}G is larger than maximum allowed limit ${most}G.`,
    );
  }
  const usage = usageOfExtension(volume, size);
  const type = typeId === null ? null : ((await findType(deps.volumeTypes, typeId)) ?? null);
  await reserve(deps, { holder: holderOfExtension(volume.id, extensionId), projectId, usage, limits }, type);
}

/** Cancels the reservation, unless the record has the extension after all: the answer to its write may have been lost. */
async function refused(
  deps: ApiDependencies,
  { id, project_id: projectId }: VolumeRecord,
  extensionId: string,
  error: unknown,
): Promise<unknown> {
  const found = await ifThere(deps.volumes.get(id));
  if (found?.extension?.id !== extensionId) {
    await deps.projects.cancel(projectId, holderOfExtension(id, extensionId));
  }
  const { name, message } = describeError(error);
  return name === "InvalidVolume" || name === "InvalidInput" ? badRequest(message) : error;
}
