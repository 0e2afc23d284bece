import { describe, expect, test } from "vitest";
import { parseQcow2Header, type Qcow2Header } from "../../core/images/qcow2/header.ts";
import { ALL_SUBCLUSTERS, decodeL1Entry, type Qcow2Mapping, walkL2Table } from "../../core/images/qcow2/l2-table.ts";
import { MappingList } from "../../core/images/qcow2/mapping-list.ts";
import { GIB } from "../support/drivers.ts";
import { aQcow2Image } from "../support/qcow2-writer.ts";

/** Tables entry by entry: what each bit means, and where each bound is. */

const { file: FILE } = aQcow2Image(3 * 2 ** 20);
const HEADER: Qcow2Header = {
  ...parseQcow2Header(FILE, { imageId: "i", fileBytes: FILE.length, volumeBytes: GIB, allowExtendedL2: false }),
  virtualBytes: 16 * 65_536,
};
const EXTENDED: Qcow2Header = { ...HEADER, extendedL2: true, l2Entries: HEADER.clusterBytes / 16 };
const FILE_BYTES = 100 * 65_536;

function walked(entries: readonly (bigint | readonly [bigint, bigint])[], header = HEADER, runClusters = 16) {
  const table = Buffer.alloc(header.clusterBytes);
  entries.forEach((entry, index) => {
    if (typeof entry === "bigint") {
      table.writeBigUInt64BE(entry, index * 8);
    } else {
      table.writeBigUInt64BE(entry[0], index * 16);
      table.writeBigUInt64BE(entry[1], index * 16 + 8);
    }
  });
  const found: Qcow2Mapping[] = [];
  const context = { header, fileBytes: FILE_BYTES, isMetadata: (offset: number) => offset < 3 * 65_536 };
  const view = new DataView(table.buffer, table.byteOffset, table.byteLength);
  const wrong = walkL2Table(view, 0, context, runClusters, (mapping) => found.push({ ...mapping }));
  return { wrong, found };
}

const at = (cluster: number): bigint => BigInt(cluster * 65_536);
const COMPRESSED = 2n ** 62n;
const COPIED = 2n ** 63n;

describe("an L1 entry", () => {
  test.each([
    [0, 0, 0],
    [0x8000_0000, 0x10000, 0x10000],
    [0, 0xffff_0000, 0xffff_0000],
    [1, 0x200, 2 ** 32 + 0x200],
    [0x00ff_ffff, 0xffff_fe00, 0x00ff_ffff * 2 ** 32 + 0xffff_fe00],
    [0x0100_0000, 0, undefined],
    [0x4000_0000, 0, undefined],
    [0, 1, undefined],
    [0, 0x100, undefined],
  ])("of the halves %i and %i leads to %j", (high, low, offset) => {
    expect(decodeL1Entry(high, low)).toBe(offset);
  });
});

describe("an L2 entry", () => {
  test("of a cluster, of zeros, and of nothing", () => {
    const { found, wrong } = walked([COPIED | at(5), 1n, at(9) | 1n, 0n, at(7)]);
    expect(wrong).toBeUndefined();
    const whole = { clusters: 1, compressedBytes: 0, subclusters: ALL_SUBCLUSTERS };
    expect(found).toEqual([
      { hostOffset: 5 * 65_536, guestCluster: 0, ...whole },
      { hostOffset: 7 * 65_536, guestCluster: 4, ...whole },
    ]);
  });

  test("follows the one before in the file and on the disk, up to the longest run", () => {
    expect(walked([at(5), at(6), at(7), at(8)], HEADER, 3).found).toMatchObject([
      { hostOffset: 5 * 65_536, guestCluster: 0, clusters: 3 },
      { hostOffset: 8 * 65_536, guestCluster: 3, clusters: 1 },
    ]);
    expect(walked([at(5), 0n, at(6)]).found).toHaveLength(2);
    expect(walked([at(5), at(7)]).found).toHaveLength(2);
    expect(walked([at(6), at(5)]).found).toHaveLength(2);
    expect(walked([at(5), COMPRESSED | at(6)]).found).toHaveLength(2);
    expect(walked([COMPRESSED | at(5), at(6)]).found).toHaveLength(2);
  });

  test("of a compressed cluster has its sectors, up to the end of the file", () => {
    const sectors = (count: bigint): bigint => (count - 1n) << 54n;
    const of = (entry: bigint) => walked([COMPRESSED | entry]).found[0];
    expect(of(sectors(1n) | at(5))).toMatchObject({ hostOffset: 5 * 65_536, compressedBytes: 512, clusters: 1 });
    expect(of(sectors(3n) | (at(5) + 100n))).toMatchObject({ hostOffset: 5 * 65_536 + 100, compressedBytes: 1436 });
    expect(of(sectors(256n) | at(5))).toMatchObject({ compressedBytes: 256 * 512 });
    expect(of(sectors(9n) | (at(100) - 10n))).toMatchObject({ compressedBytes: 10 });
  });

  test.each<[string, bigint, RegExp]>([
    ["an unaligned cluster", at(5) + 512n, /not aligned/],
    ["a cluster at the end of the file", at(100), /behind the end/],
    ["a cluster of tables", at(2), /is a table/],
    ["a compressed cluster at the end of the file", COMPRESSED | at(100), /behind the end/],
    ["a compressed cluster in a table", COMPRESSED | (at(3) - 1n), /in a table/],
    ["a reserved low bit", at(5) | 2n, /reserved/],
    ["the highest reserved low bit", at(5) | 0x100n, /reserved/],
    ["the lowest reserved high bit", at(5) | (1n << 56n), /reserved/],
    ["the highest reserved high bit", at(5) | (1n << 61n), /reserved/],
  ])("with %s is wrong, and the place is named", (_what, entry, reason) => {
    const { wrong } = walked([0n, entry]);
    expect(wrong).toMatch(reason);
    expect(wrong).toContain("disk's cluster 1)");
  });

  test("in the last cluster before the end of the file is right", () => {
    expect(walked([at(99)]).wrong).toBeUndefined();
    expect(walked([at(3)]).wrong).toBeUndefined();
  });

  test("behind the disk's end is not looked at, and the last one is", () => {
    const entries = Array.from({ length: 17 }, (_, index) => (index < 15 ? 0n : at(5) + 512n));
    expect(walked(entries).wrong).toMatch(/cluster 15\)/);
    expect(walked(entries.with(15, 0n)).wrong).toBeUndefined();
  });
});

