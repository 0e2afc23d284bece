import { join } from "node:path";
import { InvalidInput } from "../../core/errors.ts";
import { attemptOfFence, fenceOf, snapshotName, volumeName } from "../../core/records.ts";

/**
 * The names in a backend's directory. Everything in it belongs to the driver:
 *
 *     DIRECTORY/                             0700
 *       volume-<uuid>                        0600, sparse, exactly the volume's size: made by the first attempt
 *       volume-<uuid>-a<n>                   the same, made by attempt n, from the second one on
 *       snapshot-<uuid>                      0600, sparse, exactly the volume's size when it was taken
 *       attempts/                            0700
 *         volume-<uuid>-a<n>/                0700, the attempt's unfinished work: see `work-area.ts`
 *         volume-<uuid>-a<n>                 a file: the attempt has ended, see `attempt.ts`
 *         snapshot-<uuid>-a1                 the same for a snapshot, which has one attempt
 *         trash-<uuid>/                      work that was removed from an attempt
 *
 * Each attempt has its own names, so late actions of an earlier attempt cannot affect the files of a later one.
 *
 * Only lower-case UUIDs name files, so that no id can leave the directory, and no two ids share a file where case is ignored.
 */

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const ENTRY = /^(volume|snapshot)-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:-a([1-9][0-9]{0,3}))?$/;

/** A volume's attempts on one backend are at most so many, because closing one closes each earlier one by name. */
const MAX_ATTEMPTS = 1000;

const ATTEMPTS = "attempts";
const TRASH = "trash-";

/** Identity of an entry of the directory. */
export type EntryName = { kind: "volume" | "snapshot"; id: string; attempt: number };

/** Paths of an attempt's work and of its finished file. */
export type Place = EntryName & {
  /** The finished file. */
  path: string;
  /** The directory of the attempt; a file of that name means that the attempt has ended. */
  work: string;
  fence: string;
};

/** Directory of unfinished work. */
export function attemptsPath(directory: string): string {
  return join(directory, ATTEMPTS);
}

/** A new name next to an attempt's directory, for removed work. */
export function trashPath({ work }: Place, id: string): string {
  return join(work, "..", `${TRASH}${id}`);
}

/** Whether the name belongs to removed work. */
export function isTrash(name: string): boolean {
  return name.startsWith(TRASH);
}

/** The place of a volume's attempt. @throws InvalidInput when the id is not a lower-case UUID, or the attempt is out of bounds. */
export function volumePlace(directory: string, volumeId: string, fence: string | null): Place {
  requireUuid(volumeId, "volume id");
  const attempt = attemptOfFence(fence);
  if (!Number.isInteger(attempt) || attempt < 1 || attempt > MAX_ATTEMPTS) {
    throw new InvalidInput(`attempt ${String(fence).slice(0, 80)} must have a number from 1 to ${MAX_ATTEMPTS}`);
  }
  const name = volumeName(volumeId);
  const own = fenceOf(name, attempt);
  const path = join(directory, attempt === 1 ? name : own);
  const work = join(directory, ATTEMPTS, own);
  return { kind: "volume", id: volumeId, attempt, path, work, fence: fenceOf(volumeId, attempt) };
}

/** The places of a volume's attempts up to that one. @throws as {@link volumePlace} */
export function volumePlacesUpTo(directory: string, volumeId: string, fence: string | null): Place[] {
  const { attempt } = volumePlace(directory, volumeId, fence);
  return Array.from({ length: attempt }, (_, index) => volumePlace(directory, volumeId, fenceOf(volumeId, index + 1)));
}

/** The place of a snapshot. @throws InvalidInput when the id is not a lower-case UUID. */
export function snapshotPlace(directory: string, snapshotId: string): Place {
  const name = snapshotName(requireUuid(snapshotId, "snapshot id"));
  const own = { kind: "snapshot", id: snapshotId, attempt: 1, fence: fenceOf(snapshotId, 1) } as const;
  return { ...own, path: join(directory, name), work: join(directory, ATTEMPTS, fenceOf(name, 1)) };
}

/** Identity of an entry of the directory or of its attempts; undefined for an entry that the driver did not create. */
export function parseEntry(name: string): EntryName | undefined {
  const [, kind, id, attempt = "1"] = ENTRY.exec(name) ?? [];
  return id === undefined
    ? undefined
    : { kind: kind === "volume" ? "volume" : "snapshot", id, attempt: Number(attempt) };
}

function requireUuid(id: string, what: string): string {
  if (!UUID.test(id)) {
    throw new InvalidInput(`${what} ${JSON.stringify(id.slice(0, 80))} is not a lower-case UUID`);
  }
  return id;
}
