import { randomUUID } from "node:crypto";
import { type FileHandle, rm } from "node:fs/promises";
import type { IHasher } from "hash-wasm";
import { ImageCopyFailure, ImageTooBig, ImageUnacceptable } from "../../core/errors.ts";
import {
  type ExpectedHash,
  expectedHash,
  requireDeclaredContent,
  requireReadableFormat,
  requireSizeWithin,
} from "../../core/images/acceptance.ts";
import { SNIFF_BYTES } from "../../core/images/sniff.ts";
import type { CopyWork, ImageRange, ImageSource } from "../../core/ports.ts";
import type { CopyProgress } from "../../core/records.ts";
import { RESERVED_MS } from "./copy-file.ts";
import { createExclusive, isAbsent, isOutOfSpace, openRegular } from "./files.ts";
import { createHash, stateOf } from "./image-hash.ts";
import { CHUNK_BYTES, LANES, settleAll, writeSparse } from "./sparse.ts";
import { WorkArea, removeWorkArea } from "./work-area.ts";

/** Progress is kept after so many bytes, or so much time, whichever comes first. */
const CHECKPOINT_BYTES = 256 * CHUNK_BYTES;
const CHECKPOINT_MS = 20_000;

/** Written between two looks at who holds the work. */
const LOOK_BYTES = 16 * CHUNK_BYTES;

/**
 * Fills a volume's file with a raw image: one sequential read of the image, hashed on the way, zero blocks left as holes.
 *
 * A turn ends at a checkpoint when its time is short. Bytes are made durable before the progress that speaks of them is kept, and
 * each turn begins by keeping its progress, so a call that is not the owner's any more is refused before it writes a byte.
 * A volume that was not copied to by the progress at hand, or whose image is another one now, is begun again from zero.
 *
 * @throws ImageUnacceptable, ImageCopyFailure, ImageTooBig: the file is removed then. Everything else that the image service
 * or the file system throws comes through and leaves what is there for the next turn; FenceLost stops the copy at once.
 */
export async function copyImage(
  path: string,
  volumeBytes: number,
  image: ImageSource,
  work: CopyWork,
): Promise<{ done: boolean }> {
  try {
    requireReadableFormat(image.meta);
    const size = requireSizeWithin(image.meta, volumeBytes);
    const expected = expectedHash(image.meta);
    return await copyChecked({ path, volumeBytes, image, work, size, expected });
  } catch (error) {
    const failure = isOutOfSpace(error) ? new ImageTooBig(image.imageId, (error as Error).message) : error;
    if (failure instanceof ImageUnacceptable || failure instanceof ImageCopyFailure || failure instanceof ImageTooBig) {
      await removeWorkArea(path);
      await rm(path, { force: true });
    }
    throw failure;
  }
}

/** What one turn works on. */
type Job = {
  path: string;
  volumeBytes: number;
  image: ImageSource;
  work: CopyWork;
  size: number;
  expected: ExpectedHash;
};

/** Where the copy stands: bytes that are hashed and handed to the file. */
type Cursor = { copyId: string; offset: number; tag: string; hasher: IHasher };

async function copyChecked(job: Job): Promise<{ done: boolean }> {
  const file = await openVolume(job.path);
  const abort = new AbortController();
  try {
    const area = await WorkArea.takeOver(job.path);
    const resumed = await resume(job, area);
    const range = await job.image.service.openRange(
      job.image.imageId,
      resumed?.offset ?? 0,
      resumed?.tag,
      abort.signal,
    );
    if (range.totalSize !== job.size) {
      throw new ImageCopyFailure(`image ${job.image.imageId} has ${range.totalSize} bytes, not ${job.size}`);
    }
    const cursor = resumed ?? (await newCursor(job, range));
    await keep(job, cursor);
    if (resumed === undefined) {
      await begin(job, area, file, cursor);
    }
    const done = await pump(job, area, file, cursor, range);
    if (done) {
      await verify(job, file, cursor);
      await removeWorkArea(job.path);
    }
    return { done };
  } finally {
    abort.abort();
    await file.close();
  }
}

