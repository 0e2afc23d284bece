import { crc32 } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseQcow2Header, QCOW2_HEAD_BYTES, type Qcow2Rules } from "../../core/images/qcow2/header.ts";
import { Qcow2Layout } from "../../core/images/qcow2/layout.ts";
import { Qcow2Pass } from "../../core/images/qcow2/pass.ts";
import { GIB, MIB } from "../support/drivers.ts";
import { type Qcow2Plan, writeQcow2 } from "../support/qcow2-writer.ts";

const PLAN: Qcow2Plan = {
  version: 3,
  clusterBits: 16,
  compression: "zlib",
  virtualBytes: 12 * 65_536 - 512,
  clusters: [
    { kind: "data", seed: 1 },
    { kind: "compressed", seed: 2 },
    { kind: "compressed", seed: 3 },
    { kind: "zero", seed: 4 },
    { kind: "absent", seed: 5 },
    { kind: "data", seed: 6 },
    { kind: "data", seed: 7 },
    { kind: "shared", seed: 8 },
    { kind: "zero allocated", seed: 9 },
  ],
  tablesLast: false,
};

const { file: FILE } = writeQcow2(PLAN);
const L1_OFFSET = 65_536;
const L2_OFFSET = 2 * 65_536;

function rulesFor(file: Uint8Array, parts: Partial<Qcow2Rules> = {}): Qcow2Rules {
  return { imageId: "image", fileBytes: file.length, volumeBytes: GIB, allowExtendedL2: false, ...parts };
}

/** Reads that hold a reader to the file, and count what it takes. */
function guarded(file: Uint8Array) {
  const reads = { bytes: 0, largest: 0 };
  const readAt = async (offset: number, length: number): Promise<Uint8Array> => {
    if (!Number.isSafeInteger(offset) || offset < 0 || length < 0 || offset + length > file.length) {
      throw new Error(`read of ${length} bytes at ${offset} of ${file.length}`);
    }
    reads.bytes += length;
    reads.largest = Math.max(reads.largest, length);
    return file.subarray(offset, offset + length);
  };
  return { readAt, reads };
}

async function readLayout(file: Uint8Array, parts: Partial<Qcow2Rules> = {}): Promise<Qcow2Layout> {
  return Qcow2Layout.read(file.subarray(0, QCOW2_HEAD_BYTES), guarded(file), rulesFor(file, parts), crc32);
}

/** The image with some bytes written over. */
function changed(change: (file: Buffer) => void): Buffer {
  const file = Buffer.from(FILE);
  change(file);
  return file;
}

describe("the header", () => {
  test.each<[string, RegExp, (file: Buffer) => void]>([
    ["no magic", /content is not/, (file) => file.writeUInt8(0, 0)],
    ["version 1", /version 1/, (file) => file.writeUInt32BE(1, 4)],
    ["a backing file, whatever its name's length", /backing file/, (file) => file.writeBigUInt64BE(1n, 8)],
    ["clusters of 256 bytes", /2\^8/, (file) => file.writeUInt32BE(8, 20)],
    ["clusters of 4 MiB", /2\^22/, (file) => file.writeUInt32BE(22, 20)],
    ["a shift beyond 32 bits", /2\^4294967295/, (file) => file.writeUInt32BE(0xffff_ffff, 20)],
    ["a cipher", /encrypted/, (file) => file.writeUInt32BE(2, 32)],
    ["the corrupt bit", /corrupt/, (file) => file.writeBigUInt64BE(2n, 72)],
    ["an external data file", /another file/, (file) => file.writeBigUInt64BE(4n, 72)],
    ["extended L2", /extended L2/, (file) => file.writeBigUInt64BE(16n, 72)],
    ["an unknown feature", /0x20\)/, (file) => file.writeBigUInt64BE(32n, 72)],
    ["the highest feature", /0x8000000000000000/, (file) => file.writeBigUInt64BE(2n ** 63n, 72)],
    ["refcounts of 128 bits", /2\^7/, (file) => file.writeUInt32BE(7, 96)],
    ["a short header", /length of 100/, (file) => file.writeUInt32BE(100, 100)],
    ["a header of odd length", /length of 105/, (file) => file.writeUInt32BE(105, 100)],
    ["a header longer than a cluster", /length of 65544/, (file) => file.writeUInt32BE(65_544, 100)],
    ["compression of no type", /type 2/, (file) => file.writeUInt8(2, 104)],
    ["zstd without its feature", /type 1/, (file) => file.writeUInt8(1, 104)],
    ["the feature without zstd", /type 0/, (file) => file.writeBigUInt64BE(8n, 72)],
    ["an extension beyond the cluster", /extension/, (file) => file.writeBigUInt64BE(0x1234_5678_0001_0000n, 112)],
    ["a disk of 2^63 bytes", /9223372036854775808/, (file) => file.writeBigUInt64BE(2n ** 63n, 24)],
    ["a disk a byte larger than the volume", /larger than/, (file) => file.writeBigUInt64BE(BigInt(GIB) + 1n, 24)],
    ["a huge L1 table", /too large/, (file) => file.writeUInt32BE(0xffff_ffff, 36)],
    ["an L1 table that is too small", /too small/, (file) => file.writeUInt32BE(0, 36)],
    ["an unaligned L1 table", /not aligned/, (file) => file.writeBigUInt64BE(65_544n, 40)],
    ["an L1 table behind the end", /not inside/, (file) => file.writeBigUInt64BE(2n ** 40n, 40)],
    ["an L1 table at the highest offset", /not inside/, (file) => file.writeBigUInt64BE(2n ** 64n - 65_536n, 40)],
    ["an L1 table in the header", /not inside/, (file) => file.writeBigUInt64BE(0n, 40)],
  ])("with %s is refused", (_what, reason, change) => {
    const file = changed(change);
    expect(() => parseQcow2Header(file.subarray(0, QCOW2_HEAD_BYTES), rulesFor(file))).toThrow(
      expect.objectContaining({ name: "ImageUnacceptable", message: expect.stringMatching(reason) }),
    );
  });

  test("of fewer than 512 bytes is refused", () => {
    expect(() => parseQcow2Header(FILE.subarray(0, 511), rulesFor(FILE.subarray(0, 511)))).toThrow(/too few/);
  });

  test("with the dirty bit is fine", () => {
    const file = changed((bytes) => bytes.writeBigUInt64BE(1n, 72));
    expect(parseQcow2Header(file, rulesFor(file))).toMatchObject({ version: 3, clusterBytes: 65_536, l1Entries: 1 });
  });

  test("needs larger clusters for extended L2", () => {
    const file = changed((bytes) => {
      bytes.writeUInt32BE(13, 20);
      bytes.writeBigUInt64BE(16n, 72);
    });
    expect(() => parseQcow2Header(file, rulesFor(file, { allowExtendedL2: true }))).toThrow(/larger clusters/);
  });
});

