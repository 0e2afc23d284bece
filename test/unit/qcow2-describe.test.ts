import { describe, expect, test } from "vitest";
import { describeQcow2 } from "../../core/images/qcow2/describe.ts";
import { describeRawContent } from "../../core/images/sniff.ts";
import { aQcow2Image } from "../support/qcow2-writer.ts";

const { file: FILE } = aQcow2Image(3 * 2 ** 20);

function described(change: (head: Buffer) => void = () => {}) {
  const head = Buffer.from(FILE.subarray(0, 65_536));
  change(head);
  return describeQcow2(head);
}

describe("what a qcow2 header says of itself", () => {
  test("is described by its own figures", () => {
    expect(described()).toEqual({
      version: 3,
      virtual_size: 3 * 2 ** 20,
      cluster_size: 65_536,
      backing_file: null,
      encrypted: false,
      snapshots: 0,
      incompatible_features: [],
    });
  });

  test.each([
    [9, 512],
    [21, 2 ** 21],
    [8, null],
    [22, null],
    [0xffff_ffff, null],
  ])("clusters of 2^%i bytes are %j", (bits, bytes) => {
    expect(described((head) => head.writeUInt32BE(bits, 20)).cluster_size).toBe(bytes);
  });

  test.each([
    [BigInt(Number.MAX_SAFE_INTEGER), Number.MAX_SAFE_INTEGER],
    [BigInt(Number.MAX_SAFE_INTEGER) + 1n, null],
  ])("a disk of %s bytes is %j", (bytes, told) => {
    expect(described((head) => head.writeBigUInt64BE(bytes, 24)).virtual_size).toBe(told);
  });

  test("names a backing file, with what is not printable masked", () => {
    const head = (offset: number, length: number, name = "/etc/\u001bpasswd\u00e9") =>
      described((bytes) => {
        bytes.writeBigUInt64BE(BigInt(offset), 8);
        bytes.writeUInt32BE(length, 16);
        bytes.write(name, Math.min(offset, 65_000), "latin1");
      }).backing_file;
    expect(head(1024, 13)).toBe("/etc/?passwd?");
    expect(head(1024, 4)).toBe("/etc");
    expect(head(65_000, 536)).toContain("/etc/?passwd");
    for (const [offset, length] of [
      [65_000, 537],
      [1024, 0],
      [1024, 1024],
    ] as const) {
      expect(head(offset, length)).toBe("(a name that cannot be read)");
    }
    expect(head(1024, 1023)).toMatch(/^\/etc\/\?passwd/);
  });

  test("shows encryption, snapshots and the numbers of feature bits", () => {
    const changed = described((head) => {
      head.writeUInt32BE(1, 32);
      head.writeUInt32BE(7, 60);
      head.writeBigUInt64BE((2n ** 63n) | 5n, 72);
    });
    expect(changed).toMatchObject({ encrypted: true, snapshots: 7, incompatible_features: [0, 2, 63] });
  });

  test("has no features in version 2, whatever is at their place", () => {
    const changed = described((head) => {
      head.writeUInt32BE(2, 4);
      head.writeBigUInt64BE(5n, 72);
    });
    expect(changed).toMatchObject({ version: 2, incompatible_features: [] });
  });
});

describe("what a raw disk begins with", () => {
  const disk = (...parts: [number, string][]) => {
    const bytes = Buffer.alloc(65_536);
    parts.forEach(([offset, text]) => bytes.write(text, offset, "latin1"));
    return describeRawContent(bytes);
  };

  test.each<[string, [number, string][], string | undefined]>([
    ["LUKS", [[0, "LUKS\xba\xbe"]], "LUKS"],
    ["half of the magic of LUKS", [[0, "LUKS\xba"]], undefined],
    ["an ISO 9660 file system", [[0x8001, "CD001"]], "ISO 9660"],
    [
      "a hybrid ISO",
      [
        [0x8001, "CD001"],
        [510, "\x55\xaa"],
      ],
      "ISO 9660",
    ],
    [
      "a GPT of sectors of 512 bytes",
      [
        [512, "EFI PART"],
        [510, "\x55\xaa"],
      ],
      "GPT",
    ],
    ["a GPT of sectors of 4 KiB", [[4096, "EFI PART"]], "GPT"],
    ["a partition table", [[510, "\x55\xaa"]], "MBR or boot sector"],
    ["one byte of a signature", [[510, "\x55"]], undefined],
    ["the other byte of a signature", [[511, "\xaa"]], undefined],
    ["nothing known", [], undefined],
  ])("%s", (_what, parts, told) => {
    expect(disk(...parts)).toBe(told);
  });
});
