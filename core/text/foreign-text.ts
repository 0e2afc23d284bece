import { maskSecretText } from "./secrets.ts";

/**
 * The one place through which text of other services passes before it is stored, logged or sent: messages of errors, reasons,
 * causes. A service may echo a token in an error, and a text with control characters can forge a line of a log.
 */

/** Longest text that is looked at, in UTF-16 units: as much as Step Functions keeps of a cause. */
const LONGEST_READ = 32_768;

/** Default length of a text that is kept, in UTF-16 units. */
const LONGEST_KEPT = 2_000;

/** Invisible characters: format characters, among them those that reorder text, and unpaired surrogates. */
const INVISIBLE = /[\p{Cf}\p{Cs}]/gu;

/** Control characters, and the separators of lines and paragraphs that JSON and terminals do not escape. */
const BREAKS = /[\p{Cc}\p{Zl}\p{Zp}]+/u;

/**
 * The text as one line without secrets, control, bidirectional or invisible characters, cut to a length in UTF-16 units. Invisible
 * characters go first, because they could hide a key from the mask.
 * Repeated: the result stays as it is.
 */
export function foreignText(text: string, limit: number = LONGEST_KEPT): string {
  const lines = text.slice(0, LONGEST_READ).replaceAll(INVISIBLE, "").split(BREAKS);
  return bounded(
    maskSecretText(
      lines
        .map((line) => line.trim())
        .join(" ")
        .trim(),
    ),
    limit,
  );
}

/** Cuts a text to a bounded length in UTF-16 units, and marks the cut. */
export function bounded(text: string, limit: number): string {
  return text.length <= limit ? text : `${text.slice(0, limit - 1).replace(/[\uD800-\uDBFF]$/, "")}\u2026`;
}

/** The name of an error, as a key of the error table or a word of the same form; anything else is `Error`. */
export function foreignErrorName(name: unknown): string {
  return typeof name === "string" && /^[\w.$-]{1,128}$/.test(name) ? name : "Error";
}
