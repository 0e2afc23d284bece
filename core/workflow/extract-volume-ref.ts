import { FenceLost, VolumeDeleteRequested } from "../errors.ts";
import type { VolumeRepository } from "../ports.ts";
import type { VolumeRecord, VolumeRef } from "../records.ts";
import { type OwnerInput, ownerOf } from "./input.ts";

/**
 * ExtractVolumeRefTask: fetches the volume, and makes sure that this execution owns it.
 *
 * Only reads, so it may run any number of times.
 *
 * @throws VolumeNotFound when the volume was deleted before we got here.
 * @throws FenceLost when another attempt owns the volume by now; VolumeDeleteRequested.
 */
export async function extractVolumeRef(
  deps: { volumes: Pick<VolumeRepository, "get"> },
  input: OwnerInput,
): Promise<VolumeRef> {
  const owner = ownerOf(input);
  const volume = await deps.volumes.get(owner.volumeId);
  if (volume.fence !== owner.fence) {
    throw new FenceLost(owner.volumeId, owner.fence, `it belongs to ${volume.fence ?? "nobody"}`);
  }
  if (volume.delete_requested_at !== null) {
    throw new VolumeDeleteRequested(owner.volumeId);
  }
  return volumeRefOf(volume);
}

/** The part of a record that travels with its workflow. */
export function volumeRefOf(volume: VolumeRecord): VolumeRef {
  const {
    attempts: _attempts,
    deadline: _deadline,
    fault: _fault,
    phase: _phase,
    progress: _progress,
    delete_requested_at: _deleteRequestedAt,
    locks: _locks,
    times_locked: _timesLocked,
    dropped: _dropped,
    ...volumeRef
  } = volume;
  return volumeRef;
}
