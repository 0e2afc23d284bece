import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import type { CorpusImage } from "./corpus.ts";

/** Compares a volume's file with the content that its image should have. */

const BLOCK_BYTES = 65_536;

/** Bytes hashed at a time: little enough that copies of other images, which wait for the disk often, continue in between. */
const READ_BYTES = 2 ** 20;

/** Blocks of a file system are smaller than those of the corpus; its own tables may count too. */
const ALLOCATION_SLACK_BYTES = 2 ** 20;

/** The problem of the content; undefined without one. */
export async function wrongContent(volume: string, image: CorpusImage): Promise<string | undefined> {
  const file = await open(volume, "r");
  try {
    const { sha256, virtual_size: virtualBytes = 0 } = image;
    if (typeof sha256 === "string") {
      const found = await hashOf(file, virtualBytes);
      return found === sha256 ? undefined : `content has sha256 ${found}, not ${sha256}`;
    }
    return await wrongExtents(file, image);
  } finally {
    await file.close();
  }
}

/** SHA-256 of the first bytes of a file. */
export async function sha256OfVolume(volume: string, bytes: number): Promise<string> {
  const file = await open(volume, "r");
  try {
    return await hashOf(file, bytes);
  } finally {
    await file.close();
  }
}

async function hashOf(file: FileHandle, length: number): Promise<string> {
  const hash = createHash("sha256");
  const buffer = Buffer.alloc(READ_BYTES);
  for (let at = 0; at < length;) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(READ_BYTES, length - at), at);
    if (bytesRead === 0) {
      return `nothing: it ends at byte ${at}`;
    }
    hash.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
  return hash.digest("hex");
}

/** For disks too large to be read: the blocks that hold data, and that the file system holds no others. */
async function wrongExtents(file: FileHandle, image: CorpusImage): Promise<string | undefined> {
  const { data_extents: extents = [], virtual_size: virtualBytes = 0, nonzero64k_sha256: expected } = image;
  const hash = createHash("sha256");
  const zeros = Buffer.alloc(BLOCK_BYTES);
  let dataBytes = 0;
  for (const [offset, length] of extents) {
    dataBytes += length;
    for (let at = offset; at < offset + length; at += BLOCK_BYTES) {
      const block = Buffer.alloc(Math.min(BLOCK_BYTES, virtualBytes - at));
      await file.read(block, 0, block.length, at);
      if (!block.equals(zeros.subarray(0, block.length))) {
        const place = Buffer.alloc(8);
        place.writeBigUInt64BE(BigInt(at));
        hash.update(place).update(block);
      }
    }
  }
  const found = hash.digest("hex");
  if (found !== expected) {
    return `its data have sha256 ${found}, not ${expected ?? "(unknown)"}`;
  }
  const { blocks } = await file.stat();
  return blocks * 512 > dataBytes + ALLOCATION_SLACK_BYTES
    ? `it takes ${blocks * 512} bytes for ${dataBytes} of data`
    : undefined;
}
