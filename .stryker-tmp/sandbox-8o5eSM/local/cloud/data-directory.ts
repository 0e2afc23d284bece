// @ts-nocheck
import { accessSync, constants, existsSync, mkdirSync, statSync } from "node:fs";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { EmbeddedCloudError } from "./errors.ts";

/** A data directory that this instance holds alone until `release`. */
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
 * @throws {EmbeddedCloudError} when it cannot be written or another instance holds it; nothing in it has been changed then
 */
export function openDataDirectory(directory: string): DataDirectory {
  const held = holdDirectory(directory);
  const folder = (name: string): string => {
    const location = path.join(held.path, name);
    mkdirSync(location, { recursive: true });
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

/**
 * Makes a directory and holds it alone until `release`. The lock is an exclusive SQLite transaction: the operating system drops it
 * with the process, so a SIGKILL leaves nothing stale, and two instances inside one process exclude each other too.
 *
 * @returns its absolute path
 * @throws {EmbeddedCloudError} when it cannot be written or another instance holds it; nothing in it has been changed then
 */
export function holdDirectory(directory: string): { readonly path: string; release(): void } {
  const root = path.resolve(directory);
  try {
    makeDirectory(root);
    if (!statSync(root).isDirectory()) throw new EmbeddedCloudError(`data directory ${root} is a file`);
    accessSync(root, constants.W_OK | constants.X_OK);
  } catch (error) {
    if (error instanceof EmbeddedCloudError) throw error;
    throw new EmbeddedCloudError(`data directory ${root} ${whyNotWritable(error)}`, { cause: error });
  }
  const lock = takeLock(root);
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

/** Step by step: Node's own way of making parents never ends where the file system takes no directory but says that its parent is missing. */
function makeDirectory(directory: string): void {
  if (existsSync(directory)) return;
  makeDirectory(path.dirname(directory));
  try {
    mkdirSync(directory);
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
