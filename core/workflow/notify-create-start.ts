import type { VolumeRef } from "../records.ts";
import { buildNotification } from "../notifications/notifications.ts";
import type { Clock, Notifier } from "../ports.ts";
import type { OwnerInput } from "./input.ts";

/**
 * NotifyVolumeActionTask("create.start"). A repeat carries the same `message_id`.
 *
 * @throws NotificationNotSent; the workflow continues without it, because a notification never fails a create.
 */
export async function notifyCreateStart(
  deps: { notifier: Notifier; clock: Clock },
  input: OwnerInput & { volume_ref: VolumeRef },
): Promise<void> {
  await deps.notifier.publish(
    buildNotification("volume.create.start", input.volume_ref, input.attempt, input.context, deps.clock.now(), {
      era: deps.notifier.era,
    }),
  );
}
