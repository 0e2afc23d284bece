import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { pythonStr } from "../../core/text/python-str.ts";

/** Pairs of a JSON text and what CPython 3.11 printed for `str(json.loads(text))`. */
const PRINTED = JSON.parse(readFileSync(new URL("../data/python-str.json", import.meta.url), "utf8")) as [
  string,
  string,
][];

it.each(PRINTED)("writes %s as Python does", (json, printed) => {
  expect(pythonStr(JSON.parse(json))).toBe(printed);
});
