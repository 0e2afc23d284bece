import { bytesOf } from "../requests/byte-budget.ts";
import { foreignText } from "../text/foreign-text.ts";
import { isMapping } from "../scheduling/python-values.ts";
import { maskSecrets, maskUnparsable } from "../text/secrets.ts";

/**
 * Dead letters: scheduler messages that could not be read, name no volume, or failed too often. The queue that collects them is an
 * intermediate step; this is the stored form, which can be listed, shown and sent again (docs/adr/0013).
 */

/** A dead letter as it is kept. Times are ISO 8601 in UTC. */
export type DeadLetterRecord = {
  /** The message's id in the dead-letter queue; SQS keeps it when it moves a message there. */
  id: string;
  /** The volume that the message names, as far as it can be read. */
  volume_id: string | null;
  reason: string;
  /** The message as it was sent, with secrets masked; of one that cannot be parsed, length, hash and a masked prefix. */
  body: string;
  /** How often it was received when it was kept (`ApproximateReceiveCount`). */
  received_count: number;
  sent_at: string;
  kept_at: string;
  /** Seconds since 1970: DynamoDB's time to live. */
  expires_at: number;
  /** The attempt that the last redrive made, as its fence; null before the first. */
  redrive_fence: string | null;
  /** When the message was last sent again. */
  redriven_at: string | null;
};

/** The stored form of a message from the dead-letter queue. */
export type ReceivedDeadLetter = {
  id: string;
  body: string;
  /** SHA-256 of the body, in hex: the only way to know an unparsable one again. */
  bodySha256: string;
  /** Why it is there; undefined when SQS moved it there after too many receives. */
  reason: string | undefined;
  receivedCount: number;
  sentAt: Date;
};

/** How long a dead letter is kept. Long enough for a quarter's review; what matters is on the volume's record. */
const DEAD_LETTER_RETENTION_DAYS = 90;

/** The reason of a message that SQS moved to the dead letters by itself. */
export const GIVEN_UP = "The scheduler could not take the message in as many receives as its queue allows.";

/** Longest reason that is kept, in UTF-16 units. */
const LONGEST_REASON = 1_000;

/** The record of a dead letter. */
export function deadLetterRecord(
  letter: ReceivedDeadLetter,
  volumeId: string | undefined,
  now: Date,
): DeadLetterRecord {
  return {
    id: letter.id,
    volume_id: volumeId ?? null,
    reason: foreignText(letter.reason ?? GIVEN_UP, LONGEST_REASON),
    body: keptBody(letter),
    received_count: letter.receivedCount,
    sent_at: letter.sentAt.toISOString(),
    kept_at: now.toISOString(),
    expires_at: Math.floor(now.getTime() / 1000) + DEAD_LETTER_RETENTION_DAYS * 86_400,
    redrive_fence: null,
    redriven_at: null,
  };
}

/** Largest body that is kept: its item has 400 KB, and masks may make a body longer than the queue's 256 KiB. */
const LARGEST_BODY_BYTES = 300_000;

/** Longest prefix that is kept of an unparsable body, in UTF-16 units. */
const LONGEST_PREFIX = 500;

/**
 * The body without secrets; the unchanged text when it has none. A body whose secrets cannot be identified is stored as its length, hash
 * and a masked prefix: it is not a JSON object, nests too deep, or is too large after masking. Never throws: every body from the queue can
 * be stored.
 */
function keptBody({ body, bodySha256 }: ReceivedDeadLetter): string {
  try {
    const parsed: unknown = JSON.parse(body);
    const masked = JSON.stringify(maskSecrets(parsed));
    const kept = masked === JSON.stringify(parsed) ? body : masked;
    if (isMapping(parsed) && bytesOf(kept) <= LARGEST_BODY_BYTES) {
      return kept;
    }
  } catch {
    // Not valid JSON, or nested so deep that the stack ends.
  }
  const prefix = foreignText(maskUnparsable(body.slice(0, LONGEST_PREFIX)));
  return `${bytesOf(body)} bytes that are not a message, SHA-256 ${bodySha256}, beginning with: ${prefix}`;
}
