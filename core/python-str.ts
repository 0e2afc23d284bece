/**
 * Python's `str()` of a value that came from JSON. Cinder stores glance metadata so (`volume_glance_metadata.value` is text), and
 * its readers compare with these very spellings: `True`, `None`, `{'a': 1}`.
 */
export function pythonStr(value: unknown): string {
  return typeof value === "string" ? value : pythonRepr(value);
}

function pythonRepr(value: unknown): string {
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

/** Python writes large and small floats with a signed exponent of two digits at least: `1e+21`, `1e-07`. */
function pythonNumber(value: number): string {
  return String(value).replace(/e([+-])(\d)$/, "e$10$2");
}

const ESCAPES: Record<string, string> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** Single quotes, unless the text has one and no double quote, as Python chooses. */
function quote(text: string): string {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text.replace(/[\\\n\r\t]/g, (character) => ESCAPES[character] ?? character);
  return mark + (mark === "'" ? escaped.replaceAll("'", "\\'") : escaped) + mark;
}
