import { validate as isUuid } from "uuid";
import { describeError, SnapshotNotFound, VolumeNotFound } from "../core/errors.ts";
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

/** @throws VolumeNotFound; CliError `NotUnique` with the candidates */
export async function findVolume(session: Session, nameOrId: string): Promise<VolumeRecord> {
  const volumes = await session.connection.volumes();
  const byId = await unlessNotFound("VolumeNotFound", nameOrId, (id) => volumes.get(id));
  if (byId !== undefined) {
    return byId;
  }
  const named = await allPages((from) => volumes.list({ name: nameOrId }, PAGE_SIZE, from));
  return only("volume", nameOrId, named, () => new VolumeNotFound(text(nameOrId)));
}

/** The ids of volumes that may be gone already: a value that is not a name and has the form of an id stays unchanged. */
export async function findVolumeIds(session: Session, namesOrIds: readonly string[]): Promise<string[]> {
  return idsOf(namesOrIds, async (name) => (await findVolume(session, name)).id);
}

/** @throws SnapshotNotFound; CliError `NotUnique` with the candidates */
export async function findSnapshot(session: Session, nameOrId: string): Promise<SnapshotRecord> {
  const snapshots = await session.connection.snapshots();
  const byId = await unlessNotFound("SnapshotNotFound", nameOrId, (id) => snapshots.get(id));
  if (byId !== undefined) {
    return byId;
  }
  const all = await allPages((from) => snapshots.list(PAGE_SIZE, from));
  const named = all.filter(({ display_name: name }) => name === nameOrId);
  return only("snapshot", nameOrId, named, () => new SnapshotNotFound(text(nameOrId)));
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
