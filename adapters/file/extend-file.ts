import { type CopySource, requireWhole } from "./copy-file.ts";
import { asBackendError, openRegular } from "./files.ts";

/**
 * Makes the file `path` of a volume, named by `what` and of `recordedBytes` so far, larger, durably, without writing a block: what is added is a hole. A file that is as large already, or
 * larger, stays as it is.
 *
 * The size is read and set through one handle. A call that stops between the two and continues after a later extension would cut that
 * one off; the sweep therefore continues an extension only when the function that had it has ended.
 *
 * @throws SourceDamaged when it is shorter than its record says, since that would not be seen any more; VolumeBackendAPIException
 */
export async function extendFile({ path, what, recordedBytes }: CopySource, sizeBytes: number): Promise<void> {
  try {
    const file = await openRegular(path, "write");
    try {
      const { size } = await file.stat();
      requireWhole(what, size, recordedBytes);
      if (size < sizeBytes) {
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
