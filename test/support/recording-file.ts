import type { FileHandle } from "node:fs/promises";
import { setImmediate as later } from "node:timers/promises";

/**
 * A file in memory that keeps what was asked of it, in order: `write` when it begins, `written` when it has ended some turns of the event
 * loop later, `datasync` and `sync` likewise. Tracks the disk's content after a power cut at any moment.
 */
export class RecordingFile {
  readonly events: string[] = [];
  /** Bytes that were written, and those that a sync that began after their write has made durable. */
  written = Buffer.alloc(0);
  durable = Buffer.alloc(0);
  /** Turns of the event loop that a write takes. */
  writeTurns = 3;
  /** Errors of the next syncs. */
  readonly syncFailures: Error[] = [];

  get handle(): FileHandle {
    return this as unknown as FileHandle;
  }

  async write(bytes: Uint8Array, start: number, length: number, position: number): Promise<{ bytesWritten: number }> {
    this.events.push("write");
    const copy = Buffer.from(bytes.subarray(start, start + length));
    for (let turn = 0; turn < this.writeTurns; turn += 1) {
      await later();
    }
    this.#grow(position + length);
    copy.copy(this.written, position);
    this.events.push("written");
    return { bytesWritten: length };
  }

  async datasync(): Promise<void> {
    await this.#sync("datasync");
  }

  async sync(): Promise<void> {
    await this.#sync("sync");
  }

  async #sync(name: string): Promise<void> {
    this.events.push(name);
    const reached = Buffer.from(this.written);
    await later();
    const failure = this.syncFailures.shift();
    if (failure !== undefined) {
      throw failure;
    }
    this.durable = reached;
    this.events.push(`${name}ed`);
  }

  #grow(length: number): void {
    if (length > this.written.length) {
      this.written = Buffer.concat([this.written, Buffer.alloc(length - this.written.length)]);
    }
  }
}
