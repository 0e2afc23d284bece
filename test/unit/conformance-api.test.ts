import { describe, expect, it } from "vitest";
import { differencesOf } from "../../verify/conformance/api/compare.ts";
import { explains, reasonOf, ROWS } from "../../verify/conformance/api/differences.ts";
import { nameOf, readExchanges } from "../../verify/conformance/api/exchanges.ts";
import { Names } from "../../verify/conformance/api/names.ts";

const ID = "53dcfcbe-614d-4f09-886b-812641df1dbf";

describe("a name of the recording", () => {
  it("stands for the first text in its place, and for no other one from then on", () => {
    const names = new Names();
    expect(names.matches("/volumes/<id-1>", `/volumes/${ID}`)).toBe(true);
    expect(names.matches("<id-1>", ID)).toBe(true);
    expect(names.matches("<id-1>", "other")).toBe(false);
    expect(names.fill("/x/<id-1>/<id-2>")).toEqual({ text: `/x/${ID}/<id-2>`, unknown: ["<id-2>"] });
  });

  it("of a date or a request stands for any of its form", () => {
    const names = new Names();
    expect(names.matches("<date:YYYY-MM-DDThh:mm:ss.ffffff>", "2026-01-01T00:00:00.000000")).toBe(true);
    expect(names.matches("<date:YYYY-MM-DDThh:mm:ss.ffffff>", "today")).toBe(false);
    expect(names.matches("<request-id>", `req-${ID}`)).toBe(true);
    expect(names.matches("<request-id>", ID)).toBe(false);
  });

  it("is not seen in what only looks like one", () => {
    expect(new Names().matches("<is> True", "<is> True")).toBe(true);
    expect(new Names().matches("a.c", "abc")).toBe(false);
  });
});

describe("the comparison of an answer", () => {
  const differences = (recorded: unknown, actual: unknown) => differencesOf(recorded, actual, new Names());

  it("finds values, types, and fields that are missing or too many", () => {
    expect(differences({ a: 1, b: "x", c: null }, { a: 1, b: "x", c: null })).toEqual([]);
    expect(differences({ a: 1 }, { a: "1" })).toEqual(['a: recorded 1, here "1"']);
    expect(differences({ a: { b: 1 } }, { a: { c: 2 } })).toEqual([
      "a.b: missing, recorded 1",
      "a.c: not recorded, here 2",
    ]);
    expect(differences(null, { error: {} })).toEqual([': recorded null, here {"error":{}}']);
  });

  it("compares things of a list by shape, and links one by one", () => {
    expect(differences({ volumes: [{ id: "a", size: 1 }] }, { volumes: [{ id: "b", size: 2 }, {}] })).toEqual([]);
    expect(differences({ volumes: [{ id: "a" }] }, { volumes: [{ id: 1 }] })).toHaveLength(1);
    expect(differences({ volumes: [{}] }, { volumes: [] })).toHaveLength(1);
    expect(differences({ links: ["a", "b"] }, { links: ["a", "c"] })).toEqual(['links.1: recorded "b", here "c"']);
  });
});

describe("the closed list", () => {
  it("has rows of recorded exchanges only, each with a reason", async () => {
    const names = (await readExchanges()).map(nameOf);
    expect(names.length).toBe(556);
    for (const { pattern, reason } of ROWS) {
      expect(reason).not.toBe("");
      expect(names.some((name) => pattern.test(name))).toBe(true);
    }
  });

  it("has no row that explains a 500, another field, or another status of any exchange", async () => {
    const rows = (await readExchanges()).flatMap((exchange) => reasonOf(exchange) ?? []);
    expect(rows.length).toBeGreaterThan(100);
    for (const row of rows) {
      for (const line of [
        "status: recorded 200, here 500",
        "status: recorded 202, here 401",
        'computeFault: not recorded, here {"code":500,"message":"The server has either erred"}',
        "unheard_of: not recorded, here 1",
        "header x-openstack-request-id: missing, recorded <request-id>",
      ]) {
        expect([row.reason, line, explains(row, [line])]).toEqual([row.reason, line, false]);
      }
    }
  });

  it("explains what it names, and nothing else of the same exchange", async () => {
    const exchange = (await readExchanges()).find((each) => nameOf(each) === "40-limits-quotas: limits");
    const row = exchange && reasonOf(exchange);
    expect(row && explains(row, ["limits.absolute.maxTotalVolumes: recorded 100, here 10"])).toBe(true);
    expect(row && explains(row, ["status: recorded 200, here 500"])).toBe(false);
  });
});
