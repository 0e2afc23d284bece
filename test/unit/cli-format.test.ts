import { describe, expect, test } from "vitest";
import { formatBytes, formatCapacity, formatDuration, formatMap, formatTime, text } from "../../cli/format.ts";
import { renderFields } from "../../cli/output.ts";
import { collectKeyValue } from "../../cli/options.ts";
import { renderTable } from "../../cli/table.ts";
import { recordedOutput } from "../support/cli-context.ts";

test.each([
  [0, "0 B"],
  [1023, "1023 B"],
  [1024, "1.0 KiB"],
  [1.5 * 1024 ** 2, "1.5 MiB"],
  [300 * 1024 ** 3, "300 GiB"],
  [2 ** 60, "1024 PiB"],
])("%s bytes read %s", (bytes, words) => {
  expect(formatBytes(bytes)).toBe(words);
});

test.each([
  [-5, "0 ms"],
  [850, "850 ms"],
  [4200, "4.2 s"],
  [59_960, "1 min 0 s"],
  [185_000, "3 min 5 s"],
  [3_600_000, "1 h 0 min"],
  [7_800_000, "2 h 10 min"],
  [273_600_000, "3 d 4 h"],
])("%s milliseconds read %s", (milliseconds, words) => {
  expect(formatDuration(milliseconds)).toBe(words);
});

test("times are shown to the second, in UTC", () => {
  expect(formatTime("2026-03-04T05:06:07.890Z")).toBe("2026-03-04 05:06:07Z");
  expect(formatTime(null)).toBe("-");
});

test("capacities keep their words", () => {
  expect([formatCapacity(1.005), formatCapacity(12.349), formatCapacity("infinite"), formatCapacity(null)]).toEqual([
    "1",
    "12.35",
    "infinite",
    "-",
  ]);
});

test("maps are in the order of their keys", () => {
  expect(formatMap({ b: "2", a: "1", c: [3] })).toBe("a=1, b=2, c=[3]");
  expect(formatMap({})).toBe("-");
});

test("a stored text cannot move the cursor or make a line", () => {
  expect(text("a\r\nb\u001b]0;x\u0007")).toBe("a b\uFFFD]0;x\uFFFD");
});

test("a table that is too wide loses letters of its titles before those of its cells", () => {
  const columns = [{ title: "Backend" }, { title: "Snapshots", isRightAligned: true }, { title: "Missing" }];
  const rows = [["node@first", "1", "-"]];
  expect(renderTable(recordedOutput(false, 22), columns, rows)).toBe("Backend     Sna…  Mis…\nnode@first     1  -\n");
  expect(renderTable(recordedOutput(false, 18), columns, rows)).toBe("Backe…  Sna…  Mis…\nnode@…     1  -\n");
});

test("a table aligns its columns and has no lines of its own", () => {
  const table = renderTable(
    recordedOutput(),
    [{ title: "ID" }, { title: "GiB", isRightAligned: true }],
    [
      ["a", "5"],
      ["bcd", "10"],
    ],
  );
  expect(table).toBe("ID   GiB\na      5\nbcd   10\n");
});

test("fields keep values of several lines in their column", () => {
  const fields = renderFields(recordedOutput(), [
    ["id", "1"],
    ["attempts", "one\ntwo"],
  ]);
  expect(fields).toBe("id        1\nattempts  one\n          two\n");
});

describe("key=value", () => {
  test("splits at the first sign; the value may be empty", () => {
    expect(collectKeyValue("a=b=c")).toEqual({ a: "b=c" });
    expect(collectKeyValue("a=")).toEqual({ a: "" });
  });

  test("the same key again replaces its value", () => {
    expect(collectKeyValue("a=2", collectKeyValue("a=1", { b: "0" }))).toEqual({ b: "0", a: "2" });
  });

  test("a key named like a part of every object is a key", () => {
    const collected = collectKeyValue("__proto__=x");
    expect(Object.entries(collected)).toEqual([["__proto__", "x"]]);
    expect(Object.getPrototypeOf(collected)).toBe(Object.prototype);
  });
});
