import { deadLetterRecord, type ReceivedDeadLetter } from "./dead-letters.ts";
import { isOvertaken, UnreadableRecord, VolumeDeleteRequested } from "../errors.ts";
import type { CreateVolumeMessage } from "../requests/messages.ts";
import type { DeadLetterRepository } from "../ports.ts";
import { attemptOfFence, fenceOf, type VolumeRecord } from "../records.ts";
import { attemptOfRequest } from "../scheduling/retry.ts";
import { isInFlow, isQueuedError, isWaitingForScheduler } from "../volume-lifecycle.ts";
import {
  errorOutAttempt,
  type ErrorOutDependencies,
  errorOutQueued,
  finishQueuedError,
} from "../workflow/error-out-volume.ts";
import { ownContext } from "../attempt/own-context.ts";
import { readMessage } from "../scheduling/receive-message.ts";

/** Dependencies of keeping dead letters. */
export type KeepDependencies = ErrorOutDependencies & { deadLetters: Pick<DeadLetterRepository, "keep"> };

/** The result for the volume of a dead letter. */
export type KeepResult = { volumeId: string | undefined; outcome: "error" | "left alone" | "no volume" };

/**
 * Keeps one dead letter, then puts the volume that waits for it in `error`, because a lost message is a stuck volume. The letter
 * is kept first: whatever dies afterwards, the message comes again and finds it kept.
 *
 * Delivered twice: the first record stays. Delivered late, after the letter was sent again: the volume is left alone, it belongs
 * to another attempt. A volume that has moved on is left alone.
 *
 * @throws whatever may pass (throttling, time-outs), so that the message stays in the dead-letter queue and comes again.
 */
export async function keepDeadLetter(deps: KeepDependencies, letter: ReceivedDeadLetter): Promise<KeepResult> {
  const read = readMessage(letter.body);
  const { volumeId } = read;
  // SQS moves a message that is too large to have a reason, and so without one.
  const reason = letter.reason ?? ("reason" in read ? read.reason : undefined);
  const kept = await deps.deadLetters.keep(deadLetterRecord({ ...letter, reason }, volumeId, deps.clock.now()));
  if (volumeId === undefined) {
    return { volumeId, outcome: "no volume" };
  }
  if (kept.redrive_fence !== null) {
    return { volumeId, outcome: "left alone" };
  }
  try {
    const volume = await deps.volumes.get(volumeId);
    const message = "message" in read ? read.message : undefined;
    if (isQueuedError(volume)) {
      await finishAgain(deps, letter, volume, message);
      return { volumeId, outcome: "error" };
    }
    const isDecided = await errorOutWaiting(deps, volume, message, kept.reason);
    return { volumeId, outcome: isDecided ? "error" : "left alone" };
  } catch (error) {
    // One that is to be deleted has a deadline, at which the sweep removes it. One that cannot be read is named by sweep and audit.
    const isOthers = error instanceof VolumeDeleteRequested || error instanceof UnreadableRecord;
    if (isOvertaken(error) || isOthers) {
      return { volumeId, outcome: "left alone" };
    }
    throw error;
  }
}

/**
 * An earlier delivery may have died between the mark and the rest. A letter with a reason comes from the scheduler, which does the
 * rest itself.
 */
async function finishAgain(
  deps: KeepDependencies,
  { reason }: ReceivedDeadLetter,
  volume: VolumeRecord,
  message: CreateVolumeMessage | undefined,
): Promise<void> {
  if (reason === undefined) {
    await finishQueuedError(deps, volume, message?.context ?? ownContext(volume));
  }
}

/** True when the volume is in `error` for want of this message. An unreadable message names no attempt: any that waits is meant. */
async function errorOutWaiting(
  deps: KeepDependencies,
  volume: VolumeRecord,
  message: CreateVolumeMessage | undefined,
  reason: string,
): Promise<boolean> {
  const context = message?.context ?? ownContext(volume);
  const attempt =
    message === undefined ? attemptOfFence(volume.fence) : attemptOfRequest(message.filter_properties ?? {});
  const fence = fenceOf(volume.id, attempt);
  if (!isInFlow(volume) || (volume.fence !== null && volume.fence !== fence)) {
    return false;
  }
  const why = { error: message === undefined ? "InvalidInput" : "MessageUndeliverable", cause: reason };
  if (isWaitingForScheduler(volume)) {
    await errorOutQueued(deps, volume, attempt, why, context);
    return true;
  }
  // The host is on the record, and its execution was never started: the backend was not asked.
  if (volume.phase === "scheduled" && message !== undefined) {
    await errorOutAttempt(deps, { volumeId: volume.id, fence, attempt }, why, context);
    return true;
  }
  return false;
}