describe("the tables", () => {
  const entry = (index: number) => L2_OFFSET + index * 8;
  test.each<[string, RegExp, (file: Buffer) => void]>([
    ["an L1 entry with low reserved bits", /reserved/, (file) => file.writeUInt8(1, L1_OFFSET + 7)],
    ["an L1 entry with high reserved bits", /reserved/, (file) => file.writeUInt8(0xc0, L1_OFFSET)],
    ["an unaligned L2 table", /not aligned/, (file) => file.writeBigUInt64BE(BigInt(L2_OFFSET + 512), L1_OFFSET)],
    ["an L2 table behind the end", /not inside/, (file) => file.writeBigUInt64BE(2n ** 50n, L1_OFFSET)],
    ["an L2 table in the L1 table", /in the L1 table/, (file) => file.writeBigUInt64BE(65_536n, L1_OFFSET)],
    ["a cluster behind the end", /behind the end/, (file) => file.writeBigUInt64BE(2n ** 55n, entry(0))],
    ["an unaligned cluster", /not aligned/, (file) => file.writeBigUInt64BE(3n * 65_536n + 512n, entry(0))],
    ["reserved bits", /reserved/, (file) => file.writeBigUInt64BE(2n, entry(4))],
    ["high reserved bits", /reserved/, (file) => file.writeBigUInt64BE(2n ** 56n, entry(4))],
    ["a cluster that is the L1 table", /table of the image/, (file) => file.writeBigUInt64BE(65_536n, entry(0))],
    ["a cluster that is its own table", /table of the image/, (file) => file.writeBigUInt64BE(131_072n, entry(0))],
    [
      "a compressed cluster behind the end",
      /behind the end/,
      (file) => file.writeBigUInt64BE(2n ** 62n + 2n ** 53n, entry(0)),
    ],
    [
      "a compressed cluster in the header",
      /table of the image/,
      (file) => file.writeBigUInt64BE(2n ** 62n + 8n, entry(0)),
    ],
  ])("with %s are refused", async (_what, reason, change) => {
    await expect(readLayout(changed(change))).rejects.toMatchObject({
      name: "ImageUnacceptable",
      message: expect.stringMatching(reason),
    });
  });

  test("with a zero flag are refused in version 2", async () => {
    const { file } = writeQcow2({ ...PLAN, version: 2 });
    file.writeBigUInt64BE(1n, entry(4));
    await expect(readLayout(file)).rejects.toThrow(/version 2/);
  });

  test("that are shared by two L1 entries are refused", async () => {
    const { file } = writeQcow2({ ...PLAN, clusterBits: 9, virtualBytes: 128 * 512 });
    const l1 = Number(file.readBigUInt64BE(40));
    file.writeBigUInt64BE(file.readBigUInt64BE(l1), l1 + 8);
    await expect(readLayout(file)).rejects.toThrow(/two L1 entries/);
  });

  test("are not looked at beyond the disk's end", async () => {
    const file = changed((bytes) => bytes.writeBigUInt64BE(2n ** 64n - 1n, entry(12)));
    await expect(readLayout(file)).resolves.toMatchObject({ survey: { compressed_clusters: 2 } });
  });

  test("that end with the file cut in the last cluster are fine; cut before it they are not", async () => {
    const data = FILE.length - 65_536;
    await expect(readLayout(FILE.subarray(0, data + 1))).resolves.toBeInstanceOf(Qcow2Layout);
    await expect(readLayout(FILE.subarray(0, data))).rejects.toThrow(/behind the end/);
  });
});

