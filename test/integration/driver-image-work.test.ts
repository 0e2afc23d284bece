import { readdir } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { crc32, deflateRawSync } from "node:zlib";
import { describe, expect, test, vi } from "vitest";
import { FileDriver } from "../../adapters/file/driver.ts";
import { Qcow2Sink } from "../../adapters/file/qcow2-sink.ts";
import { WriteLanes } from "../../adapters/file/write-lanes.ts";
import { QCOW2_HEAD_BYTES } from "../../core/images/qcow2/header.ts";
import { Qcow2Layout } from "../../core/images/qcow2/layout.ts";
import { aVolume, GIB, imageSource, KeptProgress, MIB, temporaryDirectory, unhurried } from "../support/drivers.ts";
import { copyQcow2 } from "../support/image-copies.ts";
import { aSharedClusterImage } from "../support/qcow2-writer.ts";

/** Small images that are much work: one compressed cluster stands on the disk over and over. */

const CLUSTER = Buffer.alloc(65_536, "much work, ");
const PACKED = deflateRawSync(CLUSTER);

describe.each([true, false])("an image of 2 MB that makes a disk of 15 GiB (ranged: %s)", (ranged) => {
  test("is refused before a byte is written", async () => {
    const directory = await temporaryDirectory();
    const driver = new FileDriver("node@file", { directory });
    const volume = aVolume({ size: 15 });
    await driver.createVolume(volume, unhurried());
    const { file } = aSharedClusterImage(15 * GIB, PACKED);
    const image = imageSource(file, { disk_format: "qcow2" });
    image.service.ranged = ranged;
    const kept = new KeptProgress();
    const written = vi.spyOn(WriteLanes.prototype, "writeOther");
    await expect(driver.copyImageToVolume(volume, image, kept.work())).rejects.toMatchObject({
      name: "ImageUnacceptable",
      message: expect.stringContaining("compressed into the same 512 bytes"),
    });
    expect(written).not.toHaveBeenCalled();
    written.mockRestore();
    expect((await readdir(directory)).filter((name) => name.startsWith("volume-"))).toEqual([]);
  });
});

test.each([
  ["in one turn", () => 900_000],
  ["in turns without time", () => 1_000],
])("an image of a shared cluster that is little work becomes its disk %s", async (_how, remainingTimeMs) => {
  const { file } = aSharedClusterImage(96 * MIB, PACKED);
  const { content } = await copyQcow2(file, 96 * MIB, { remainingTimeMs });
  for (let at = 0; at < content.length; at += CLUSTER.length) {
    expect(content.compare(CLUSTER, 0, CLUSTER.length, at, at + CLUSTER.length)).toBe(0);
  }
});

test("a step of many compressed clusters looks at clock and holder every 64 MiB", async () => {
  const { file } = aSharedClusterImage(512 * MIB, PACKED);
  const readAt = async (offset: number, length: number) => file.subarray(offset, offset + length);
  const head = file.subarray(0, QCOW2_HEAD_BYTES);
  const rules = { imageId: "image", fileBytes: file.length, volumeBytes: GIB, allowExtendedL2: false };
  const layout = await Qcow2Layout.read(head, { readAt }, rules, crc32);
  const sink = await Qcow2Sink.from("image", layout, head, 0);
  const nowhere = {
    write: async (_bytes: Buffer, _start: number, length: number) => ({ bytesWritten: length }),
    datasync: async () => {},
  };
  const writes = new WriteLanes(nowhere as unknown as FileHandle);
  let looks = 0;
  const look = async () => {
    looks += 1;
    if (looks === 5) {
      throw new Error("taken over");
    }
  };
  await expect(sink.place(file, 0, file.length, 0, writes, look)).rejects.toThrow("taken over");
  expect(looks).toBe(5);
});
