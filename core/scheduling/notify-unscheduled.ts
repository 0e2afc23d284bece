import { routeOf } from "../errors.ts";
import type { CreateVolumeMessage } from "../requests/messages.ts";
import { buildSchedulerNotification } from "../notifications/notifications.ts";
import type { Clock, Notifier } from "../ports.ts";
import type { VolumeRecord } from "../records.ts";

type Teller = { notifier: Notifier; clock: Clock };

/**
 * `scheduler.create_volume`, after the record reads `error`: what Cinder's scheduler sends when it gives a request up.
 *
 * @throws NotificationNotSent, so that the message comes again, finds the volume in `error`, and publishes again.
 */
export async function notifyUnscheduled(
  deps: Teller,
  message: CreateVolumeMessage,
  volume: VolumeRecord,
  attempt: number,
  reason: string,
): Promise<void> {
  await deps.notifier.publish(buildSchedulerNotification(message, volume, attempt, reason, deps.clock.now()));
}

/**
 * The same for a delivery that finds the volume in `error`, because the delivery that put it there may have died before it published. Only
 * scheduling's own errors are published: they are the final ones, and belong to exactly this attempt.
 *
 * @throws NotificationNotSent
 */
export async function notifyUnscheduledAgain(
  deps: Teller,
  message: CreateVolumeMessage,
  volume: VolumeRecord,
  attempt: number,
): Promise<void> {
  const { fault } = volume;
  if (fault !== null && fault.attempt === attempt && routeOf(fault.error) === "final") {
    await notifyUnscheduled(deps, message, volume, attempt, fault.cause);
  }
}
