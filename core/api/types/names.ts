import type { Clock, VolumeTypeRepository } from "../../ports.ts";
import type { ProjectRepository } from "../../projects.ts";
import type { VolumeTypeRecord } from "../../records.ts";
import { deadlineAfter } from "../../settings/time-bounds.ts";
import { DEFAULT_TYPE, DEFAULT_TYPE_ID, findType } from "./default-type.ts";

/** Records that are read at once; there are few types. */
const PAGE = 500;

/** Every type, including an unchanged default type. */
export async function allTypes({
  volumeTypes,
}: {
  volumeTypes: Pick<VolumeTypeRepository, "list">;
}): Promise<VolumeTypeRecord[]> {
  const types: VolumeTypeRecord[] = [];
  let from: string | undefined;
  do {
    const page = await volumeTypes.list(PAGE, from);
    types.push(...page.items);
    from = page.next;
  } while (from !== undefined);
  return types.some(({ id }) => id === DEFAULT_TYPE_ID) ? types : [...types, DEFAULT_TYPE];
}

/** A name without a type is free after this time: the request that claimed it has ended long before. */
const NAME_SECONDS = 900;

/**
 * Takes a name for a type, before the type gets it. Claims are one conditional write, so of two types at once one gets the name. A type that
 * gives its name up releases the claim (`releaseName`).
 *
 * Repeated: the type keeps its name.
 * Interrupted before the type has the name: the name is free again when {@link NAME_SECONDS} have passed.
 *
 * @returns false when another type has the name
 */
export async function takeTypeName(
  deps: {
    volumeTypes: Pick<VolumeTypeRepository, "get" | "list">;
    projects: Pick<ProjectRepository, "claimName">;
    clock: Clock;
  },
  name: string,
  id: string,
): Promise<boolean> {
  if ((await allTypes(deps)).some((type) => type.name === name && type.id !== id)) {
    return false;
  }
  const taken = await deps.projects.claimName("volume_type", name, id);
  if (taken.holder === id) {
    return true;
  }
  const isOld = deadlineAfter(new Date(taken.claimedAt), NAME_SECONDS) <= deps.clock.now();
  if (!isOld || (await findType(deps.volumeTypes, taken.holder))?.name === name) {
    return false;
  }
  return (await deps.projects.claimName("volume_type", name, id, { replaces: taken })).holder === id;
}
