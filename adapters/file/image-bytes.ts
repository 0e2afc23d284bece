import type { FileHandle } from "node:fs/promises";
import { ImageCopyFailure } from "../../core/errors.ts";
import type { FileBytes } from "../../core/images/qcow2/tables.ts";
import type { ImageSource } from "../../core/drivers/driver-ports.ts";
import { CHUNK_BYTES } from "./sparse.ts";

/** Random access to an image's bytes, wherever they are. */

/** The first bytes of an image, and its service's data about the whole image. */
export type ImageHead = { bytes: Uint8Array; tag: string; totalSize: number; ranged: boolean };

/** Reads the first `length` bytes, or all there are. A service that sends whole images is cut off there. */
export async function readImageHead(
  image: ImageSource,
  length: number,
  tag: string | undefined,
  signal: AbortSignal,
): Promise<ImageHead> {
  const abort = new AbortController();
  const range = await image.service.openRange(image.imageId, 0, {
    to: length,
    tag,
    signal: AbortSignal.any([signal, abort.signal]),
  });
  const bytes = await take(range.body, Math.min(length, range.totalSize));
  abort.abort();
  return { bytes, tag: range.tag, totalSize: range.totalSize, ranged: range.ranged };
}

/** Ranged reads of the image service, all of the content with the tag. */
export function serviceBytes({ imageId, service }: ImageSource, tag: string, signal: AbortSignal): FileBytes {
  return {
    readAt: async (offset, length) => {
      const range = await service.openRange(imageId, offset, { to: offset + length, tag, signal });
      if (!range.ranged) {
        throw new ImageCopyFailure(`the service of image ${imageId} sends ranges no more`);
      }
      const bytes = await take(range.body, length);
      if (bytes.length !== length) {
        throw new Error(`image ${imageId} sent ${bytes.length} of ${length} bytes from byte ${offset}`);
      }
      return bytes;
    },
  };
}

/** Reads of an open file. */
export function handleBytes(file: FileHandle): FileBytes {
  return {
    readAt: async (offset, length) => {
      const buffer = Buffer.allocUnsafe(length);
      await readFully(file, buffer, offset);
      return buffer;
    },
  };
}

/** The file's bytes from `from` to `size`. Each piece is written over by the next one. */
export async function* streamOfFile(file: FileHandle, from: number, size: number): AsyncGenerator<Uint8Array> {
  const buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  for (let at = from; at < size; at += CHUNK_BYTES) {
    const piece = buffer.subarray(0, Math.min(CHUNK_BYTES, size - at));
    await readFully(file, piece, at);
    yield piece;
  }
}

async function readFully(file: FileHandle, buffer: Buffer, offset: number): Promise<void> {
  for (let at = 0; at < buffer.length;) {
    const { bytesRead } = await file.read(buffer, at, buffer.length - at, offset + at);
    if (bytesRead === 0) {
      throw new Error(`the file ended at byte ${offset + at}`);
    }
    at += bytesRead;
  }
}

/** The stream without its first `count` bytes. */
export async function* without(body: AsyncIterable<Uint8Array>, count: number): AsyncGenerator<Uint8Array> {
  let left = count;
  for await (const piece of body) {
    if (piece.length > left) {
      yield piece.subarray(left);
    }
    left = Math.max(0, left - piece.length);
  }
}

/** The first `length` bytes of the stream, or all of it; what follows is not read. */
async function take(body: AsyncIterable<Uint8Array>, length: number): Promise<Uint8Array> {
  const buffer = Buffer.allocUnsafe(length);
  let at = 0;
  for await (const piece of body) {
    const part = piece.subarray(0, length - at);
    buffer.set(part, at);
    at += part.length;
    if (at === length) {
      break;
    }
  }
  return buffer.subarray(0, at);
}
