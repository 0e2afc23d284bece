import { describeError, FenceLost, VolumeNotFound } from "../errors.ts";
import { buildFault, readFailure } from "../fault.ts";
import type { RequestContext } from "../messages.ts";
import { buildNotification } from "../notifications.ts";
import type { BackendRepository, Clock, Notifier, Owner, VolumeRepository } from "../ports.ts";
import type { VolumeRecord } from "../records.ts";
import type { Failure } from "../spec.ts";
import { type OwnerInput, ownerOf } from "./input.ts";

/** What putting a volume in `error` uses. */
export type ErrorOutDependencies = {
  volumes: Pick<VolumeRepository, "get" | "markError" | "markUnschedulable">;
  backends: Pick<BackendRepository, "list" | "settle" | "release">;
  notifier: Notifier;
  clock: Clock;
};

/** What became of the volume; `left alone` when it was no longer this attempt's to write. */
export type ErrorOutResult = { outcome: "error" | "left alone" };

/**
 * `common.error_out_volume`: the workflow's last resort. Fenced like every write, so a late or foreign call changes nothing, and
 * ends well, because there is nothing left for it to do.
 *
 * The volume keeps its host, and its capacity stays counted there, until it is deleted.
 */
export async function errorOutVolume(
  deps: ErrorOutDependencies,
  input: OwnerInput & { failure: Failure },
): Promise<ErrorOutResult> {
  const { error, cause } = readFailure(input.failure);
  try {
    await errorOutAttempt(deps, ownerOf(input), { error, cause }, input.context);
    return { outcome: "error" };
  } catch (thrown) {
    if (thrown instanceof FenceLost || thrown instanceof VolumeNotFound) {
      return { outcome: "left alone" };
    }
    throw thrown;
  }
}

/**
 * Puts an attempt's volume in `error`, settles its claim, and tells of it. May be repeated: the fault that was written first
 * stays, and the notification carries the same id.
 *
 * @throws FenceLost, VolumeNotFound
 */
export async function errorOutAttempt(
  deps: ErrorOutDependencies,
  owner: Owner,
  why: { error: string; cause: string },
  context: RequestContext,
): Promise<void> {
  const before = await deps.volumes.get(owner.volumeId);
  const fault = buildFault(before, owner.attempt, why.error, why.cause, deps.clock.now());
  const volume = await deps.volumes.markError(owner, fault);
  if (volume.host !== null) {
    await deps.backends.settle(volume.host, volume.id);
  }
  await tellOfError(deps, volume, owner.attempt, context);
}

/**
 * Puts in `error` a volume that waits for the scheduler and is owned by no running attempt. A claim that a scheduling may have
 * left behind when it died is released. Dead after the mark: the message comes again, and {@link finishQueuedError} does the rest.
 *
 * @throws FenceLost when an attempt has taken the volume meanwhile; VolumeNotFound
 */
export async function errorOutQueued(
  deps: ErrorOutDependencies,
  volume: VolumeRecord,
  attempt: number,
  why: { error: string; cause: string },
  context: RequestContext,
): Promise<void> {
  const fault = buildFault(volume, attempt, why.error, why.cause, deps.clock.now());
  await finishQueuedError(deps, await deps.volumes.markUnschedulable(volume.id, volume.fence, fault), context);
}

/** Whether {@link errorOutQueued} has marked the volume, and may have died before it did the rest. */
export function isQueuedError({ status, fault, host }: VolumeRecord): boolean {
  return status === "error" && fault !== null && host === null;
}

/** What follows the mark of {@link errorOutQueued}: releases what a dead scheduling holds, and tells of the error. */
export async function finishQueuedError(
  deps: Pick<ErrorOutDependencies, "backends" | "notifier" | "clock">,
  volume: VolumeRecord,
  context: RequestContext,
): Promise<void> {
  for (const backend of await deps.backends.list()) {
    const claim = backend.claims[volume.id];
    if (claim !== undefined) {
      const owner = { volumeId: volume.id, fence: "", attempt: claim.attempt };
      await deps.backends.release(backend.host, owner);
    }
  }
  await tellOfError(deps, volume, volume.fault?.attempt ?? 1, context);
}

/** `volume.create.error`. A notification never fails what it tells of; that it was not sent is logged by the notifier. */
async function tellOfError(
  deps: Pick<ErrorOutDependencies, "notifier" | "clock">,
  volume: VolumeRecord,
  attempt: number,
  context: RequestContext,
): Promise<void> {
  const options = { era: deps.notifier.era, fault: volume.fault ?? undefined };
  const notification = buildNotification("volume.create.error", volume, attempt, context, deps.clock.now(), options);
  try {
    await deps.notifier.publish(notification);
  } catch (error) {
    if (describeError(error).name !== "NotificationNotSent") {
      throw error;
    }
  }
}
