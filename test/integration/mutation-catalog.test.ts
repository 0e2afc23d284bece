import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { CATALOG } from "../../verify/mutation/catalog.ts";

it.each(CATALOG.map((bug) => [bug.id, bug] as const))("bug %s of the catalog applies to the source once", (_, bug) => {
  const source = readFileSync(new URL(`../../${bug.file}`, import.meta.url), "utf8");
  expect(source.split(bug.find)).toHaveLength(2);
  expect(bug.replace).not.toBe(bug.find);
});

it("every bug of the catalog has an id of its own", () => {
  expect(new Set(CATALOG.map(({ id }) => id)).size).toBe(CATALOG.length);
});
