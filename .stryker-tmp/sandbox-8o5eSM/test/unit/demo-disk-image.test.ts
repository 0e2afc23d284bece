// @ts-nocheck
import { describe, expect, it } from "vitest";
import { sniffImageFormat } from "../../core/images/sniff.ts";
import { DISK_IMAGE_BYTES, makeDiskImage, makeImpostorImage } from "../../local/demo/disk-image.ts";

const disk = makeDiskImage();

/** The one partition that the boot record names. */
function partition(): Buffer {
  const start = disk.readUInt32LE(446 + 8) * 512;
  return disk.subarray(start, start + disk.readUInt32LE(446 + 12) * 512);
}

/** A file of a FAT16 file system, read by its directory entry and its chain of clusters. */
function readFile(fat: Buffer, name: string): Buffer {
  const clusterBytes = fat.readUInt16LE(11) * fat.readUInt8(13);
  const tableStart = fat.readUInt16LE(14) * 512;
  const rootStart = tableStart + fat.readUInt8(16) * fat.readUInt16LE(22) * 512;
  const dataStart = rootStart + fat.readUInt16LE(17) * 32;
  const entries = Array.from({ length: 16 }, (_, index) =>
    fat.subarray(rootStart + index * 32, rootStart + index * 32 + 32),
  );
  const entry = entries.find((one) => one.toString("ascii", 0, 11) === name);
  if (entry === undefined) throw new Error(`no file ${name}`);
  const pieces: Buffer[] = [];
  for (let cluster = entry.readUInt16LE(26); cluster < 0xfff8; cluster = fat.readUInt16LE(tableStart + cluster * 2)) {
    const at = dataStart + (cluster - 2) * clusterBytes;
    pieces.push(fat.subarray(at, at + clusterBytes));
  }
  return Buffer.concat(pieces).subarray(0, entry.readUInt32LE(28));
}

describe("the disk image", () => {
  it("is raw content with a boot record and one active partition inside the disk", () => {
    expect(sniffImageFormat(disk)).toBe("raw");
    expect(disk.readUInt16LE(510)).toBe(0xaa55);
    expect(disk.readUInt8(446)).toBe(0x80);
    expect(partition().byteOffset - disk.byteOffset + partition().length).toBe(DISK_IMAGE_BYTES);
  });

  it("holds a FAT16 file system of the partition's size", () => {
    const fat = partition();
    expect(fat.toString("ascii", 54, 59)).toBe("FAT16");
    expect(fat.readUInt16LE(19) * 512).toBe(fat.length);
    expect(fat.readUInt32LE(28) * 512).toBe(fat.byteOffset - disk.byteOffset);
  });

  it("has files that the tables lead to", () => {
    expect(readFile(partition(), "README  TXT").toString("ascii")).toMatch(/^This disk was made by .*\r\n$/s);
    const content = readFile(partition(), "CONTENT BIN");
    expect(content).toHaveLength(5 * 1024 * 1024);
    expect(content.subarray(-4096).every((byte) => byte === 0)).toBe(false);
  });

  it("has two equal allocation tables", () => {
    const fat = partition();
    const bytes = fat.readUInt16LE(22) * 512;
    expect(fat.subarray(512, 512 + bytes).equals(fat.subarray(512 + bytes, 512 + 2 * bytes))).toBe(true);
  });

  it("is the same in every run", () => {
    expect(makeDiskImage().equals(disk)).toBe(true);
  });
});

it("the impostor is a qcow2 image that names a backing file", () => {
  const impostor = makeImpostorImage();
  expect(sniffImageFormat(impostor)).toBe("qcow2");
  const at = Number(impostor.readBigUInt64BE(8));
  expect(impostor.toString("ascii", at, at + impostor.readUInt32BE(16))).toBe("/etc/shadow");
});
