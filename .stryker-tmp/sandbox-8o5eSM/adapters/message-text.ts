/**
 * Text as SQS and SNS take it: what XML 1.0 calls a character. "A message can include only XML, JSON, and unformatted text ...
 * #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF" (Amazon SQS API Reference, SendMessage).
 */
// @ts-nocheck


/** Longest attribute, in UTF-16 units: attributes share the message's bound with its body. */
const LONGEST_ATTRIBUTE = 512;

/**
 * JSON of a message. The two code points that JSON writes plainly and XML forbids are escaped, and those above U+FFFF as their
 * surrogates: queues that look at UTF-16 units, as the embedded cloud's does, take an emoji for what XML forbids.
 */
export function messageText(message: unknown): string {
  return JSON.stringify(message).replaceAll(
    /[\uD800-\uDFFF\uFFFE\uFFFF]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16)}`,
  );
}

/** A text for a message attribute: one line of a bounded length, with a space for every character that is not allowed. */
export function attributeText(text: string): string {
  return text
    .slice(0, LONGEST_ATTRIBUTE)
    .toWellFormed()
    .replaceAll(/[^\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, " ")
    .trim();
}
