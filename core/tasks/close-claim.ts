import { asItEnded, type ClaimFate, claimKeyOf, type EndEvent, type OpenClaim } from "../claims.ts";
import { describeError } from "../errors.ts";
import type { RequestContext } from "../messages.ts";
import { buildNotification, type Notification } from "../notifications.ts";
import type { BackendRepository, Clock, Notifier } from "../ports.ts";
import { isInFlow, type VolumeRecord } from "../records.ts";
import { ownContext } from "./own-context.ts";
import { type SourceUnlocker, unlockSource } from "./source-locks.ts";

/** What closing a claim uses. */
export type CloseClaimDependencies = SourceUnlocker & {
  backends: Pick<BackendRepository, "settle" | "settleUntold" | "release" | "forgetReturned">;
  notifier: Notifier;
  clock: Clock;
};

/** `volume.create.end` or `volume.create.error` of a volume whose attempt has ended, however long ago. */
export function endNotification(
  { notifier, clock }: Pick<CloseClaimDependencies, "notifier" | "clock">,
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
 * Tells how a volume's attempt ended, then closes its claim: in this order, so that whatever dies in between leaves the claim open,
 * and the sweep tells again under the same `message_id`. The volume's record has been written before. What the volume was made from
 * may be deleted again from then on. A lock that could not be taken off is no failure: the claim stays open as well.
 *
 * @throws NotificationNotSent when it could not be told: the claim stays open, its capacity is settled.
 */
export async function tellAndSettle(
  deps: CloseClaimDependencies,
  volume: VolumeRecord,
  attempt: number,
  notification: Notification,
): Promise<void> {
  const claimedAt = volume.attempts[attempt]?.started_at;
  const { host, id } = volume;
  try {
    await deps.notifier.publish(notification);
  } catch (error) {
    if (host !== null && claimedAt !== undefined && describeError(error).name === "NotificationNotSent") {
      await deps.backends.settleUntold(host, id, claimedAt);
    }
    throw error;
  }
  const isUnlocked = await unlockSource(deps, volume).then(
    () => true,
    () => false,
  );
  if (host !== null && isUnlocked) {
    await deps.backends.settle(host, id, claimedAt);
  } else if (host !== null && claimedAt !== undefined) {
    await deps.backends.settleUntold(host, id, claimedAt);
  }
}

/**
 * Does what the volume's record says of an open claim. The request's context is not at hand: the volume's own user and project
 * stand for it. Twice, at once or late: consumers drop the second event by its id, and a claim is closed once.
 *
 * @throws NotificationNotSent when the event could not be told; the claim stays open.
 */
export async function closeClaim(
  deps: CloseClaimDependencies,
  open: OpenClaim,
  fate: ClaimFate,
  volume: VolumeRecord | undefined,
): Promise<void> {
  const { host, claim } = open;
  const volumeId = claimKeyOf(open);
  if (fate.action === "leave") {
    return;
  }
  if (fate.action === "forget") {
    await deps.backends.forgetReturned(host, volumeId);
    return;
  }
  if (fate.tell !== undefined && volume !== undefined) {
    const notification = endNotification(deps, fate.tell, volume, claim.attempt, ownContext(volume));
    if (fate.action === "settle") {
      await tellAndSettle(deps, volume, claim.attempt, notification);
      return;
    }
    await deps.notifier.publish(notification);
  }
  if (volume !== undefined && !isInFlow(volume)) {
    await unlockSource(deps, volume);
  }
  if (fate.action === "settle") {
    await deps.backends.settle(host, volumeId, claim.claimed_at);
  } else {
    await deps.backends.release(host, { volumeId, attempt: claim.attempt }, claim.claimed_at);
  }
}
