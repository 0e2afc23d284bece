import { countedSize, holderOfRetype, type Usage, usageOfVolume } from "../../projects.ts";
import type { VolumeRecord, VolumeTypeRecord } from "../../records.ts";
import { whyUnfit } from "../../scheduling/filters/capabilities.ts";
import type { ApiDependencies } from "../dependencies.ts";
import { badRequest } from "../errors.ts";
import type { Answer, Call } from "../http.ts";
import { quotaOf } from "../quotas/limits.ts";
import { reserve } from "../quotas/reserve.ts";
import type { Schema } from "../validation.ts";
import { DEFAULT_TYPE_ID, recordedType } from "../types/default-type.ts";
import { findVisibleType } from "../types/visible.ts";

/** Body of `os-retype`. */
export const retypeSchema: Schema = {
  type: "object",
  properties: {
    new_type: { type: "string" },
    migration_policy: { type: ["string", "null"], enum: ["on-demand", "never"] },
  },
  required: ["new_type"],
  additionalProperties: false,
};

const NOT_RETYPABLE =
  "Invalid volume: Retype needs volume to be in available or in-use state, not be part of an active migration or a consistency group, " +
  "requested type has to be different that the one from the volume, and for in-use volumes front-end qos specs cannot change.";

/**
 * `os-retype`, without a migration: gives a volume another type, if its backend has what the type asks for. The driver has nothing to do.
 *
 * Interrupted after the quota is reserved: the reservation is settled by the record.
 * Interrupted after the record: the audit corrects the quota of the old type.
 * Twice at once: one of them is refused, and cancels its own reservation.
 * Repeated: 400, because the volume has the type. Repeated by the SDK, when the answer of the store was lost: 202.
 *
 * @throws ApiError 400, 413
 */
export async function retypeVolume(
  deps: ApiDependencies,
  volume: VolumeRecord,
  body: unknown,
  { caller }: Call,
): Promise<Answer> {
  const { new_type: named } = body as { new_type: string };
  const type = await findVisibleType(deps.volumeTypes, caller, named);
  if (volume.status !== "available" || type.id === (volume.volume_type_id ?? DEFAULT_TYPE_ID)) {
    throw badRequest(NOT_RETYPABLE);
  }
  await requireFittingBackend(deps, volume, type);
  const { id: typeId } = await recordedType(deps.volumeTypes, type);
  const retypeId = deps.newId();
  const holder = holderOfRetype(volume.id, typeId, retypeId);
  const { project_id: projectId } = volume;
  const isCounted = volume.use_quota === true;
  if (isCounted) {
    const { limits } = await quotaOf(deps.projects, projectId);
    await reserve(deps, { holder, projectId, usage: usageOfType(volume, typeId), limits }, type);
  }
  if ((await deps.volumes.changeType(volume, typeId, retypeId)) === undefined) {
    await deps.projects.cancel(projectId, holder);
    throw badRequest(NOT_RETYPABLE);
  }
  if (isCounted) {
    // In place of the reservation, so that no audit counts again in between.
    await deps.projects.giveBack(projectId, holder, usageOfType(volume, volume.volume_type_id), async () => true);
    await deps.projects.confirm(projectId, holder);
  }
  return { status: 202 };
}

/** The volume's usage of the quota of a type alone. */
function usageOfType(volume: VolumeRecord, typeId: string | null): Usage {
  const {
    volumes: _volumes,
    gigabytes: _gigabytes,
    ...ofType
  } = usageOfVolume({ size: countedSize(volume), volume_type_id: typeId });
  return ofType;
}

/** @throws ApiError 400 that says what the backend lacks */
async function requireFittingBackend(
  { backends }: ApiDependencies,
  { id, host }: VolumeRecord,
  type: VolumeTypeRecord,
): Promise<void> {
  if (type.encryption !== undefined) {
    throw badRequest(`Volume type ${type.name} asks for encryption, which no backend here offers.`);
  }
  const backend = host === null ? undefined : await backends.get(host);
  if (backend === undefined) {
    return;
  }
  const reason = whyUnfit(backend.capabilities, type.extra_specs);
  if (reason !== undefined) {
    throw badRequest(
      `Invalid volume: volume ${id} would have to be migrated to be of type ${type.name}: ${host} ${reason}.`,
    );
  }
}
