import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { matchExtraSpec } from "../../core/scheduling/extra-specs.ts";
import { vectors } from "../support/scheduler-vectors.ts";

describe("a requirement matches as Cinder's operators do, and where these raised it does not", () => {
  test.each(vectors.extra_specs_match.map((vector, index) => ({ ...vector, index })))(
    "case $index: $value against $req",
    ({ value, req, out }) => {
      expect(matchExtraSpec(value, req)).toBe("result" in out ? out.result : false);
    },
  );
});

describe("numeric operators", () => {
  test.each([
    ["1e3", ">= 1_000", true],
    [" 10 ", "== 10", true],
    ["inf", ">= 1e308", true],
    ["nan", "!= nan", true],
    ["nan", "== nan", false],
    [true, "== 1", true],
    [false, "<= 0", true],
    [10, "!= abc", false],
    ["0x10", "== 16", false],
    [{ a: 1 }, ">= 0", false],
  ])("%j %s: %s", (capability, requirement, expected) => {
    expect(matchExtraSpec(capability, requirement)).toBe(expected);
  });

  test('"=" is "at least" for any two numbers', () => {
    const number = fc.double({ noNaN: true });
    fc.assert(
      fc.property(number, number, (capability, word) => {
        expect(matchExtraSpec(capability, `= ${word}`)).toBe(capability >= word);
      }),
    );
  });
});

describe("words", () => {
  test.each([
    ["abc", "\t<in>  b ", true],
    [["a", "b"], "<in> b", true],
    [[1, 2], "<in> 1", false],
    [{ thin: 1 }, "<in> thin", true],
    [{}, "<in> constructor", false],
    [" YES\n", "<is> True", true],
    [1, "<is> True", true],
    [2, "<is> True", false],
    ["", "<is> no", true],
    ["b", "<or> a <or> b", true],
    ["b", "<or> a b", false],
    ["c", "<or> a b c", true],
    ["\u{1F600}", "s> \uFF5E", true],
    ["x y", "x y", true],
    [" x", "x", false],
    ["<all> a", "<all> a", true],
    [null, "", false],
    [null, "s!= a", false],
  ])("%j against %j: %s", (capability, requirement, expected) => {
    expect(matchExtraSpec(capability, requirement)).toBe(expected);
  });

  test("a requirement that is not a string matches nothing, not even its like", () => {
    expect(matchExtraSpec(10, 10)).toBe(false);
    expect(matchExtraSpec(true, true)).toBe(false);
  });

  test("never raises, whatever the report and the type hold", () => {
    const operator = fc.constantFrom(
      "=",
      "==",
      "!=",
      "<=",
      ">=",
      "s==",
      "s!=",
      "s<",
      "s<=",
      "s>",
      "s>=",
      "<in>",
      "<is>",
      "<or>",
      "",
    );
    const requirement = fc.tuple(operator, fc.string()).map((parts) => parts.join(" "));
    fc.assert(
      fc.property(fc.jsonValue(), fc.oneof(requirement, fc.string(), fc.jsonValue()), (capability, wanted) => {
        expect(typeof matchExtraSpec(capability, wanted)).toBe("boolean");
      }),
    );
  });
});
