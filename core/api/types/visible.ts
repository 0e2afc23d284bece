import { VolumeTypeNotFound, VolumeTypeNotFoundByName } from "../../errors.ts";
import type { VolumeTypeRepository } from "../../ports.ts";
import type { VolumeTypeRecord } from "../../records.ts";
import type { Caller } from "../http.ts";
import { isUuidLike } from "../schemas/types.ts";
import { findType, typeByName } from "./default-type.ts";

/** Types as a caller may see them: the public ones, and private ones that its project has access to. */

/** Whether the caller may use a type. */
export function isVisibleType(caller: Caller, { is_public: isPublic, access = {} }: VolumeTypeRecord): boolean {
  return caller.isAdmin || isPublic || Object.hasOwn(access, caller.projectId);
}

/** The type of an id. @throws VolumeTypeNotFound */
export async function visibleTypeById(
  volumeTypes: Pick<VolumeTypeRepository, "get">,
  id: string,
): Promise<VolumeTypeRecord> {
  const found = await findType(volumeTypes, id);
  if (found === undefined) {
    throw new VolumeTypeNotFound(id);
  }
  return found;
}

/**
 * The type that a create names by id or by name.
 *
 * @throws VolumeTypeNotFound, VolumeTypeNotFoundByName, also for one that the caller may not see
 */
export async function findVisibleType(
  volumeTypes: Pick<VolumeTypeRepository, "get" | "getByName">,
  caller: Caller,
  idOrName: string,
): Promise<VolumeTypeRecord> {
  const found =
    (isUuidLike(idOrName) ? await findType(volumeTypes, idOrName) : undefined) ??
    (await typeByName(volumeTypes, idOrName));
  if (found === undefined || !isVisibleType(caller, found)) {
    throw isUuidLike(idOrName)
      ? new VolumeTypeNotFound(idOrName)
      : new VolumeTypeNotFoundByName(idOrName.slice(0, 255));
  }
  return found;
}
