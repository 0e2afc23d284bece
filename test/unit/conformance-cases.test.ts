import { describe, expect, it } from "vitest";
import { parseCases, parseGiven } from "../../verify/conformance/cases.ts";
import { CASES } from "../support/conformance.ts";

const ROW = { bootable: false, host: "hostA@lvm#pool0", size: 1, status: "creating" };
const RAW = { type: "raw", allow_reschedule: true, request_spec: "present", filter_properties: {}, volume_row: ROW };

describe("what a case gives", () => {
  it("is read of every recorded case", () => {
    expect(CASES.map(({ given }) => parseGiven(given).type)).toHaveLength(179);
  });

  it("has the values that a recording leaves out", () => {
    expect(parseGiven(RAW)).toMatchObject({
      reschedule_context: true,
      none: false,
      driver: {},
      db: [],
      notify_raise: {},
      preexisting_glance_meta: {},
      volume_row: { migration_status: null, use_quota: true },
    });
  });

  it("may have a row deleted before the driver is asked, or by the time that it answers", () => {
    for (const row of ["volume", "source", "snapshot", "origin"] as const) {
      expect(parseGiven({ ...RAW, gone_after_spec: row }).gone_after_spec).toBe(row);
      const driver = { create_volume: { hook: `${row}_deleted`, raise: "RuntimeError" } };
      expect(parseGiven({ ...RAW, driver }).driver.create_volume?.hook).toBe(`${row}_deleted`);
    }
  });

  it.each([
    ["a key that is not known", { ...RAW, volume_encrypted: true }, "volume_encrypted"],
    ["a call of the driver that is not known", { ...RAW, driver: { extend_volume: {} } }, "driver.extend_volume"],
    ["a word of a call that is not known", { ...RAW, driver: { create_volume: { delay: 1 } } }, "create_volume.delay"],
    ["a hook that is not known", { ...RAW, driver: { create_volume: { hook: "x" } } }, "create_volume.hook"],
    ["a model update with another column", { ...RAW, driver: { create_volume: { return: { size: 2 } } } }, "return"],
    ["a write that is not known", { ...RAW, db: [{ op: "snapshot_update", raise: "DBError" }] }, "db.0.op"],
    [
      "a match that no column can make",
      { ...RAW, db: [{ op: "volume_update", match: "sise=1", raise: "DBError" }] },
      "db.0.match",
    ],
    ["a notification that is not known", { ...RAW, notify_raise: { "delete.start": "X" } }, "notify_raise"],
    ["something gone that is not known", { ...RAW, gone: "image" }, "gone"],
    ["a call of the image service that is not known", { ...RAW, image: { raise: { delete: "X" } } }, "image.raise"],
    ["a type that is not known", { ...RAW, type: "tape" }, "type"],
    ["a column of the row that is not known", { ...RAW, volume_row: { ...ROW, encrypted: true } }, "volume_row"],
    ["a volume that contradicts its row", { ...RAW, volume: { status: "error" } }, "volume.status"],
    ["an invalid error name", { ...RAW, scheduler_raise: "not a name" }, "scheduler_raise"],
    ["no row", { ...RAW, volume_row: undefined }, "volume_row"],
    ["nothing", null, "it"],
  ])("is refused with %s, which is named", (_what, given, names) => {
    expect(() => parseGiven(given)).toThrow(names);
  });
});

describe("a file of cases", () => {
  it.each([
    ["no JSON", "[", "not valid JSON"],
    ["no list", "{}", "no list of cases"],
    ["a case without a name", '[{"given": {}}]', "0.case"],
    ["the same name twice", '[{"case": "a", "given": {}}, {"case": "a", "given": {}}]', "the case a is there twice"],
  ])("that is %s is refused", (_what, text, message) => {
    expect(() => parseCases(text)).toThrow(message);
  });

  it("may have a case that cannot be read: the others are", () => {
    expect(parseCases('[{"case": "a", "given": {"new": 1}}]')).toEqual([
      { case: "a", given: { new: 1 }, cinder: null, seed: null },
    ]);
  });
});
