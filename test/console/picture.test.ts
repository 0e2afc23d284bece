import { expect, test } from "vitest";
import { consolePicture } from "../../scripts/docs/console-picture.ts";
import { CHROMIUM } from "./browser.ts";

const PNG = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/** The width and height in the header of a PNG. */
function sizeOf(picture: Buffer): [number, number] {
  return [picture.readUInt32BE(16), picture.readUInt32BE(20)];
}

test.skipIf(CHROMIUM === undefined)("the picture of README.md is taken from the demo, in its full size", async () => {
  const picture = Buffer.from(await consolePicture());
  expect(picture.subarray(0, 8)).toEqual(PNG);
  expect(sizeOf(picture)).toEqual([1280, 1000]);
});
