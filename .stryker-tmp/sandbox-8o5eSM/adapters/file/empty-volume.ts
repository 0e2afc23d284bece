// @ts-nocheck
import { VolumeBackendAPIException } from "../../core/errors.ts";
import { createSized, openRegular, syncDirectoryOf } from "./files.ts";

/**
 * Makes the file of a volume that holds nothing: its size, and no block. Repeated, it finds the file.
 *
 * An empty file says that a first call died before it set the size, since no volume is smaller than 1 GiB: the size is set again,
 * to the same.
 *
 * @throws VolumeBackendAPIException when a file of another size has the name
 */
export async function makeEmptyVolume(path: string, sizeBytes: number): Promise<void> {
  if (!createSized(path, sizeBytes)) {
    await finishSize(path, sizeBytes);
  }
  syncDirectoryOf(path);
}

/** Sets the size of a file that an earlier call made, or another one is making. */
async function finishSize(path: string, sizeBytes: number): Promise<void> {
  const file = await openRegular(path, "write");
  try {
    const { size } = await file.stat();
    if (size !== sizeBytes && size !== 0) {
      throw new VolumeBackendAPIException(`${path} has ${size} bytes, not ${sizeBytes}`);
    }
    await file.truncate(sizeBytes);
    await file.sync();
  } finally {
    await file.close();
  }
}
