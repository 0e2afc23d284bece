import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  compareText,
  pythonFloat,
  roundToTwoDecimals,
  splitWords,
  strip,
} from "../../core/scheduling/python-values.ts";
import { endsSoon } from "../support/ends-soon.ts";

/** The double's exact value times 200, compared with whole numbers only: no rounding anywhere. */
function exactlyRounded(value: number): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, Math.abs(value));
  const raw = view.getBigUint64(0);
  const biased = raw >> 52n;
  const fraction = raw & ((1n << 52n) - 1n);
  const mantissa = biased === 0n ? fraction : fraction | (1n << 52n);
  const exponent = (biased === 0n ? 1n : biased) - 1075n;
  const numerator = exponent >= 0n ? (mantissa << exponent) * 100n : mantissa * 100n;
  const denominator = exponent >= 0n ? 1n : 1n << -exponent;
  const below = numerator / denominator;
  const twiceTheRest = (numerator % denominator) * 2n;
  const up = twiceTheRest > denominator || (twiceTheRest === denominator && below % 2n === 1n);
  const cents = up ? below + 1n : below;
  const magnitude = Number(`${cents / 100n}.${String(cents % 100n).padStart(2, "0")}`);
  return value < 0 ? -magnitude : magnitude;
}

describe("rounding to two decimals", () => {
  test.each([
    [0.125, 0.12],
    [0.375, 0.38],
    [0.625, 0.62],
    [0.875, 0.88],
    [-0.125, -0.12],
    [-0.375, -0.38],
    [2.675, 2.67],
    [1.005, 1],
    [0.994, 0.99],
    [0.999, 1],
    [0.995, 0.99],
    [1e22, 1e22],
    [1.7976931348623157e308, 1.7976931348623157e308],
    [5e-324, 0],
    [-0.001, -0],
    [Infinity, Infinity],
    [-Infinity, -Infinity],
  ])("of %d is %d, as Python's round gives it", (value, expected) => {
    expect(roundToTwoDecimals(value)).toBe(expected);
  });

  test("agrees with whole-number arithmetic on any double", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(roundToTwoDecimals(value)).toBe(exactlyRounded(value));
      }),
    );
  });

  test("agrees with whole-number arithmetic on and next to exact ties", () => {
    const nearTie = fc
      .tuple(fc.integer({ min: -(2 ** 40), max: 2 ** 40 }), fc.integer({ min: -1, max: 1 }))
      .map(([eighths, ulps]) => (eighths / 8) * (1 + ulps * Number.EPSILON));
    fc.assert(
      fc.property(nearTie, (value) => {
        expect(roundToTwoDecimals(value)).toBe(exactlyRounded(value));
      }),
    );
  });

  test("keeps the order of any two doubles", () => {
    const double = fc.double({ noNaN: true });
    fc.assert(
      fc.property(double, double, (one, other) => {
        const [less, more] = one <= other ? [one, other] : [other, one];
        expect(roundToTwoDecimals(less)).toBeLessThanOrEqual(roundToTwoDecimals(more));
      }),
    );
  });
});

describe("reading a number", () => {
  test.each([
    ["10", 10],
    [" 1e3 ", 1000],
    ["\t-2.5\n", -2.5],
    ["1_000", 1000],
    ["1_0.0_1e1_0", 10.01e10],
    ["1.", 1],
    [".5", 0.5],
    ["+7", 7],
    ["1E5", 1e5],
    ["1e999", Infinity],
    ["inf", Infinity],
    ["-Infinity", -Infinity],
    ["NaN", NaN],
    ["10\u2003", 10],
    [true, 1],
    [false, 0],
    [2.5, 2.5],
  ])("%j is %d", (value, expected) => {
    expect(pythonFloat(value)).toBe(expected);
  });

  test.each([
    "",
    "  ",
    ".",
    "1__0",
    "_1",
    "1_",
    "1_e5",
    "1._5",
    "0x10",
    "1 2",
    "infin",
    "1e",
    "e5",
    "--1",
    "\uFEFF10",
    "1\u001C",
    "True",
  ])("%j is not a number", (text) => {
    expect(pythonFloat(text)).toBeNull();
  });

  test.each([[null], [undefined], [[1]], [{ a: 1 }]])("%j is not a number", (value) => {
    expect(pythonFloat(value)).toBeNull();
  });

  test("gives back every number that JavaScript writes", () => {
    fc.assert(
      fc.property(fc.double(), (value) => {
        // JavaScript writes -0 as "0".
        expect(pythonFloat(String(value))).toBe(value + 0);
      }),
    );
  });

  test("takes linear time on long runs of digits and spaces", () => {
    expect(endsSoon(() => pythonFloat(`${"1".repeat(200_000)}x`))).toBeNull();
    expect(endsSoon(() => pythonFloat(`1${" ".repeat(200_000)}x`))).toBeNull();
  });
});

test("white space is Python's", () => {
  expect(splitWords(" a\u001Cb\u0085\u00A0c\td ")).toEqual(["a", "b", "c", "d"]);
  expect(splitWords("a\uFEFFb")).toEqual(["a\uFEFFb"]);
  expect(splitWords(" \n ")).toEqual([]);
  expect(strip("\u001F yes\u3000")).toBe("yes");
});

test("text is ordered by code point, not by UTF-16 unit", () => {
  expect(compareText("\u{1F600}", "\uFF5E")).toBeGreaterThan(0);
  expect(compareText("a", "ab")).toBeLessThan(0);
  expect(compareText("b", "ab")).toBeGreaterThan(0);
  expect(compareText("ab", "ab")).toBe(0);
});
