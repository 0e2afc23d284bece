import type { ListEntry, ListPosition } from "../../projects.ts";
import { positionOfVolume } from "../../projects.ts";
import type { VolumeRecord, VolumeSummary } from "../../records.ts";
import type { ApiDependencies } from "../dependencies.ts";
import type { Answer, Call } from "../http.ts";
import { linksOfPage } from "../links.ts";
import { booleanParameter, paginationOf, type Pagination, type SortKey, sortOf } from "../parameters.ts";
import { volumeSummary, type VolumeView, volumeWithExtensions } from "../views/volumes.ts";
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
  const readPage = <Volume extends VolumeSummary>(read: Read<Volume>): Promise<Volume[]> =>
    order === undefined && !selection.everyProject
      ? newestFirst(deps, selection, page, marker, read)
      : sorted(deps, selection, page, marker, order ?? sort, read);
  const whole = readWhole(deps, selection);
  const needsWhole = selection.tests.length > 0 || !sort.every(({ key }) => SUMMARY_KEYS.includes(key));
  const brief: Read<VolumeSummary> = needsWhole ? whole : readSummaries(deps);
  const views = isDetail
    ? await detailsOf(deps, call, await readPage(whole))
    : (await readPage(brief)).map((volume) => volumeSummary(call, volume));
  const collection = isDetail ? "volumes/detail" : "volumes";
  return {
    status: 200,
    body: {
      volumes: views,
      ...linksOfPage(call, { collection, links: "volumes_links", ids: views.map(({ id }) => id), limit: page.limit }),
      ...(withCount && { count: (await allOf(deps, selection, brief)).length }),
    },
  };
}

async function detailsOf(deps: ApiDependencies, call: Call, volumes: readonly VolumeRecord[]): Promise<VolumeView[]> {
  const context = await viewContext(deps, volumes);
  return volumes.map((volume) => volumeWithExtensions(call, volume, context));
}

/** Sort keys that a {@link VolumeSummary} has. */
const SUMMARY_KEYS: readonly string[] = ["id", "display_name", "created_at"] satisfies (keyof VolumeSummary)[];

/**
 * Reads the selected records of entries, in their order. An entry without a record is passed over: its volume is not there yet, or is gone.
 */
type Read<Volume extends VolumeSummary> = (entries: readonly ListEntry[]) => Promise<Volume[]>;

function readWhole({ volumes }: ApiDependencies, { tests }: Selection): Read<VolumeRecord> {
  return async (entries) =>
    (await recordsOf(entries, (ids) => volumes.getMany(ids))).filter((volume) => tests.every((test) => test(volume)));
}

/** For a selection without tests and an order by {@link SUMMARY_KEYS}. */
function readSummaries({ volumes }: ApiDependencies): Read<VolumeSummary> {
  return (entries) => recordsOf(entries, (ids) => volumes.listSummaries(ids));
}

async function recordsOf<Volume extends VolumeSummary>(
  entries: readonly ListEntry[],
  read: (ids: string[]) => Promise<ReadonlyMap<string, Volume>>,
): Promise<Volume[]> {
  if (entries.length === 0) {
    return [];
  }
  const records = await read(entries.map(({ id }) => id));
  return entries.flatMap(({ id, createdAt }) => {
    const record = records.get(id);
    // An entry of another time belongs to a request that found the volume there already.
    return record?.created_at === createdAt ? [record] : [];
  });
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
async function newestFirst<Volume extends VolumeSummary>(
  deps: ApiDependencies,
  { projectId, name, tests }: Selection,
  { limit, offset }: Pagination,
  marker: VolumeRecord | undefined,
  read: Read<Volume>,
): Promise<Volume[]> {
  const wanted = offset + limit;
  const found: Volume[] = [];
  let after: ListPosition | undefined = marker === undefined ? undefined : positionOfVolume(marker);
  while (found.length < wanted) {
    const size = tests.length === 0 ? wanted - found.length : Math.max(CHUNK, wanted - found.length);
    const entries = await deps.projects.list(projectId, "volume", { limit: size, after, name });
    found.push(...(await read(entries)));
    after = entries.at(-1);
    if (entries.length < size) {
      break;
    }
  }
  return found.slice(offset, wanted);
}

/** Every volume that a request selects, without pages. */
export function allVolumes(deps: ApiDependencies, call: Call): Promise<VolumeRecord[]> {
  const selection = selectionOf(call);
  return allOf(deps, selection, readWhole(deps, selection));
}

/** Every volume of a selection. */
async function allOf<Volume extends VolumeSummary>(
  deps: ApiDependencies,
  { projectId, everyProject, name }: Selection,
  read: Read<Volume>,
): Promise<Volume[]> {
  const entries = everyProject
    ? (await deps.projects.listAll("volume")).filter((entry) => name === undefined || entry.name === name)
    : await deps.projects.list(projectId, "volume", { limit: Infinity, name });
  return read(entries);
}

/** A page in another order, or of every project: all of them are read and sorted. */
async function sorted<Volume extends VolumeSummary>(
  deps: ApiDependencies,
  selection: Selection,
  { limit, offset }: Pagination,
  marker: VolumeRecord | undefined,
  order: readonly SortKey[],
  read: Read<Volume>,
): Promise<Volume[]> {
  const keys = [...order, { key: "created_at", descending: true }, { key: "id", descending: true }];
  const compare = (one: VolumeSummary, other: VolumeSummary): number => {
    for (const { key, descending } of keys) {
      const difference = compareValues(one[key as keyof VolumeSummary], other[key as keyof VolumeSummary]);
      if (difference !== 0) {
        return descending ? -difference : difference;
      }
    }
    return 0;
  };
  const all = (await allOf(deps, selection, read)).toSorted(compare);
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
