import type { FileHandle } from "node:fs/promises";
import { CHUNK_BYTES, LANES, settleAll, writeSparse } from "./sparse.ts";

/** A buffer, and its range to write. */
type Lane = {
  pieces: { start: number; end: number; position: number }[];
  writing: Promise<void> | undefined;
  released: boolean;
};

/** After this many bytes the disk begins to write them while others still arrive, so that a checkpoint waits only briefly. */
const SYNC_BEHIND_BYTES = 16 * CHUNK_BYTES;

/** A few buffers, each free, being filled, or being written. */
export class WriteLanes {
  readonly #file: FileHandle;
  readonly #free: Buffer[] = Array.from({ length: LANES }, () => Buffer.allocUnsafeSlow(CHUNK_BYTES));
  readonly #lanes = new Map<Buffer, Lane>();
  /** Writes of buffers that are not these. */
  readonly #others = new Set<Promise<void>>();
  #unsynced = 0;
  #syncing: Promise<void> | undefined;
  /** The first error of a write or a sync. The kernel does not report it to a later sync again. */
  #failure: unknown;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** A free buffer; waits for one. Return it with {@link release}. */
  async take(): Promise<Buffer> {
    for (;;) {
      this.#throwFailure();
      const buffer = this.#free.pop();
      if (buffer !== undefined) {
        this.#lanes.set(buffer, { pieces: [], writing: undefined, released: false });
        return buffer;
      }
      await Promise.race(this.#writing());
    }
  }

  /** Begins to write a part of a buffer of {@link take}; parts of one buffer are written one after the other. */
  write(buffer: Buffer, start: number, end: number, position: number): void {
    const lane = this.#laneOf(buffer);
    lane.pieces.push({ start, end, position });
    lane.writing ??= this.#writePieces(buffer, lane);
  }

  /** Ends the buffer's writes; when they are done it is free. */
  release(buffer: Buffer): void {
    const lane = this.#laneOf(buffer);
    lane.released = true;
    if (lane.writing === undefined) {
      this.#setFree(buffer);
    }
  }

  /** Begins to write a buffer of the caller's, as soon as few of them are being written. */
  async writeOther(bytes: Buffer, position: number): Promise<void> {
    while (this.#others.size >= LANES) {
      await Promise.race(this.#others);
    }
    this.#throwFailure();
    const writing = this.#writeOne(bytes, position).finally(() => this.#others.delete(writing));
    this.#others.add(writing);
  }

  /** Everything given to the lanes is in the file. @throws what a write or a sync of it threw */
  async drain(): Promise<void> {
    await this.settle();
    this.#throwFailure();
  }

  /** Nothing is being written any more. */
  async settle(): Promise<void> {
    await settleAll(this.#writing());
    await this.#syncing;
  }

  async #writePieces(buffer: Buffer, lane: Lane): Promise<void> {
    // The list may grow while its pieces are written.
    for (const { start, end, position } of lane.pieces) {
      await this.#writeOne(buffer.subarray(start, end), position);
    }
    lane.pieces = [];
    lane.writing = undefined;
    if (lane.released) {
      this.#setFree(buffer);
    }
  }

  async #writeOne(bytes: Buffer, position: number): Promise<void> {
    if (this.#failure !== undefined) {
      return;
    }
    try {
      await writeSparse(this.#file, bytes, position);
    } catch (error) {
      this.#failure ??= error;
    }
    this.#unsynced += bytes.length;
    if (this.#unsynced >= SYNC_BEHIND_BYTES && this.#syncing === undefined) {
      this.#unsynced = 0;
      this.#syncing = this.#sync();
    }
  }

  async #sync(): Promise<void> {
    try {
      await this.#file.datasync();
    } catch (error) {
      this.#failure ??= error;
    }
    this.#syncing = undefined;
  }

  #setFree(buffer: Buffer): void {
    this.#lanes.delete(buffer);
    this.#free.push(buffer);
  }

  #writing(): Promise<void>[] {
    const lanes = [...this.#lanes.values()].flatMap(({ writing }) => (writing === undefined ? [] : [writing]));
    return [...lanes, ...this.#others];
  }

  #laneOf(buffer: Buffer): Lane {
    const lane = this.#lanes.get(buffer);
    if (lane === undefined) {
      throw new Error("a buffer is written that was not taken");
    }
    return lane;
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) {
      throw this.#failure;
    }
  }
}

/** Cuts the stream into buffers of the lanes, all full but the last. The receiver returns each buffer. */
export async function* chunksOf(
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