async function openVolume(path: string): Promise<FileHandle> {
  try {
    return await openRegular(path, "write");
  } catch (error) {
    throw isAbsent(error) ? new ImageCopyFailure(`${path} is not there`) : error;
  }
}

/** The cursor of the progress at hand, when the file still has the bytes that it speaks of. */
async function resume(job: Job, area: WorkArea): Promise<Cursor | undefined> {
  const progress = job.work.progress;
  const parts = parseProgress(progress, job);
  if (progress === null || parts === undefined || !(await area.has(markName(parts.copyId)))) {
    return undefined;
  }
  try {
    const hasher = await createHash(job.expected.algorithm, parts.hashState);
    return { copyId: parts.copyId, offset: progress.bytes_done, tag: parts.tag, hasher };
  } catch {
    // A state that another version of the hash wrote.
    return undefined;
  }
}

async function newCursor(job: Job, range: ImageRange): Promise<Cursor> {
  return {
    copyId: randomUUID(),
    offset: 0,
    tag: range.tag,
    hasher: await createHash(job.expected.algorithm),
  };
}

/** Zero blocks are skipped, so nothing may remain of an earlier copy. */
async function begin(job: Job, area: WorkArea, file: FileHandle, cursor: Cursor): Promise<void> {
  await area.clear();
  await file.truncate(0);
  await file.truncate(job.volumeBytes);
  await (await createExclusive(area.path(markName(cursor.copyId)))).close();
}

/** Reads, hashes and writes until the image ends, the time does, or another call took over. */
async function pump(job: Job, area: WorkArea, file: FileHandle, cursor: Cursor, range: ImageRange): Promise<boolean> {
  const writes = new WriteLanes(file);
  let kept = { at: Date.now(), offset: cursor.offset };
  let lookedAt = -1;
  try {
    for await (const { buffer, length } of chunksOf(range.body, writes)) {
      const chunk = buffer.subarray(0, length);
      if (cursor.offset === 0) {
        requireDeclaredContent(job.image.meta, chunk.subarray(0, SNIFF_BYTES));
      }
      if (cursor.offset + chunk.length > job.size) {
        throw new ImageCopyFailure(`image ${job.image.imageId} sent more than its ${job.size} bytes`);
      }
      if (lookedAt === -1 || cursor.offset - lookedAt >= LOOK_BYTES) {
        lookedAt = cursor.offset;
        if (!(await area.isMine())) {
          return false;
        }
      }
      writes.write(buffer, length, cursor.offset);
      cursor.hasher.update(chunk);
      cursor.offset += chunk.length;
      // Each turn gets on by a chunk, however little time it is given.
      const late = job.work.remainingTimeMs() < RESERVED_MS;
      if (late || cursor.offset - kept.offset >= CHECKPOINT_BYTES || Date.now() - kept.at >= CHECKPOINT_MS) {
        await writes.drain();
        await file.datasync();
        await keep(job, cursor);
        kept = { at: Date.now(), offset: cursor.offset };
        if (late && cursor.offset < job.size) {
          return false;
        }
      }
    }
    await writes.drain();
    return area.isMine();
  } finally {
    await writes.settle();
  }
}

async function verify(job: Job, file: FileHandle, cursor: Cursor): Promise<void> {
  const { imageId } = job.image;
  if (cursor.offset !== job.size) {
    throw new ImageCopyFailure(`image ${imageId} ended after ${cursor.offset} of ${job.size} bytes`);
  }
  const found = cursor.hasher.digest("hex");
  if (found !== job.expected.value) {
    throw new ImageCopyFailure(`image ${imageId} has ${job.expected.algorithm} ${found}, not ${job.expected.value}`);
  }
  await file.sync();
  const { size } = await file.stat();
  if (size !== job.volumeBytes) {
    throw new ImageUnacceptable(imageId, `its volume has ${size} bytes, not ${job.volumeBytes}`);
  }
  // Without a hash state: what is finished is not gone on with.
  await job.work.save({
    bytes_done: job.size,
    bytes_total: job.size,
    image_tag: imageTag(job, cursor.tag),
  });
}

