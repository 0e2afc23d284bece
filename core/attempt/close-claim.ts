import { asItEnded, type ClaimFate, type EndEvent, type OpenClaim, placingClaimOf, refOfClaim } from "../claims.ts";
import { describeError } from "../errors.ts";
import type { RequestContext } from "../requests/messages.ts";
import { buildNotification, type Notification } from "../notifications/notifications.ts";
import type { BackendRepository, Clock, Notifier } from "../ports.ts";
import type { VolumeRecord } from "../records.ts";
import { isInFlow } from "../volume-lifecycle.ts";
import { ownContext } from "./own-context.ts";
import { type SourceUnlocker, unlockSource } from "./source-locks.ts";

/** Dependencies of the end of an attempt. */
export type NotifyEndDependencies = SourceUnlocker & {
  backends: Pick<BackendRepository, "settle" | "settleUnsent">;
  notifier: Notifier;
  clock: Clock;
};

/** Dependencies of closing a claim. */
export type CloseClaimDependencies = NotifyEndDependencies & { backends: Pick<BackendRepository, "release"> };

/** `volume.create.end` or `volume.create.error` of a volume whose attempt has ended, however long ago. */
export function endNotification(
  { notifier, clock }: Pick<NotifyEndDependencies, "notifier" | "clock">,
  event: EndEvent,
  volume: VolumeRecord,
  attempt: number,
  context: RequestContext,
): Notification {
  const fault = event === "volume.create.error" ? (volume.fault ?? undefined) : undefined;
  const options = { era: notifier.era, fault };
  return buildNotification(event, asItEnded(volume, event), attempt, context, clock.now(), options);
}

/**
 * Publishes the end of a volume's attempt, then closes its claim. In this order a death in between leaves the claim open, and the sweep
 * publishes again under the same `message_id`. The volume's record has been written before. From then on the volume's source may be deleted
 * again. A lock that could not be removed is not a failure: the claim stays open as well.
 *
 * @throws NotificationNotSent when the event could not be sent: the claim stays open, its capacity is settled.
 */
export async function notifyAndSettle(
  deps: NotifyEndDependencies,
  volume: VolumeRecord,
  attempt: number,
  notification: Notification,
): Promise<void> {
  const claim = placingClaimOf(volume, attempt);
  const { host } = volume;
  try {
    await deps.notifier.publish(notification);
  } catch (error) {
    if (host !== null && describeError(error).name === "NotificationNotSent") {
      await deps.backends.settleUnsent(host, claim);
    }
    throw error;
  }
  const isUnlocked = await unlockSource(deps, volume).then(
    () => true,
    () => false,
  );
  if (host !== null && isUnlocked) {
    await deps.backends.settle(host, claim);
  } else if (host !== null) {
    await deps.backends.settleUnsent(host, claim);
  }
}

/**
 * Handles an open claim according to the volume's record. The request's context is not available: the volume's own user and project replace
 * it.
 * Repeated, at once or late: consumers drop the second event by its id, and a claim is closed once.
 *
 * @throws NotificationNotSent when the event could not be sent; the claim stays open.
 */
export async function closeClaim(
  deps: CloseClaimDependencies,
  open: OpenClaim,
  fate: ClaimFate,
  volume: VolumeRecord | undefined,
): Promise<void> {
  const { host, claim } = open;
  if (fate.action === "leave") {
    return;
  }
  if (fate.tell !== undefined && volume !== undefined) {
    const notification = endNotification(deps, fate.tell, volume, claim.attempt, ownContext(volume));
    if (fate.action === "settle") {
      await notifyAndSettle(deps, volume, claim.attempt, notification);
      return;
    }
    await deps.notifier.publish(notification);
  }
  if (volume !== undefined && !isInFlow(volume)) {
    await unlockSource(deps, volume);
  }
  if (fate.action === "settle") {
    await deps.backends.settle(host, refOfClaim(open));
  } else {
    await deps.backends.release(host, refOfClaim(open));
  }
}
