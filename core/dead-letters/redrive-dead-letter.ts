import type { DeadLetterRecord } from "./dead-letters.ts";
import { InvalidInput } from "../errors.ts";
import { type CreateVolumeMessage, parseCreateVolumeMessage } from "../requests/messages.ts";
import type { DeadLetterRepository, SchedulerQueue } from "../ports.ts";
import { attemptOfFence, fenceOf, type VolumeRecord } from "../records.ts";
import { attemptOfRequest, redrivenRetry } from "../scheduling/retry.ts";
import { isOwnedBy, isWaitingForScheduler } from "../volume-lifecycle.ts";
import { latestAttempt, requeueIdle, type RequeueDependencies, requireIdle } from "./requeue-volume.ts";

/** Dependencies of sending a dead letter again. */
export type RedriveDependencies = RequeueDependencies & {
  deadLetters: Pick<DeadLetterRepository, "beginRedrive" | "markRedriven">;
  queue: Pick<SchedulerQueue, "send">;
};

/** The attempt that a redrive made. */
export type RedriveResult = { volumeId: string; attempt: number };

/**
 * Sends a dead letter's message to the scheduler again, as a new attempt of its volume. The volume is taken back into the flow first, with
 * one conditional write; its ledger stays, and the attempts are numbered on from it, so that no late message and no late write of an
 * earlier one is taken for the new one's. The scheduler starts its count of retries again.
 *
 * Repeated, two at once: both find the volume idle, one of them takes it, and the other continues with the same attempt or is refused; the capacity
 * of a host that was chosen before is given back once.
 *
 * Interrupted before the message was sent: the letter names the attempt that has begun, and a repeat continues with it; without a repeat
 * the volume becomes overdue, and the sweep takes it.
 * Interrupted after: a repeat sends the message of the same attempt, which the scheduler drops.
 *
 * @param correctedBody a message to send in place of the kept one, where that cannot be read
 * @throws InvalidInput when there is no readable message; VolumeNotFound; InvalidVolume when the record does not allow it
 */
export async function redriveDeadLetter(
  deps: RedriveDependencies,
  letter: DeadLetterRecord,
  correctedBody?: string,
): Promise<RedriveResult> {
  const message = messageOf(letter, correctedBody);
  const volume = await deps.volumes.get(message.volume_id);
  const begun = isBegun(letter, volume);
  const attempt = begun ? attemptOfFence(volume.fence) : nextAttempt(volume, message);
  const next = { volumeId: volume.id, attempt, fence: fenceOf(volume.id, attempt) };
  if (!begun) {
    await requireIdle(deps.backends, volume);
    await deps.deadLetters.beginRedrive(letter.id, next.fence);
    await requeueIdle(deps, volume, next);
  }
  await deps.queue.send({
    ...message,
    filter_properties: { ...message.filter_properties, retry: redrivenRetry(attempt) },
  });
  await deps.deadLetters.markRedriven(letter.id, deps.clock.now());
  return { volumeId: volume.id, attempt };
}

function messageOf(letter: DeadLetterRecord, correctedBody: string | undefined): CreateVolumeMessage {
  const message = parseCreateVolumeMessage(correctedBody ?? letter.body);
  if (letter.volume_id !== null && message.volume_id !== letter.volume_id) {
    throw new InvalidInput(`the message names volume ${message.volume_id}, the dead letter ${letter.volume_id}`);
  }
  return message;
}

/** A redrive of this letter has taken the volume, and no scheduler has taken its message. */
function isBegun(letter: DeadLetterRecord, volume: VolumeRecord): boolean {
  const { redrive_fence: fence } = letter;
  return fence !== null && isOwnedBy(volume, fence) && isWaitingForScheduler(volume);
}

/** Later than every known attempt. */
function nextAttempt(volume: VolumeRecord, message: CreateVolumeMessage): number {
  const asked = attemptOfRequest(message.filter_properties ?? {});
  return Math.max(latestAttempt(volume), Number.isSafeInteger(asked) ? asked : 0) + 1;
}
