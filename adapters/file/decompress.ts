import { constants, inflateRawSync, zstdDecompressSync } from "node:zlib";
import type { Qcow2Compression } from "../../core/images/qcow2/header.ts";

/** Frames with a larger window are refused: the zstd format requires 8 MiB of every decoder. */
const ZSTD_WINDOW_LOG_MAX = 23;

const ZSTD_MAGIC = 0xfd2fb528;
const ZSTD_RLE_BLOCK = 1;
const ZSTD_RESERVED_BLOCK = 3;

/**
 * Decompresses one cluster. Synchronous: that is faster than the thread pool for pieces of this size.
 *
 * @param input the cluster's sectors; other clusters may follow it there
 * @throws RangeError when it makes not exactly `clusterBytes`; what zlib throws when it is damaged
 */
export function decompressCluster(compression: Qcow2Compression, input: Uint8Array, clusterBytes: number): Buffer {
  const output =
    compression === "zlib"
      ? inflateRawSync(input, { maxOutputLength: clusterBytes })
      : zstdDecompressSync(input.subarray(0, zstdFrameBytes(input)), {
          maxOutputLength: clusterBytes,
          params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX },
        });
  if (output.length !== clusterBytes) {
    throw new RangeError(`it makes ${output.length} bytes, not ${clusterBytes}`);
  }
  return output;
}

/**
 * Length of the zstd frame at the start (RFC 8878, 3.1.1): the decoder takes what follows for another frame.
 *
 * @throws RangeError when the frame is invalid, or does not end in the input
 */
export function zstdFrameBytes(input: Uint8Array): number {
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  if (view.byteLength < 6 || view.getUint32(0, true) !== ZSTD_MAGIC) {
    throw new RangeError("it is not a zstd frame");
  }
  const descriptor = view.getUint8(4);
  const singleSegment = (descriptor & 0x20) !== 0;
  const contentSizeBytes = [singleSegment ? 1 : 0, 2, 4, 8][descriptor >>> 6] ?? 0;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const checksumBytes = (descriptor & 4) === 0 ? 0 : 4;
  let at = 5 + (singleSegment ? 0 : 1) + dictionaryBytes + contentSizeBytes;
  for (;;) {
    if (at + 3 > view.byteLength) {
      throw new RangeError("its zstd frame is cut");
    }
    const header = view.getUint16(at, true) + view.getUint8(at + 2) * 2 ** 16;
    const type = (header >>> 1) & 3;
    if (type === ZSTD_RESERVED_BLOCK) {
      throw new RangeError("its zstd frame has a block of no type");
    }
    at += 3 + (type === ZSTD_RLE_BLOCK ? 1 : header >>> 3);
    if ((header & 1) === 1) {
      break;
    }
  }
  if (at + checksumBytes > view.byteLength) {
    throw new RangeError("its zstd frame is cut");
  }
  return at + checksumBytes;
}
