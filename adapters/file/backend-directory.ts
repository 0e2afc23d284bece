import { access, constants, lstat, mkdir, opendir, readdir, stat, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { VolumeBackendAPIException } from "../../core/errors.ts";
import { errnoOf, isAbsent } from "./files.ts";
import type { FileDriverOptions } from "./options.ts";
import { attemptsPath, type EntryName, parseEntry } from "./paths.ts";
import { UsageSurvey } from "./usage-survey.ts";

const GIB = 2 ** 30;

/** Unit of `blocks` of a file's status, whatever the file system's own (POSIX, `sys/stat.h`). */
const BLOCK_BYTES = 512;

/** Names that one call of the file system returns. */
const NAMES_AT_ONCE = 1024;

/** Time for which a usable directory counts as usable. A create in a directory that is gone by then fails with its own error. */
const USABLE_FOR_MS = 5000;

/** An entry of the driver in its directory. */
export type DirectoryEntry = EntryName & {
  path: string;
  /** Unfinished work of an attempt. */
  partial: boolean;
  sizeBytes: number;
  modifiedAt: Date;
};

/** The directory of a backend: its readiness, its content and its capacity. */
export class BackendDirectory {
  readonly #options: FileDriverOptions;
  readonly #usage: UsageSurvey;
  #usableUntil = 0;

  constructor(options: FileDriverOptions) {
    this.#options = options;
    this.#usage = new UsageSurvey({
      names: () => this.#names(),
      bytesOf: async (name) => {
        const stats = await lstatIfThere(join(options.directory, name));
        return stats === undefined ? undefined : stats.blocks * BLOCK_BYTES;
      },
    });
  }

  /**
   * Creates a missing directory, and returns whether it is writable. A positive answer is cached for a moment, because every create asks;
   * the mount is checked each time.
   */
  async isReady(): Promise<boolean> {
    try {
      return (await this.#isMounted()) && (this.#usableUntil > performance.now() || (await this.#isUsable()));
    } catch (error) {
      if (errnoOf(error) === undefined) {
        throw error;
      }
      return false;
    }
  }

  async #isUsable(): Promise<boolean> {
    const { directory } = this.#options;
    await mkdir(attemptsPath(directory), { recursive: true, mode: 0o700 });
    await access(directory, constants.R_OK | constants.W_OK | constants.X_OK);
    const isDirectory = (await stat(directory)).isDirectory();
    this.#usableUntil = isDirectory ? performance.now() + USABLE_FOR_MS : 0;
    return isDirectory;
  }

  /** @throws VolumeBackendAPIException when a mount point is configured and nothing is mounted there */
  async requireMount(): Promise<void> {
    if (!(await this.#isMounted())) {
      throw new VolumeBackendAPIException(`nothing is mounted on ${this.#options.mount_point}`);
    }
  }

  /** The driver's entries, unordered. */
  async *entries(): AsyncGenerator<DirectoryEntry> {
    await this.requireMount();
    const { directory } = this.#options;
    yield* this.#entriesOf(directory, false);
    if ((await lstatIfThere(attemptsPath(directory))) !== undefined) {
      yield* this.#entriesOf(attemptsPath(directory), true);
    }
  }

  /** In addition to the directories of attempts there are files, for ended attempts. */
  async *#entriesOf(directory: string, partial: boolean): AsyncGenerator<DirectoryEntry> {
    for await (const { name } of await opendir(directory)) {
      const path = join(directory, name);
      const entry = parseEntry(name);
      const stats = entry === undefined ? undefined : await lstatIfThere(path);
      if (entry !== undefined && stats !== undefined && (!partial || stats.isDirectory())) {
        yield { ...entry, path, partial, sizeBytes: stats.size, modifiedAt: stats.mtime };
      }
    }
  }

  /**
   * Time of the last write in a work area. The area's own time only changes with its names: a long copy writes to a file in it without
   * changing the directory's time.
   */
  async lastWriteBelow(area: string, modifiedAt: Date): Promise<Date> {
    let latest = modifiedAt;
    for (const name of (await readdir(area).catch(undefinedIfAbsent)) ?? []) {
      const stats = await lstatIfThere(join(area, name));
      latest = stats !== undefined && stats.mtime > latest ? stats.mtime : latest;
    }
    return latest;
  }

  /** From the file system, or from `capacity_gb`; then the size of the driver's files is subtracted. */
  async capacity(): Promise<{ totalBytes: number; freeBytes: number }> {
    const { directory, capacity_gb: capacityGib } = this.#options;
    const { blocks, bavail, bsize } = await statfs(directory);
    const freeBytes = bavail * bsize;
    if (capacityGib === undefined) {
      return { totalBytes: blocks * bsize, freeBytes };
    }
    const totalBytes = capacityGib * GIB;
    await this.requireMount();
    const left = totalBytes - (await this.#usage.usedBytes());
    return { totalBytes, freeBytes: Math.max(0, Math.min(freeBytes, left)) };
  }

  async *#names(): AsyncGenerator<{ name: string; id: string }> {
    for await (const { name } of await opendir(this.#options.directory, { bufferSize: NAMES_AT_ONCE })) {
      const entry = parseEntry(name);
      if (entry !== undefined) {
        yield { name, id: entry.id };
      }
    }
  }

  /** A mount point is on another device than the directory it is in. */
  async #isMounted(): Promise<boolean> {
    const mountPoint = this.#options.mount_point;
    if (mountPoint === undefined) {
      return true;
    }
    const [inside, outside] = await Promise.all([statIfThere(mountPoint), statIfThere(dirname(mountPoint))]);
    return inside !== undefined && inside.dev !== outside?.dev;
  }
}

/** Undefined when it was removed in between. */
function lstatIfThere(path: string) {
  return lstat(path).catch(undefinedIfAbsent);
}

function statIfThere(path: string) {
  return stat(path).catch(undefinedIfAbsent);
}

function undefinedIfAbsent(error: unknown): undefined {
  if (!isAbsent(error)) {
    throw error;
  }
}
