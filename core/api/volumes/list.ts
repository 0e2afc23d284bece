import type { ListEntry, ListPosition } from "../../projects.ts";
import { positionOfVolume } from "../../projects.ts";
import type { VolumeRecord } from "../../records.ts";
import type { ApiDependencies } from "../dependencies.ts";
import type { Answer, Call } from "../http.ts";
import { linksOfPage } from "../links.ts";
import { booleanParameter, paginationOf, type Pagination, type SortKey, sortOf } from "../parameters.ts";
import { volumeSummary, volumeWithExtensions } from "../views/volumes.ts";
import { volumeFilters, type VolumeTest } from "./filters.ts";
import { viewContext, visibleVolume } from "./show.ts";

/** Sort keys by their names in requests (the columns of Cinder's table that a client can know). */
const SORT_KEYS: Readonly<Record<string, keyof VolumeRecord>> = {
  id: "id",
  status: "status",
  size: "size",
  availability_zone: "availability_zone",
  name: "display_name",
  display_name: "display_name",
  bootable: "bootable",
  created_at: "created_at",
  updated_at: "updated_at",
  project_id: "project_id",
  user_id: "user_id",
  host: "host",
  volume_type_id: "volume_type_id",
};

/** Microversion of `with_count`. */
const COUNT = 45;

/** Entries that are read at once where filters may leave most of them out. */
const CHUNK = 500;

/** `GET /volumes` and `GET /volumes/detail` */
export async function listVolumes(deps: ApiDependencies, call: Call, isDetail: boolean): Promise<Answer> {
  const page = paginationOf(call.query);
  const sort = sortOf(call.query, SORT_KEYS);
  const withCount = call.version >= COUNT && booleanParameter(call.query, "with_count");
  const selection = selectionOf(call);
  const marker = page.marker === null ? undefined : await visibleVolume(deps, call.caller, page.marker);
  const order = sort.every(({ key, descending }) => key === "created_at" && descending) ? undefined : sort;
  const volumes =
    order === undefined && !selection.everyProject
      ? await newestFirst(deps, selection, page, marker)
      : await sorted(deps, selection, page, marker, order ?? sort);
  const context = isDetail ? await viewContext(deps, volumes) : undefined;
  const items = volumes.map((volume) =>
    context === undefined ? volumeSummary(call, volume) : volumeWithExtensions(call, volume, context),
  );
  const collection = isDetail ? "volumes/detail" : "volumes";
  return {
    status: 200,
    body: {
      volumes: items,
      ...linksOfPage(call, { collection, links: "volumes_links", ids: volumes.map(({ id }) => id), limit: page.limit }),
      ...(withCount && { count: (await allOf(deps, selection)).length }),
    },
  };
}

/** The kind of a list. */
type Selection = { projectId: string; everyProject: boolean; name: string | undefined; tests: readonly VolumeTest[] };

/** An administrator may ask for every project, or for another one. */
function selectionOf(call: Call): Selection {
  const { query, caller } = call;
  const everyProject = caller.isAdmin && booleanParameter(query, "all_tenants");
  const name = query.get("name") ?? undefined;
  return {
    projectId: caller.projectId,
    everyProject,
    name: name === "" ? undefined : name,
    tests: volumeFilters(call),
  };
}

/** A page in the order of the project's list: as many entries are read as it takes to fill it. */
async function newestFirst(
  deps: ApiDependencies,
  { projectId, name, tests }: Selection,
  { limit, offset }: Pagination,
  marker: VolumeRecord | undefined,
): Promise<VolumeRecord[]> {
  const wanted = offset + limit;
  const found: VolumeRecord[] = [];
  let after: ListPosition | undefined = marker === undefined ? undefined : positionOfVolume(marker);
  while (found.length < wanted) {
    const size = tests.length === 0 ? wanted - found.length : Math.max(CHUNK, wanted - found.length);
    const entries = await deps.projects.list(projectId, "volume", { limit: size, after, name });
    found.push(...(await recordsOf(deps, entries)).filter((volume) => tests.every((test) => test(volume))));
    after = entries.at(-1);
    if (entries.length < size) {
      break;
    }
  }
  return found.slice(offset, wanted);
}

/** Records of entries, in their order. An entry without a record is passed over: its volume is not there yet, or is gone. */
async function recordsOf(deps: ApiDependencies, entries: readonly ListEntry[]): Promise<VolumeRecord[]> {
  if (entries.length === 0) {
    return [];
  }
  const records = await deps.volumes.getMany(entries.map(({ id }) => id));
  return entries.flatMap(({ id, createdAt }) => {
    const record = records.get(id);
    // An entry of another time belongs to a request that found the volume there already.
    return record?.created_at === createdAt ? [record] : [];
  });
}

/** Every volume that a request selects, without pages. */
export function allVolumes(deps: ApiDependencies, call: Call): Promise<VolumeRecord[]> {
  return allOf(deps, selectionOf(call));
}

/** Every volume of a selection. */
async function allOf(deps: ApiDependencies, selection: Selection): Promise<VolumeRecord[]> {
  const { projectId, everyProject, name, tests } = selection;
  const entries = everyProject
    ? (await deps.projects.listAll("volume")).filter((entry) => name === undefined || entry.name === name)
    : await deps.projects.list(projectId, "volume", { limit: Infinity, name });
  return (await recordsOf(deps, entries)).filter((volume) => tests.every((test) => test(volume)));
}

/** A page in another order, or of every project: all of them are read and sorted. */
async function sorted(
  deps: ApiDependencies,
  selection: Selection,
  { limit, offset }: Pagination,
  marker: VolumeRecord | undefined,
  order: readonly SortKey[],
): Promise<VolumeRecord[]> {
  const keys = [...order, { key: "created_at", descending: true }, { key: "id", descending: true }];
  const compare = (one: VolumeRecord, other: VolumeRecord): number => {
    for (const { key, descending } of keys) {
      const difference = compareValues(one[key as keyof VolumeRecord], other[key as keyof VolumeRecord]);
      if (difference !== 0) {
        return descending ? -difference : difference;
      }
    }
    return 0;
  };
  const all = (await allOf(deps, selection)).toSorted(compare);
  const begin = marker === undefined ? 0 : all.filter((volume) => compare(volume, marker) <= 0).length;
  return all.slice(begin + offset, begin + offset + limit);
}

/** Nothing comes before everything else, as in Cinder's database. */
function compareValues(one: unknown, other: unknown): number {
  if (one === other) {
    return 0;
  }
  if (one === null || other === null) {
    return one === null ? -1 : 1;
  }
  if (typeof one === "string" && typeof other === "string") {
    return one < other ? -1 : 1;
  }
  return Number(one) - Number(other);
}
