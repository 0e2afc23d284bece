/**
 * Identifies disk image formats by the first bytes of the content (rules as in `oslo_utils.imageutils.format_inspector`). Partition tables,
 * file systems, ISO 9660 and LUKS are raw content: a disk may carry them.
 */

/** A format that carries more than the disk's own bytes: a header, maybe the names of other files. */
export type ContainerImageFormat = "qcow2" | "qed" | "vmdk" | "vhdx" | "vhd" | "vdi";

/** How many bytes from the start {@link sniffImageFormat} looks at. */
export const SNIFF_BYTES = 512;

const SIGNATURES: readonly {
  format: ContainerImageFormat;
  offset: number;
  magic: readonly number[];
}[] = [
  { format: "qcow2", offset: 0, magic: ascii("QFI\xfb") },
  { format: "qed", offset: 0, magic: ascii("QED\0") },
  { format: "vmdk", offset: 0, magic: ascii("KDMV") },
  { format: "vmdk", offset: 0, magic: ascii("COWD") },
  { format: "vmdk", offset: 0, magic: ascii("# Disk DescriptorFile") },
  { format: "vhdx", offset: 0, magic: ascii("vhdxfile") },
  // A dynamic VHD begins with a copy of its footer; a fixed one is the raw disk with the footer behind it.
  { format: "vhd", offset: 0, magic: ascii("conectix") },
  { format: "vdi", offset: 0x40, magic: [0x7f, 0x10, 0xda, 0xbe] },
];

/** The format that the first bytes declare, or `raw` when they declare none. At least {@link SNIFF_BYTES}, or all there are. */
export function sniffImageFormat(head: Uint8Array): ContainerImageFormat | "raw" {
  const found = SIGNATURES.find(({ offset, magic }) => magic.every((byte, index) => head[offset + index] === byte));
  return found?.format ?? (isVmdkDescriptor(head) ? "vmdk" : "raw");
}

/**
 * Comment lines and lines of spaces, in any order, then the line `version=1`, `2` or `3`. An empty line ends the search: QEMU accepts
 * a blank line only when it begins with a space.
 */
const VMDK_DESCRIPTOR = /^(?:#[^\n]*\n| +\r?\n)*version=[123]\r?\n/;

/** Whether QEMU reads the text as a VMDK descriptor, which names other files (`vmdk_probe` in block/vmdk.c, over 512 bytes). */
function isVmdkDescriptor(head: Uint8Array): boolean {
  return VMDK_DESCRIPTOR.test(String.fromCharCode(...head.subarray(0, SNIFF_BYTES)));
}

function ascii(text: string): number[] {
  return Array.from(text, (character) => character.charCodeAt(0));
}

/** The beginning of a raw disk. It is for people only: all of it is raw content. */
export type RawContent = "LUKS" | "ISO 9660" | "GPT" | "MBR or boot sector";

/** Looks for the structures that disks usually begin with; undefined when none is there. */
export function describeRawContent(head: Uint8Array): RawContent | undefined {
  const has = (offset: number, text: string): boolean =>
    ascii(text).every((byte, index) => head[offset + index] === byte);
  if (has(0, "LUKS\xba\xbe")) {
    return "LUKS";
  }
  // A hybrid ISO has a partition table too.
  if (has(0x8001, "CD001")) {
    return "ISO 9660";
  }
  if (has(512, "EFI PART") || has(4096, "EFI PART")) {
    return "GPT";
  }
  return head[510] === 0x55 && head[511] === 0xaa ? "MBR or boot sector" : undefined;
}
