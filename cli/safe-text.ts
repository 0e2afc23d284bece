/**
 * Stored text is foreign: a name, a cause or a host may hold anything. Characters that a terminal would interpret are not shown: control
 * characters, which move the cursor or begin escape sequences, and format characters, some of which reverse the direction of the text
 * (Unicode TR 36, bidirectional text spoofing).
 */

/** Joiners are format characters too; emoji and words of several scripts need them. */
const JOINERS = "\u200C\u200D";

const UNSAFE = new RegExp(`[\\p{Cc}\\p{Zl}\\p{Zp}]|(?![${JOINERS}])\\p{Cf}`, "gu");

/** Characters that the commands themselves write: line ends, tabs, and the styles of `paint`. */
// oxlint-disable-next-line no-control-regex
const OWN = /\n|\t|\u001B\[\d{1,2}m/;

const GUARDED = new RegExp(`(${OWN.source})|${UNSAFE.source}`, "gu");

const REPLACEMENT = "\uFFFD";

/** The text in one line, without characters that a terminal would interpret. */
export function oneLine(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return isPlain(text)
    ? text.trim()
    : text
        .replaceAll(/\s*[\r\n]+\s*/g, " ")
        .replaceAll(UNSAFE, REPLACEMENT)
        .trim();
}

/** The last check of a text before it reaches a stream, for text that did not pass through {@link oneLine}. */
export function guarded(text: string): string {
  return text.replaceAll(GUARDED, (_all, own: string | undefined) => own ?? REPLACEMENT);
}

/** A JSON text, with `\u` escapes for characters that a terminal would interpret; parsing returns the same value. */
export function escapedInJson(json: string): string {
  return json.replaceAll(UNSAFE, (found) => (found === "\n" ? found : escaped(found)));
}

/** Whether a text holds characters that a terminal would interpret. */
export function isUnsafe(text: string): boolean {
  return !isPlain(text) && text.search(UNSAFE) !== -1;
}

/** Printable ASCII, the usual case, needs no further check. */
function isPlain(text: string): boolean {
  return /^[\x20-\x7E]*$/.test(text);
}

function escaped(text: string): string {
  return [...Array(text.length).keys()]
    .map((index) => `\\u${text.charCodeAt(index).toString(16).padStart(4, "0")}`)
    .join("");
}
