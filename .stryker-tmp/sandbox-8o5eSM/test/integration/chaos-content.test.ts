// @ts-nocheck
import { open } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { digestOf, digestOfFile, type Piece } from "../../verify/chaos/content.ts";
import { temporaryDirectory } from "../support/drivers.ts";

const SIZE = 64 * 2 ** 20;
const PIECES: Piece[] = [
  { offset: 0, data: Buffer.alloc(5000, 1) },
  { offset: 2 ** 20, data: Buffer.alloc(4096, 2) },
];
const LIKELY = [0, 4096, 2 ** 20];

async function fileWith(pieces: readonly Piece[]): Promise<string> {
  const path = join(await temporaryDirectory(), "volume");
  await using file = await open(path, "w");
  await file.truncate(SIZE);
  for (const { offset, data } of pieces) {
    await file.write(data, 0, data.length, offset);
  }
  return path;
}

test("a file with the pieces has their digest", async () => {
  expect(await digestOfFile(await fileWith(PIECES), LIKELY)).toBe(digestOf(PIECES));
});

test("it does not matter where data is expected", async () => {
  expect(await digestOfFile(await fileWith(PIECES), [])).toBe(digestOf(PIECES));
});

test("zeros that were written read like holes", async () => {
  const zeros = { offset: 8 * 2 ** 20, data: Buffer.alloc(2 ** 20) };
  expect(await digestOfFile(await fileWith([...PIECES, zeros]), LIKELY)).toBe(digestOf(PIECES));
  expect(await digestOfFile(await fileWith([]), LIKELY)).toBe(digestOf([]));
});

test.each([
  ["a byte more", [...PIECES, { offset: SIZE - 1, data: Buffer.from([1]) }]],
  ["a piece less", PIECES.slice(1)],
  ["a piece elsewhere", [PIECES[0], { offset: 2 ** 21, data: Buffer.alloc(4096, 2) }]],
  ["another byte", [PIECES[0], { offset: 2 ** 20, data: Buffer.concat([Buffer.alloc(4095, 2), Buffer.from([3])]) }]],
])("%s is another digest", async (_what, pieces) => {
  const path = await fileWith(pieces.filter((piece) => piece !== undefined));
  expect(await digestOfFile(path, LIKELY)).not.toBe(digestOf(PIECES));
});
