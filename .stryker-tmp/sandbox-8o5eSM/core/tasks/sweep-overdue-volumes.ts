// @ts-nocheck
import { describeError, FenceLost, VolumeNotFound } from "../errors.ts";
import type { ImageCache } from "../image-cache.ts";
import type { VolumeRepository } from "../ports.ts";
import { attemptOfFence, isBeingRemoved, isInFlow, type VolumeRecord } from "../records.ts";
import { endAttempt, type EndAttemptDependencies, errorOutQueued } from "./error-out-volume.ts";
import { sweepImageCache, type SweepImageCacheDependencies } from "./image-cache/sweep-image-cache.ts";
import { ownContext } from "./own-context.ts";
import { removeRequestedVolume } from "./remove-requested-volume.ts";
import { sweepOpenClaims } from "./sweep-open-claims.ts";
import { sweepEach, type SweepFailure, type SweepTurn } from "./sweep-turn.ts";

/** What the sweep uses. */
export type SweepDependencies = EndAttemptDependencies &
  Omit<SweepImageCacheDependencies, "cache"> & {
    volumes: Pick<VolumeRepository, "listOverdue" | "forgetDeadline">;
    /** Absent where no backend has one. */
    imageCache?: ImageCache | undefined;
  };

/** What a sweep found and did. */
export type SweepResult = {
  /** Volumes past their deadline that it looked at. */
  overdue: number;
  /** Volumes that it put in `error`, or removed because their deletion was asked for. */
  errored_out: number;
  /** Claims that were left open, and are closed now. */
  claims_closed: number;
  /** Cached image volumes that it removed; absent without a cache. */
  images_evicted?: number;
  failures: SweepFailure[];
};

/** How many volumes one sweep decides before it leaves the rest to the next; those that fail do not count, nor hold up others. */
const SWEEP_LIMIT = 2_000;
const PAGE_SIZE = 100;

/** What a sweep leaves of its time for the volumes that it has begun. */
const RESERVE_MS = 5_000;

/**
 * The last net: takes every volume whose deadline has passed, whatever happened to its message, its execution and the rule on
 * failed executions, then every claim that nobody closes any more, then what the image-volume cache has to remove. Two sweeps at
 * once, or one beside a workflow that still moves, are safe: the writes are fenced and the loser leaves the volume alone.
 *
 * Overdue volumes are read through the sparse index, so they cost one empty query when there are none; claims cost one read of
 * the backends. A volume whose handling fails is reported and does not stop the others.
 *
 * @param remainingTimeMs until the caller must have an answer; deciding volumes takes at most half of it, claims the rest
 */
export async function sweepOverdueVolumes(
  deps: SweepDependencies,
  remainingTimeMs: () => number = () => Number.POSITIVE_INFINITY,
): Promise<SweepResult> {
  const failures: SweepFailure[] = [];
  const half = remainingTimeMs() / 2;
  const decided = await sweepVolumes(deps, { failures, hasTime: () => remainingTimeMs() >= half });
  const claims = await sweepOpenClaims(deps, { failures, hasTime: () => remainingTimeMs() > RESERVE_MS });
  const { imageCache: cache } = deps;
  const result = { ...decided, claims_closed: claims, failures };
  if (cache === undefined) {
    return result;
  }
  const evicted = await sweepImageCache(
    { ...deps, cache },
    { failures, hasTime: () => remainingTimeMs() > RESERVE_MS },
  );
  return { ...result, images_evicted: evicted };
}

async function sweepVolumes(
  deps: SweepDependencies,
  turn: SweepTurn,
): Promise<Pick<SweepResult, "overdue" | "errored_out">> {
  const result = { overdue: 0, errored_out: 0 };
  let from: string | undefined;
  do {
    const page = await deps.volumes.listOverdue(deps.clock.now(), PAGE_SIZE, from);
    await sweepEach(
      turn,
      page.items,
      ({ id }) => id,
      async ({ id }) => {
        result.overdue += 1;
        await takeOverdue(deps, id, result);
      },
    );
    from = page.next;
  } while (from !== undefined && turn.hasTime() && result.overdue - turn.failures.length < SWEEP_LIMIT);
  return result;
}

/** Counts a volume that is in `error` also when that could not be told: its claim stays open for a later sweep. */
async function takeOverdue(deps: SweepDependencies, volumeId: string, result: { errored_out: number }): Promise<void> {
  try {
    const volume = await deps.volumes.get(volumeId);
    if (volume.deadline === null || volume.deadline >= deps.clock.now().toISOString()) {
      return;
    }
    if (isBeingRemoved(volume)) {
      await removeRequestedVolume(deps, { volumeId, fence: volume.fence });
    } else if (isInFlow(volume.status)) {
      await errorOutOverdue(deps, volume);
    } else {
      // Somebody else has set its status, by hand mostly: it is theirs to decide, and its claim is closed as that of one at rest.
      await deps.volumes.forgetDeadline(volumeId, volume.deadline);
      return;
    }
    result.errored_out += 1;
  } catch (error) {
    if (error instanceof FenceLost || error instanceof VolumeNotFound) {
      return;
    }
    if (describeError(error).name === "NotificationNotSent") {
      result.errored_out += 1;
    }
    throw error;
  }
}

async function errorOutOverdue(deps: SweepDependencies, volume: VolumeRecord): Promise<void> {
  const attempt = attemptOfFence(volume.fence);
  const why = {
    error: "DeadlineExceeded",
    cause: `No progress in phase ${volume.phase ?? "unknown"} until ${volume.deadline ?? "its deadline"}.`,
  };
  const context = ownContext(volume);
  if (volume.fence === null || volume.phase === "queued") {
    await errorOutQueued(deps, volume, attempt, why, context);
  } else {
    await endAttempt(deps, { volumeId: volume.id, fence: volume.fence, attempt }, why, context);
  }
}
