import { describeError } from "../../errors.ts";
import type { VolumeTypeRepository } from "../../ports.ts";
import type { VolumeTypeRecord } from "../../records.ts";

/** Name of the type of a volume that was created without one. */
export const DEFAULT_TYPE_NAME = "__DEFAULT__";

/** Its id, the same in every deployment. A volume of it has no type in its record, unless the type was changed. */
export const DEFAULT_TYPE_ID = "6c5e4d21-7d2c-5cf3-8d0a-5a5b0b7e7b1d";

/** The unchanged default type, which needs no record. */
export const DEFAULT_TYPE: VolumeTypeRecord = {
  id: DEFAULT_TYPE_ID,
  name: DEFAULT_TYPE_NAME,
  extra_specs: {},
  description: "Default Volume Type",
  is_public: true,
  created_at: "2026-01-01T00:00:00.000Z",
};

/** The type of an id, or undefined. */
export async function findType(
  volumeTypes: Pick<VolumeTypeRepository, "get">,
  id: string,
): Promise<VolumeTypeRecord | undefined> {
  try {
    return await volumeTypes.get(id);
  } catch (error) {
    if (describeError(error).name !== "VolumeTypeNotFound") {
      throw error;
    }
    return id === DEFAULT_TYPE_ID ? DEFAULT_TYPE : undefined;
  }
}

/** Names of types by their ids, for a view; a deleted type shows its id. */
export async function typeNames(
  volumeTypes: Pick<VolumeTypeRepository, "getMany">,
  ids: Iterable<string | null>,
): Promise<(id: string | null) => string> {
  const wanted = [...new Set(ids)].filter((id) => id !== null);
  const found = wanted.length === 0 ? undefined : await volumeTypes.getMany(wanted);
  const nameOf = (id: string): string => found?.get(id)?.name ?? (id === DEFAULT_TYPE_ID ? DEFAULT_TYPE_NAME : id);
  return (id) => (id === null ? DEFAULT_TYPE_NAME : nameOf(id));
}
