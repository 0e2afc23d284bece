import { placingClaimOf } from "../claims.ts";
import { InvalidVolume } from "../errors.ts";
import type { BackendRepository, Owner, VolumeRepository } from "../ports.ts";
import { attemptOfFence, type VolumeRecord } from "../records.ts";
import { type DeadlineDependencies, phaseDeadline } from "../settings/time-bounds.ts";
import { isInFlow, mayBeOnBackend } from "../volume-lifecycle.ts";

/** Taking a volume that came to rest without a backend into the flow again: what redriving a dead letter and a retry have in common. */

/** Dependencies of taking a volume into the flow again. */
export type RequeueDependencies = DeadlineDependencies & {
  volumes: Pick<VolumeRepository, "get" | "requeue">;
  backends: Pick<BackendRepository, "claimOf" | "returnCapacity">;
};

/** The latest attempt that the record knows of; 0 when there was none. */
export function latestAttempt({ attempts, fault, fence }: VolumeRecord): number {
  const known = [fence === null ? 0 : attemptOfFence(fence), fault?.attempt ?? 0, ...Object.keys(attempts).map(Number)];
  return Math.max(0, ...known.filter(Number.isSafeInteger));
}

/**
 * Takes a volume that {@link requireIdle} has passed for its next attempt; capacity that is counted on a backend that was never asked is
 * given back first, once.
 *
 * @throws InvalidVolume when it has changed since it was read
 */
export async function requeueIdle(deps: RequeueDependencies, volume: VolumeRecord, next: Owner): Promise<void> {
  const { host, size } = volume;
  if (host !== null) {
    await deps.backends.returnCapacity(host, placingClaimOf(volume), size);
  }
  await deps.volumes.requeue(volume, next, phaseDeadline(deps, "queued"));
}

/**
 * Checks that a volume may go to the scheduler again: no function works on it, no backend may hold it, and the notification of its last
 * attempt was sent.
 *
 * @throws InvalidVolume that says why not
 */
export async function requireIdle(backends: Pick<BackendRepository, "claimOf">, volume: VolumeRecord): Promise<void> {
  const { delete_requested_at: deleteRequestedAt, fence, host, id, status } = volume;
  const refuse = (why: string): never => {
    throw new InvalidVolume(`volume ${id} ${why}`);
  };
  if (deleteRequestedAt !== null) {
    refuse("is being deleted");
  }
  if (isInFlow(volume) && fence !== null) {
    refuse(`is being created by attempt ${attemptOfFence(fence)}`);
  }
  if (status !== "error" && status !== "creating") {
    refuse(`is ${status}; only one in error, or in creating without an attempt, can be tried again`);
  }
  // Up to `scheduled` the backend was not asked; from `creating` on it may hold something of the volume.
  if (mayBeOnBackend(volume)) {
    refuse(`may lie on ${host}, which was asked for it; delete it and create another`);
  }
  await requireTold(backends, volume);
}

/** A claim outlasts its attempt until the notification was sent. */
async function requireTold(backends: Pick<BackendRepository, "claimOf">, volume: VolumeRecord): Promise<void> {
  const { host, id } = volume;
  if (host !== null && (await backends.claimOf(host, id, attemptOfFence(volume.fence))) !== undefined) {
    throw new InvalidVolume(
      `volume ${id} is in error, but its create.error has not been sent yet; try again in a few minutes`,
    );
  }
}
