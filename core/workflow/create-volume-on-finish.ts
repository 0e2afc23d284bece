import type { VolumeRepository } from "../ports.ts";
import type { VolumeRecord, VolumeStatus } from "../records.ts";
import type { Creation, VolumeSpec } from "../spec.ts";
import { endNotification, notifyAndSettle, type NotifyEndDependencies } from "../attempt/close-claim.ts";
import { type OwnerInput, ownerOf } from "./input.ts";

/** Dependencies of CreateVolumeOnFinish. */
export type FinishDependencies = NotifyEndDependencies & { volumes: Pick<VolumeRepository, "markAvailable"> };

/**
 * CreateVolumeOnFinishTask: the volume becomes available, `volume.create.end` is sent, and last its claim on the backend is
 * settled.
 *
 * Unlike the seed it does not swallow a failed update: the volume would stay `creating` for ever. Every part may be repeated; the repeat of
 * a turn that died after the first write continues with the others. Without a repeat the claim stays open, which shows the sweep that the
 * notification is missing.
 *
 * @throws NotificationNotSent when everything but the notification is done; FenceLost.
 */
export async function createVolumeOnFinish(
  deps: FinishDependencies,
  input: OwnerInput & { volume_spec: VolumeSpec; creation: Creation },
): Promise<Pick<VolumeRecord, "created_at" | "launched_at">> {
  const status = finalStatus(input.volume_spec.status);
  const owner = ownerOf(input);
  const volume = await deps.volumes.markAvailable(owner, status, deps.clock.now(), input.creation.model_update ?? {});
  const notification = endNotification(deps, "volume.create.end", { ...volume, status }, owner.attempt, input.context);
  await notifyAndSettle(deps, volume, owner.attempt, notification);
  return volume;
}

/** `status_translation` of the seed. */
function finalStatus(status: VolumeStatus): VolumeStatus {
  return status === "migration_target_creating" ? "migration_target" : "available";
}