describe("an extended L2 entry", () => {
  const bitmap = (zeros: bigint, allocated: bigint): bigint => (zeros << 32n) | allocated;

  test("shows which subclusters are in the file", () => {
    const { found, wrong } = walked(
      [
        [at(5), bitmap(2n, 5n)],
        [at(6), bitmap(0n, 0xffff_ffffn)],
        [0n, bitmap(3n, 0n)],
      ],
      EXTENDED,
    );
    expect(wrong).toBeUndefined();
    expect(found).toMatchObject([
      { hostOffset: 5 * 65_536, guestCluster: 0, subclusters: 5 },
      { hostOffset: 6 * 65_536, guestCluster: 1, subclusters: ALL_SUBCLUSTERS },
    ]);
  });

  test("of a part of a cluster is in no run", () => {
    const all = bitmap(0n, 0xffff_ffffn);
    expect(
      walked(
        [
          [at(5), all],
          [at(6), bitmap(0n, 1n)],
          [at(7), all],
          [at(8), all],
        ],
        EXTENDED,
      ).found,
    ).toMatchObject([{ clusters: 1 }, { clusters: 1, subclusters: 1 }, { clusters: 2 }]);
  });

  test.each<[string, bigint, bigint, RegExp]>([
    ["a subcluster that is both", at(5), bitmap(1n, 1n), /both allocated and zero/],
    ["a subcluster without a cluster", 0n, bitmap(0n, 1n), /without a cluster/],
    ["the zero flag", at(5) | 1n, 0n, /reserved/],
    ["a reserved bit", at(5) | (1n << 57n), 0n, /reserved/],
    [
      "a bitmap of a compressed cluster",
      COMPRESSED | at(5),
      bitmap(0n, 1n),
      /compressed cluster has a subcluster bitmap/,
    ],
    ["zeros of a compressed cluster", COMPRESSED | at(5), bitmap(1n, 0n), /compressed cluster has a subcluster bitmap/],
    ["an unaligned cluster", at(5) + 512n, bitmap(0n, 1n), /not aligned/],
  ])("with %s is wrong", (_what, entry, bits, reason) => {
    expect(walked([[entry, bits]], EXTENDED).wrong).toMatch(reason);
  });

  test("of a compressed cluster without a bitmap is read", () => {
    expect(walked([[COMPRESSED | at(5), 0n]], EXTENDED).found).toMatchObject([{ compressedBytes: 512 }]);
  });
});

describe("a list of mappings", () => {
  const mapping = (hostOffset: number, parts: Partial<Qcow2Mapping> = {}): Qcow2Mapping => {
    return { hostOffset, guestCluster: 0, clusters: 1, compressedBytes: 0, subclusters: ALL_SUBCLUSTERS, ...parts };
  };

  test("keeps all of each mapping, in the order of the file, equal ones in the order they came", () => {
    const list = new MappingList(10, 65_536);
    expect(list.add(mapping(900, { guestCluster: 3, clusters: 2 }))).toBe(true);
    expect(list.add(mapping(100, { guestCluster: 7, compressedBytes: 24 }))).toBe(true);
    expect(list.add(mapping(100, { guestCluster: 5, subclusters: 9 }))).toBe(true);
    list.sort();
    const told = Array.from({ length: list.length }, (_, index) => [
      list.hostOffset(index),
      list.hostEnd(index),
      list.diskOffset(index),
      list.clusters(index),
      list.compressedBytes(index),
      list.subclusters(index),
    ]);
    expect(told).toEqual([
      [100, 124, 7 * 65_536, 1, 24, ALL_SUBCLUSTERS],
      [100, 100 + 65_536, 5 * 65_536, 1, 0, 9],
      [900, 900 + 2 * 65_536, 3 * 65_536, 2, 0, ALL_SUBCLUSTERS],
    ]);
  });

  test("takes exactly as many as it has room for, however it grows", () => {
    for (const capacity of [1, 3, 1024, 1025, 5000]) {
      const list = new MappingList(capacity, 512);
      for (let index = 0; index < capacity; index += 1) {
        expect(list.add(mapping(index))).toBe(true);
      }
      expect(list.add(mapping(0))).toBe(false);
      expect([list.length, list.hostOffset(capacity - 1)]).toEqual([capacity, capacity - 1]);
    }
  });
});
