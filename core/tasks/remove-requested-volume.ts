import { describeError, FenceLost, VolumeBackendAPIException } from "../errors.ts";
import { buildFault } from "../fault.ts";
import type { BackendRepository, Drivers, Owner, VolumeRepository } from "../ports.ts";
import { attemptOfFence, isBeforeTheBackend, type VolumeRecord } from "../records.ts";
import { type DeadlineDependencies, phaseDeadline } from "../time-bounds.ts";
import { readyDriver } from "./create-on-backend.ts";

/** What removing a volume uses of which no backend was asked. */
export type QueuedRemovalDependencies = DeadlineDependencies & {
  volumes: Pick<VolumeRepository, "get" | "beginRequestedDelete" | "finishDelete">;
  backends: Pick<BackendRepository, "list" | "release">;
};

/** What removing a volume uses that may be on a backend. */
export type RemovalDependencies = QueuedRemovalDependencies & {
  volumes: Pick<VolumeRepository, "markErrorDeleting">;
  drivers: Drivers;
};

/**
 * Removes a volume whose deletion was asked for while it was being created, and with it everything that its attempt made: from the
 * backend first, which has to confirm it, then the claim with its capacity, then the record. The caller is the end of the
 * attempt, or a net that has found it ended.
 *
 * Each part may be repeated. Dead half-way: the record reads `deleting` and keeps a deadline, at which the sweep begins again. A
 * backend that refuses leaves `error_deleting` with its error as the fault, and the same deadline. Twice at once: a claim is
 * released once, and whoever comes second finds the rest gone.
 *
 * Returns the record as it was.
 *
 * @throws FenceLost when the record belongs to another attempt; VolumeNotFound; what the backend answered
 */
export async function removeRequestedVolume(
  deps: RemovalDependencies,
  owner: Pick<Owner, "volumeId"> & { fence: string | null },
): Promise<VolumeRecord> {
  const { volumeId, fence } = owner;
  const volume = await deps.volumes.beginRequestedDelete(volumeId, fence, phaseDeadline(deps, "removal"));
  if (volume.host !== null && !isBeforeTheBackend(volume.phase)) {
    await removeFromBackend(deps, volume, volume.host);
  }
  await finishRemoval(deps, volume);
  return volume;
}

/**
 * The same for a volume that no attempt has: it waits for the scheduler, so that no backend was asked. Nobody can take it once its
 * deletion was asked for.
 *
 * @throws FenceLost when an attempt has it; VolumeNotFound
 */
export async function removeQueuedVolume(deps: QueuedRemovalDependencies, volumeId: string): Promise<void> {
  const { fence, host } = await deps.volumes.get(volumeId);
  if (host !== null) {
    throw new FenceLost(volumeId, "the scheduler", `it belongs to ${fence ?? "no attempt"}, on ${host}`);
  }
  await finishRemoval(deps, await deps.volumes.beginRequestedDelete(volumeId, fence, phaseDeadline(deps, "removal")));
}

async function removeFromBackend(deps: RemovalDependencies, volume: VolumeRecord, host: string): Promise<void> {
  try {
    const driver = await readyDriver(deps.drivers, host);
    await driver.deleteVolume(volume.id);
    if ((await driver.findVolume(volume.id)) !== "absent") {
      throw new VolumeBackendAPIException(`volume ${volume.id} is still on ${host} after its deletion`);
    }
  } catch (error) {
    const { name, message } = describeError(error);
    const fault = buildFault(volume, attemptOfFence(volume.fence), name, message, deps.clock.now());
    // The caller learns the first error; without the mark the record reads `deleting` until its deadline.
    await deps.volumes.markErrorDeleting(volume.id, volume.fence, fault).catch(() => {});
    throw error;
  }
}

/**
 * A volume in the flow holds its capacity by a claim that is open, or was released by a rescheduling that died: never by one that
 * was settled. So closing the claim is all that there is to give back.
 */
async function finishRemoval({ volumes, backends }: QueuedRemovalDependencies, volume: VolumeRecord): Promise<void> {
  const { id: volumeId, host, fence } = volume;
  if (host !== null) {
    await backends.release(host, { volumeId, attempt: attemptOfFence(fence) });
  } else {
    // A scheduling that died may have left a claim anywhere.
    for (const backend of await backends.list()) {
      const claim = backend.claims[volumeId];
      if (claim !== undefined) {
        await backends.release(backend.host, { volumeId, attempt: claim.attempt });
      }
    }
  }
  await volumes.finishDelete(volumeId);
}
