import { FenceLost, VolumeDeleteRequested, VolumeNotFound } from "../errors.ts";
import { buildFault, causeOf, readFailure } from "../fault.ts";
import type { RequestContext } from "../requests/messages.ts";
import type { Owner, VolumeRepository } from "../ports.ts";
import type { VolumeRecord } from "../records.ts";
import type { Failure } from "../spec.ts";
import { wasCreatedBy } from "../volume-lifecycle.ts";
import { endNotification, notifyAndSettle, type NotifyEndDependencies } from "../attempt/close-claim.ts";
import { type OwnerInput, ownerOf } from "./input.ts";
import {
  type QueuedRemovalDependencies,
  type RemovalDependencies,
  removeQueuedVolume,
  removeRequestedVolume,
} from "../volumes/remove-requested-volume.ts";
import { unlockSource } from "../attempt/source-locks.ts";

type ErrorOutAttemptDependencies = NotifyEndDependencies & { volumes: Pick<VolumeRepository, "get" | "markError"> };

/** Dependencies of putting a volume in `error`. */
export type ErrorOutDependencies = ErrorOutAttemptDependencies &
  QueuedRemovalDependencies & { volumes: Pick<VolumeRepository, "markUnschedulable"> };

/**
 * The result for the volume; `created` when this attempt had made it available before, `left alone` when this attempt did not own it any
 * more.
 */
export type ErrorOutResult = { outcome: "error" | "deleted" | "created" | "left alone" };

/**
 * `common.error_out_volume`: the workflow's last resort. Fenced like every write, so a late or foreign call changes nothing, and ends well,
 * because there is nothing left for it to do. A volume that its attempt has made available stays so: only the notification failed, which
 * the sweep sends because the claim is still open.
 *
 * The volume keeps its host, and its capacity stays counted there, until it is deleted. A volume whose deletion was requested in the
 * meantime is deleted here. Its source may be deleted again.
 */
export async function errorOutVolume(
  deps: EndAttemptDependencies,
  input: OwnerInput & { failure: Failure; reschedule_failure?: Failure | null },
): Promise<ErrorOutResult> {
  const { error, cause } = readFailure(input.failure);
  const why = { error, cause: causeOf(cause, input.reschedule_failure ?? null) };
  try {
    return { outcome: await endAttempt(deps, ownerOf(input), why, input.context) };
  } catch (thrown) {
    if (thrown instanceof FenceLost) {
      const volume = await deps.volumes.get(input.volume_id);
      return { outcome: wasCreatedBy(volume, input.fence) ? "created" : "left alone" };
    }
    if (thrown instanceof VolumeNotFound) {
      return { outcome: "left alone" };
    }
    throw thrown;
  }
}

/** Dependencies of ending an attempt that cannot continue. */
export type EndAttemptDependencies = ErrorOutAttemptDependencies & RemovalDependencies;

/**
 * Ends an attempt that cannot continue: its volume goes to `error`, or is removed if its deletion was requested. Returns what became of it.
 *
 * @throws FenceLost, VolumeNotFound; otherwise as {@link errorOutAttempt} and {@link removeRequestedVolume}
 */
export async function endAttempt(
  deps: EndAttemptDependencies,
  owner: Owner,
  why: { error: string; cause: string },
  context: RequestContext,
): Promise<"error" | "deleted"> {
  try {
    await errorOutAttempt(deps, owner, why, context);
    return "error";
  } catch (error) {
    if (!(error instanceof VolumeDeleteRequested)) {
      throw error;
    }
    await removeRequestedVolume(deps, owner);
    return "deleted";
  }
}

/**
 * Puts an attempt's volume in `error`, sends the notification, and settles its claim last. May be repeated: the fault that was written
 * first stays, and the notification carries the same id.
 *
 * @throws FenceLost, VolumeNotFound; VolumeDeleteRequested: see {@link endAttempt}; NotificationNotSent when everything
 *   but the notification is done
 */
export async function errorOutAttempt(
  deps: ErrorOutAttemptDependencies,
  owner: Owner,
  why: { error: string; cause: string },
  context: RequestContext,
): Promise<void> {
  const before = await deps.volumes.get(owner.volumeId);
  const fault = buildFault(before, owner.attempt, why.error, why.cause, deps.clock.now());
  const volume = await deps.volumes.markError(owner, fault);
  const notification = endNotification(deps, "volume.create.error", volume, owner.attempt, context);
  await notifyAndSettle(deps, volume, owner.attempt, notification);
}

/**
 * Puts in `error` a volume that waits for the scheduler and is owned by no running attempt, or removes it when its deletion was asked for.
 * A claim that a scheduling may have left behind when it died is released.
 * Interrupted after the mark: the message comes again, and {@link finishQueuedError} does the rest.
 *
 * @throws FenceLost when an attempt has taken the volume in the meantime; VolumeNotFound; NotificationNotSent, see {@link
 * finishQueuedError}
 */
export async function errorOutQueued(
  deps: ErrorOutDependencies,
  volume: VolumeRecord,
  attempt: number,
  why: { error: string; cause: string },
  context: RequestContext,
): Promise<void> {
  const fault = buildFault(volume, attempt, why.error, why.cause, deps.clock.now());
  // Nothing comes again once the volume is marked. An attempt that takes it nevertheless locks its source again.
  await unlockSource(deps, volume);
  let marked: VolumeRecord;
  try {
    marked = await deps.volumes.markUnschedulable(volume.id, volume.fence, fault);
  } catch (error) {
    if (!(error instanceof VolumeDeleteRequested)) {
      throw error;
    }
    await removeQueuedVolume(deps, volume.id);
    return;
  }
  await finishQueuedError(deps, marked, context);
}

/**
 * The steps after the mark of {@link errorOutQueued}: sends the error's notification, then releases the claim of a dead scheduling. One that
 * has an item of its own by now is left to the sweep. Late,
 * when the volume has been sent again since it was read: the claim of that attempt stays.
 *
 * @throws NotificationNotSent, so that the message comes again and with it the notification
 */
export async function finishQueuedError(
  deps: Pick<ErrorOutDependencies, "backends" | "notifier" | "clock">,
  volume: VolumeRecord,
  context: RequestContext,
): Promise<void> {
  const attempt = volume.fault?.attempt ?? 1;
  await deps.notifier.publish(endNotification(deps, "volume.create.error", volume, attempt, context));
  for (const { host, claims } of await deps.backends.list()) {
    const claim = claims[volume.id];
    if (claim !== undefined && claim.attempt <= attempt) {
      await deps.backends.release(host, { key: volume.id, attempt: claim.attempt, claimedAt: claim.claimed_at });
    }
  }
}
