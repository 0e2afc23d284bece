import { claimFate, isClaimOverdue, type OpenClaim, openClaims } from "../claims.ts";
import { clearVolume } from "../clear-backend.ts";
import { VolumeNotFound } from "../errors.ts";
import type { Drivers } from "../driver-ports.ts";
import type { BackendRepository, VolumeRepository } from "../ports.ts";
import type { VolumeRecord } from "../records.ts";
import type { DeadlineDependencies } from "../time-bounds.ts";
import { closeClaim, type CloseClaimDependencies } from "./close-claim.ts";
import { readyDriver } from "./create-on-backend.ts";
import type { BackendWork } from "./backend-work.ts";
import { sweepEach, type SweepTurn } from "./sweep-turn.ts";

/** Dependencies of closing open claims. */
export type SweepClaimsDependencies = CloseClaimDependencies &
  DeadlineDependencies & {
    volumes: Pick<VolumeRepository, "get">;
    backends: Pick<BackendRepository, "list">;
    drivers: Drivers;
  };

/**
 * Closes abandoned claims according to their volumes' records: sends any missing create.end or create.error, and gives back the capacity of
 * ended attempts. One read of the backends when no claim is old; one more for each claim that is.
 *
 * The mark of a volume that was deleted while a function may have been at work on it is removed when its backend confirms again that
 * nothing is there; late data is deleted. As long as the mark exists, that id cannot be placed there.
 *
 * @param later receives work that has to ask a backend
 * @param closed is called for each claim that is closed, which may be when `later` runs
 */
export async function sweepOpenClaims(
  deps: SweepClaimsDependencies,
  turn: SweepTurn,
  later: BackendWork,
  closed: () => void,
): Promise<void> {
  const now = deps.clock.now();
  const old = openClaims(await deps.backends.list()).filter((open) =>
    isClaimOverdue(open, undefined, now, deps.phaseBounds),
  );
  const close = async (open: OpenClaim): Promise<void> => {
    const volume = await volumeOf(deps, open.volumeId);
    const fate = claimFate(open, volume);
    if (fate.action === "leave" || !isClaimOverdue(open, volume, now, deps.phaseBounds)) {
      return;
    }
    if (fate.action === "forget" && open.claim.suspected_orphan === true) {
      later.add(open.host, open.volumeId, async () => {
        await removeLateWork(deps.drivers, open);
        await closeClaim(deps, open, fate, volume);
        closed();
      });
      return;
    }
    await closeClaim(deps, open, fate, volume);
    closed();
  };
  await sweepEach(turn, old, ({ volumeId }) => volumeId, close);
}

/**
 * Removes late data from a backend that cannot close attempts. On any other backend late data is impossible.
 *
 * @throws as {@link clearVolume}
 */
async function removeLateWork(drivers: Drivers, { host, volumeId }: OpenClaim): Promise<void> {
  const driver = await readyDriver(drivers, host);
  if (!driver.fencesAttempts && (await driver.findVolume(volumeId, null)) === "present") {
    await clearVolume(driver, volumeId, null);
  }
}

async function volumeOf({ volumes }: SweepClaimsDependencies, volumeId: string): Promise<VolumeRecord | undefined> {
  try {
    return await volumes.get(volumeId);
  } catch (error) {
    if (error instanceof VolumeNotFound) {
      return undefined;
    }
    throw error;
  }
}
