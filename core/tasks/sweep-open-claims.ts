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

/** What looking after open claims uses. */
export type SweepClaimsDependencies = CloseClaimDependencies &
  DeadlineDependencies & {
    volumes: Pick<VolumeRepository, "get">;
    backends: Pick<BackendRepository, "list">;
    drivers: Drivers;
  };

/**
 * Closes the claims that nobody closes any more, by what their volumes' records say: tells of ends that were not told, gives back
 * what attempts that are over still hold. One read of the backends when no claim is old; one more for each claim that is.
 *
 * The mark of a volume that was deleted while somebody may have been at work on it is forgotten when its backend says once more that
 * nothing is there: what came late is deleted. As long as the mark stands nothing of that id can be placed there.
 *
 * @param later takes what has to ask a backend
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
 * Removes what a backend that cannot close attempts was made to hold after the deletion. On any other one nothing can come late.
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
