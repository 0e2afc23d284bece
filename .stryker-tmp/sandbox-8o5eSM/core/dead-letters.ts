// @ts-nocheck
import { maskSecrets, maskSecretText } from "./secrets.ts";

/**
 * Dead letters: scheduler messages that could not be read, name no volume, or failed too often. The queue that collects them is a
 * way station; here is what is kept of each, to be listed, shown and sent again (docs/adr/0013).
 */

/** A dead letter as it is kept. Times are ISO 8601 in UTC. */
export type DeadLetterRecord = {
  /** The message's id in the dead-letter queue; SQS keeps it when it moves a message there. */
  id: string;
  /** The volume that the message names, as far as it can be read. */
  volume_id: string | null;
  reason: string;
  /** The message as it was sent, with secrets masked. */
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

/** What is kept of a message that was received from the dead-letter queue. */
export type ReceivedDeadLetter = {
  id: string;
  body: string;
  /** Why it is there; undefined when SQS moved it there after too many receives. */
  reason: string | undefined;
  receivedCount: number;
  sentAt: Date;
};

/** How long a dead letter is kept. Long enough for a quarter's review; what matters is on the volume's record. */
export const DEAD_LETTER_RETENTION_DAYS = 90;

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
    reason: maskSecretText(letter.reason ?? GIVEN_UP).slice(0, LONGEST_REASON),
    body: maskedBody(letter.body),
    received_count: letter.receivedCount,
    sent_at: letter.sentAt.toISOString(),
    kept_at: now.toISOString(),
    expires_at: Math.floor(now.getTime() / 1000) + DEAD_LETTER_RETENTION_DAYS * 86_400,
    redrive_fence: null,
    redriven_at: null,
  };
}

/** The body without secrets; the very text when there are none. */
function maskedBody(body: string): string {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return maskSecretText(body);
  }
  const masked = JSON.stringify(maskSecrets(parsed));
  return masked === JSON.stringify(parsed) ? body : masked;
}
