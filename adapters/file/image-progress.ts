import { randomUUID } from "node:crypto";
import type { ExpectedHash } from "../../core/images/acceptance.ts";
import type { CopyProgress } from "../../core/records.ts";
import { createFastHash, createHash, type ImageHasher } from "./image-hash.ts";

/** Stores the progress of an image copy on the record, and reads it back. */

/**
 * The progress of a copy. `copyId` names its start from zero.
 *
 * - `copy`: `offset` bytes of the image are hashed and placed on the volume.
 * - `stage`: `offset` bytes are hashed and in a file next to the volume.
 * - `convert`: the file next to the volume is the checked image, and `offset` of its bytes are placed on the volume.
 */
export type Cursor = {
  copyId: string;
  stage: "copy" | "stage" | "convert";
  offset: number;
  tag: string;
  hasher: ImageHasher | null;
};

/** The content that a copy is of. */
export type Content = { size: number; expected: ExpectedHash };

/** Position from which an interrupted copy continues. */
export type Resumption = Omit<Cursor, "hasher">;

/** In place of the state of a hash: it is checked. */
const CHECKED = "-";

/** In place of the state of a hash: the bytes that are there are hashed again. */
const READ_AGAIN = "=";

/**
 * Images up to this size are hashed by Node's own hash, which is twice as fast; after an interruption the bytes that are there are read
 * again, from the backend and hardly from the image service. For a larger image that would take too much of each turn.
 */
const LARGEST_READ_AGAIN_BYTES = 16 * 2 ** 30;

/**
 * A copy from zero.
 *
 * @param canHashAgain whether the written bytes will determine the image's bytes, so that these can be hashed again
 */
export async function newCursor(
  { size, expected }: Content,
  tag: string,
  stage: "copy" | "stage",
  canHashAgain: boolean,
): Promise<Cursor> {
  const isFast = canHashAgain && size <= LARGEST_READ_AGAIN_BYTES;
  const hasher = isFast ? createFastHash(expected.algorithm) : await createHash(expected.algorithm);
  return { copyId: randomUUID(), stage, offset: 0, tag, hasher };
}

/**
 * The cursor of the progress; undefined for another image, for a copy whose bytes do not exist any more, or for unreadable progress.
 *
 * @param hashAgain undefined when the bytes are not there; its errors pass through, because a later turn may find them
 */
export async function resumeCursor(
  progress: CopyProgress | null,
  content: Content,
  isThere: (copyId: string) => Promise<boolean>,
  hashAgain: (resumption: Resumption) => Promise<ImageHasher | undefined>,
): Promise<Cursor | undefined> {
  const prefix = imageTag(content.expected, "");
  const [, copyId, word = "copy", state] =
    /^([0-9a-f-]{36}) (?:(stage|convert) )?(\S+)$/.exec(progress?.hash_state ?? "") ?? [];
  if (progress === null || copyId === undefined || state === undefined) {
    return undefined;
  }
  const stage = word === "stage" || word === "convert" ? word : "copy";
  const { bytes_done: done, bytes_total: total, image_tag: tag } = progress;
  const offset = stage === "convert" ? done - content.size : done;
  const isInside = Number.isSafeInteger(offset) && offset >= 0 && offset <= content.size;
  if (!isInside || total !== totalOf(stage, content.size) || tag?.startsWith(prefix) !== true) {
    return undefined;
  }
  if (!(await isThere(copyId))) {
    return undefined;
  }
  const resumption: Resumption = { copyId, stage, offset, tag: tag.slice(prefix.length) };
  if (stage === "convert") {
    return { ...resumption, hasher: null };
  }
  const hasher = state === READ_AGAIN ? await hashAgain(resumption) : await keptHash(content.expected, state);
  return hasher === undefined ? undefined : { ...resumption, hasher };
}

/** Undefined for a state that another version of the hash wrote. */
async function keptHash({ algorithm }: ExpectedHash, state: string): Promise<ImageHasher | undefined> {
  try {
    return await createHash(algorithm, state);
  } catch {
    return undefined;
  }
}

/** The progress that {@link resumeCursor} reads. Staged bytes pass twice, and so count twice. */
export function progressOf(cursor: Cursor, { size, expected }: Content): Omit<CopyProgress, "updated_at"> {
  const { copyId, stage, offset, hasher } = cursor;
  return {
    bytes_done: stage === "convert" ? size + offset : offset,
    bytes_total: totalOf(stage, size),
    image_tag: imageTag(expected, cursor.tag),
    hash_state: `${copyId} ${stage === "copy" ? "" : `${stage} `}${hasher === null ? CHECKED : (hasher.state() ?? READ_AGAIN)}`,
  };
}

/** The progress of a copy that is done. Without a hash state, because a finished copy is never continued. */
export function finalProgress(cursor: Cursor, { size, expected }: Content): Omit<CopyProgress, "updated_at"> {
  const total = totalOf(cursor.stage, size);
  return { bytes_done: total, bytes_total: total, image_tag: imageTag(expected, cursor.tag) };
}

function totalOf(stage: Cursor["stage"], size: number): number {
  return stage === "copy" ? size : 2 * size;
}

/** Identifies the content by both the metadata and the image service. */
function imageTag(expected: ExpectedHash, serviceTag: string): string {
  return `${expected.algorithm}:${expected.value} ${serviceTag}`;
}
