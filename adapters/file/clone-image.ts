import { lstat, realpath } from "node:fs/promises";
import { randomUUID } from "node:crypto";
import { isAbsolute, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { requireDeclaredContent, requireReadableFormat, requireSizeWithin } from "../../core/images/acceptance.ts";
import { SNIFF_BYTES } from "../../core/images/sniff.ts";
import type { ImageSource } from "../../core/drivers/driver-ports.ts";
import type { ImageLocation } from "../../core/spec.ts";
import { isWhole } from "./attempt.ts";
import { reflink } from "./copy-file.ts";
import { isAbsent, openRegular } from "./files.ts";
import type { FileDriverOptions } from "./options.ts";
import type { Place } from "./paths.ts";
import { dataName, WorkArea } from "./work-area.ts";

/**
 * Makes a volume share the blocks of an image's file: only a raw image, only one whose location is a `file://` URL that leads
 * into the configured image directory, and only where the file system shares blocks. Everything else answers false, and the
 * image is downloaded.
 *
 * The bytes are not hashed: writers of the image directory are trusted like the image service.
 *
 * @throws ImageUnacceptable when the file's content is of another format than declared.
 */
export async function cloneImageFile(
  options: FileDriverOptions,
  place: Place,
  volumeBytes: number,
  location: ImageLocation,
  image: ImageSource,
): Promise<boolean> {
  const { image_directory: imageDirectory } = options;
  if (imageDirectory === undefined || image.meta.disk_format !== "raw" || image.meta.container_format !== "bare") {
    return false;
  }
  if (await isWhole(place)) {
    // An answer was lost. A file of createVolume does not count as a clone: its attempt has not ended.
    return true;
  }
  const urls = [location.direct_url, ...location.locations.map(({ url }) => url)];
  for (const url of urls) {
    const source = url === null ? undefined : await imageFile(url, imageDirectory);
    if (source !== undefined && (await cloneFile(source, place, volumeBytes, image))) {
      return true;
    }
  }
  return false;
}

/** The real path of a `file://` location, when it is in the image directory, links included. */
async function imageFile(url: string, imageDirectory: string): Promise<string | undefined> {
  if (!url.startsWith("file://")) {
    return undefined;
  }
  try {
    const [file, directory] = await Promise.all([realpath(fileURLToPath(url)), realpath(imageDirectory)]);
    const inside = relative(directory, file);
    const isInside = inside !== "" && inside !== ".." && !inside.startsWith(`..${sep}`) && !isAbsolute(inside);
    return isInside && (await lstat(file)).isFile() ? file : undefined;
  } catch (error) {
    if (isAbsent(error) || error instanceof TypeError) {
      return undefined;
    }
    throw error;
  }
}

async function cloneFile(source: string, place: Place, volumeBytes: number, image: ImageSource): Promise<boolean> {
  requireReadableFormat(image.meta);
  const size = requireSizeWithin(image.meta, volumeBytes);
  const area = await WorkArea.takeOver(place);
  if (area === "whole") {
    return true;
  }
  const name = dataName(randomUUID());
  try {
    const copy = area.path(name);
    if (!(await reflink(source, copy))) {
      return false;
    }
    // Checked after the copy, so that the checked bytes are those of the volume.
    const file = await openRegular(copy, "write");
    try {
      if ((await file.stat()).size !== size) {
        return false;
      }
      const head = Buffer.alloc(SNIFF_BYTES);
      const { bytesRead } = await file.read(head, 0, SNIFF_BYTES, 0);
      requireDeclaredContent(image.meta, head.subarray(0, bytesRead));
      await file.chmod(0o600);
      await file.truncate(volumeBytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await area.publish(name);
    return true;
  } finally {
    await area.remove(name);
  }
}
