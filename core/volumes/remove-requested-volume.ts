import { placingClaimOf } from "../claims.ts";
import { clearVolume } from "../drivers/clear-backend.ts";
import { describeError, FenceLost } from "../errors.ts";
import { buildFault } from "../fault.ts";
import type { Drivers } from "../drivers/driver-ports.ts";
import type { AsLocked, BackendRepository, Owner, VolumeRepository } from "../ports.ts";
import { attemptOfFence, isBeforeTheBackend, type VolumeRecord } from "../records.ts";
import { type DeadlineDependencies, phaseDeadline } from "../settings/time-bounds.ts";
import { backendToClear } from "../volume-lifecycle.ts";
import { readyDriver } from "../attempt/create-on-backend.ts";
import { closeExtensionClaim } from "./extension-claim.ts";
import type { ProjectMembership } from "./leave-project.ts";
import { type SourceUnlocker, unlockSource } from "../attempt/source-locks.ts";

/** Dependencies of removing a volume for which no backend was asked. */
export type QueuedRemovalDependencies = DeadlineDependencies &
  SourceUnlocker & {
    volumes: Pick<VolumeRepository, "get" | "beginRequestedDelete" | "finishDelete">;
    backends: Pick<BackendRepository, "list" | "settle" | "release" | "returnCapacity">;
    membership: ProjectMembership;
  };

type BegunRemovalDependencies = DeadlineDependencies & {
  volumes: Pick<VolumeRepository, "finishDelete" | "markErrorDeleting">;
  backends: Pick<BackendRepository, "list" | "settle" | "release" | "returnCapacity">;
  membership: ProjectMembership;
  drivers: Drivers;
};

/** Dependencies of removing a volume that may be on a backend. */
export type RemovalDependencies = QueuedRemovalDependencies & BegunRemovalDependencies;

/** Dependencies of removing a volume at rest. */
export type RestRemovalDependencies = BegunRemovalDependencies & { volumes: Pick<VolumeRepository, "beginDelete"> };

/**
 * Removes a volume whose deletion was asked for while it was being created, and with it everything that its attempt made: from the
 * backend first, which has to confirm it, then its capacity, then the record. The caller is the end of the attempt, or a net that has
 * found it ended.
 *
 * Each part may be repeated.
 * Interrupted: the record reads `deleting` and keeps a deadline, at which the sweep begins again. A backend that refuses leaves
 * `error_deleting` with its error as the fault, and the same deadline.
 * Repeated, twice at once: capacity is given back once, and the second call finds the rest gone.
 *
 * Returns the record as it was.
 *
 * @throws FenceLost when the record belongs to another attempt; VolumeNotFound; the backend's error
 */
export async function removeRequestedVolume(
  deps: RemovalDependencies,
  owner: Pick<Owner, "volumeId"> & { fence: string | null },
): Promise<VolumeRecord> {
  const { volumeId, fence } = owner;
  const volume = await deps.volumes.beginRequestedDelete(volumeId, fence, phaseDeadline(deps, "removal"));
  await unlockSource(deps, volume);
  await removeBegun(deps, volume);
  return volume;
}

/**
 * The same for a volume at rest that is not in use.
 *
 * @param volume the record as it was before the caller looked for locks
 * @throws InvalidVolume when it was locked since or is not at rest; the backend's error
 */
export async function removeVolumeAtRest(deps: RestRemovalDependencies, volume: AsLocked): Promise<void> {
  await removeBegun(deps, await deps.volumes.beginDelete(volume, phaseDeadline(deps, "removal")));
}

async function removeBegun(deps: BegunRemovalDependencies, volume: VolumeRecord): Promise<void> {
  const host = backendToClear(volume);
  if (host !== null) {
    await removeFromBackend(deps, volume, host);
  }
  await finishRemoval(deps, volume);
}

/**
 * The same for a volume that no attempt has: it waits for the scheduler, so that no backend was asked. No attempt can take it once its
 * deletion was requested.
 *
 * @throws FenceLost when an attempt has it; VolumeNotFound
 */
export async function removeQueuedVolume(deps: QueuedRemovalDependencies, volumeId: string): Promise<void> {
  const { fence, host } = await deps.volumes.get(volumeId);
  if (host !== null) {
    throw new FenceLost(volumeId, "the scheduler", `it belongs to ${fence ?? "no attempt"}, on ${host}`);
  }
  const volume = await deps.volumes.beginRequestedDelete(volumeId, fence, phaseDeadline(deps, "removal"));
  await unlockSource(deps, volume);
  await finishRemoval(deps, volume);
}

async function removeFromBackend(deps: BegunRemovalDependencies, volume: VolumeRecord, host: string): Promise<void> {
  try {
    await clearVolume(await readyDriver(deps.drivers, host), volume.id, volume.fence);
  } catch (error) {
    const { name, message } = describeError(error);
    const fault = buildFault(volume, attemptOfFence(volume.fence), name, message, deps.clock.now());
    // The caller learns the first error; without the mark the record reads `deleting` until its deadline.
    await deps.volumes.markErrorDeleting(volume.id, volume.fence, fault).catch(() => {});
    throw error;
  }
}

type FinishDependencies = Pick<BegunRemovalDependencies, "backends" | "membership"> & {
  volumes: Pick<VolumeRepository, "finishDelete">;
};

/**
 * Capacity is counted on a host for exactly the volumes whose record names it, whether the claim is open or closed. It is given back once
 * for each claim, also when a second removal was under way while the first one ended.
 */
async function finishRemoval(
  { volumes, backends, membership }: FinishDependencies,
  volume: VolumeRecord,
): Promise<void> {
  const { id: volumeId, host, phase, size } = volume;
  if (host === null) {
    await releaseClaims(backends, volumeId);
  } else {
    await closeExtensionClaim(backends, volume);
    // A finished volume has no phase: no function works on it any more.
    const mayContinue = phase !== null && !isBeforeTheBackend(phase);
    await backends.returnCapacity(host, placingClaimOf(volume), size, mayContinue);
  }
  await membership.end(volume, () => volumes.finishDelete(volumeId));
}

/** Gives back the capacity that a dead scheduling holds for the volume on any backend's item; the sweep does so for claims with their own. */
export async function releaseClaims(
  backends: Pick<BackendRepository, "list" | "release">,
  volumeId: string,
): Promise<void> {
  for (const { host, claims } of await backends.list()) {
    const claim = claims[volumeId];
    if (claim !== undefined) {
      await backends.release(host, { key: volumeId, attempt: claim.attempt, claimedAt: claim.claimed_at });
    }
  }
}
