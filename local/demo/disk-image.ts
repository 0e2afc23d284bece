import { createHash } from "node:crypto";

/**
 * A bootable disk: a master boot record with one active partition, in it a FAT16 file system with two files. Built here byte by byte, so
 * that the demonstration needs no partitioning tool and every run produces the same bytes.
 *
 * Layouts: the UEFI specification's "Legacy Master Boot Record", and Microsoft's "FAT: General Overview of On-Disk Format".
 */

const SECTOR_BYTES = 512;
/** Where partitioning tools put the first partition: at 1 MiB. */
const PARTITION_START = 2048;
const PARTITION_SECTORS = 22_528;
/** FAT16 with 16-bit sector numbers, addressed by logical block. */
const PARTITION_TYPE = 0x0e;

const FAT_COUNT = 2;
const ROOT_ENTRIES = 512;
const RESERVED_SECTORS = 1;
/** Two bytes for each cluster of one sector. */
const FAT_SECTORS = Math.ceil((PARTITION_SECTORS * 2) / SECTOR_BYTES);
const ROOT_SECTORS = (ROOT_ENTRIES * 32) / SECTOR_BYTES;
const FIRST_DATA_SECTOR = RESERVED_SECTORS + FAT_COUNT * FAT_SECTORS + ROOT_SECTORS;

const END_OF_CHAIN = 0xffff;
const VOLUME_LABEL = "CINDERLESS ";
/** 2024-01-01 as FAT writes it: years since 1980, month, day. */
const DATE = ((2024 - 1980) << 9) | (1 << 5) | 1;

const README = `This disk was made by the Cinderless demonstration.

CONTENT.BIN holds bytes without a pattern; what lies behind it is empty, and stays a hole in a sparse file.
`.replaceAll("\n", "\r\n");

/** Size of the image in bytes. */
export const DISK_IMAGE_BYTES = (PARTITION_START + PARTITION_SECTORS) * SECTOR_BYTES;

/** The disk, {@link DISK_IMAGE_BYTES} of it. */
export function makeDiskImage(): Buffer {
  const disk = Buffer.alloc(DISK_IMAGE_BYTES);
  writeMasterBootRecord(disk);
  const partition = disk.subarray(PARTITION_START * SECTOR_BYTES);
  writeBootSector(partition);
  writeFiles(partition, [
    { name: "README  TXT", content: Buffer.from(README, "ascii") },
    { name: "CONTENT BIN", content: contentWithoutPattern(5 * 1024 * 1024) },
  ]);
  return disk;
}

function writeMasterBootRecord(disk: Buffer): void {
  disk.writeUInt32LE(0xc1_4d_e7_1e, 440); // disk signature
  const entry = disk.subarray(446, 462);
  entry.writeUInt8(0x80, 0); // active
  entry.writeUIntLE(0xff_ff_fe, 1, 3); // no cylinders: the block numbers count
  entry.writeUInt8(PARTITION_TYPE, 4);
  entry.writeUIntLE(0xff_ff_fe, 5, 3);
  entry.writeUInt32LE(PARTITION_START, 8);
  entry.writeUInt32LE(PARTITION_SECTORS, 12);
  disk.writeUInt16LE(0xaa55, 510);
}

function writeBootSector(partition: Buffer): void {
  partition.set([0xeb, 0x3c, 0x90], 0); // jump over the parameters
  partition.write("CINDERLS", 3, "ascii");
  partition.writeUInt16LE(SECTOR_BYTES, 11);
  partition.writeUInt8(1, 13); // sectors of a cluster
  partition.writeUInt16LE(RESERVED_SECTORS, 14);
  partition.writeUInt8(FAT_COUNT, 16);
  partition.writeUInt16LE(ROOT_ENTRIES, 17);
  partition.writeUInt16LE(PARTITION_SECTORS, 19);
  partition.writeUInt8(0xf8, 21); // a fixed disk
  partition.writeUInt16LE(FAT_SECTORS, 22);
  partition.writeUInt16LE(63, 24); // sectors of a track
  partition.writeUInt16LE(255, 26); // heads
  partition.writeUInt32LE(PARTITION_START, 28); // sectors before the partition
  partition.writeUInt8(0x80, 36); // first fixed disk
  partition.writeUInt8(0x29, 38); // serial number, label and type follow
  partition.writeUInt32LE(0x2024_0101, 39);
  partition.write(VOLUME_LABEL, 43, "ascii");
  partition.write("FAT16   ", 54, "ascii");
  partition.set([0xf4, 0xeb, 0xfd], 62); // halt, again and again
  partition.writeUInt16LE(0xaa55, 510);
}

type DiskFile = { name: string; content: Buffer };

/** Writes files one after the other, with their directory and both allocation tables. */
function writeFiles(partition: Buffer, files: readonly DiskFile[]): void {
  const table = Buffer.alloc(FAT_SECTORS * SECTOR_BYTES);
  table.writeUInt16LE(0xfff8, 0);
  table.writeUInt16LE(END_OF_CHAIN, 2);
  const root = partition.subarray((FIRST_DATA_SECTOR - ROOT_SECTORS) * SECTOR_BYTES);
  writeDirectoryEntry(root, VOLUME_LABEL, 0x08, 0, 0);
  let cluster = 2;
  for (const [index, { name, content }] of files.entries()) {
    writeDirectoryEntry(root.subarray((index + 1) * 32), name, 0x20, cluster, content.length);
    content.copy(partition, (FIRST_DATA_SECTOR + cluster - 2) * SECTOR_BYTES);
    const last = cluster + Math.ceil(content.length / SECTOR_BYTES) - 1;
    for (; cluster <= last; cluster += 1) {
      table.writeUInt16LE(cluster === last ? END_OF_CHAIN : cluster + 1, cluster * 2);
    }
  }
  for (let copy = 0; copy < FAT_COUNT; copy += 1) {
    table.copy(partition, (RESERVED_SECTORS + copy * FAT_SECTORS) * SECTOR_BYTES);
  }
}

function writeDirectoryEntry(entry: Buffer, name: string, attributes: number, cluster: number, size: number): void {
  entry.write(name, 0, "ascii");
  entry.writeUInt8(attributes, 11);
  entry.writeUInt16LE(DATE, 24);
  entry.writeUInt16LE(cluster, 26);
  entry.writeUInt32LE(size, 28);
}

function contentWithoutPattern(bytes: number): Buffer {
  return createHash("shake256", { outputLength: bytes }).update("cinderless").digest();
}

/** Size of the false image in bytes. */
const IMPOSTOR_BYTES = 64 * 1024;

/**
 * A qcow2 header that names a file of the host as its backing file. If it became a raw disk and a tool later guessed its format, that file
 * would be read (CVE-2015-1850 and similar).
 *
 * @see https://www.qemu.org/docs/master/interop/qcow2.html
 */
export function makeImpostorImage(): Buffer {
  const image = Buffer.alloc(IMPOSTOR_BYTES);
  const backingFile = "/etc/shadow";
  image.write("QFI\xfb", 0, "latin1");
  image.writeUInt32BE(2, 4); // version
  image.writeBigUInt64BE(72n, 8); // where the backing file's name stands
  image.writeUInt32BE(backingFile.length, 16);
  image.writeUInt32BE(16, 20); // clusters of 64 KiB
  image.writeBigUInt64BE(2n ** 30n, 24); // virtual size
  image.write(backingFile, 72, "ascii");
  return image;
}
