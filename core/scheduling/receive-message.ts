import { describeError, isOvertaken, VolumeNotFound } from "../errors.ts";
import { type CreateVolumeMessage, parseCreateVolumeMessage, volumeIdNamedBy } from "../requests/messages.ts";
import type { SchedulerQueue } from "../ports.ts";
import { attemptOfFence, type VolumeRecord } from "../records.ts";
import { isQueuedError, isWaitingForScheduler } from "../volume-lifecycle.ts";
import { errorOutQueued, finishQueuedError } from "../workflow/error-out-volume.ts";
import { ownContext } from "../attempt/own-context.ts";
import { type ScheduleDependencies, type ScheduleResult, scheduleVolume } from "./schedule-volume.ts";

/** Dependencies of receiving a scheduler message. */
export type ReceiveDependencies = ScheduleDependencies & { queue: Pick<SchedulerQueue, "sendToDeadLetters"> };

/** A message as it was read, or why it cannot be. */
export type ReadMessage =
  | { body: string; message: CreateVolumeMessage; volumeId: string }
  | { body: string; reason: string; volumeId: string | undefined };

/** Reads a message's body; never throws. */
export function readMessage(body: string): ReadMessage {
  try {
    const message = parseCreateVolumeMessage(body);
    return { body, message, volumeId: message.volume_id };
  } catch (error) {
    return { body, reason: describeError(error).message, volumeId: volumeIdNamedBy(body) };
  }
}

/**
 * Takes one scheduler message. One that cannot be read, or names no volume that exists, goes to the dead letters with the reason;
 * the volume that an unreadable one names goes to `error`, because a lost message is a stuck volume. The dead letter is sent
 * first: if what follows dies, the message comes again, and a second dead letter is better than none.
 *
 * @param volume the record of `read.volumeId` as it is now
 * @throws whatever may pass, so that the message comes again.
 */
export async function receiveMessage(
  deps: ReceiveDependencies,
  read: ReadMessage,
  volume: VolumeRecord | undefined,
): Promise<ScheduleResult> {
  if ("reason" in read) {
    await deps.queue.sendToDeadLetters(read.body, read.reason);
    await errorOutNamed(deps, volume, read.reason);
    return { outcome: "error", detail: read.reason };
  }
  if (volume === undefined) {
    const reason = new VolumeNotFound(read.volumeId).message;
    await deps.queue.sendToDeadLetters(read.body, reason);
    return { outcome: "error", detail: reason };
  }
  return scheduleVolume(deps, read.message, volume);
}

/** Only a volume that still waits for a scheduling is touched: an attempt that runs has its own message to thank. */
async function errorOutNamed(
  deps: ReceiveDependencies,
  volume: VolumeRecord | undefined,
  reason: string,
): Promise<void> {
  if (volume !== undefined && isQueuedError(volume)) {
    await finishQueuedError(deps, volume, ownContext(volume));
  }
  if (volume === undefined || !isWaitingForScheduler(volume)) {
    return;
  }
  const why = { error: "InvalidInput", cause: reason };
  try {
    await errorOutQueued(deps, volume, attemptOfFence(volume.fence), why, ownContext(volume));
  } catch (error) {
    if (!isOvertaken(error)) {
      throw error;
    }
  }
}
