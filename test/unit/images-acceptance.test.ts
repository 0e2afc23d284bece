import { describe, expect, test } from "vitest";
import {
  DEFAULT_IMAGE_POLICY,
  expectedHash,
  requireConversionAllowed,
  requireDeclaredContent,
  requireReadableFormat,
  requireSizeWithin,
} from "../../core/images/acceptance.ts";
import { anImage, GIB } from "../support/drivers.ts";

const content = Buffer.from("disk");

describe("formats", () => {
  test("bare raw images are read", () => {
    expect(() => requireReadableFormat(anImage(content))).not.toThrow();
  });

  test.each(["qcow2", "iso", "ami"])("bare %s images are read", (disk_format) => {
    expect(() => requireReadableFormat(anImage(content, { disk_format }))).not.toThrow();
  });

  test.each(["vmdk", "vhd", "vhdx", "vdi", "qed", "ploop", null])(
    "disk format %s is refused by name",
    (disk_format) => {
      expect(() => requireReadableFormat(anImage(content, { disk_format }))).toThrow(
        expect.objectContaining({
          name: "ImageUnacceptable",
          message: expect.stringContaining(disk_format ?? "(none)"),
        }),
      );
    },
  );

  test("the container format compressed is refused by name", () => {
    expect(() => requireReadableFormat(anImage(content, { container_format: "compressed" }))).toThrow(
      expect.objectContaining({ name: "ImageUnacceptable", message: expect.stringContaining("compressed") }),
    );
  });

  test.each(["ami", "aki", "ari", "ovf", "ova", "docker", null])(
    "the container format %s only labels the image",
    (container_format) => {
      expect(() => requireReadableFormat(anImage(content, { container_format }))).not.toThrow();
    },
  );

  test.each([
    ["raw", "version=1\n", "vmdk"],
    ["raw", "QFI\xfb", "qcow2"],
    ["iso", "QFI\xfb", "qcow2"],
    ["qcow2", "nothing", "raw"],
    ["qcow2", "KDMV", "vmdk"],
  ])("content declared %s that begins with %j is refused, with both named", (disk_format, magic, found) => {
    const head = Buffer.from(magic, "latin1");
    expect(() => requireDeclaredContent(anImage(content, { disk_format }), head)).toThrow(
      `declared ${disk_format} but its content is ${found}`,
    );
  });

  test("where conversion is switched off, only raw images are taken", () => {
    const policy = { ...DEFAULT_IMAGE_POLICY, isConversionDisabled: true };
    expect(() => requireConversionAllowed(anImage(content), policy)).not.toThrow();
    expect(() => requireConversionAllowed(anImage(content, { disk_format: "qcow2" }), policy)).toThrow(
      expect.objectContaining({ name: "ImageConversionNotAllowed" }),
    );
    expect(() =>
      requireConversionAllowed(anImage(content, { disk_format: "qcow2" }), DEFAULT_IMAGE_POLICY),
    ).not.toThrow();
  });
});

describe("size", () => {
  test("an image as large as the volume fits", () => {
    expect(requireSizeWithin(anImage(content, { size: GIB }), GIB)).toBe(GIB);
  });

  test("a qcow2 file may be larger than its disk", () => {
    expect(requireSizeWithin(anImage(content, { disk_format: "qcow2", size: GIB + 1 }), GIB)).toBe(GIB + 1);
  });

  test.each([
    ["one byte more than the volume", GIB + 1],
    ["nothing", 0],
    ["unknown", null],
    ["negative", -1],
    ["no whole number", 1.5],
    ["beyond what a number holds", 2 ** 60],
  ])("%s is refused", (_what, size) => {
    expect(() => requireSizeWithin(anImage(content, { size }), GIB)).toThrow(
      expect.objectContaining({ name: "ImageUnacceptable" }),
    );
  });
});

describe("the hash to check by", () => {
  test("is the operator's", () => {
    const meta = anImage(content);
    expect(expectedHash(meta)).toEqual({ algorithm: "sha512", value: meta.os_hash_value });
  });

  test("may be sha256", () => {
    const value = "ab".repeat(32);
    expect(expectedHash(anImage(content, { os_hash_algo: "sha256", os_hash_value: value }))).toEqual({
      algorithm: "sha256",
      value,
    });
  });

  test("is compared in lower case", () => {
    const value = "AB".repeat(64);
    expect(expectedHash(anImage(content, { os_hash_value: value })).value).toBe(value.toLowerCase());
  });

  test.each([
    ["an algorithm that cannot be computed here", { os_hash_algo: "blake2b", os_hash_value: "ab".repeat(64) }],
    ["no algorithm", { os_hash_algo: null, os_hash_value: null }],
    ["a value of the wrong length", { os_hash_value: "ab" }],
    ["a value that is not hexadecimal", { os_hash_value: "zz".repeat(64) }],
  ])("with %s, is the MD5 checksum", (_what, overrides) => {
    const meta = anImage(content, overrides);
    expect(expectedHash(meta)).toEqual({ algorithm: "md5", value: meta.checksum });
  });

  test("an image without any is refused", () => {
    expect(() => expectedHash(anImage(content, { os_hash_algo: "blake2b", checksum: null }))).toThrow(
      expect.objectContaining({
        name: "ImageUnacceptable",
        message: expect.stringContaining("blake2b"),
      }),
    );
  });
});
