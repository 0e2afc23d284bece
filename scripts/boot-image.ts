import { writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";

/**
 * A disk image that boots: `npm run boot-image -- FILE`. Its boot sector reads one sector of the disk at 1 MiB, writes the text in it to the
 * serial port, and switches the machine off. So what the machine prints has come from the volume.
 */

const SECTOR = 512;

/** Where the text is, in sectors. */
const TEXT_SECTOR = 2_048;

/** Size of the image: a few MiB, of which all but two sectors are zeros. */
const IMAGE_BYTES = 4 * 1024 * 1024;

/** The text that the machine prints. */
export const BOOT_TEXT = "Hello from a volume of Cinderless.\r\n";

/** Address to which a BIOS loads the boot sector, and at which it begins to run. */
const LOADED_AT = 0x7c00;

/** Address to which the boot sector has the text read. */
const TEXT_AT = 0x8000;

/** 16-bit code of an 8086; a comment is the instruction. */
// oxfmt-ignore
const BEFORE_PACKET = [
  0x31, 0xc0, // xor ax, ax
  0x8e, 0xd8, // mov ds, ax
  0x8e, 0xd0, // mov ss, ax
  0xbc, 0x00, 0x7c, // mov sp, 0x7c00
];

// oxfmt-ignore
const AFTER_PACKET = [
  0xb4, 0x42, // mov ah, 0x42: read sectors as the packet says, of the drive in dl
  0xcd, 0x13, // int 0x13
  0x72, 0x21, // jc halt
  0xbe, 0x00, 0x80, // mov si, 0x8000
  // next:
  0xac, // lodsb
  0x84, 0xc0, // test al, al
  0x74, 0x12, // jz off
  0x88, 0xc3, // mov bl, al
  // wait, until the serial port takes a byte:
  0xba, 0xfd, 0x03, // mov dx, 0x3fd
  0xec, // in al, dx
  0xa8, 0x20, // test al, 0x20
  0x74, 0xf8, // jz wait
  0x88, 0xd8, // mov al, bl
  0xba, 0xf8, 0x03, // mov dx, 0x3f8
  0xee, // out dx, al
  0xeb, 0xe9, // jmp next
  // off, by ACPI's control register of QEMU's machines:
  0xba, 0x04, 0x06, // mov dx, 0x604
  0xb8, 0x00, 0x20, // mov ax, 0x2000
  0xef, // out dx, ax
  // halt:
  0xf4, // hlt
  0xeb, 0xfd, // jmp halt
];

/** `mov si, address` */
const loadAddress = (address: number): number[] => [0xbe, address & 0xff, address >> 8];

/** The read request to the BIOS: size of this packet, sectors, offset and segment, first sector. */
// oxfmt-ignore
const PACKET = [
  0x10, 0, 1, 0, TEXT_AT & 0xff, TEXT_AT >> 8, 0, 0,
  TEXT_SECTOR & 0xff, TEXT_SECTOR >> 8, 0, 0, 0, 0, 0, 0,
];

function bootSector(): Buffer {
  const packetAt = LOADED_AT + BEFORE_PACKET.length + loadAddress(0).length + AFTER_PACKET.length;
  const sector = Buffer.alloc(SECTOR);
  Buffer.from([...BEFORE_PACKET, ...loadAddress(packetAt), ...AFTER_PACKET, ...PACKET]).copy(sector);
  sector.writeUInt16LE(0xaa55, SECTOR - 2);
  return sector;
}

/** The bytes of the image. */
export function bootImage(): Buffer {
  const image = Buffer.alloc(IMAGE_BYTES);
  bootSector().copy(image);
  image.write(`${BOOT_TEXT}\0`, TEXT_SECTOR * SECTOR, "ascii");
  return image;
}

async function main([file, ...others]: readonly string[]): Promise<void> {
  if (file === undefined || others.length > 0 || file.startsWith("-")) {
    process.stderr.write("error: one file must be named: npm run boot-image -- FILE\n");
    process.exitCode = 2;
    return;
  }
  await writeFile(file, bootImage());
  process.stdout.write(`${file}: a disk of ${IMAGE_BYTES / 1024 ** 2} MiB that boots\n`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  await main(process.argv.slice(2));
}
