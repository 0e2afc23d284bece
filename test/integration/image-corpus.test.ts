import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { checkImageFile } from "../../adapters/file/check-image.ts";
import { FileDriver } from "../../adapters/file/driver.ts";
import { wrongContent } from "../../verify/conformance/images/content.ts";
import { readCorpus, readImage } from "../../verify/conformance/images/corpus.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { aVolume, imageSource, KeptProgress, unhurried } from "../support/drivers.ts";

/** The corpus of `npm run conformance -- --images`, over the driver alone: each way to read an image, and in as many turns as can be. */

const CORPUS = join(import.meta.dirname, "../data/images");
const images = await readCorpus(CORPUS);
const READABLE = ["raw", "qcow2"];
const accepted = images.filter(
  ({ verdict, actual_format: format }) => verdict === "accept" && READABLE.includes(format),
);
const refused = images.filter((image) => !accepted.includes(image));

type Image = (typeof images)[number];

/** Copies the image to a volume below the directory, and gives the volume's file. */
async function copy(directory: string, image: Image, ranged: boolean, remainingTimeMs: () => number): Promise<string> {
  const driver = new FileDriver("node@file", { directory, image_allow_extended_l2: true });
  const volume = aVolume({ size: image.min_volume_gb });
  await driver.createVolume(volume, unhurried());
  const source = imageSource(await readImage(CORPUS, image), { disk_format: image.disk_format });
  source.service.ranged = ranged;
  const kept = new KeptProgress();
  while (!(await driver.copyImageToVolume(volume, source, kept.work(remainingTimeMs))).done) {
    // Called again, as by the workflow.
  }
  return join(directory, `volume-${volume.id}`);
}

const WAYS: [string, boolean, () => number][] = [
  ["in one turn", true, () => 900_000],
  ["in many turns", true, () => 1_000],
  ["staged", false, () => 900_000],
  ["staged in many turns", false, () => 1_000],
];

describe.concurrent.each(accepted.map((image) => [image.file, image] as const))("%s", (_file, image) => {
  test.each(WAYS)("becomes its disk %s", async (_way, ranged, remainingTimeMs) => {
    using directory = temporaryDirectory();
    expect(await wrongContent(await copy(directory.path, image, ranged, remainingTimeMs), image)).toBeUndefined();
  });
});

describe.concurrent.each(refused.map((image) => [image.file, image] as const))("%s", (_file, image) => {
  test.each(WAYS)("is refused %s", async (_way, ranged, remainingTimeMs) => {
    using directory = temporaryDirectory();
    await expect(copy(directory.path, image, ranged, remainingTimeMs)).rejects.toMatchObject({
      name: "ImageUnacceptable",
    });
  });
});

test.concurrent.each(images.map((image) => [image.file, image] as const))("%s as a file", async (_file, image) => {
  using directory = temporaryDirectory();
  const file = join(directory.path, "image");
  await writeFile(file, await readImage(CORPUS, image));
  const report = await checkImageFile(file, image.disk_format, { isConversionDisabled: false, allowExtendedL2: true });
  const isAccepted = accepted.includes(image);
  expect(report).toMatchObject({
    acceptable: isAccepted,
    virtual_size: isAccepted ? image.virtual_size : null,
    min_volume_gb: isAccepted ? image.min_volume_gb : null,
    content: image.actual_format,
  });
});
