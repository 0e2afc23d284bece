import { randomUUID } from "node:crypto";
import type { IHasher } from "hash-wasm";
import type { ExpectedHash } from "../../core/images/acceptance.ts";
import type { CopyProgress } from "../../core/records.ts";
import { createHash, stateOf } from "./image-hash.ts";

/** How the place where an image copy stands is kept on the record, and found there again. */

/** Where a copy stands: `offset` bytes are hashed and handed to the file. `copyId` names the start from zero that it goes back to. */
export type Cursor = { copyId: string; offset: number; tag: string; hasher: IHasher };

/** The content that a copy is of. */
type Content = { size: number; expected: ExpectedHash };

/** A copy from zero. */
export async function newCursor(expected: ExpectedHash, tag: string): Promise<Cursor> {
  return { copyId: randomUUID(), offset: 0, tag, hasher: await createHash(expected.algorithm) };
}

/**
 * The cursor that the progress tells; undefined when it tells of another image, of a copy whose bytes are not there any more, or
 * nothing that can be read.
 */
export async function resumeCursor(
  progress: CopyProgress | null,
  content: Content,
  isThere: (copyId: string) => Promise<boolean>,
): Promise<Cursor | undefined> {
  const prefix = imageTag(content.expected, "");
  const [, copyId, hashState] = /^([0-9a-f-]{36}) (\S+)$/.exec(progress?.hash_state ?? "") ?? [];
  if (progress === null || copyId === undefined || hashState === undefined) {
    return undefined;
  }
  const { bytes_done: offset, bytes_total: total, image_tag: tag } = progress;
  const isInside = Number.isSafeInteger(offset) && offset >= 0 && offset < content.size && total === content.size;
  if (!isInside || tag?.startsWith(prefix) !== true || !(await isThere(copyId))) {
    return undefined;
  }
  try {
    const hasher = await createHash(content.expected.algorithm, hashState);
    return { copyId, offset, tag: tag.slice(prefix.length), hasher };
  } catch {
    // A state that another version of the hash wrote.
    return undefined;
  }
}

/** The progress that {@link resumeCursor} reads. */
export function progressOf(cursor: Cursor, { size, expected }: Content): Omit<CopyProgress, "updated_at"> {
  return {
    bytes_done: cursor.offset,
    bytes_total: size,
    image_tag: imageTag(expected, cursor.tag),
    hash_state: `${cursor.copyId} ${stateOf(cursor.hasher)}`,
  };
}

/** Both what the metadata says of the content and what the image service says. */
export function imageTag(expected: ExpectedHash, serviceTag: string): string {
  return `${expected.algorithm}:${expected.value} ${serviceTag}`;
}
