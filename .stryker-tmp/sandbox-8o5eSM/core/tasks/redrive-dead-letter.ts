// @ts-nocheck
import type { DeadLetterRecord } from "../dead-letters.ts";
import { InvalidInput, InvalidVolume } from "../errors.ts";
import { type CreateVolumeMessage, parseCreateVolumeMessage } from "../messages.ts";
import type { BackendRepository, DeadLetterRepository, SchedulerQueue, VolumeRepository } from "../ports.ts";
import { attemptOfFence, fenceOf, isInFlow, RETURNED_CAPACITY, type VolumeRecord } from "../records.ts";
import { attemptOfRequest, redrivenRetry } from "../scheduling/retry.ts";
import { type DeadlineDependencies, phaseDeadline } from "../time-bounds.ts";

/** What sending a dead letter again uses. */
export type RedriveDependencies = DeadlineDependencies & {
  deadLetters: Pick<DeadLetterRepository, "beginRedrive" | "markRedriven">;
  volumes: Pick<VolumeRepository, "get" | "requeue">;
  backends: Pick<BackendRepository, "list" | "returnUnasked" | "forgetReturned">;
  queue: Pick<SchedulerQueue, "send">;
};

/** The attempt that a redrive made. */
export type RedriveResult = { volumeId: string; attempt: number };

/**
 * Sends a dead letter's message to the scheduler again, as a new attempt of its volume. The volume is taken back into the flow
 * first, with one conditional write; its ledger stays, and the attempts are numbered on from it, so that no late message and no
 * late write of an earlier one is taken for the new one's. The scheduler counts its retries anew.
 *
 * Two at once: both find the volume idle, one of them takes it, and the other goes on with the same attempt or is refused; the
 * capacity of a host that was chosen before is given back once.
 *
 * Dead before the message was sent: the letter names the attempt that was begun, and a repeat goes on with it; never repeated,
 * the volume is overdue in time, and the sweep takes it. Dead after: a repeat sends the message of the same attempt, which the
 * scheduler drops.
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
    requireIdle(volume);
    await requireTold(deps.backends, volume);
    await deps.deadLetters.beginRedrive(letter.id, next.fence);
    const { host, id, size } = volume;
    if (host !== null) {
      await deps.backends.returnUnasked(host, id, size, () => isAsRead(deps, volume));
    }
    await deps.volumes.requeue(volume, next, phaseDeadline(deps, "queued"));
  }
  await forgetReturned(deps.backends, volume.id);
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
  const { fence, host, phase, status } = volume;
  return fence !== null && fence === letter.redrive_fence && host === null && phase === "queued" && isInFlow(status);
}

function requireIdle(volume: VolumeRecord): void {
  const { delete_requested_at: deleteRequestedAt, fence, host, id, phase, status } = volume;
  const refuse = (why: string): never => {
    throw new InvalidVolume(`volume ${id} ${why}`);
  };
  if (deleteRequestedAt !== null) {
    refuse("is being deleted");
  }
  if (status === "creating" && fence !== null) {
    refuse(`is being created by attempt ${attemptOfFence(fence)}`);
  }
  if (status !== "error" && status !== "creating") {
    refuse(`is ${status}; only one in error, or in creating without an attempt, can be tried again`);
  }
  // Up to `scheduled` the backend was not asked; from `creating` on it may hold something of the volume.
  if (host !== null && phase !== "scheduled") {
    refuse(`may lie on ${host}, which was asked for it; delete it and create another`);
  }
}

/** A claim outlasts its attempt until everybody was told of the end. */
async function requireTold(backends: RedriveDependencies["backends"], { host, id }: VolumeRecord): Promise<void> {
  const claim = (await backends.list()).find((backend) => backend.host === host)?.claims[id];
  if (claim !== undefined && claim.attempt !== RETURNED_CAPACITY) {
    throw new InvalidVolume(`volume ${id} is in error, but that is still being told of; try again in some minutes`);
  }
}

/** Whether nobody has taken the volume since it was found idle. */
async function isAsRead(
  { volumes }: RedriveDependencies,
  { id, fence, host, phase, status }: VolumeRecord,
): Promise<boolean> {
  const now = await volumes.get(id);
  return now.fence === fence && now.host === host && now.phase === phase && now.status === status;
}

/** Later than every attempt that anybody has heard of. */
function nextAttempt({ attempts, fault, fence }: VolumeRecord, message: CreateVolumeMessage): number {
  const known = [
    attemptOfRequest(message.filter_properties ?? {}),
    fence === null ? 0 : attemptOfFence(fence),
    fault?.attempt ?? 0,
    ...Object.keys(attempts).map(Number),
  ];
  return Math.max(...known.filter(Number.isSafeInteger)) + 1;
}

/** The mark that capacity was given back stands where the new attempt's claim may have to. */
async function forgetReturned(backends: RedriveDependencies["backends"], volumeId: string): Promise<void> {
  for (const { host, claims } of await backends.list()) {
    if (claims[volumeId]?.attempt === RETURNED_CAPACITY) {
      await backends.forgetReturned(host, volumeId);
    }
  }
}
