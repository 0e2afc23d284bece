import { describeError } from "../../core/errors.ts";

/**
 * An upload failed, and its bytes are still in the bucket, where no listing of images shows them.
 *
 * Apart from the upload: the command line knows the error without loading the SDK, which would slow down its help.
 */
export class BytesLeft extends Error {
  override readonly name = "BytesLeft";

  constructor({ bucket, id }: { bucket: string; id: string }, failure: unknown, reason: unknown) {
    const why = `${describeError(failure).message}; its bytes could not be deleted (${describeError(reason).message})`;
    super(`image ${id} was not added: ${why} and may be left as s3://${bucket}/${id}`, { cause: failure });
  }
}
