import { InvalidInput } from "../../errors.ts";
import { ifThere } from "../../if-there.ts";
import type { VolumeTypeRepository } from "../../ports.ts";
import type { VolumeTypeRecord } from "../../records.ts";
import { ApiError } from "../errors.ts";

/** Name of the type that every deployment has. It is the default type, unless `default_volume_type` names another one. */
export const DEFAULT_TYPE_NAME = "__DEFAULT__";

/** Its id, the same in every deployment. A record without a type, as other programs put it, reads as one of this type. */
export const DEFAULT_TYPE_ID = "6c5e4d21-7d2c-5cf3-8d0a-5a5b0b7e7b1d";

/** The unchanged type. It gets a record when a volume is created of it, or when it is changed: see {@link recordedType}. */
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
  return (await ifThere(volumeTypes.get(id))) ?? (id === DEFAULT_TYPE_ID ? DEFAULT_TYPE : undefined);
}

/** Dependencies of the search for the default type. */
export type DefaultTypeDependencies = {
  volumeTypes: Pick<VolumeTypeRepository, "get" | "getByName">;
  /** Name of the default type (`default_volume_type`). */
  defaultVolumeType: string;
};

/**
 * The type of a create when nothing else decides it, also a private one (`get_default_volume_type` of cinder/volume/volume_types.py).
 *
 * @throws ApiError 500 when the configured type does not exist (VolumeTypeDefaultMisconfiguredError)
 */
export async function defaultType({
  volumeTypes,
  defaultVolumeType,
}: DefaultTypeDependencies): Promise<VolumeTypeRecord> {
  const found = await typeByName(volumeTypes, defaultVolumeType);
  if (found === undefined) {
    throw new ApiError(
      500,
      `The request cannot be fulfilled as the default volume type ${defaultVolumeType} cannot be found.`,
    );
  }
  return found;
}

/** The type of a name, or undefined. */
export async function typeByName(
  volumeTypes: Pick<VolumeTypeRepository, "get" | "getByName">,
  name: string,
): Promise<VolumeTypeRecord | undefined> {
  return name === DEFAULT_TYPE_NAME ? findType(volumeTypes, DEFAULT_TYPE_ID) : ifThere(volumeTypes.getByName(name));
}

/**
 * The type with a record, before another record refers to it. Repeated, or twice at once: there is one record, and it is returned.
 */
export async function recordedType(
  volumeTypes: Pick<VolumeTypeRepository, "get" | "create">,
  type: VolumeTypeRecord,
): Promise<VolumeTypeRecord> {
  if (type !== DEFAULT_TYPE) {
    return type;
  }
  try {
    await volumeTypes.create(DEFAULT_TYPE);
    return type;
  } catch (error) {
    if (error instanceof InvalidInput) {
      // Another request has recorded and changed it since it was read.
      return volumeTypes.get(DEFAULT_TYPE_ID);
    }
    throw error;
  }
}

/** Names of types by their ids, for a view; a deleted type shows its id. @param known types that need not be read */
export async function typeNames(
  volumeTypes: Pick<VolumeTypeRepository, "getMany">,
  ids: Iterable<string | null>,
  known: readonly VolumeTypeRecord[] = [],
): Promise<(id: string | null) => string> {
  const names = new Map([DEFAULT_TYPE, ...known].map(({ id, name }) => [id, name]));
  const wanted = [...new Set(ids)].filter((id) => id !== null && !known.some((type) => type.id === id)) as string[];
  for (const { id, name } of wanted.length === 0 ? [] : (await volumeTypes.getMany(wanted)).values()) {
    names.set(id, name);
  }
  return (id) => names.get(id ?? DEFAULT_TYPE_ID) ?? id ?? DEFAULT_TYPE_NAME;
}
