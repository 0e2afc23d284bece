import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { FileDriver } from "../../adapters/file/driver.ts";
import type { ImageMeta } from "../../core/drivers/driver-ports.ts";
import { aVolume, imageSource, KeptProgress, temporaryDirectory, unfinishedData, unhurried } from "./drivers.ts";

/** How an image is copied in a test. */
export type CopyOptions = {
  /** False: from a service that sends whole images only. */
  ranged?: boolean;
  /** Called for what is left of a turn's time. */
  remainingTimeMs?: () => number;
  sizeGib?: number;
  pieceBytes?: number;
  allowExtendedL2?: boolean;
  meta?: Partial<ImageMeta>;
  /** Called with the file that becomes the volume's after a turn that others follow. */
  betweenTurns?: (path: string) => Promise<void>;
};

/** Copies a qcow2 image to a volume in as many turns as it takes; returns the first `bytes` of the volume. */
export async function copyQcow2(file: Buffer, bytes: number, options: CopyOptions = {}) {
  const directory = await temporaryDirectory();
  const driver = new FileDriver("node@file", {
    directory,
    image_allow_extended_l2: options.allowExtendedL2 ?? false,
  });
  const volume = aVolume({ size: options.sizeGib ?? 1 });
  await driver.createVolume(volume, unhurried());
  const image = imageSource(file, { disk_format: "qcow2", ...options.meta });
  image.service.ranged = options.ranged ?? true;
  image.service.pieceBytes = options.pieceBytes ?? 64 * 1024;
  const kept = new KeptProgress();
  const path = join(directory, `volume-${volume.id}`);
  let turns = 1;
  while (!(await driver.copyImageToVolume(volume, image, kept.work(options.remainingTimeMs))).done) {
    turns += 1;
    await options.betweenTurns?.(await unfinishedData(directory, volume.id));
  }
  const handle = await open(path, "r");
  const content = Buffer.alloc(bytes);
  for (let at = 0; at < bytes;) {
    at += (await handle.read(content, at, bytes - at, at)).bytesRead;
  }
  const { blocks } = await handle.stat();
  await handle.close();
  await rm(directory, { recursive: true });
  return { content, turns, allocatedBytes: blocks * 512, kept, service: image.service };
}