async function keep(job: Job, cursor: Cursor): Promise<void> {
  await job.work.save({
    bytes_done: cursor.offset,
    bytes_total: job.size,
    image_tag: imageTag(job, cursor.tag),
    hash_state: `${cursor.copyId} ${stateOf(cursor.hasher)}`,
  });
}

/** Both what the metadata says of the content and what the service says. */
function imageTag(job: Job, serviceTag: string): string {
  return `${job.expected.algorithm}:${job.expected.value} ${serviceTag}`;
}

function parseProgress(
  progress: CopyProgress | null,
  job: Job,
): { copyId: string; hashState: string; tag: string } | undefined {
  const prefix = imageTag(job, "");
  const state = /^([0-9a-f-]{36}) (\S+)$/.exec(progress?.hash_state ?? "");
  if (
    progress === null ||
    state?.[1] === undefined ||
    state[2] === undefined ||
    progress.image_tag?.startsWith(prefix) !== true
  ) {
    return undefined;
  }
  const inImage =
    Number.isSafeInteger(progress.bytes_done) && progress.bytes_done >= 0 && progress.bytes_done < job.size;
  if (!inImage || progress.bytes_total !== job.size) {
    return undefined;
  }
  return { copyId: state[1], hashState: state[2], tag: progress.image_tag.slice(prefix.length) };
}

function markName(copyId: string): string {
  return `${copyId}.image`;
}

/** A few buffers, each either free or being written. */
class WriteLanes {
  readonly #file: FileHandle;
  readonly #free: Buffer[] = Array.from({ length: LANES }, () => Buffer.allocUnsafeSlow(CHUNK_BYTES));
  readonly #writing = new Set<Promise<void>>();
  #failure: unknown;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** A buffer that nobody writes from; waits for one. */
  async take(): Promise<Buffer> {
    for (;;) {
      if (this.#failure !== undefined) {
        throw this.#failure;
      }
      const buffer = this.#free.pop();
      if (buffer !== undefined) {
        return buffer;
      }
      await Promise.race(this.#writing);
    }
  }

  /** Begins to write the first bytes of a buffer of {@link take}, which is free again afterwards. */
  write(buffer: Buffer, length: number, position: number): void {
    const writing = this.#write(buffer, length, position).finally(() => this.#writing.delete(writing));
    this.#writing.add(writing);
  }

  async #write(buffer: Buffer, length: number, position: number): Promise<void> {
    try {
      await writeSparse(this.#file, buffer.subarray(0, length), position);
    } catch (error) {
      this.#failure ??= error;
    }
    this.#free.push(buffer);
  }

  /** Everything given to {@link write} is in the file. */
  async drain(): Promise<void> {
    await this.settle();
    if (this.#failure !== undefined) {
      throw this.#failure;
    }
  }

  /** Nothing is being written any more. */
  async settle(): Promise<void> {
    await settleAll([...this.#writing]);
  }
}

/** Cuts the stream into buffers of the lanes, all full but the last. */
async function* chunksOf(
  body: AsyncIterable<Uint8Array>,
  lanes: WriteLanes,
): AsyncGenerator<{ buffer: Buffer; length: number }> {
  let buffer = await lanes.take();
  let length = 0;
  for await (const piece of body) {
    for (let at = 0; at < piece.length;) {
      const part = piece.subarray(at, at + buffer.length - length);
      buffer.set(part, length);
      length += part.length;
      at += part.length;
      if (length === buffer.length) {
        yield { buffer, length };
        buffer = await lanes.take();
        length = 0;
      }
    }
  }
  if (length > 0) {
    yield { buffer, length };
  }
}
