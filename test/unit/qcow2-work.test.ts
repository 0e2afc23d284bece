import { crc32, deflateRawSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { parseQcow2Header, QCOW2_HEAD_BYTES, type Qcow2Rules } from "../../core/images/qcow2/header.ts";
import { ALL_SUBCLUSTERS, type Qcow2Mapping } from "../../core/images/qcow2/l2-table.ts";
import { Qcow2Layout } from "../../core/images/qcow2/layout.ts";
import { Qcow2Pass } from "../../core/images/qcow2/pass.ts";
import { Qcow2Work } from "../../core/images/qcow2/work.ts";
import { GIB } from "../support/drivers.ts";
import { aSharedClusterImage } from "../support/qcow2-writer.ts";

const RULES: Qcow2Rules = { imageId: "image", fileBytes: GIB, volumeBytes: GIB, allowExtendedL2: false };

const PIECES = (2 * GIB) / 2048;

function mapping(parts: Partial<Qcow2Mapping> = {}): Qcow2Mapping {
  return { hostOffset: 0, guestCluster: 0, clusters: 1, compressedBytes: 0, subclusters: ALL_SUBCLUSTERS, ...parts };
}

function addTimes(work: Qcow2Work, times: number, one: Qcow2Mapping): void {
  for (let time = 0; time < times; time += 1) {
    work.add(one);
  }
}

const unacceptable = (reason: RegExp) =>
  expect.objectContaining({ name: "ImageUnacceptable", message: expect.stringMatching(reason) });

describe("the work that an image may be", () => {
  test("is one piece for each 2 KiB of its file and the volume together", () => {
    const work = new Qcow2Work(RULES, 512);
    addTimes(work, PIECES, mapping());
    expect(() => work.add(mapping())).toThrow(unacceptable(/more than 1048576 pieces/));
  });

  test("counts each subcluster that is in the file as a piece", () => {
    const work = new Qcow2Work(RULES, 65_536);
    addTimes(work, PIECES / 16 - 1, mapping({ subclusters: 0xaaaa_aaaa | 0 }));
    addTimes(work, 16, mapping({ subclusters: 1 }));
    expect(() => work.add(mapping({ subclusters: 1 }))).toThrow(unacceptable(/pieces/));
  });

  test("is at most 1 GiB of compressed clusters that end in the same sector", () => {
    const work = new Qcow2Work(RULES, 65_536);
    addTimes(work, GIB / 65_536, mapping({ hostOffset: 1000, compressedBytes: 24 }));
    // Ends in the sector before, and in the one behind.
    work.add(mapping({ hostOffset: 0, compressedBytes: 512 }));
    work.add(mapping({ hostOffset: 1000, compressedBytes: 25 }));
    expect(() => work.add(mapping({ hostOffset: 512, compressedBytes: 512 }))).toThrow(
      unacceptable(/same 512 bytes of its file/),
    );
  });

  test("is a quarter of file and volume for the tables that are read again", () => {
    const work = new Qcow2Work(RULES, 512);
    work.requireFewReadings(GIB / 8, 4);
    expect(() => work.requireFewReadings(GIB / 8, 5)).toThrow(unacceptable(/read 5 times more/));
    expect(() => work.requireFewReadings(GIB / 8 + 1, 4)).toThrow(unacceptable(/tables/));
  });
});

/** A disk whose clusters of 512 bytes are scattered over the file; its bytes are made as they are read. */
function scattered(gib: number) {
  const clusters = (gib * GIB) / 512;
  const tables = clusters / 64;
  const l1Offset = 512;
  const l2Offset = l1Offset + Math.ceil((tables * 8) / 512) * 512;
  const dataOffset = l2Offset + tables * 512;
  const fileBytes = dataOffset + clusters * 512;
  const head = Buffer.alloc(QCOW2_HEAD_BYTES);
  head.write("QFI\xfb", 0, "latin1");
  head.writeUInt32BE(3, 4);
  head.writeUInt32BE(9, 20);
  head.writeBigUInt64BE(BigInt(gib * GIB), 24);
  head.writeUInt32BE(tables, 36);
  head.writeBigUInt64BE(BigInt(l1Offset), 40);
  head.writeUInt32BE(4, 96);
  head.writeUInt32BE(104, 100);
  const reads = { bytes: 0 };
  const entryAt = (index: number): number =>
    index < tables
      ? l2Offset + index * 512
      : dataOffset + (((index - (l2Offset - l1Offset) / 8) * 7919) % clusters) * 512;
  const readAt = async (offset: number, length: number): Promise<Uint8Array> => {
    reads.bytes += length;
    const bytes = Buffer.alloc(length);
    for (let at = 0; at < length; at += 8) {
      const value = entryAt((offset - l1Offset + at) / 8);
      bytes.writeUInt32BE(Math.floor(value / 2 ** 32), at);
      bytes.writeUInt32BE(value % 2 ** 32, at + 4);
    }
    return bytes;
  };
  return { head, readAt, reads, rules: { ...RULES, fileBytes, volumeBytes: gib * GIB } };
}

test("an image of scattered clusters of 512 bytes is refused while its tables are read the first time", async () => {
  const { head, readAt, reads, rules } = scattered(1);
  await expect(Qcow2Layout.read(head, { readAt }, rules, crc32)).rejects.toThrow(unacceptable(/pieces/));
  expect(reads.bytes).toBeLessThan(GIB / 64 + 2 ** 20);
});

describe("an image whose clusters are all compressed into one sector", () => {
  const layoutOf = (gib: number) => {
    const { file } = aSharedClusterImage(gib * GIB, deflateRawSync(Buffer.alloc(65_536, 7)));
    const readAt = async (offset: number, length: number) => file.subarray(offset, offset + length);
    const rules = { ...RULES, fileBytes: file.length, volumeBytes: gib * GIB };
    return { file, rules, layout: Qcow2Layout.read(file.subarray(0, QCOW2_HEAD_BYTES), { readAt }, rules, crc32) };
  };

  test("is refused when they make 15 GiB", async () => {
    const { layout, file } = layoutOf(15);
    await expect(layout).rejects.toThrow(unacceptable(/compressed into the same 512 bytes/));
    expect(file.length).toBeLessThan(2_300_000);
  });

  test("is read when they make 1 GiB", async () => {
    const { layout, file, rules } = layoutOf(1);
    const pass = await Qcow2Pass.from(await layout, 0);
    let made = 0;
    let largest = 0;
    for (let at = 0; at < file.length;) {
      const end = await pass.stepEnd(at, Math.min(at + 2 ** 20, file.length));
      let step = 0;
      pass.visit(at, end, {
        plain: () => expect.unreachable(),
        compressed: (_host, _bytes, _disk, bytes) => (step += bytes),
      });
      made += step;
      largest = Math.max(largest, step);
      at = end;
    }
    expect(made).toBe(parseQcow2Header(file, rules).virtualBytes);
    expect(largest).toBeLessThanOrEqual(GIB);
  });
});
