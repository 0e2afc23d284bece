import { buildNotification } from "../notifications.ts";
import type { BackendRepository, Clock, Notifier, VolumeRepository } from "../ports.ts";
import type { VolumeStatus } from "../records.ts";
import type { Creation, VolumeSpec } from "../spec.ts";
import { type OwnerInput, ownerOf } from "./input.ts";

/** What CreateVolumeOnFinish uses. */
export type FinishDependencies = {
  volumes: Pick<VolumeRepository, "markAvailable">;
  backends: Pick<BackendRepository, "settle">;
  notifier: Notifier;
  clock: Clock;
};

/**
 * CreateVolumeOnFinishTask: the volume becomes available, its claim on the backend is settled, `volume.create.end` is sent.
 *
 * Unlike the seed it does not swallow a failed update: the volume would stay `creating` for ever. Every part may be repeated;
 * a turn that died after the first write goes on with the others, and the notification is sent only after the record reads
 * available.
 *
 * @throws NotificationNotSent when everything but the notification is done; FenceLost.
 */
export async function createVolumeOnFinish(
  deps: FinishDependencies,
  input: OwnerInput & { volume_spec: VolumeSpec; creation: Creation },
): Promise<void> {
  const status = finalStatus(input.volume_spec.status);
  const volume = await deps.volumes.markAvailable(
    ownerOf(input),
    status,
    deps.clock.now(),
    input.creation.model_update ?? {},
  );
  await deps.backends.settle(input.host, input.volume_id);
  await deps.notifier.publish(
    buildNotification("volume.create.end", volume, input.attempt, input.context, deps.clock.now(), {
      era: deps.notifier.era,
    }),
  );
}

/** `status_translation` of the seed. */
function finalStatus(status: VolumeStatus): VolumeStatus {
  return status === "migration_target_creating" ? "migration_target" : "available";
}
