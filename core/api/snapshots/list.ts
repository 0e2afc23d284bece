import { type ListEntry, type ListPosition, positionOfSnapshot } from "../../projects.ts";
import type { SnapshotRecord } from "../../records.ts";
import type { ApiDependencies } from "../dependencies.ts";
import type { Answer, Call } from "../http.ts";
import { linksOfPage } from "../links.ts";
import { booleanParameter, dictionaryOf, paginationOf, sortOf } from "../parameters.ts";
import { snapshotBrief, snapshotDetail } from "../views/snapshots.ts";
import { visibleSnapshot } from "./find.ts";

type SnapshotTest = (snapshot: SnapshotRecord) => boolean;

/** Sort keys; a name is not among them, as in Cinder. */
const SORT_KEYS: Readonly<Record<string, (snapshot: SnapshotRecord) => string>> = {
  id: ({ id }) => id,
  created_at: ({ created_at: at }) => at,
  display_name: ({ display_name: name }) => name ?? "",
  status: ({ status }) => status,
  volume_id: ({ volume_id: id }) => id,
  volume_size: ({ volume_size: size }) => String(size).padStart(12, "0"),
};

const METADATA = 22;
const COUNT = 45;

/** Columns that a filter compares as texts. */
const FILTERS: Readonly<Record<string, (snapshot: SnapshotRecord) => string | null>> = {
  name: ({ display_name: name }) => name,
  status: ({ status }) => status,
  volume_id: ({ volume_id: id }) => id,
};

function testsOf({ query, version }: Call): SnapshotTest[] {
  const tests = Object.entries(FILTERS).flatMap(([name, column]): SnapshotTest[] => {
    const value = query.get(name);
    return value === null ? [] : [(snapshot) => column(snapshot) === value];
  });
  const metadata = version >= METADATA ? query.get("metadata") : null;
  if (metadata !== null) {
    const wanted = Object.entries(dictionaryOf(metadata) ?? { "": "" });
    tests.push((snapshot) => wanted.every(([key, value]) => snapshot.metadata?.[key] === value));
  }
  return tests;
}

/** `GET /snapshots` and `GET /snapshots/detail`: all entries are read, because a project has few snapshots. */
export async function listSnapshots(deps: ApiDependencies, call: Call, isDetail: boolean): Promise<Answer> {
  const { caller, query } = call;
  const { limit, marker, offset } = paginationOf(query);
  const keys = Object.fromEntries(Object.keys(SORT_KEYS).map((key) => [key, key]));
  const [order] = sortOf(query, keys);
  const withCount = call.version >= COUNT && booleanParameter(query, "with_count");
  const everyProject = caller.isAdmin && booleanParameter(query, "all_tenants");
  const after = marker === null ? undefined : await visibleSnapshot(deps, caller, marker);
  const entries = everyProject
    ? await deps.projects.listAll("snapshot")
    : await deps.projects.list(caller.projectId, "snapshot", { limit: Infinity });
  const tests = testsOf(call);
  const column = SORT_KEYS[order?.key ?? ""] ?? (({ created_at: at }) => at);
  const rank = (snapshot: SnapshotRecord): string => `${column(snapshot)} ${snapshot.id}`;
  const sign = order?.descending === false ? 1 : -1;
  const all = (await recordsOf(deps, entries))
    .filter((snapshot) => tests.every((test) => test(snapshot)))
    .toSorted((one, other) => (rank(one) < rank(other) ? -sign : sign));
  const isUpToMarker = (each: SnapshotRecord): boolean =>
    after !== undefined && (rank(each) === rank(after) || rank(each) < rank(after) === sign > 0);
  const begin = all.filter(isUpToMarker).length;
  const page = all.slice(begin + offset, begin + offset + limit);
  const collection = isDetail ? "snapshots/detail" : "snapshots";
  return {
    status: 200,
    body: {
      snapshots: page.map((snapshot) => (isDetail ? snapshotDetail(call, snapshot) : snapshotBrief(snapshot))),
      ...linksOfPage(call, { collection, links: "snapshots_links", ids: page.map(({ id }) => id), limit }),
      ...(withCount && { count: all.length }),
    },
  };
}

async function recordsOf({ snapshots }: ApiDependencies, entries: readonly ListEntry[]): Promise<SnapshotRecord[]> {
  const records = await snapshots.getMany(entries.map(({ id }) => id));
  const isAt = (position: ListPosition, entry: ListEntry): boolean => position.createdAt === entry.createdAt;
  return entries.flatMap((entry) => {
    const record = records.get(entry.id);
    return record !== undefined && isAt(positionOfSnapshot(record), entry) ? [record] : [];
  });
}
