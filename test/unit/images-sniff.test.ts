import { describe, expect, test } from "vitest";
import { sniffImageFormat } from "../../core/images/sniff.ts";

function head(offset: number, magic: string | number[]): Buffer {
  const bytes = Buffer.alloc(512);
  bytes.set(typeof magic === "string" ? Buffer.from(magic, "latin1") : magic, offset);
  return bytes;
}

describe("the first bytes identify the format", () => {
  test.each([
    ["qcow2", head(0, "QFI\xfb")],
    ["qed", head(0, "QED\0")],
    ["vmdk", head(0, "KDMV")],
    ["vmdk", head(0, "COWD")],
    ["vmdk", head(0, "# Disk DescriptorFile\nversion=1\n")],
    ["vmdk", head(0, "version=1\n")],
    ["vmdk", head(0, "version=2\r\n")],
    ["vmdk", head(0, "#\n# any comment\r\n   \n \r\n#\nversion=3\nCID=fffffffe\n")],
    ["vmdk", Buffer.from("version=1\n")],
    ["vmdk", head(502, "version=1\n").fill("#", 0, 501).fill("\n", 501, 502)],
    ["vmdk", Buffer.alloc(2000).fill("version=1\n", 0, 10)],
    ["vhdx", head(0, "vhdxfile")],
    ["vhd", head(0, "conectix")],
    ["vdi", head(0x40, [0x7f, 0x10, 0xda, 0xbe])],
  ])("%s", (format, bytes) => {
    expect(sniffImageFormat(bytes)).toBe(format);
  });

  test.each([
    ["zeros", Buffer.alloc(512)],
    ["nothing", Buffer.alloc(0)],
    ["a descriptor of version 4", head(0, "# Disk\nversion=4\n")],
    ["a version line that is cut", head(0, "version=1")],
    ["a version line with more in it", head(0, "version=1 \n")],
    ["a version line behind spaces", head(0, " version=1\n")],
    ["a version line behind an empty line", head(0, "#\n\nversion=1\n")],
    ["a version line in a comment", head(0, "#version=1\n")],
    ["a version line that ends behind byte 512", Buffer.alloc(600, "#").fill("\nversion=1\n", 502, 513)],
    ["a partition table", head(510, [0x55, 0xaa])],
    ["LUKS", head(0, "LUKS\xba\xbe")],
    ["a magic that is cut", Buffer.from("QFI", "latin1")],
    ["a magic that does not stand at the start", head(1, "QFI\xfb")],
  ])("%s is raw content", (_what, bytes) => {
    expect(sniffImageFormat(bytes)).toBe("raw");
  });
});
