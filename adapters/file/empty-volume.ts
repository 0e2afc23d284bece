import type { FileHandle } from "node:fs/promises";
import { VolumeBackendAPIException } from "../../core/errors.ts";
import { createExclusive, errnoOf, openRegular, sizeOfRegular, syncDirectoryOf } from "./files.ts";

/**
 * Makes the file of a volume that holds nothing: its size, and no block. Repeated, it finds the file.
 *
 * An empty file says that a first call died before it set the size, since no volume is smaller than 1 GiB: the size is set again,
 * to the same.
 *
 * @throws VolumeBackendAPIException when a file of another size has the name
 */
export async function makeEmptyVolume(path: string, sizeBytes: number): Promise<void> {
  const found = await sizeOfRegular(path);
  if (found === sizeBytes) {
    return;
  }
  if (found !== undefined && found !== 0) {
    throw new VolumeBackendAPIException(`${path} has ${found} bytes, not ${sizeBytes}`);
  }
  const file = found === undefined ? await createOrOpen(path) : await openRegular(path, "write");
  try {
    await file.truncate(sizeBytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await syncDirectoryOf(path);
}

/** Two calls may both have seen nothing. */
async function createOrOpen(path: string): Promise<FileHandle> {
  try {
    return await createExclusive(path);
  } catch (error) {
    if (errnoOf(error) === "EEXIST") {
      return openRegular(path, "write");
    }
    throw error;
  }
}
