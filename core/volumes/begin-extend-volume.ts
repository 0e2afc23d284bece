import { InvalidInput, InvalidVolume } from "../errors.ts";
import { isCachedVolume } from "../image-cache/image-cache.ts";
import type { BackendRepository, VolumeRepository } from "../ports.ts";
import { STATUSES_EXTENDABLE, type VolumeExtension, type VolumeRecord, type VolumeStatus } from "../records.ts";
import { type DeadlineDependencies, phaseDeadline } from "../settings/time-bounds.ts";
import { closeExtensionClaim } from "./extension-claim.ts";
import { holderOf, type LockHolders } from "../attempt/source-locks.ts";

/** Dependencies of requesting an extension. */
export type BeginExtendDependencies = DeadlineDependencies &
  LockHolders & {
    volumes: Pick<VolumeRepository, "get" | "beginExtend">;
    backends: Pick<BackendRepository, "settle" | "release">;
  };

/**
 * The first write alone: takes the volume into `extending`, for callers that answer before the work is done and have `extendVolume` do it
 * with the same input.
 * Repeated: returns the record as it is.
 *
 * @param counted the record by which the growth was reserved in the project's quota: the write refuses any other size or type
 * @throws InvalidInput, InvalidVolume as `extendVolume`
 */
export async function beginExtendVolume(
  deps: BeginExtendDependencies,
  {
    volume_id: volumeId,
    extension_id: id,
    new_size: size,
  }: { volume_id: string; extension_id: string; new_size: number },
  counted?: VolumeRecord,
): Promise<VolumeRecord> {
  const volume = counted ?? (await deps.volumes.get(volumeId));
  if (volume.extension?.id === id) {
    return volume;
  }
  await requireExtendable(deps, volume, size);
  // The next extension replaces the record's proof of what an open claim of the last one stands for.
  await closeExtensionClaim(deps.backends, volume);
  const extension: VolumeExtension = {
    id,
    number: (volume.extension?.number ?? 0) + 1,
    size,
    ...(counted !== undefined && { counted: true }),
    previous_status: volume.status,
    started_at: deps.clock.now().toISOString(),
  };
  return deps.volumes.beginExtend(volume, extension, phaseDeadline(deps, "removal"));
}

async function requireExtendable(deps: BeginExtendDependencies, volume: VolumeRecord, size: number): Promise<void> {
  const { id, status, host } = volume;
  if (isCachedVolume(volume)) {
    throw new InvalidVolume(`volume ${id} belongs to the image-volume cache`);
  }
  if (!(STATUSES_EXTENDABLE as readonly VolumeStatus[]).includes(status) || host === null) {
    throw new InvalidVolume(
      `volume ${id} is ${status}; only an ${STATUSES_EXTENDABLE.join(" or ")} volume can be extended`,
    );
  }
  if (size <= volume.size) {
    throw new InvalidInput(`the new size must be larger than the ${volume.size} GiB of volume ${id}, not ${size} GiB`);
  }
  const holder = await holderOf(deps, "volume", volume, true);
  if (holder !== undefined) {
    throw new InvalidVolume(`volume ${id} is being copied to volume ${holder.id}`);
  }
}
