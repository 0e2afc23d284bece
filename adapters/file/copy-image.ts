import { truncate } from "node:fs/promises";
import { ImageCopyFailure, ImageTooBig, ImageUnacceptable, describeError } from "../../core/errors.ts";
import {
  expectedHash,
  isRawFormat,
  requireConversionAllowed,
  requireDeclaredContent,
  requireReadableFormat,
  requireSizeWithin,
} from "../../core/images/acceptance.ts";
import { parseQcow2Header, QCOW2_HEAD_BYTES } from "../../core/images/qcow2/header.ts";
import { Qcow2Layout } from "../../core/images/qcow2/layout.ts";
import type { CopyProgress } from "../../core/records.ts";
import { isWhole, refuseAttempt } from "./attempt.ts";
import { createExclusive, isAbsent, isOutOfSpace, sizeOfRegular, withRegular } from "./files.ts";
import { canHashClustersAgain, hashAgain } from "./hash-again.ts";
import { handleBytes, readImageHead, serviceBytes, streamOfFile, without } from "./image-bytes.ts";
import { type Cursor, finalProgress, newCursor, progressOf, resumeCursor } from "./image-progress.ts";
import { type ImageSink, pump, RawSink, STAGING_SINK } from "./image-pump.ts";
import {
  type CopyImageRequest,
  type Job,
  requireFreeSpace,
  requireHash,
  requireSameSize,
  rulesOf,
  type Run,
  stageName,
} from "./image-turn.ts";
import { Qcow2Sink, tableChecksum } from "./qcow2-sink.ts";
import { TurnEnded, TurnWatch } from "./turn-watch.ts";
import { dataName, WorkArea } from "./work-area.ts";

/**
 * Fills a volume with an image, in a file of the attempt's own that takes the volume's name when it is whole: one sequential pass over the
 * image, hashed on the way, zero blocks left as holes. A qcow2 image's tables are read first, by ranged reads, and each cluster is written
 * where it belongs as it passes. If the service has no ranged reads, a qcow2 image is first staged in a file next to that one, and then
 * read from there.
 *
 * A turn ends at a checkpoint when its time is short. Bytes are made durable before the progress that speaks of them is kept, and each turn
 * begins by keeping its progress, so a call that is not the owner's any more is refused before it writes a byte. The copy begins again from
 * zero if the progress does not belong to this volume, or if its image has changed.
 *
 * @throws ImageUnacceptable, ImageConversionNotAllowed, ImageCopyFailure, ImageTooBig: the volume is then removed and the attempt closed.
 * Other errors of the image service or the file system pass through and leave the progress for the next turn; FenceLost stops the copy at
 * once. AttemptClosed
 */
export async function copyImage(request: CopyImageRequest): Promise<{ done: boolean }> {
  const { place, image } = request;
  let job: Job;
  try {
    requireReadableFormat(image.meta);
    requireConversionAllowed(image.meta, request.policy);
    const size = requireSizeWithin(image.meta, request.volumeBytes);
    job = { ...request, size, expected: expectedHash(image.meta) };
  } catch (error) {
    // Requests for this image are refused, so a volume of it is never used.
    await refuseAttempt(place);
    throw error;
  }
  // Refused when another attempt owns the record, or it is finished: then nothing here is changed.
  await job.work.save(progressBefore(job));
  if ((await sizeOfRegular(place.path)) === undefined) {
    throw new ImageCopyFailure(`${place.path} is not there`);
  }
  const area = await WorkArea.takeOver(place);
  if (area === "whole") {
    return { done: true };
  }
  try {
    return await turn(job, area);
  } catch (error) {
    if (isAbsent(error) && !(await area.isMine())) {
      return { done: await isWhole(place) };
    }
    if (error instanceof TurnEnded) {
      return { done: false };
    }
    const failure = isOutOfSpace(error) ? new ImageTooBig(image.imageId, describeError(error).message) : error;
    if (isRefusal(failure) && (await area.isMine())) {
      await refuseAttempt(place);
    }
    throw failure;
  }
}

