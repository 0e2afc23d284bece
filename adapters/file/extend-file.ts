import { asBackendError, openRegular } from "./files.ts";

/**
 * Makes the file of a volume larger, durably, without writing a block: what is added is a hole. A file that is as large already, or
 * larger, stays as it is.
 *
 * The size is read and set through one handle. A call that stops between the two and continues after a later extension would cut that
 * one off; the sweep therefore continues an extension only when the function that had it has ended.
 *
 * @throws VolumeBackendAPIException
 */
export async function extendFile(path: string, sizeBytes: number): Promise<void> {
  try {
    const file = await openRegular(path, "write");
    try {
      if ((await file.stat()).size < sizeBytes) {
        await file.truncate(sizeBytes);
        await file.sync();
      }
    } finally {
      await file.close();
    }
  } catch (error) {
    throw asBackendError(error, `extending ${path}`);
  }
}
