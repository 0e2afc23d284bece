import { ifThere } from "../../if-there.ts";
import type { VolumeRecord, VolumeTypeRecord } from "../../records.ts";
import type { ApiDependencies } from "../dependencies.ts";
import { notFound } from "../errors.ts";
import type { Answer, Call, Caller } from "../http.ts";
import { isUuidLike } from "../schemas/types.ts";
import { DEFAULT_TYPE_ID, typeNames } from "../types/default-type.ts";
import { type VolumeViewContext, volumeWithExtensions } from "../views/volumes.ts";

/** Dependencies of finding a volume. */
export type VolumeFinder = Pick<ApiDependencies, "volumes">;

/** Most of an id that is repeated in a message. */
const LONGEST_ID = 255;

/**
 * The volume of an id that the caller may see: one of its own project, or any for an administrator.
 *
 * @throws ApiError 404, also for another project's
 */
export async function visibleVolume(deps: VolumeFinder, caller: Caller, id: string): Promise<VolumeRecord> {
  const missing = notFound(`Volume ${id.slice(0, LONGEST_ID)} could not be found.`);
  if (!isUuidLike(id)) {
    throw missing;
  }
  const volume = await findVolume(deps, id);
  if (volume === undefined || (!caller.isAdmin && volume.project_id !== caller.projectId)) {
    throw missing;
  }
  return volume;
}

/** The volume of an id, of any project. Undefined when no record has that id; any other error of the store passes through. */
export async function findVolume({ volumes }: VolumeFinder, id: string): Promise<VolumeRecord | undefined> {
  return ifThere(volumes.get(id));
}

/** Data that the views of these volumes need in addition. @param knownTypes as of {@link typeNames} */
export async function viewContext(
  { volumeTypes, zones }: Pick<ApiDependencies, "volumeTypes" | "zones">,
  volumes: readonly VolumeRecord[],
  knownTypes: readonly VolumeTypeRecord[] = [],
): Promise<VolumeViewContext> {
  const typeName = await typeNames(
    volumeTypes,
    volumes.map(({ volume_type_id: id }) => id),
    knownTypes,
  );
  return { typeName, defaultTypeId: DEFAULT_TYPE_ID, defaultZone: zones[0] ?? "nova" };
}

/** `GET /volumes/{id}` */
export async function showVolume(deps: ApiDependencies, call: Call): Promise<Answer> {
  const volume = await visibleVolume(deps, call.caller, call.params["id"] ?? "");
  return { status: 200, body: { volume: volumeWithExtensions(call, volume, await viewContext(deps, [volume])) } };
}