async function turn(job: Job, area: WorkArea): Promise<{ done: boolean }> {
  const watch = new TurnWatch(area, () => job.work.remainingTimeMs());
  watch.start();
  try {
    const run: Run = { job, area, watch };
    const resumed = await resumeCursor(
      job.work.progress,
      job,
      (copyId) => area.has(dataName(copyId)),
      (resumption) => hashAgain(run, resumption),
    );
    const cursor = await (isRawFormat(job.image.meta) ? copyRaw(run, resumed) : copyQcow2(run, resumed));
    if (cursor !== undefined) {
      await finish(run, cursor);
    }
    return { done: cursor !== undefined };
  } catch (error) {
    throw endedBy(error, watch, job.image.imageId);
  } finally {
    watch.stop();
  }
}

/**
 * TurnEnded, however the abort of a request was reported. A turn that ends on time without a step is the last one: another would make no
 * progress either.
 */
function endedBy(error: unknown, { ended, hasStepped }: TurnWatch, imageId: string): unknown {
  const isEnd = error instanceof TurnEnded || (error instanceof Error && error.name === "AbortError");
  if (!isEnd || ended === undefined) {
    return error;
  }
  return ended.why === "late" && !hasStepped
    ? new ImageCopyFailure(`nothing of image ${imageId} could be copied in the time of one turn`)
    : ended;
}

/** The cursor when all of the image has passed; undefined when the turn stops before. */
async function copyRaw(run: Run, resumed: Cursor | undefined): Promise<Cursor | undefined> {
  const { meta } = run.job.image;
  const found = resumed?.stage === "copy" ? resumed : undefined;
  return copyFromService(run, found, new RawSink(meta), found?.offset ?? 0);
}

async function copyQcow2(run: Run, resumed: Cursor | undefined): Promise<Cursor | undefined> {
  const { image } = run.job;
  if (resumed?.stage === "convert") {
    return convert(run, resumed);
  }
  const head = await readImageHead(image, QCOW2_HEAD_BYTES, resumed?.tag, run.watch.signal);
  requireSameSize(run.job, head.totalSize);
  requireDeclaredContent(image.meta, head.bytes);
  if (!head.ranged) {
    parseQcow2Header(head.bytes, rulesOf(run.job));
    const staging = resumed?.stage === "stage" ? resumed : undefined;
    return stage(run, staging ?? (await newCursor(run.job, head.tag, "stage", true)), staging === undefined);
  }
  const bytes = run.watch.reads(serviceBytes(image, head.tag, run.watch.signal));
  const layout = await Qcow2Layout.read(head.bytes, bytes, rulesOf(run.job), tableChecksum);
  const found = resumed?.stage === "copy" ? resumed : undefined;
  const sink = await Qcow2Sink.from(image.imageId, layout, head.bytes, found?.offset ?? 0);
  const cursor = found ?? (await newCursor(run.job, head.tag, "copy", canHashClustersAgain(layout)));
  return copyFromService(run, cursor, sink, sink.from);
}

/** Stages the unchanged image in a file next to the volume, and continues from there. */
async function stage(run: Run, cursor: Cursor, isNew: boolean): Promise<Cursor | undefined> {
  const { job, area } = run;
  const path = area.path(stageName(cursor.copyId));
  if (isNew) {
    await begin(run, cursor);
    await (await createExclusive(path)).close();
  }
  // Zeros are left out when it is written, and read when it is hashed again.
  await truncate(path, job.size);
  // A repeated call writes staged bytes to the same place again, so they need no other fence than the volume.
  if ((await copyFromService(run, cursor, STAGING_SINK, cursor.offset, path)) === undefined) {
    return undefined;
  }
  requireHash(job, cursor);
  await withRegular(path, "write", (file) => file.sync());
  const staged: Cursor = { ...cursor, stage: "convert", offset: 0, hasher: null };
  await job.work.save(progressOf(staged, job));
  return convert(run, staged);
}

