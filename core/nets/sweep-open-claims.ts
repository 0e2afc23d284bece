import { claimFate, isClaimOverdue, type OpenClaim, openClaimsOn } from "../claims.ts";
import { clearVolume } from "../drivers/clear-backend.ts";
import { ifThere } from "../if-there.ts";
import type { Drivers } from "../drivers/driver-ports.ts";
import type { BackendRepository, VolumeRepository } from "../ports.ts";
import { type DeadlineDependencies, DEFAULT_PHASE_BOUNDS } from "../settings/time-bounds.ts";
import { closeClaim, type CloseClaimDependencies } from "../attempt/close-claim.ts";
import { readyDriver } from "../attempt/create-on-backend.ts";
import type { BackendWork } from "./backend-work.ts";
import { sweepEach, type SweepTurn } from "./sweep-turn.ts";

/** Dependencies of closing open claims. */
export type SweepClaimsDependencies = CloseClaimDependencies &
  DeadlineDependencies & {
    volumes: Pick<VolumeRepository, "get">;
    backends: Pick<BackendRepository, "list" | "openClaims" | "tidy">;
    drivers: Drivers;
  };

/**
 * Closes abandoned claims according to their volumes' records: sends any missing create.end or create.error, and gives back the capacity of
 * ended attempts. One read of the backends and two for each of them when no claim is old; one more for each claim that is.
 *
 * The claim that a volume left which was deleted while a function may have been at work on it is closed when its backend confirms again
 * that nothing is there; late data is deleted.
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
  const { open_claim: seconds } = deps.phaseBounds ?? DEFAULT_PHASE_BOUNDS;
  const before = new Date(now.getTime() - seconds * 1000);
  const backends = await deps.backends.list();
  const hosts = backends.map(({ host }) => host);
  const old = (await openClaimsOn(deps.backends, hosts, before)).filter((open) =>
    isClaimOverdue(open, undefined, now, deps.phaseBounds),
  );
  const close = async (open: OpenClaim): Promise<void> => {
    const volume = await ifThere(deps.volumes.get(open.volumeId));
    const fate = claimFate(open, volume);
    if (fate.action === "leave" || !isClaimOverdue(open, volume, now, deps.phaseBounds)) {
      return;
    }
    if (fate.action === "settle" && open.claim.suspected_orphan === true) {
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
  // The closed claims of an idle backend would outlive their items there.
  const untidy = backends.filter(({ claims }) => Object.keys(claims).length > 0);
  await sweepEach(
    turn,
    untidy,
    ({ host }) => host,
    ({ host }) => deps.backends.tidy(host),
  );
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
