import { createHash } from "node:crypto";
import { truncateSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, expect, it } from "vitest";
import { compareWithSource } from "../../local/demo/compare.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const MIB = 2 ** 20;
const temporary = temporaryDirectory();

afterAll(() => temporary[Symbol.dispose]());

/** A sparse file with some bytes in it. */
function file(name: string, bytes: number, ...pieces: readonly [number, string][]): string {
  const location = path.join(temporary.path, name);
  const head = Buffer.alloc(Math.max(0, ...pieces.map(([at, text]) => at + text.length)));
  for (const [at, text] of pieces) head.write(text, at);
  writeFileSync(location, head);
  truncateSync(location, bytes);
  return location;
}

const source = file("source", 3 * MIB, [0, "begin"], [2 * MIB + 5, "middle"]);

it("finds a volume equal to its source with zeros behind", async () => {
  const volume = file("equal", 8 * MIB, [0, "begin"], [2 * MIB + 5, "middle"]);
  const sha256 = createHash("sha256")
    .update(Buffer.concat([Buffer.from("begin"), Buffer.alloc(2 * MIB), Buffer.from("middle"), Buffer.alloc(MIB - 11)]))
    .digest("hex");
  expect(await compareWithSource(volume, source)).toEqual({
    comparedBytes: 3 * MIB,
    bytesBehind: 5 * MIB,
    sha256,
    differsAt: null,
  });
});

it.each<[string, number, [number, string][], number]>([
  [
    "a byte of the source",
    8 * MIB,
    [
      [0, "begin"],
      [2 * MIB + 5, "mIddle"],
    ],
    2 * MIB + 6,
  ],
  [
    "a byte behind the source",
    8 * MIB,
    [
      [0, "begin"],
      [2 * MIB + 5, "middle"],
      [7 * MIB + 1, "x"],
    ],
    7 * MIB + 1,
  ],
  ["a volume that is shorter than its source", 2 * MIB, [[0, "begin"]], 2 * MIB],
])("names where it differs: %s", async (name, bytes, pieces, at) => {
  expect((await compareWithSource(file(name, bytes, ...pieces), source)).differsAt).toBe(at);
});

it("takes a volume without a source to be zeros", async () => {
  expect(await compareWithSource(file("empty", 2 * MIB), null)).toMatchObject({
    bytesBehind: 2 * MIB,
    differsAt: null,
  });
  expect((await compareWithSource(file("written", 2 * MIB, [MIB, "x"]), null)).differsAt).toBe(MIB);
});

it("compares a source that ends anywhere", async () => {
  const odd = file("odd", 2 * MIB + 7, [2 * MIB, "the end"]);
  const equal = file("odd-equal", 4 * MIB, [2 * MIB, "the end"]);
  expect(await compareWithSource(equal, odd)).toMatchObject({ comparedBytes: 2 * MIB + 7, differsAt: null });
  const longer = file("odd-longer", 4 * MIB, [2 * MIB, "the ends"]);
  expect((await compareWithSource(longer, odd)).differsAt).toBe(2 * MIB + 7);
});