/** Places the clusters of the image staged in the file next to the volume. */
function convert(run: Run, cursor: Cursor): Promise<Cursor | undefined> {
  const { job, area } = run;
  return withRegular(area.path(stageName(cursor.copyId)), "read", async (staged) => {
    const bytes = run.watch.reads(handleBytes(staged));
    const head = await bytes.readAt(0, Math.min(QCOW2_HEAD_BYTES, job.size));
    const layout = await Qcow2Layout.read(head, bytes, rulesOf(job), tableChecksum);
    const sink = await Qcow2Sink.from(job.image.imageId, layout, head, cursor.offset);
    const body = streamOfFile(staged, sink.from, job.size);
    return (await pumpFrom(run, cursor, sink, body, sink.from)) ? cursor : undefined;
  });
}

/**
 * Lets the image pass from `from` on, or, from a service that sends whole images only, what of it comes from there on.
 *
 * @param resumed undefined to begin at zero
 * @param to the file that is written; absent for the copy's data
 */
async function copyFromService(
  run: Run,
  resumed: Cursor | undefined,
  sink: ImageSink,
  from: number,
  to?: string,
): Promise<Cursor | undefined> {
  const { job } = run;
  const { service, imageId } = job.image;
  if (resumed !== undefined && resumed.offset === job.size) {
    // All of it had passed when the last turn died.
    return resumed;
  }
  // A tag of nothing is that of a service without tags.
  const tag = resumed === undefined || resumed.tag === "" ? undefined : resumed.tag;
  const range = await service.openRange(imageId, from, { tag, signal: run.watch.signal });
  requireSameSize(job, range.totalSize);
  const cursor = resumed ?? (await newCursor(job, range.tag, "copy", true));
  if (cursor.offset === 0 && cursor.stage === "copy") {
    await begin(run, cursor);
  }
  const body = range.ranged ? range.body : without(range.body, from);
  return (await pumpFrom(run, cursor, sink, body, from, to)) ? cursor : undefined;
}

function pumpFrom(
  { job, area, watch }: Run,
  cursor: Cursor,
  sink: ImageSink,
  body: AsyncIterable<Uint8Array>,
  from: number,
  to: string = area.path(dataName(cursor.copyId)),
): Promise<boolean> {
  const { size, work } = job;
  const pass = {
    watch,
    sink,
    size,
    body,
    from,
    imageId: job.image.imageId,
    remainingTimeMs: () => work.remainingTimeMs(),
    keep: () => work.save(progressOf(cursor, job)),
  };
  return withRegular(to, "write", (file) => pump({ ...pass, file }, cursor));
}

function isRefusal(error: unknown): boolean {
  return error instanceof ImageUnacceptable || error instanceof ImageCopyFailure || error instanceof ImageTooBig;
}

/** The progress that is written before any work: the present one, or that nothing is copied yet. */
function progressBefore(job: Job): Omit<CopyProgress, "updated_at"> {
  const { updated_at: _, ...progress } = job.work.progress ?? { bytes_done: 0, bytes_total: job.size, updated_at: "" };
  return progress;
}

/** Zero blocks are skipped, so the copy has a file of its own: nothing of an earlier one remains, and a call that is late changes none. */
async function begin({ job, area }: Run, cursor: Cursor): Promise<void> {
  await area.clear();
  if (!isRawFormat(job.image.meta)) {
    await requireFreeSpace(job);
  }
  const file = await createExclusive(area.path(dataName(cursor.copyId)));
  try {
    await file.truncate(job.volumeBytes);
    // At first the progress of a stage only describes the stage; the volume's size must exist when it is converted after a power cut.
    await (cursor.stage === "stage" ? file.sync() : undefined);
  } finally {
    await file.close();
  }
}

async function finish({ area, job }: Run, cursor: Cursor): Promise<void> {
  requireHash(job, cursor);
  const name = dataName(cursor.copyId);
  const size = await withRegular(area.path(name), "write", async (file) => {
    await file.sync();
    return (await file.stat()).size;
  });
  if (size !== job.volumeBytes) {
    throw new ImageUnacceptable(job.image.imageId, `its volume has ${size} bytes, not ${job.volumeBytes}`);
  }
  await job.work.save(finalProgress(cursor, job));
  await area.publish(name);
}
