/**
 * Python's `str()` of a value that came from JSON. Cinder stores glance metadata so (`volume_glance_metadata.value` is text), and
 * its readers compare with these very spellings: `True`, `None`, `{'a': 1}`.
 *
 * A number that JSON writes as `1.0` cannot be distinguished from `1` here, and is written as the integer.
 */
export function pythonStr(value: unknown): string {
  return typeof value === "string" ? value : pythonRepr(value);
}

/** Python's `repr()` of such a value: as {@link pythonStr}, with a text in quotes. */
export function pythonRepr(value: unknown): string {
  if (value === null || value === undefined) {
    return "None";
  }
  if (typeof value === "boolean") {
    return value ? "True" : "False";
  }
  if (typeof value === "number") {
    return pythonNumber(value);
  }
  if (typeof value === "string") {
    return quote(value);
  }
  if (Array.isArray(value)) {
    return `[${value.map(pythonRepr).join(", ")}]`;
  }
  return `{${Object.entries(value)
    .map(([key, item]) => `${quote(key)}: ${pythonRepr(item)}`)
    .join(", ")}}`;
}

/** Below this, Python writes an exponent. */
const SMALLEST_WITHOUT_EXPONENT = 1e-4;

/** Python writes large and small floats with a signed exponent of two digits at least: `1e+21`, `1e-07`. */
function pythonNumber(value: number): string {
  const isSmall = value !== 0 && Math.abs(value) < SMALLEST_WITHOUT_EXPONENT;
  return (isSmall ? value.toExponential() : String(value)).replace(/e([+-])(\d)$/, "e$10$2");
}

const ESCAPES: Record<string, string> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/**
 * Characters that are not `str.isprintable`, and the backslash: controls, formats, surrogates, private and unassigned ones, all spaces but
 * one.
 */
const NOT_PRINTABLE = /[\\\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu;

/** Single quotes, unless the text has one and no double quote, as Python chooses. */
function quote(text: string): string {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text.replace(NOT_PRINTABLE, (character) => ESCAPES[character] ?? escapeCode(character));
  return mark + (mark === "'" ? escaped.replaceAll("'", "\\'") : escaped) + mark;
}

function escapeCode(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  const hex = code.toString(16);
  if (code > 0xff_ff) {
    return `\\U${hex.padStart(8, "0")}`;
  }
  return code > 0xff ? `\\u${hex.padStart(4, "0")}` : `\\x${hex.padStart(2, "0")}`;
}
