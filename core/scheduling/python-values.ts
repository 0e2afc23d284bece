/**
 * The few rules of Python's own values that the scheduler's answers depend on: Cinder's filters and weighers are Python, and
 * an operator's extra specs and a driver's figures are read as Python reads them.
 */

/** Characters that `float` skips at the ends of a text. */
const FLOAT_SPACE = String.raw`\t-\r\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000`;
const FLOAT_SPACE_CHARACTER = new RegExp(`[${FLOAT_SPACE}]`, "u");
/** Characters that are `str.isspace`: four more control characters. JavaScript's `\s` has neither these nor U+0085, but U+FEFF. */
const TEXT_SPACE_CHARACTER = new RegExp(`[\\x1c-\\x1f${FLOAT_SPACE}]`, "u");

// No two parts of this can match the same characters, so it takes linear time on any text.
const DIGITS = String.raw`\d(?:_?\d)*`;
const DECIMAL = new RegExp(`^[+-]?(?:${DIGITS}(?:\\.(?:${DIGITS})?)?|\\.${DIGITS})(?:e[+-]?${DIGITS})?$`, "i");
const INFINITY = /^([+-]?)inf(?:inity)?$/i;
const NOT_A_NUMBER = /^[+-]?nan$/i;

/** `text.strip()`. */
export function strip(text: string): string {
  return withoutEdges(text, TEXT_SPACE_CHARACTER);
}

/** `text.split()`: the words between runs of white space, none for a blank text. */
export function splitWords(text: string): string[] {
  return text.split(TEXT_SPACE_CHARACTER).filter((word) => word !== "");
}

/** Character by character, because a regular expression for the end takes quadratic time on long runs of space. */
function withoutEdges(text: string, space: RegExp): string {
  let start = 0;
  let end = text.length;
  while (start < end && space.test(text.charAt(start))) {
    start += 1;
  }
  while (end > start && space.test(text.charAt(end - 1))) {
    end -= 1;
  }
  return text.slice(start, end);
}

/**
 * `float(value)`: numbers, booleans (1 and 0) and decimal texts such as `" 1e3 "`, `"1_000"`, `"inf"` and `"nan"`.
 *
 * Null represents both of Python's refusals, the ValueError for a text that is not a number and the TypeError for anything else. Digits of
 * other scripts than the Latin one are refused here and read by Python.
 */
export function pythonFloat(value: unknown): number | null {
  if (typeof value === "number") {
    return value;
  }
  if (typeof value === "boolean") {
    return value ? 1 : 0;
  }
  return typeof value === "string" ? parseFloatText(withoutEdges(value, FLOAT_SPACE_CHARACTER)) : null;
}

function parseFloatText(text: string): number | null {
  if (DECIMAL.test(text)) {
    return Number(text.replaceAll("_", ""));
  }
  const infinite = INFINITY.exec(text);
  if (infinite !== null) {
    return infinite[1] === "-" ? -Infinity : Infinity;
  }
  return NOT_A_NUMBER.test(text) ? NaN : null;
}

/**
 * `round(value, 2)`: the exact binary value rounded to two decimals, ties to the even one.
 *
 * `toFixed` works on the exact value too, but takes a tie away from zero. A double is an exact tie only if its fraction is
 * .125, .375, .625 or .875 (an odd multiple of 1/200 is otherwise no sum of powers of two), and of these .125 and .625 have the
 * even neighbour towards zero.
 */
export function roundToTwoDecimals(value: number): number {
  const magnitude = Math.abs(value);
  const fraction = magnitude % 1;
  const isTieTowardsZero = fraction === 0.125 || fraction === 0.625;
  const rounded = isTieTowardsZero ? magnitude.toFixed(3).slice(0, -1) : magnitude.toFixed(2);
  return value < 0 ? -Number(rounded) : Number(rounded);
}

/** The order of Python's strings: by code point, where JavaScript's `<` goes by UTF-16 unit. Negative, zero or positive. */
export function compareText(left: string, right: string): number {
  const leftPoints = Array.from(left, (character) => character.codePointAt(0) ?? 0);
  const rightPoints = Array.from(right, (character) => character.codePointAt(0) ?? 0);
  for (const [index, point] of leftPoints.entries()) {
    const other = rightPoints[index];
    if (other === undefined) {
      return 1;
    }
    if (point !== other) {
      return point - other;
    }
  }
  return leftPoints.length - rightPoints.length;
}

/** A mapping as it comes out of JSON: what Python holds in a dict. */
export function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
