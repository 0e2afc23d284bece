import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { EmbeddedCloudError } from "./errors.ts";

/** A data directory that this instance holds exclusively until `release`. */
export interface DataDirectory {
  readonly tables: string;
  readonly messaging: string;
  readonly objects: string;
  readonly executions: string;
  release(): void;
}

/**
 * Takes a data directory for one instance: see {@link holdDirectory}.
 *
 * @throws {EmbeddedCloudError} when it cannot be written or another instance holds it; it is then unchanged
 */
export function openDataDirectory(directory: string): DataDirectory {
  const held = holdDirectory(directory);
  const folder = (name: string): string => {
    const location = path.join(held.path, name);
    mkdirSync(location, { recursive: true, mode: PRIVATE_DIRECTORY });
    return location;
  };
  return {
    tables: folder("dynamodb"),
    messaging: folder("messaging"),
    objects: folder("objects"),
    executions: folder("executions"),
    release: () => held.release(),
  };
}

/** Only its owner may read the directory: tables and queues may hold tokens. */
const PRIVATE_DIRECTORY = 0o700;
const PRIVATE_FILE = 0o600;

/** File that marks a data directory and holds the version of its format. */
const MARKER = "data-directory.json";

/** Raise it when this program can no longer read an earlier version's data. */
const FORMAT = 1;

/** Files of a process that died before it wrote the marker. */
const BEFORE_THE_MARKER = new Set(["lock", "lock-journal", `${MARKER}.new`]);

/**
 * Makes a directory and holds it exclusively until `release`. A directory that is not empty is accepted only with this program's marker.
 * From then on only its owner can read it. The lock is an exclusive SQLite transaction: the operating system drops it with the process, so
 * a SIGKILL leaves nothing stale, and two instances inside one process exclude each other too.
 *
 * @returns its absolute path
 * @throws {EmbeddedCloudError} when it cannot be written, another instance holds it, it belongs to something else, or its format is
 *   another; it is then unchanged
 */
export function holdDirectory(directory: string): { readonly path: string; release(): void } {
  const root = path.resolve(directory);
  try {
    makeDirectory(root);
    if (!statSync(root).isDirectory()) throw new EmbeddedCloudError(`data directory ${root} is a file`);
    accessSync(root, constants.R_OK | constants.W_OK | constants.X_OK);
    checkMarker(root);
  } catch (error) {
    if (error instanceof EmbeddedCloudError) throw error;
    throw new EmbeddedCloudError(`data directory ${root} ${whyNotWritable(error)}`, { cause: error });
  }
  const lock = takeLock(root);
  try {
    // Again, now that no other process can be about to write it.
    if (!checkMarker(root)) writeMarker(root);
    chmodSync(root, PRIVATE_DIRECTORY);
  } catch (error) {
    lock.close();
    if (error instanceof EmbeddedCloudError) throw error;
    throw new EmbeddedCloudError(`data directory ${root} ${whyNotWritable(error)}`, { cause: error });
  }
  return {
    path: root,
    release: () => {
      if (lock.isOpen) lock.close();
    },
  };
}

function whyNotWritable(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "ENOTDIR") return "is not below a directory";
  if (code === "EACCES" || code === "EPERM" || code === "EROFS") return "is not writable";
  return `cannot be made: ${message}`;
}

/**
 * Whether a directory has the marker of this program's format; a directory without a marker is accepted if it is empty.
 *
 * @throws {EmbeddedCloudError} when it is something else
 */
function checkMarker(root: string): boolean {
  let content: string;
  try {
    content = readFileSync(path.join(root, MARKER), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    if (readdirSync(root).every((name) => BEFORE_THE_MARKER.has(name))) return false;
    throw new EmbeddedCloudError(
      `data directory ${root} has files in it and no ${MARKER}: this program did not make it`,
    );
  }
  const format = formatOf(content);
  if (format === FORMAT) return true;
  throw new EmbeddedCloudError(
    `data directory ${root} has format ${format ?? "unknown"} by its ${MARKER}, and this version of the program reads format ${FORMAT}`,
  );
}

function formatOf(marker: string): number | undefined {
  try {
    const { format } = JSON.parse(marker) as { format?: unknown };
    return typeof format === "number" ? format : undefined;
  } catch {
    return undefined;
  }
}

/** Writes the file completely or not at all. */
function writeMarker(root: string): void {
  const unfinished = path.join(root, `${MARKER}.new`);
  writeFileSync(unfinished, `${JSON.stringify({ format: FORMAT })}\n`, { mode: PRIVATE_FILE });
  renameSync(unfinished, path.join(root, MARKER));
}

/** Creates parents one by one: Node's recursive mkdir never ends if the file system refuses a directory by reporting a missing parent. */
function makeDirectory(directory: string): void {
  if (existsSync(directory)) return;
  makeDirectory(path.dirname(directory));
  try {
    mkdirSync(directory, { mode: PRIVATE_DIRECTORY });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}

function takeLock(root: string): DatabaseSync {
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(path.join(root, "lock"));
    lock.exec("PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE");
    return lock;
  } catch (error) {
    lock?.close();
    const message = (error as Error).message;
    throw new EmbeddedCloudError(
      /locked|busy/i.test(message)
        ? `data directory ${root} is in use by another running instance`
        : `data directory ${root} cannot be locked: ${message}`,
      { cause: error },
    );
  }
}