/** Goes over the whole file, and fails where a mapping leaves the file or the disk. */
async function passOver(file: Uint8Array, layout: Qcow2Layout): Promise<void> {
  const pass = await Qcow2Pass.from(layout, 0);
  const { virtualBytes } = layout.header;
  for (let at = 0; at < file.length;) {
    const end = await pass.stepEnd(at, Math.min(at + MIB, file.length));
    expect(end).toBeGreaterThan(at);
    pass.visit(at, end, {
      plain: (host, bytes, disk) => {
        expect([host >= at, host + bytes <= end, disk >= 0, disk + bytes <= virtualBytes]).toEqual([
          true,
          true,
          true,
          true,
        ]);
      },
      compressed: (host, bytes, disk, diskBytes) => {
        expect([host >= 0, host + bytes <= file.length, disk + diskBytes <= virtualBytes]).toEqual([true, true, true]);
      },
    });
    at = end;
  }
}

const mutation = fc.record({
  /** Most of them hit the header, the L1 table or the used part of the L2 table. */
  at: fc.oneof(
    fc.integer({ min: 0, max: 120 }),
    fc.integer({ min: L1_OFFSET, max: L1_OFFSET + 16 }),
    fc.integer({ min: L2_OFFSET, max: L2_OFFSET + 12 * 8 }),
    fc.integer({ min: 0, max: FILE.length - 1 }),
  ),
  value: fc.oneof(fc.constantFrom(0, 1, 0x40, 0x7f, 0x80, 0xff), fc.integer({ min: 0, max: 255 })),
});

test("whatever is changed, an image is refused by name or read within its file, with bounded reads", async () => {
  const outcomes = { read: 0, refused: 0 };
  await fc.assert(
    fc.asyncProperty(
      fc.array(mutation, { minLength: 1, maxLength: 6 }),
      fc.option(fc.integer({ min: 0, max: FILE.length }), { freq: 4 }),
      fc.boolean(),
      async (mutations, cut, allowExtendedL2) => {
        const file = changed((bytes) => mutations.forEach(({ at, value }) => bytes.writeUInt8(value, at))).subarray(
          0,
          cut ?? FILE.length,
        );
        const bytes = guarded(file);
        const rules = rulesFor(file, { allowExtendedL2, volumeBytes: 2 ** 50 });
        try {
          const layout = await Qcow2Layout.read(file.subarray(0, QCOW2_HEAD_BYTES), bytes, rules, crc32);
          await passOver(file, layout);
          outcomes.read += 1;
        } catch (error) {
          expect(error).toMatchObject({ name: "ImageUnacceptable" });
          outcomes.refused += 1;
        }
        expect(bytes.reads.largest).toBeLessThanOrEqual(2 * MIB);
        expect(bytes.reads.bytes).toBeLessThanOrEqual(2 * file.length + 2 * MIB);
      },
    ),
    { numRuns: 1_000 },
  );
  expect(Math.min(outcomes.read, outcomes.refused)).toBeGreaterThan(30);
});

test("more mappings than fit into memory are returned in windows, each once", async () => {
  const clusters = 700_000;
  const plan: Qcow2Plan = {
    version: 3,
    clusterBits: 9,
    compression: "zlib",
    virtualBytes: clusters * 512,
    clusters: [],
    tablesLast: false,
  };
  const { file: tables } = writeQcow2(plan);
  const file = Buffer.concat([tables, Buffer.alloc(clusters * 512)]);
  const l2 = Number(file.readBigUInt64BE(Number(file.readBigUInt64BE(40))) & 0xff_ffff_ffff_fe00n);
  for (let index = 0; index < clusters; index += 1) {
    // Backwards, so that the order of the file is not that of the disk.
    file.writeBigUInt64BE(BigInt(tables.length + (clusters - 1 - index) * 512), l2 + index * 8);
  }
  const layout = await readLayout(file);
  const seen = new Uint8Array(clusters);
  const pass = await Qcow2Pass.from(layout, 0);
  for (let at = 0; at < file.length;) {
    const end = await pass.stepEnd(at, Math.min(at + MIB, file.length));
    pass.visit(at, end, {
      plain: (host, bytes, disk) => {
        const index = disk / 512;
        const isRight = bytes === 512 && host === tables.length + (clusters - 1 - index) * 512;
        seen[index] = (seen[index] ?? 0) + (isRight ? 1 : 100);
      },
      compressed: () => expect.unreachable(),
    });
    at = end;
  }
  expect(seen.every((count) => count === 1)).toBe(true);
  expect((await layout.window(0)).until).toBeLessThan(file.length);
});
