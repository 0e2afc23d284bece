import { InvalidInput } from "../errors.ts";

/**
 * The byte budget of a request: one table for everything that a request becomes. A request is measured where it enters, and refused
 * there when it takes more than {@link REQUEST_BYTES}, so that whatever fails later has room to be recorded and notified of.
 *
 * | part                                        | record  | state document | message |
 * | ------------------------------------------- | ------- | -------------- | ------- |
 * | the request, with the volume's metadata     | 155,648 | 155,648        | 155,648 |
 * | metadata and locations of the image         |  65,536 |  65,536        |         |
 * | what a driver keeps for its next turn       |         |   8,192        |         |
 * | failures: faults, causes, traces            |  16,384 |  32,768        |  32,768 |
 * | ledger of attempts                          |  81,920 |                |         |
 * | progress, locks of an earlier release       |  90,112 |                |         |
 * | limit of AWS                                | 409,600 | 262,144        | 262,144 |
 *
 * A notification has no share of its own: one that would be too large is truncated and says so (`core/notifications/notifications.ts`).
 *
 * @see https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html (item size)
 * @see https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html (input or output of a state)
 * @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
 */

/** Largest item of DynamoDB. */
export const LARGEST_RECORD_BYTES = 409_600;

/** Largest input or output of a state. */
export const LARGEST_STATE_BYTES = 262_144;

/** Largest message of the scheduler queue and of the notifications' topic, attributes included. */
export const LARGEST_MESSAGE_BYTES = 262_144;

/** A request: its message without the retry, and its workflow input together with the volume's columns. */
export const REQUEST_BYTES = 155_648;

/** An image's metadata and locations. */
export const IMAGE_BYTES = 65_536;

/**
 * Bound of each: the driver's `checkpoint`, its `model_update`, and its progress of a copy.
 */
export const CHECKPOINT_BYTES = 4_096;

/** Attempts that a volume's ledger keeps; each line takes 2,560 bytes at most. Also the upper bound of `scheduler_max_attempts`. */
export const LEDGER_ATTEMPTS = 32;

/** Greatest size of a volume's fault and of the end of its attempt's line. */
export const FAILURE_BYTES = 16_384;

/** Bytes of a text in UTF-8. */
export function bytesOf(text: string): number {
  return new TextEncoder().encode(text).length;
}

/**
 * Bytes that DynamoDB counts for a value: strings and names in UTF-8, up to 21 for a number, 3 for a list or map and 1 for each of its
 * entries.
 *
 * @see https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
 */
export function storedBytes(value: unknown): number {
  if (typeof value === "string") {
    return bytesOf(value);
  }
  if (typeof value === "number") {
    return Math.min(21, 1 + Math.ceil(String(value).length / 2));
  }
  if (typeof value !== "object" || value === null) {
    return value === undefined ? 0 : 1;
  }
  const entries = Object.entries(value).filter(([, entry]) => entry !== undefined);
  return entries.reduce(
    (sum, [name, entry]) => sum + 1 + (Array.isArray(value) ? 0 : bytesOf(name)) + storedBytes(entry),
    3,
  );
}

/** Bytes of a record as an item: names and values. Columns that are null are not stored. */
export function recordBytes(record: Readonly<Record<string, unknown>>): number {
  return Object.entries(record).reduce(
    (sum, [name, value]) => (value === null || value === undefined ? sum : sum + bytesOf(name) + storedBytes(value)),
    0,
  );
}

/**
 * JSON of a message, as SQS and SNS take it: what XML 1.0 calls a character. "A message can include only XML, JSON, and unformatted
 * text ... #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF" (Amazon SQS API Reference, SendMessage). The two
 * code points that JSON writes plainly and XML forbids are escaped, and those above U+FFFF as their surrogates: queues that look at
 * UTF-16 units, as the embedded cloud's does, take an emoji for what XML forbids.
 */
export function messageText(message: unknown): string {
  return JSON.stringify(message).replaceAll(
    /[\uD800-\uDFFF\uFFFE\uFFFF]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16)}`,
  );
}

/**
 * Refuses a request that leaves no room for the flow's additions.
 *
 * @param what the request in the words of the error
 * @throws InvalidInput
 */
export function requireWithinBudget(bytes: number, what: string, limit: number = REQUEST_BYTES): void {
  if (bytes > limit) {
    throw new InvalidInput(`${what} takes ${bytes} bytes; at most ${limit} are allowed`);
  }
}
