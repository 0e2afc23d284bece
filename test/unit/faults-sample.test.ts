import { expect, it } from "vitest";
import { type Cell, sampleOf } from "../../verify/faults/matrix.ts";

function cell(functionName: string, call: string | null, fault: Cell["fault"]["fault"], scenario: string): Cell {
  return { scenario, functionName, fault: { visit: `${functionName}#1`, call, fault } };
}

const CELLS = ["raw", "image", "clone", "snapshot"].flatMap((scenario) => [
  ...Array.from({ length: 5 }, (_call, index) =>
    cell("CreateRawVolume", `volumes.get#${index + 1}`, "dies after", scenario),
  ),
  cell("ReportBackends", null, "never delivered", scenario),
]);

it("runs every cell when it is asked for every one", () => {
  expect(sampleOf(CELLS, 1, 5)).toEqual(CELLS);
});

it.each([0, 1, 2, 3, 4, 5, 6])("runs at least one cell of each function, call and fault with seed %i", (seed) => {
  const sample = sampleOf(CELLS, 7, seed);
  expect(sample.length).toBeLessThan(CELLS.length / 3);
  expect(new Set(sample.map(({ functionName }) => functionName))).toEqual(
    new Set(["CreateRawVolume", "ReportBackends"]),
  );
  expect(new Set(sample).size).toBe(sample.length);
});

it("runs every cell with one seed or another", () => {
  const all = new Set([0, 1, 2, 3, 4, 5, 6].flatMap((seed) => sampleOf(CELLS, 7, seed)));
  expect(all.size).toBe(CELLS.length);
});
