// @ts-nocheck
import { describe, expect, test } from "vitest";
import { sniffImageFormat } from "../../core/images/sniff.ts";

function head(offset: number, magic: string | number[]): Buffer {
  const bytes = Buffer.alloc(512);
  bytes.set(typeof magic === "string" ? Buffer.from(magic, "latin1") : magic, offset);
  return bytes;
}

describe("the first bytes tell the format", () => {
  test.each([
    ["qcow2", head(0, "QFI\xfb")],
    ["qed", head(0, "QED\0")],
    ["vmdk", head(0, "KDMV")],
    ["vmdk", head(0, "COWD")],
    ["vmdk", head(0, "# Disk DescriptorFile\nversion=1\n")],
    ["vhdx", head(0, "vhdxfile")],
    ["vhd", head(0, "conectix")],
    ["vdi", head(0x40, [0x7f, 0x10, 0xda, 0xbe])],
  ])("%s", (format, bytes) => {
    expect(sniffImageFormat(bytes)).toBe(format);
  });

  test.each([
    ["zeros", Buffer.alloc(512)],
    ["nothing", Buffer.alloc(0)],
    ["a partition table", head(510, [0x55, 0xaa])],
    ["LUKS", head(0, "LUKS\xba\xbe")],
    ["a magic that is cut", Buffer.from("QFI", "latin1")],
    ["a magic that does not stand at the start", head(1, "QFI\xfb")],
  ])("%s is raw content", (_what, bytes) => {
    expect(sniffImageFormat(bytes)).toBe("raw");
  });
});
