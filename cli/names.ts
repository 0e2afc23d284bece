import { validate as isUuid } from "uuid";
import { describeError, SnapshotNotFound, VolumeNotFound } from "../core/errors.ts";
import type { SnapshotRepository } from "../core/ports.ts";
import { DEFAULT_PROJECT_ID } from "../core/requests/create-request.ts";
import type { SnapshotRecord, VolumeRecord, VolumeTypeRecord } from "../core/records.ts";
import { CliError } from "./errors.ts";
import { formatTime, text } from "./format.ts";
import { allPages } from "./listing.ts";
import type { Session } from "./session.ts";

/**
 * Names wherever ids are accepted. Ids are matched first, because a name may look like one. An ambiguous name is refused, and the error
 * lists all matches.
 */

const PAGE_SIZE = 1000;

/**
 * A volume by its id or its name. A name is looked up in the caller's own project first, by the index of its list, which is read consistently:
 * a volume is found right after its create. Only a name that the project does not have is looked for among all volumes.
 *
 * @throws VolumeNotFound; CliError `NotUnique` with the candidates
 */
export async function findVolume(session: Session, nameOrId: string): Promise<VolumeRecord> {
  const volumes = await session.connection.volumes();
  const byId = await unlessNotFound("VolumeNotFound", nameOrId, (id) => volumes.get(id));
  if (byId !== undefined) {
    return byId;
  }
  const own = await inOwnList(session, "volume", nameOrId, (ids) => volumes.getMany(ids));
  const named = own.length > 0 ? own : await allPages((from) => volumes.list({ name: nameOrId }, PAGE_SIZE, from));
  return only("volume", nameOrId, named, () => new VolumeNotFound(text(nameOrId)));
}

/** The records of a name in the list of the caller's project. An entry whose record is gone, or is of another time, counts for nothing. */
async function inOwnList<Found extends { created_at: string; display_name: string | null }>(
  { connection, defaults }: Session,
  kind: "volume" | "snapshot",
  name: string,
  getMany: (ids: readonly string[]) => Promise<ReadonlyMap<string, Found>>,
): Promise<Found[]> {
  const projects = await connection.projects();
  const project = defaults.project ?? DEFAULT_PROJECT_ID;
  const entries = await projects.list(project, kind, { limit: Infinity, name });
  const records = entries.length === 0 ? new Map<string, Found>() : await getMany(entries.map(({ id }) => id));
  return entries.flatMap(({ id, createdAt }) => {
    const record = records.get(id);
    return record?.created_at === createdAt && record.display_name === name ? [record] : [];
  });
}

/** The ids of volumes that may be gone already: a value that is not a name and has the form of an id stays unchanged. */
export async function findVolumeIds(session: Session, namesOrIds: readonly string[]): Promise<string[]> {
  return idsOf(namesOrIds, async (name) => (await findVolume(session, name)).id);
}

/** As {@link findVolume}. @throws SnapshotNotFound; CliError `NotUnique` with the candidates */
export async function findSnapshot(session: Session, nameOrId: string): Promise<SnapshotRecord> {
  const snapshots = await session.connection.snapshots();
  const byId = await unlessNotFound("SnapshotNotFound", nameOrId, (id) => snapshots.get(id));
  if (byId !== undefined) {
    return byId;
  }
  const own = await inOwnList(session, "snapshot", nameOrId, (ids) => snapshots.getMany(ids));
  const named = own.length > 0 ? own : await namedSnapshots(snapshots, nameOrId);
  return only("snapshot", nameOrId, named, () => new SnapshotNotFound(text(nameOrId)));
}

async function namedSnapshots(snapshots: Pick<SnapshotRepository, "list">, name: string): Promise<SnapshotRecord[]> {
  const all = await allPages((from) => snapshots.list(PAGE_SIZE, from));
  return all.filter(({ display_name: each }) => each === name);
}

/** As {@link findVolumeIds}. */
export async function findSnapshotIds(session: Session, namesOrIds: readonly string[]): Promise<string[]> {
  return idsOf(namesOrIds, async (name) => (await findSnapshot(session, name)).id);
}

/** A type by its id, or by its name, which is unique. @throws VolumeTypeNotFoundByName */
export async function findType(session: Session, nameOrId: string): Promise<VolumeTypeRecord> {
  const types = await session.connection.volumeTypes();
  const byId = await unlessNotFound("VolumeTypeNotFound", nameOrId, (id) => types.get(id));
  return byId ?? types.getByName(nameOrId);
}

/**
 * The id of an image of the bucket. An id is not looked up: the use of the image does that. @throws CliError `NotUnique`, `ImageNotFound`
 */
export async function findImageId(session: Session, nameOrId: string): Promise<string> {
  if (isUuid(nameOrId)) {
    return nameOrId.toLowerCase();
  }
  const images = await (await session.connection.images()).list();
  const named = images.filter(({ name }) => name === nameOrId).map(({ id, status }) => ({ id, status }));
  return only("image", nameOrId, named, () => {
    return new CliError(`there is no image named '${text(nameOrId)}'`, { name: "ImageNotFound" });
  }).id;
}

async function idsOf(namesOrIds: readonly string[], find: (name: string) => Promise<string>): Promise<string[]> {
  const ids: string[] = [];
  for (const name of namesOrIds) {
    ids.push(isUuid(name) ? name.toLowerCase() : await find(name));
  }
  return [...new Set(ids)];
}

async function unlessNotFound<Found>(
  notFound: string,
  nameOrId: string,
  get: (id: string) => Promise<Found>,
): Promise<Found | undefined> {
  if (!isUuid(nameOrId)) {
    return undefined;
  }
  try {
    return await get(nameOrId.toLowerCase());
  } catch (error) {
    if (describeError(error).name !== notFound) {
      throw error;
    }
    return undefined;
  }
}

type Candidate = { id: string; status: string; created_at?: string; project_id?: string };

/** Number of candidates that the error names. */
const MOST_CANDIDATES = 10;

function only<Found extends Candidate>(
  what: string,
  name: string,
  found: readonly Found[],
  notFound: () => Error,
): Found {
  const [first, ...others] = found;
  if (first === undefined) {
    throw notFound();
  }
  if (others.length > 0) {
    const shown = found.slice(0, MOST_CANDIDATES).map(candidateText);
    const more = found.length > shown.length ? ` and ${found.length - shown.length} more` : "";
    throw new CliError(`${found.length} ${what}s are named '${text(name)}': ${shown.join(", ")}${more}`, {
      name: "NotUnique",
      hint: "name one of them by its id",
    });
  }
  return first;
}

function candidateText({ id, status, created_at: createdAt, project_id: project }: Candidate): string {
  const about = [
    status,
    ...(createdAt === undefined ? [] : [formatTime(createdAt)]),
    ...(project === undefined ? [] : [`project ${text(project)}`]),
  ];
  return `${id} (${about.join(", ")})`;
}
