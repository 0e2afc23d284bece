// @ts-nocheck
import { join } from "node:path";
import { InvalidInput } from "../../core/errors.ts";
import { snapshotName, volumeName } from "../../core/records.ts";

/**
 * The names in a backend's directory. It is flat, and everything in it belongs to the driver:
 *
 *     DIRECTORY/                     0700
 *       volume-<uuid>                0600, sparse, exactly the volume's size
 *       volume-<uuid>.partial/       0700, work on the volume that is not finished: see `work-area.ts`
 *       snapshot-<uuid>              0600, sparse, exactly the volume's size when it was taken
 *       snapshot-<uuid>.partial/     0700
 *
 * Only lower-case UUIDs name files, so that no id can leave the directory, and no two ids share a file where case is ignored.
 */

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const ENTRY = /^(volume|snapshot)-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(\.partial)?$/;

/** Suffix of what is not finished. */
export const PARTIAL = ".partial";

/** The file of a volume. @throws InvalidInput when the id is no lower-case UUID. */
export function volumePath(directory: string, volumeId: string): string {
  return join(directory, volumeName(requireUuid(volumeId, "volume id")));
}

/** The file of a snapshot. @throws InvalidInput when the id is no lower-case UUID. */
export function snapshotPath(directory: string, snapshotId: string): string {
  return join(directory, snapshotName(requireUuid(snapshotId, "snapshot id")));
}

/** What an entry of the directory is; undefined for anything that the driver did not make. */
export function parseEntry(name: string): { kind: "volume" | "snapshot"; id: string; partial: boolean } | undefined {
  const match = ENTRY.exec(name);
  if (match?.[1] === undefined || match[2] === undefined) {
    return undefined;
  }
  return {
    kind: match[1] === "volume" ? "volume" : "snapshot",
    id: match[2],
    partial: match[3] !== undefined,
  };
}

function requireUuid(id: string, what: string): string {
  if (!UUID.test(id)) {
    throw new InvalidInput(`${what} ${JSON.stringify(id.slice(0, 80))} is no lower-case UUID`);
  }
  return id;
}
