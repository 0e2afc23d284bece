// @ts-nocheck
import { randomUUID } from "node:crypto";
import { lstat, mkdir, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { VolumeBackendAPIException } from "../../core/errors.ts";
import { errnoOf, exists, isAbsent } from "./files.ts";
import { PARTIAL } from "./paths.ts";

/** More than the calls that can meet: the caller repeats one call at a time. */
const TAKEOVER_ATTEMPTS = 5;

/**
 * The directory `<file>.partial/`, which holds whatever is not finished about one file:
 *
 *     holder           id of the call that works on it
 *     <copy>.data      bytes of a copy that is not finished
 *     <copy>.image     marks that an image is being copied into the file itself
 *
 * A call that is repeated while the first one still runs takes the work over: it writes its own id into `holder`, and the older
 * call stops at its next look, which comes every 16 MiB and before the file gets its name. The newest is the right one to go on,
 * because a caller repeats only a call whose answer it has given up. What remains is what a call that was given up writes between
 * two looks: the same bytes as the newer one's, at most 16 MiB of them.
 *
 * `<copy>` is drawn anew by each start from zero. A checkpoint names it, so work is resumed only on the very bytes that it
 * speaks of, never on a file that was removed and begun again.
 */
export class WorkArea {
  readonly #directory: string;
  readonly #holder: string;

  private constructor(directory: string, holder: string) {
    this.#directory = directory;
    this.#holder = holder;
  }

  /** Takes over the work on a file, whoever is at it. */
  static async takeOver(path: string): Promise<WorkArea> {
    const directory = path + PARTIAL;
    for (let attempt = 1; ; attempt += 1) {
      const holder = randomUUID();
      const mine = join(directory, `holder-${holder}`);
      try {
        await makeDirectory(directory);
        await writeFile(mine, holder, { flag: "wx", mode: 0o600 });
        await rename(mine, join(directory, "holder"));
        return new WorkArea(directory, holder);
      } catch (error) {
        // An older call finished in between and removed the area.
        if (errnoOf(error) !== "ENOENT" || attempt === TAKEOVER_ATTEMPTS) {
          throw error;
        }
      }
    }
  }

  /** Begins from zero: what earlier copies left is removed. */
  async clear(): Promise<void> {
    for (const name of await readdir(this.#directory)) {
      if (name !== "holder") {
        await rm(this.path(name), { recursive: true, force: true });
      }
    }
  }

  /** Path of a file in the area. */
  path(name: string): string {
    return join(this.#directory, name);
  }

  /** Whether the work is still this call's: false once it was taken over, finished or deleted. */
  async isMine(): Promise<boolean> {
    try {
      return (await readFile(this.path("holder"), "utf8")) === this.#holder;
    } catch (error) {
      if (isAbsent(error)) {
        return false;
      }
      throw error;
    }
  }

  /** Whether the area holds a file of that name. */
  async has(name: string): Promise<boolean> {
    try {
      return (await lstat(this.path(name))).isFile();
    } catch (error) {
      if (isAbsent(error)) {
        return false;
      }
      throw error;
    }
  }
}

/** Removes the area of a file with all that is in it; an older call that still works there stops. */
export async function removeWorkArea(path: string): Promise<void> {
  await rm(path + PARTIAL, { recursive: true, force: true, maxRetries: 3, retryDelay: 20 });
}

/** Whether something is half-made of the file. */
export function hasWorkArea(path: string): Promise<boolean> {
  return exists(path + PARTIAL);
}

async function makeDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { mode: 0o700 });
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") {
      throw error;
    }
    if (!(await lstat(directory)).isDirectory()) {
      throw new VolumeBackendAPIException(`${directory} is no directory`);
    }
  }
}
