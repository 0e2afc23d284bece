import type { FileHandle } from "node:fs/promises";
import { ImageCopyFailure } from "../../core/errors.ts";
import { requireDeclaredContent } from "../../core/images/acceptance.ts";
import { SNIFF_BYTES } from "../../core/images/sniff.ts";
import type { ImageMeta } from "../../core/drivers/driver-ports.ts";
import { RESERVED_MS } from "./copy-file.ts";
import type { ImageHasher } from "./image-hash.ts";
import { CHUNK_BYTES } from "./sparse.ts";
import { TurnEnded, type TurnWatch } from "./turn-watch.ts";
import { WriteLanes, chunksOf } from "./write-lanes.ts";

/**
 * Progress is saved after this many bytes or this time, whichever comes first. Together with one more step (64 MiB at most) this bounds the
 * bytes that are copied twice after a death: 256 MiB. The time is for people who watch: a fast copy keeps its progress by bytes as often.
 */
const CHECKPOINT_BYTES = 192 * CHUNK_BYTES;
const CHECKPOINT_MS = 1000;

/** Bytes read between two checks of the holder. */
const LOOK_BYTES = 16 * CHUNK_BYTES;

/** Processes an image's bytes in order, in steps without a gap. */
export type ImageSink = {
  /** Where a step from `from` should end, `to` at most. */
  stepEnd(from: number, to: number): Promise<number>;
  /**
   * Writes the relevant bytes of `buffer` from `start` to `end` to the volume, the image's bytes from `position` on. Returns the bytes of
   * the disk that it made.
   *
   * @param look to be called within long work. @throws TurnEnded: the step is then made again by the next turn
   */
  place(
    buffer: Buffer,
    start: number,
    end: number,
    position: number,
    writes: WriteLanes,
    look: () => Promise<void>,
  ): Promise<number>;
};

/** Position of the pass: `offset` bytes are placed, and hashed if there is a hasher. */
export type PassCursor = { offset: number; hasher: ImageHasher | null };

/** One pass, or the rest of it. */
export type Pass = {
  file: FileHandle;
  watch: TurnWatch;
  sink: ImageSink;
  /** Size of the image. */
  size: number;
  imageId: string;
  /** The stream, and the byte of the image that it begins with: at the cursor, or before it when the sink needs more. */
  body: AsyncIterable<Uint8Array>;
  from: number;
  remainingTimeMs(): number;
  /** Saves the cursor; the bytes before it are durable. */
  keep(): Promise<void>;
};

/** Content that equals the disk. */
export class RawSink implements ImageSink {
  readonly #meta: ImageMeta;

  constructor(meta: ImageMeta) {
    this.#meta = meta;
  }

  async stepEnd(_from: number, to: number): Promise<number> {
    return to;
  }

  /** @throws ImageUnacceptable when the first bytes declare another format. */
  async place(buffer: Buffer, start: number, end: number, position: number, writes: WriteLanes): Promise<number> {
    if (position === 0) {
      requireDeclaredContent(this.#meta, buffer.subarray(start, Math.min(end, start + SNIFF_BYTES)));
    }
    writes.write(buffer, start, end, position);
    return end - start;
  }
}

/** Writes the unchanged stream to a file, in any format. */
export const STAGING_SINK: ImageSink = {
  stepEnd: async (_from, to) => to,
  place: async (buffer, start, end, position, writes) => {
    writes.write(buffer, start, end, position);
    return end - start;
  },
};

/** Where the turn began, when and how much ago progress was kept, and where the holder was looked at last. */
type PumpState = { startedAt: number; keptAt: number; unkept: number; lookedAt: number };

/**
 * Reads, hashes and places until the image ends, the time does, or another call took over; true when it was the image.
 *
 * @throws TurnEnded when the turn ends within a step or while it waits for the image service; what was placed is kept by then.
 * ImageCopyFailure when the image sends more than its size; what the sink, the stream or the file system throw
 */
export async function pump(pass: Pass, cursor: PassCursor): Promise<boolean> {
  const writes = new WriteLanes(pass.file);
  const state: PumpState = { startedAt: cursor.offset, keptAt: Date.now(), unkept: 0, lookedAt: -1 };
  let position = pass.from;
  try {
    for await (const { buffer, length } of chunksOf(untilEnded(pass.body, pass.watch), writes)) {
      if (position + length > pass.size) {
        throw new ImageCopyFailure(`image ${pass.imageId} sent more than its ${pass.size} bytes`);
      }
      const goesOn = await pumpChunk(pass, cursor, writes, { buffer, length, position }, state);
      writes.release(buffer);
      if (!goesOn) {
        return false;
      }
      position += length;
    }
    if (position < pass.size && pass.watch.ended !== undefined) {
      throw pass.watch.ended;
    }
    await writes.drain();
    return await pass.watch.isMine();
  } catch (error) {
    if (error instanceof TurnEnded && error.why === "late" && cursor.offset > state.startedAt) {
      await keep(pass, writes);
    }
    throw error;
  } finally {
    await writes.settle();
  }
}

/** The stream, which ends early when the turn does: what has come by then is placed. */
async function* untilEnded(body: AsyncIterable<Uint8Array>, watch: TurnWatch): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (error) {
    if (watch.ended === undefined) {
      throw error;
    }
  }
}

/** Makes the placed bytes durable, then saves the cursor. */
async function keep(pass: Pass, writes: WriteLanes): Promise<void> {
  await writes.drain();
  await pass.file.datasync();
  await pass.keep();
}

/** Places one chunk in steps; false when the pass stops in it. */
async function pumpChunk(
  pass: Pass,
  cursor: PassCursor,
  writes: WriteLanes,
  chunk: { buffer: Buffer; length: number; position: number },
  state: PumpState,
): Promise<boolean> {
  for (let at = 0; at < chunk.length;) {
    const from = chunk.position + at;
    if (state.lookedAt === -1 || from - state.lookedAt >= LOOK_BYTES) {
      state.lookedAt = from;
      if (!(await pass.watch.isMine())) {
        return false;
      }
    }
    const end = (await pass.sink.stepEnd(from, chunk.position + chunk.length)) - chunk.position;
    const placed = await pass.sink.place(chunk.buffer, at, end, from, writes, () => pass.watch.look());
    advance(cursor, chunk.buffer.subarray(at, end), from);
    pass.watch.hasStepped ||= cursor.offset > state.startedAt;
    state.unkept += Math.max(placed, end - at);
    at = end;
    // Each turn makes at least one step, however short its time; bytes that pass a second time are not a step.
    const late = pass.remainingTimeMs() < RESERVED_MS && cursor.offset > state.startedAt;
    if (late || state.unkept >= CHECKPOINT_BYTES || Date.now() - state.keptAt >= CHECKPOINT_MS) {
      await keep(pass, writes);
      state.keptAt = Date.now();
      state.unkept = 0;
      if (late && cursor.offset < pass.size) {
        return false;
      }
    }
  }
  return true;
}

/** Bytes before the cursor pass a second time for the sink's sake, and were hashed the first time. */
function advance(cursor: PassCursor, bytes: Buffer, position: number): void {
  const end = position + bytes.length;
  if (end > cursor.offset) {
    cursor.hasher?.update(bytes.subarray(cursor.offset - position));
    cursor.offset = end;
  }
}
