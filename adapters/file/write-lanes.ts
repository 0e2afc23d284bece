import type { FileHandle } from "node:fs/promises";
import { CHUNK_BYTES, LANES, settleAll, writeSparse } from "./sparse.ts";

/** A few buffers, each either free or being written. */
export class WriteLanes {
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
