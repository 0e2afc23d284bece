import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, copyFile, truncate } from "node:fs/promises";
import type { Work } from "../../core/drivers/driver-ports.ts";
import type { WorkCheckpoint, WorkStatus } from "../../core/spec.ts";
import { InvalidInput, SourceDamaged, VolumeBackendAPIException } from "../../core/errors.ts";
import { isWhole, takeWorkAway } from "./attempt.ts";
import { createExclusive, errnoOf, isAbsent, isOutOfSpace, openRegular, openToScan, sizeOfRegular } from "./files.ts";
import type { Place } from "./paths.ts";
import { CHUNK_BYTES, copySparseRange, makeBuffers } from "./sparse.ts";
import { dataName, WorkArea } from "./work-area.ts";

/** A turn ends when less than this time is left, so that its answer arrives. */
export const RESERVED_MS = 60_000;

/** Bytes copied between two checks of the clock; at most this much is written after another call took the work over. */
const SEGMENT_BYTES = 16 * CHUNK_BYTES;

/** Pause before asking again for work that a later call has taken over. */
const TAKEN_OVER_WAIT_SECONDS = 5;

const DONE: WorkStatus = { done: true, wait_seconds: 0, checkpoint: null };

/** A file to copy: `what` names it in errors, `recordedBytes` is its size by its record. */
export type CopySource = { path: string; what: string; recordedBytes: number };

/**
 * Creates the file of the attempt's volume, of `sizeBytes`, from the source's file: by reflink if the file system supports it, otherwise by
 * a sparse copy that may take several turns. The volume's name appears when all of it is durable, and the attempt then ends.
 *
 * Repeated: after the end it finds the ended attempt and is done; a file of the right size proves nothing, because an empty volume has it
 * too.
 * Interrupted: after a turn that died it continues from the checkpoint, or from zero when the checkpoint is older than the existing copy.
 *
 * @throws SourceDamaged when the source's file is shorter than its record says: the missing bytes would read as zeros. If it is longer,
 * because an extension has not reached its record, only the recorded bytes are copied. InvalidInput when the source is larger than the
 * target; VolumeBackendAPIException when a file of another size has the name; AttemptClosed. System errors come through, including ENOENT
 * for a missing source; no unfinished file is left then.
 */
export async function copyFileInTurns(
  { path: sourcePath, what, recordedBytes }: CopySource,
  place: Place,
  sizeBytes: number,
  work: Work,
): Promise<WorkStatus> {
  const size = await requireSize(place, sizeBytes);
  // A snapshot's name is given to whole snapshots only; a volume's also to empty ones.
  if ((await isWhole(place)) || (size !== undefined && place.kind === "snapshot")) {
    return DONE;
  }
  const source = await openToScan(sourcePath);
  try {
    requireWhole(what, (await source.stat()).size, recordedBytes);
    if (recordedBytes > sizeBytes) {
      throw new InvalidInput(`a volume of ${sizeBytes} bytes is smaller than its source of ${recordedBytes} bytes`);
    }
    return await turn({ source, sourcePath, what, sourceSize: recordedBytes, place, sizeBytes, work });
  } catch (error) {
    if (isOutOfSpace(error)) {
      await takeWorkAway(place);
    }
    throw error;
  } finally {
    await source.close();
  }
}

/** @throws SourceDamaged */
export function requireWhole(what: string, foundBytes: number, recordedBytes: number): void {
  if (foundBytes < recordedBytes) {
    throw new SourceDamaged(what, foundBytes, recordedBytes);
  }
}

type Job = {
  source: FileHandle;
  sourcePath: string;
  what: string;
  /** Bytes of the source that are copied: those of its record. */
  sourceSize: number;
  place: Place;
  sizeBytes: number;
  work: Work;
};

/** A copy in progress: its id and its progress. */
type Copy = { id: string; offset: number };

async function turn(job: Job): Promise<WorkStatus> {
  const { place, work } = job;
  const area = await WorkArea.takeOver(place);
  if (area === "whole") {
    return DONE;
  }
  try {
    const copy = (await resumable(area, work.checkpoint, job.sourceSize)) ?? (await begin(area, job));
    const stopped = await fill(area.path(dataName(copy.id)), copy, area, job);
    if (stopped !== undefined) {
      return await givenUp(place, stopped);
    }
    await area.publish(dataName(copy.id));
    return DONE;
  } catch (error) {
    if (isAbsent(error) && !(await area.isMine())) {
      return givenUp(place, takenOver(work.checkpoint));
    }
    throw error;
  }
}

