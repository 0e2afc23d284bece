import { placingClaimOf } from "../claims.ts";
import { InvalidVolume } from "../errors.ts";
import { isCachedVolume } from "../image-cache/image-cache.ts";
import type { BackendRepository, VolumeRepository } from "../ports.ts";
import type { VolumeRecord, VolumeStatus } from "../records.ts";
import { isBeingRemoved } from "../volume-lifecycle.ts";
import { type SourceUnlocker, unlockSource } from "../attempt/source-locks.ts";

/** Dependencies of setting a volume's status. */
export type ResetStatusDependencies = SourceUnlocker & {
  volumes: Pick<VolumeRepository, "resetStatus">;
  backends: Pick<BackendRepository, "isGivenBack">;
};

/**
 * Sets a volume's status at an operator's request (`os-reset_status` of Cinder), in any state. A create or an extension in progress loses
 * the record: its next write is refused, its claim is closed by the sweep, and nothing is notified. A requested deletion is void. The
 * status stays until the next action on the volume.
 *
 * A removal that is under way is not interrupted: it ends within its bound, with the volume gone or in `error_deleting`.
 *
 * Repeated: nothing changes.
 * Interrupted after the write: a lock may be left on the source, which counts for nothing.
 *
 * @param volume the record as it was read
 * @throws InvalidVolume while the volume is being removed, or when its backend does not hold it any more; VolumeNotFound
 */
export async function resetVolumeStatus(
  deps: ResetStatusDependencies,
  volume: VolumeRecord,
  status: VolumeStatus,
): Promise<VolumeRecord> {
  if (isCachedVolume(volume)) {
    throw new InvalidVolume(`volume ${volume.id} belongs to the image-volume cache: evict it there`);
  }
  const { host } = volume;
  if (isBeingRemoved(volume) && host !== null && (await deps.backends.isGivenBack(host, placingClaimOf(volume)))) {
    throw new InvalidVolume(`volume ${volume.id} is gone from ${host}: delete it again`);
  }
  const reset = await deps.volumes.resetStatus(volume.id, status);
  await unlockSource(deps, reset);
  return reset;
}
