import { type FileHandle, rm } from "node:fs/promises";
import { ImageCopyFailure, ImageTooBig, ImageUnacceptable, describeError } from "../../core/errors.ts";
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
import { type Cursor, imageTag, newCursor, progressOf, resumeCursor } from "./image-progress.ts";
import { CHUNK_BYTES } from "./sparse.ts";
import { WorkArea, removeWorkArea } from "./work-area.ts";
import { WriteLanes, chunksOf } from "./write-lanes.ts";

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
  let job: Job;
  try {
    requireReadableFormat(image.meta);
    const size = requireSizeWithin(image.meta, volumeBytes);
    job = { path, volumeBytes, image, work, size, expected: expectedHash(image.meta) };
  } catch (error) {
    // Whoever asks for this image is refused, so nobody uses a volume of it.
    await discard(path);
    throw error;
  }
  // Refused when the record is another attempt's by now, or finished: then nothing here is touched.
  await work.save(progressBefore(job));
  const area = await WorkArea.takeOver(path);
  try {
    return await turn(job, area);
  } catch (error) {
    const failure = isOutOfSpace(error) ? new ImageTooBig(image.imageId, describeError(error).message) : error;
    if (isRefusal(failure) && (await area.isMine())) {
      await discard(path);
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

async function turn(job: Job, area: WorkArea): Promise<{ done: boolean }> {
  const { imageId, service } = job.image;
  const file = await openVolume(job.path);
  const abort = new AbortController();
  try {
    const resumed = await resumeCursor(job.work.progress, job, (copyId) => area.has(markName(copyId)));
    const range = await service.openRange(imageId, resumed?.offset ?? 0, resumed?.tag, abort.signal);
    if (range.totalSize !== job.size) {
      throw new ImageCopyFailure(`image ${imageId} has ${range.totalSize} bytes, not ${job.size}`);
    }
    const cursor = resumed ?? (await newCursor(job.expected, range.tag));
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

function isRefusal(error: unknown): boolean {
  return error instanceof ImageUnacceptable || error instanceof ImageCopyFailure || error instanceof ImageTooBig;
}

async function discard(path: string): Promise<void> {
  await removeWorkArea(path);
  await rm(path, { force: true });
}

/** What the record is told before anything is done: what it says already, or that nothing is copied yet. */
function progressBefore(job: Job): Omit<CopyProgress, "updated_at"> {
  const { updated_at: _, ...progress } = job.work.progress ?? { bytes_done: 0, bytes_total: job.size, updated_at: "" };
  return progress;
}

async function openVolume(path: string): Promise<FileHandle> {
  try {
    return await openRegular(path, "write");
  } catch (error) {
    throw isAbsent(error) ? new ImageCopyFailure(`${path} is not there`) : error;
  }
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
        await job.work.save(progressOf(cursor, job));
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
    image_tag: imageTag(job.expected, cursor.tag),
  });
}

function markName(copyId: string): string {
  return `${copyId}.image`;
}
