// @ts-nocheck
import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { dataRuns } from "../../adapters/file/sparse.ts";

/** A piece of data in a volume that is zero elsewhere. */
export type Piece = { offset: number; data: Buffer };

/** Data is compared in blocks of this size: that of the common file systems. */
const BLOCK_BYTES = 4096;
const READ_BYTES = 4 * 2 ** 20;

/** Digest of what is not zero, by where it is: the same for a file with holes and for one without. */
export function digestOf(pieces: readonly Piece[]): string {
  const blocks = new Map<number, Buffer>();
  for (const { offset, data } of pieces) {
    for (let at = 0; at < data.length; at += BLOCK_BYTES) {
      const block = Buffer.alloc(BLOCK_BYTES);
      data.copy(block, 0, at, Math.min(at + BLOCK_BYTES, data.length));
      blocks.set(offset + at, block);
    }
  }
  return digestOfBlocks(blocks);
}

function digestOfBlocks(blocks: ReadonlyMap<number, Buffer>): string {
  const hash = createHash("sha256");
  for (const [offset, block] of [...blocks].toSorted(([one], [other]) => one - other)) {
    if (block.some((byte) => byte !== 0)) {
      hash.update(`${offset}:`).update(block);
    }
  }
  return hash.digest("hex");
}

/**
 * Digest of a file, as {@link digestOf}. Blocks at `likely` offsets are read first: when they are all that the file system has
 * allocated, the rest is holes and need not be read. A file with more is read as a whole.
 */
export async function digestOfFile(path: string, likely: readonly number[]): Promise<string> {
  await using file = await open(path, "r");
  const { blocks: sectors, size } = await file.stat();
  const found = new Map<number, Buffer>();
  for (const offset of likely) {
    const block = Buffer.alloc(BLOCK_BYTES);
    if (offset < size) {
      await file.read(block, 0, BLOCK_BYTES, offset);
    }
    if (block.some((byte) => byte !== 0)) {
      found.set(offset, block);
    }
  }
  if (sectors * 512 > found.size * BLOCK_BYTES) {
    await readWhole(file, size, found);
  }
  return digestOfBlocks(found);
}

type Readable = { read(buffer: Buffer, at: number, length: number, position: number): Promise<{ bytesRead: number }> };

async function readWhole(file: Readable, size: number, found: Map<number, Buffer>): Promise<void> {
  const buffer = Buffer.alloc(READ_BYTES);
  for (let position = 0; position < size; position += READ_BYTES) {
    const { bytesRead } = await file.read(buffer, 0, READ_BYTES, position);
    const chunk = buffer.subarray(0, bytesRead);
    for (const { start, end } of dataRuns(chunk)) {
      for (let at = start; at < end; at += BLOCK_BYTES) {
        const block = Buffer.alloc(BLOCK_BYTES);
        chunk.copy(block, 0, at, Math.min(at + BLOCK_BYTES, end));
        found.set(position + at, block);
      }
    }
  }
}
