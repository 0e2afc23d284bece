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

/** Names that one call of the file system brings, where there may be many. */
const NAMES_AT_ONCE = 1024;

/** How long a directory that could be used is taken to be usable. A create in one that is gone by then fails by its own error. */
const USABLE_FOR_MS = 5000;

/** Something of the driver's own in its directory. */
export type DirectoryEntry = EntryName & {
  path: string;
  /** Work of an attempt that is not finished. */
  partial: boolean;
  sizeBytes: number;
  modifiedAt: Date;
};

/** The directory of a backend as a whole: whether it can be used, what is in it, and how much fits. */
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
   * Makes the directory where it is missing, and tells whether it can be written. A good answer about the directory is kept for a
   * moment, for every create asks; whether the mount is there is looked up each time.
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

  /** What the driver made, in no order. */
  async *entries(): AsyncGenerator<DirectoryEntry> {
    await this.requireMount();
    const { directory } = this.#options;
    yield* this.#entriesOf(directory, false);
    if ((await lstatIfThere(attemptsPath(directory))) !== undefined) {
      yield* this.#entriesOf(attemptsPath(directory), true);
    }
  }

  /** Beside the directories of attempts there are files, for those that are over. */
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
   * When anything in a work area was last written to. The area's own time tells only of names that came and went: a long copy writes
   * to a file in it and leaves the directory's time as it was.
   */
  async lastWriteBelow(area: string, modifiedAt: Date): Promise<Date> {
    let latest = modifiedAt;
    for (const name of (await readdir(area).catch(undefinedIfAbsent)) ?? []) {
      const stats = await lstatIfThere(join(area, name));
      latest = stats !== undefined && stats.mtime > latest ? stats.mtime : latest;
    }
    return latest;
  }

  /** As the file system tells, or as `capacity_gb` does: then what the driver's files take is subtracted from it. */
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

/** Undefined when it was removed meanwhile. */
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
