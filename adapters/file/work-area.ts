import { randomUUID } from "node:crypto";
import { lstat, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { enterAttempt, leaveAttempt, publish } from "./attempt.ts";
import { isAbsent } from "./files.ts";
import type { Place } from "./paths.ts";

/** More than the number of concurrent calls: the caller repeats one call at a time. */
const TAKEOVER_ATTEMPTS = 5;

/** Name of the file with the bytes of a copy that is not finished. */
export function dataName(copyId: string): string {
  return `${copyId}.data`;
}

/**
 * The directory of an attempt, which holds its unfinished work:
 *
 *     holder           id of the call that works on it
 *     <copy>.data      bytes of a copy, or of an image, that is not finished
 *     <copy>.stage     an unchanged image, before its conversion
 *     blank-<uuid>     a volume without bytes that is about to get its name
 *     seal-<uuid>      the mark that the attempt has published its result, about to get its name
 *
 * A call that is repeated while the first one still runs takes the work over: it writes its own id into `holder`, and the older call stops
 * at its next check, which comes every 16 MiB and before the file gets its name. The newest call is the right one to continue, because a
 * caller repeats only an abandoned call. An abandoned call may still write between two checks: the same bytes as the newer one, at most 16
 * MiB.
 *
 * Each start from zero draws a new `<copy>`. A checkpoint names it, so work is resumed only on exactly its bytes, never on a file that was
 * removed and begun again. No call empties or shortens a file that another may continue, or may have published.
 */
export class WorkArea {
  readonly #place: Place;
  readonly #holder: string;

  private constructor(place: Place, holder: string) {
    this.#place = place;
    this.#holder = holder;
  }

  /**
   * Takes over the work of an attempt from any other call. `whole` when the attempt has published its result.
   *
   * @throws AttemptClosed
   */
  static async takeOver(place: Place): Promise<WorkArea | "whole"> {
    for (let attempt = 1; ; attempt += 1) {
      const entered = await enterAttempt(place);
      if (entered === "whole") {
        return entered;
      }
      const holder = randomUUID();
      const mine = join(place.work, `holder-${holder}`);
      try {
        await writeFile(mine, holder, { flag: "wx", mode: 0o600 });
        await rename(mine, join(place.work, "holder"));
        return new WorkArea(place, holder);
      } catch (error) {
        // The directory was taken away in between: entering it again says why.
        if (!isAbsent(error) || attempt === TAKEOVER_ATTEMPTS) {
          throw error;
        }
      }
    }
  }

  /**
   * Begins from zero: removes the files of earlier copies. Late, after another call has taken over: removes nothing. A newer call makes its
   * files after it has become the holder, so none of them is among the names that are read before the check.
   */
  async clear(): Promise<void> {
    const names = await readdir(this.#place.work);
    if (await this.isMine()) {
      for (const name of names.filter((found) => found !== "holder")) {
        await rm(this.path(name), { recursive: true, force: true });
      }
    }
  }

  /** Removes a file, and the directory with it unless another call works there. */
  async remove(name: string): Promise<void> {
    if (await this.isMine()) {
      await rm(this.path(name), { force: true });
      await rm(this.path("holder"), { force: true });
      await leaveAttempt(this.#place);
    }
  }

  /** Path of a file in the area. */
  path(name: string): string {
    return join(this.#place.work, name);
  }

  /** Gives the finished file of that name the volume's, and ends the attempt. See {@link publish}. */
  publish(name: string): Promise<void> {
    return publish(this.#place, this.path(name));
  }

  /** Whether the work is still this call's: false once it was taken over, finished, deleted or closed. */
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
