// @ts-nocheck
import { constants, deflateRawSync, zstdCompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { decompressCluster, zstdFrameBytes } from "../../adapters/file/decompress.ts";
import { clusterContent } from "../support/qcow2-writer.ts";

const CLUSTER = 65_536;
const CONTENT = clusterContent(CLUSTER, 3);
const OTHERS = Buffer.alloc(700, 0xab);
const pack = { zlib: (bytes: Buffer) => deflateRawSync(bytes), zstd: (bytes: Buffer) => zstdCompressSync(bytes) };

describe.each(["zlib", "zstd"] as const)("a cluster compressed by %s", (compression) => {
  const packed = pack[compression](CONTENT);

  test("is read with other clusters behind it in its sectors", () => {
    const input = Buffer.concat([packed, OTHERS]);
    expect(decompressCluster(compression, input, CLUSTER).equals(CONTENT)).toBe(true);
  });

  test.each([
    ["more than a cluster", pack[compression](Buffer.concat([CONTENT, Buffer.alloc(1)]))],
    ["far more: it is not made", pack[compression](Buffer.alloc(64 * 2 ** 20))],
    ["less than a cluster", pack[compression](CONTENT.subarray(1))],
    ["nothing", pack[compression](Buffer.alloc(0))],
  ])("that makes %s is damaged", (_what, input) => {
    expect(() => decompressCluster(compression, input, CLUSTER)).toThrow(Error);
  });

  test.each([
    ["cut", packed.subarray(0, -1)],
    ["empty", Buffer.alloc(0)],
    ["noise", CONTENT.subarray(0, 4096)],
  ])("that is %s is damaged", (_what, input) => {
    expect(() => decompressCluster(compression, input, CLUSTER)).toThrow(Error);
  });
});

describe("a zstd frame", () => {
  test.each([
    ["plain", {}],
    ["with a checksum", { params: { [constants.ZSTD_c_checksumFlag]: 1 } }],
    ["without its content's size", { params: { [constants.ZSTD_c_contentSizeFlag]: 0 } }],
  ])("%s is measured by its blocks", (_what, options) => {
    const frame = zstdCompressSync(CONTENT, options);
    expect(zstdFrameBytes(Buffer.concat([frame, OTHERS]))).toBe(frame.length);
    const read = decompressCluster("zstd", Buffer.concat([frame, zstdCompressSync(OTHERS)]), CLUSTER);
    expect(read.equals(CONTENT)).toBe(true);
  });

  test("of zeros, which are blocks of one byte, is measured", () => {
    const frame = zstdCompressSync(Buffer.alloc(CLUSTER));
    expect(zstdFrameBytes(Buffer.concat([frame, OTHERS]))).toBe(frame.length);
  });

  test("that wants a window of more than 8 MiB is refused", () => {
    // Window descriptor 0x78: 2^25 bytes; then one raw block, the last, of one byte.
    const frame = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x78, 0x09, 0x00, 0x00, 0x41]);
    expect(zstdFrameBytes(frame)).toBe(frame.length);
    expect(() => decompressCluster("zstd", frame, 1)).toThrow(/too much memory|memory/i);
  });
});