/** The answer of a stopped turn; another call may have ended the attempt in between. @throws AttemptClosed */
async function givenUp(place: Place, answer: WorkStatus): Promise<WorkStatus> {
  return (await isWhole(place)) ? DONE : answer;
}

/** Copies until the end, or until there is a reason to stop; every answer is about durable bytes. */
async function fill(path: string, copy: Copy, area: WorkArea, job: Job): Promise<WorkStatus | undefined> {
  const file = await openRegular(path, "write");
  try {
    const reason = await copySegments(file, copy, area, job);
    if (reason === "end") {
      await file.truncate(job.sizeBytes);
      await file.sync();
    } else {
      await file.datasync();
    }
    const checkpoint = { copy: copy.id, offset: copy.offset };
    if (reason === "taken over" || !(await area.isMine())) {
      return takenOver(checkpoint);
    }
    return reason === "end" ? undefined : { done: false, wait_seconds: 0, checkpoint };
  } finally {
    await file.close();
  }
}

async function copySegments(
  file: FileHandle,
  copy: Copy,
  area: WorkArea,
  job: Job,
): Promise<"end" | "taken over" | "out of time"> {
  const buffers = copy.offset < job.sourceSize ? makeBuffers() : [];
  while (copy.offset < job.sourceSize) {
    if (!(await area.isMine())) {
      return "taken over";
    }
    const end = Math.min(copy.offset + SEGMENT_BYTES, job.sourceSize);
    await copySparseRange(job.source, file, copy.offset, end, buffers);
    copy.offset = end;
    if (end < job.sourceSize && job.work.remainingTimeMs() < RESERVED_MS) {
      return "out of time";
    }
  }
  return "end";
}

function takenOver(checkpoint: WorkCheckpoint | null): WorkStatus {
  return { done: false, wait_seconds: TAKEN_OVER_WAIT_SECONDS, checkpoint };
}

async function requireSize({ path }: Place, sizeBytes: number): Promise<number | undefined> {
  const size = await sizeOfRegular(path);
  if (size !== undefined && size !== sizeBytes) {
    throw new VolumeBackendAPIException(`${path} has ${size} bytes, not ${sizeBytes}`);
  }
  return size;
}

/** The copy of the checkpoint, when its bytes still exist. */
async function resumable(
  area: WorkArea,
  checkpoint: WorkCheckpoint | null,
  sourceSize: number,
): Promise<Copy | undefined> {
  const id = checkpoint?.["copy"];
  const offset = checkpoint?.["offset"];
  // The id becomes a file's name: only ids from randomUUID are accepted.
  if (typeof id !== "string" || !/^[0-9a-f-]{36}$/.test(id) || typeof offset !== "number") {
    return undefined;
  }
  if (!Number.isSafeInteger(offset) || offset < 0 || offset > sourceSize || !(await area.has(dataName(id)))) {
    return undefined;
  }
  return { id, offset };
}

async function begin(area: WorkArea, { sourcePath, what, sourceSize }: Job): Promise<Copy> {
  await area.clear();
  const id = randomUUID();
  const path = area.path(dataName(id));
  if (await reflink(sourcePath, path)) {
    // The name may point to another file by now than the measured one.
    requireWhole(what, (await sizeOfRegular(path)) ?? 0, sourceSize);
    await truncate(path, sourceSize);
    return { id, offset: sourceSize };
  }
  await (await createExclusive(path)).close();
  return { id, offset: 0 };
}

/**
 * Shares the source's blocks with a new file. Never a copy of the bytes: without FICLONE_FORCE, `copyFile` fills the holes and
 * can neither be stopped nor resumed.
 */
export async function reflink(sourcePath: string, path: string): Promise<boolean> {
  try {
    await copyFile(sourcePath, path, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE_FORCE);
    return true;
  } catch (error) {
    // Which code says "not on this file system" differs (ENOTSUP, EXDEV, EINVAL, ENOTTY, ENOSYS, EPERM). Any other error will occur again
    // in the copy.
    if (isOutOfSpace(error) || isAbsent(error) || errnoOf(error) === undefined) {
      throw error;
    }
    return false;
  }
}
