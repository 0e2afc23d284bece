import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { randomNumbers } from "../../simulation/virtual-time.ts";
import { readOptions, UsageError } from "../../verify/mutation/options.ts";
import { sampleLines } from "../../verify/mutation/sample.ts";

describe("the sample of lines that a mutation run changes", () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "cinderless-sample-"));
    mkdirSync(join(root, "core"));
    const code = Array.from({ length: 100 }, (_, index) => `call(${index});`).join("\n");
    writeFileSync(join(root, "core/one.ts"), code);
    writeFileSync(join(root, "core/two.ts"), code);
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it("is the same for the same seed, and another for another seed", () => {
    const draw = (seed: number) => sampleLines(root, ["core/**/*.ts"], 60, randomNumbers(seed)).patterns;
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
  });

  it("holds about as many changes as were asked for, in whole blocks of 25 lines", () => {
    const { patterns, lines, allLines } = sampleLines(root, ["core/**/*.ts"], 60, randomNumbers(1));
    expect({ lines, allLines }).toEqual({ lines: 50, allLines: 200 });
    expect(patterns).toHaveLength(2);
    expect(patterns.every((pattern) => /^core\/(one|two)\.ts:\d*1-\d+$|:26-50$|:51-75$|:76-100$/.test(pattern))).toBe(
      true,
    );
  });

  it("is the whole area when the time allows it", () => {
    const { lines } = sampleLines(root, ["core/**/*.ts"], 100_000, randomNumbers(1));
    expect(lines).toBe(200);
  });

  it("leaves out comments, imports and closing brackets when it counts lines of code", () => {
    writeFileSync(join(root, "core/one.ts"), '/** Doc. */\nimport { a } from "b";\n// note\na();\n};\n');
    expect(sampleLines(root, ["core/one.ts"], 10, randomNumbers(1)).allLines).toBe(1);
  });
});

describe("the command line of a mutation run", () => {
  it("takes areas, or the catalog's bugs after the word promises", () => {
    expect(readOptions(["claims", "--seconds", "5"])).toMatchObject({ mode: "areas", areas: ["claims"], seconds: 5 });
    expect(readOptions(["promises", "some-bug"])).toMatchObject({ mode: "promises", bugs: ["some-bug"] });
  });

  it("names the areas that exist when it is given another one", () => {
    expect(() => readOptions(["nonsense"])).toThrow(UsageError);
    expect(() => readOptions(["nonsense"])).toThrow(/unknown area "nonsense"; the areas are claims, /);
  });

  it("refuses a time that is not a whole number, with the value", () => {
    expect(() => readOptions(["--seconds", "soon"])).toThrow('--seconds must be a whole number from 1, not "soon"');
  });
});
