import { randomUUID } from "node:crypto";
import { link } from "node:fs/promises";
import { join } from "node:path";
import { VolumeBackendAPIException } from "../../core/errors.ts";
import { BLANK, enterAttempt, leaveAttempt, removeBlanks } from "./attempt.ts";
import { createSized, errnoOf, isAbsent, sizeOfRegular, syncDirectoryOf } from "./files.ts";
import type { Place } from "./paths.ts";

/** More than the calls that can meet. */
const TRIES = 20;

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
  await removeBlanks(place.work);
  await leaveAttempt(place);
}
