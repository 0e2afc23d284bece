import { unmarshall } from "@aws-sdk/util-dynamodb";
import { describe, expect, it } from "vitest";
import { toItem } from "../../adapters/dynamodb/table.ts";
import { requireMetadata, storable } from "../../core/requests/storable.ts";
import { captureImageMetadata, unstorableProperties } from "../../core/workflow/handle-bootable-volume.ts";
import { anImage } from "../support/builders.ts";

/** Own keys, of which an object literal would take `__proto__` for its prototype. */
const of = (...entries: [string, unknown][]): Record<string, unknown> => Object.fromEntries(entries);

describe("metadata of a volume", () => {
  it("has keys of 1 to 255 characters and values of at most 255, counted as characters", () => {
    const emoji = "\u{1F600}".repeat(255);
    expect(() => requireMetadata({ [emoji]: emoji, constructor: "", toString: "x" })).not.toThrow();
    expect(() => requireMetadata({ [`${emoji}x`]: "" })).toThrow(/must have 1 to 255 characters, not 256/);
    expect(() => requireMetadata({ "": "x" })).toThrow(/metadata key "" must have 1 to 255 characters, not 0/);
    expect(() => requireMetadata({ k: `${emoji}x` })).toThrow(
      /the value of metadata key "k" must be a string of at most/,
    );
    expect(() => requireMetadata({ k: 1 })).toThrow(/the value of metadata key "k"/);
    expect(() => requireMetadata(of(["__proto__", "x"]))).toThrow(/metadata key "__proto__" cannot be stored/);
  });
});

describe("what a driver or an image says", () => {
  it("is stored without what a table cannot hold, which is named", () => {
    const deep = Array.from({ length: 40 }).reduce<unknown>((inner) => ({ a: inner }), 1);
    const map = of(
      ["", 1],
      ["__proto__", { x: 1 }],
      ["constructor", "c"],
      ["nan", Number.NaN],
      ["huge", 2 ** 60],
      ["list", [1, Number.POSITIVE_INFINITY, { "": 1, b: 2 }]],
      ["none", undefined],
      ["deep", deep],
      ["ok", { a: [true, null, "x", 1.5] }],
    );
    const { value, dropped } = storable(map);
    expect(unmarshall(toItem(value))).toEqual(value);
    expect(value).toMatchObject({ constructor: "c", list: [1, { b: 2 }], ok: { a: [true, null, "x", 1.5] } });
    expect(dropped).toEqual(
      expect.arrayContaining(['""', '"__proto__"', '"nan"', '"huge"', '"list".1', '"list".2.""', '"none"']),
    );
    expect(dropped.some((name) => name.startsWith('"deep"'))).toBe(true);
  });

  it("leaves an image's other properties with the volume", () => {
    const properties = of(["", "e"], ["__proto__", "p"], ["constructor", "c"], ["os_distro", "x"]);
    const meta = anImage({ properties });
    expect(unstorableProperties(meta)).toEqual(["", "__proto__"]);
    const captured = captureImageMetadata("i", meta);
    expect(captured).toMatchObject({ constructor: "c", os_distro: "x" });
    expect(unmarshall(toItem(captured))).toEqual(captured);
  });
});
