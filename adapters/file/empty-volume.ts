import { randomUUID } from "node:crypto";
import { readdirSync } from "node:fs";
import { link, unlink } from "node:fs/promises";
import { join } from "node:path";
import { VolumeBackendAPIException } from "../../core/errors.ts";
import { enterAttempt, leaveAttempt } from "./attempt.ts";
import { createSized, errnoOf, isAbsent, sizeOfRegular, syncDirectoryOf } from "./files.ts";
import type { Place } from "./paths.ts";

/** More than the calls that can meet. */
const TRIES = 20;

const BLANK = "blank-";

/**
 * Makes the file of a volume that holds nothing: its size, and no block. Repeated, it finds the file.
 *
 * The file gets its name by `link`, which never replaces another file: a call that comes late cannot empty a volume. The attempt is not
 * over then, because an image may be copied into the volume yet.
 *
 * @throws VolumeBackendAPIException when a file of another size has the name; AttemptClosed
 */
export async function makeEmptyVolume(place: Place, sizeBytes: number): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      if ((await enterAttempt(place)) === "working") {
        await linkBlank(place, sizeBytes);
      }
      break;
    } catch (error) {
      // The directory was taken away in between: entering it again says why.
      if (!isAbsent(error) || tries === TRIES) {
        throw error;
      }
    }
  }
  const size = await sizeOfRegular(place.path);
  if (size !== sizeBytes) {
    throw new VolumeBackendAPIException(`${place.path} has ${size ?? "no"} bytes, not ${sizeBytes}`);
  }
}

async function linkBlank(place: Place, sizeBytes: number): Promise<void> {
  const blank = join(place.work, `${BLANK}${randomUUID()}`);
  createSized(blank, sizeBytes);
  try {
    await link(blank, place.path);
    syncDirectoryOf(place.path);
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") {
      throw error;
    }
  }
  // Those of calls that died, too: a call that still works on one begins again.
  for (const name of readdirSync(place.work)) {
    if (name.startsWith(BLANK)) {
      await unlink(join(place.work, name)).catch(() => {});
    }
  }
  await leaveAttempt(place);
}
