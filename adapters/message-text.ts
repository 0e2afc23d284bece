/** Longest attribute, in UTF-16 units: attributes share the message's bound with its body. */
const LONGEST_ATTRIBUTE = 512;

/**
 * A text for a message attribute: one line of a bounded length in UTF-16 units, with a space for every character that is not allowed.
 */
export function attributeText(text: string, limit: number = LONGEST_ATTRIBUTE): string {
  return text
    .slice(0, Math.max(0, Math.min(limit, LONGEST_ATTRIBUTE)))
    .toWellFormed()
    .replaceAll(/[^\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, " ")
    .trim();
}
