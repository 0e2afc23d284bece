import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { openToScan } from "../../adapters/file/files.ts";
import { CHUNK_BYTES, pageAlignedBuffer } from "../../adapters/file/sparse.ts";

/** Comparison of a volume's bytes with its source. */
export type Comparison = {
  /** Bytes of the source; all were compared. */
  comparedBytes: number;
  /** Bytes of the volume after them; all were read. */
  bytesBehind: number;
  /** SHA-256 of the volume's first `comparedBytes`; null when there are none, or more than {@link HASHED_BYTES}. */
  sha256: string | null;
  /** Offset of the first byte that differs from the source, or is not zero after it; null when there is none. */
  differsAt: number | null;
};

/** A hash takes longer than the comparison, which decides; so only images are hashed, not whole volumes. */
const HASHED_BYTES = 64 * 1024 * 1024;

const ZEROS = Buffer.alloc(CHUNK_BYTES);

/**
 * Compares a volume with its source up to the source's length, and expects zeros after it. Every byte is read.
 *
 * @param sourcePath null for a volume that is to be empty
 */
export async function compareWithSource(volumePath: string, sourcePath: string | null): Promise<Comparison> {
  const volume = await openToScan(volumePath);
  const source = sourcePath === null ? undefined : await openToScan(sourcePath);
  try {
    const volumeBytes = (await volume.stat()).size;
    const sourceBytes = source === undefined ? 0 : (await source.stat()).size;
    const isHashed = sourceBytes > 0 && sourceBytes <= HASHED_BYTES;
    const hash = createHash("sha256");
    const found = pageAlignedBuffer();
    const wanted = pageAlignedBuffer();
    let differsAt: number | null = volumeBytes < sourceBytes ? volumeBytes : null;
    // Whole chunks at whole chunks' offsets: reads past the page cache must be aligned, wherever the source ends.
    for (let offset = 0; offset < volumeBytes; offset += CHUNK_BYTES) {
      const piece = await readExactly(volume, found, offset, Math.min(CHUNK_BYTES, volumeBytes - offset));
      const ofSource = Math.min(Math.max(0, sourceBytes - offset), piece.length);
      if (source === undefined || ofSource === 0) {
        differsAt ??= firstDifference(piece, ZEROS, offset);
        continue;
      }
      wanted.fill(0, ofSource);
      await readExactly(source, wanted, offset, ofSource);
      differsAt ??= firstDifference(piece, wanted, offset);
      if (isHashed) {
        hash.update(piece.subarray(0, ofSource));
      }
    }
    return {
      comparedBytes: Math.min(sourceBytes, volumeBytes),
      bytesBehind: Math.max(0, volumeBytes - sourceBytes),
      sha256: isHashed ? hash.digest("hex") : null,
      differsAt,
    };
  } finally {
    await volume.close();
    await source?.close();
  }
}

async function readExactly(file: FileHandle, buffer: Buffer, offset: number, length: number): Promise<Buffer> {
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, offset + filled);
    if (bytesRead === 0) {
      throw new Error(`a file became shorter while it was read, at byte ${offset + filled}`);
    }
    filled += bytesRead;
  }
  return buffer.subarray(0, length);
}

function firstDifference(found: Buffer, wanted: Buffer, offset: number): number | null {
  if (found.compare(wanted, 0, found.length) === 0) {
    return null;
  }
  return offset + found.findIndex((byte, index) => byte !== wanted[index]);
}
