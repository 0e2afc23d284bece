import { describeError, isOvertaken } from "../errors.ts";
import { ifThere } from "../if-there.ts";
import type { BackendRepository, SnapshotRepository, VolumeRepository } from "../ports.ts";
import { attemptOfFence, type VolumeRecord } from "../records.ts";
import { backendToClear, isBeingRemoved, lifecycleOf } from "../volume-lifecycle.ts";
import { BackendWork, type SilentBackend } from "./backend-work.ts";
import {
  endAttempt,
  type EndAttemptDependencies,
  type ErrorOutDependencies,
  errorOutQueued,
} from "../workflow/error-out-volume.ts";
import { endOverdueExtension, type EndExtendDependencies } from "../volumes/extend-volume.ts";
import { sweepImageCache, type SweepImageCacheDependencies } from "../image-cache/sweep-image-cache.ts";
import { removeSnapshots, type SnapshotsRemovalDependencies } from "../volumes/delete-volume.ts";
import { limitDrivers, type TimeLimit } from "../backends/limited-drivers.ts";
import { ownContext } from "../attempt/own-context.ts";
import { removeRequestedVolume } from "../volumes/remove-requested-volume.ts";
import { unlockSource } from "../attempt/source-locks.ts";
import { sweepOpenClaims } from "./sweep-open-claims.ts";
import { sweepOverdueSnapshots } from "./sweep-overdue-snapshots.ts";
import { sweepEach, type SweepFailure, type SweepTurn } from "./sweep-turn.ts";

type ImageCachePorts = Pick<SweepImageCacheDependencies, "volumes" | "snapshots" | "locks" | "backends">;

/** Dependencies of the sweep. */
export type SweepDependencies = EndAttemptDependencies &
  ErrorOutDependencies &
  SnapshotsRemovalDependencies &
  EndExtendDependencies & {
    volumes: Pick<VolumeRepository, "listOverdue" | "forgetDeadline">;
    snapshots: Pick<SnapshotRepository, "listOverdue" | "markError">;
    backends: Pick<BackendRepository, "openClaims" | "tidy">;
    /** Fails a call of a driver that gives no answer. */
    timeLimit: TimeLimit;
    /** Absent where no backend has one. */
    imageCache?: (SweepImageCacheDependencies["cache"] & ImageCachePorts) | undefined;
  };

/** Findings and actions of a sweep. */
export type SweepResult = {
  /** Volumes past their deadline that it looked at. */
  overdue: number;
  /** Volumes that it put in `error`, removed because their deletion was asked for, or whose extension it ended. */
  errored_out: number;
  /** Snapshots past their deadline that it put in `error`, or whose deletion it ended. Absent without any. */
  snapshots_ended?: number;
  /** Claims that were left open, and are closed now. */
  claims_closed: number;
  /** Cached image volumes that it removed; absent without a cache. */
  images_evicted?: number;
  /** Backends that gave no answer in time; the rest of their work waits for the next sweep. Absent when all have answered. */
  silent_backends?: SilentBackend[];
  failures: SweepFailure[];
};

/** How many volumes one sweep decides before it leaves the rest to the next; those that fail do not count, nor hold up others. */
const SWEEP_LIMIT = 2_000;
const PAGE_SIZE = 100;

/**
 * Shares of a sweep's time at which its parts begin nothing new: deciding volumes, closing claims, and all that asks a backend. Work that
 * has begun still has to end.
 */
const TIME_LEFT_FOR_OTHERS = { volumes: 1 / 2, claims: 1 / 3, backends: 1 / 6 };

/**
 * The last net: takes every volume whose deadline has passed, whatever happened to its message, its execution and the rule on failed
 * executions; then every snapshot whose function died; then every abandoned claim; then the removals of the image-volume cache. Two concurrent sweeps, or one concurrent with an
 * active workflow, are safe: the writes are fenced and the loser leaves the volume alone.
 *
 * All work that asks no backend is done first. Work that asks a backend comes after it, in a lane for each backend, so that a backend that
 * hangs delays neither the decision about volumes nor the work on other backends.
 *
 * Overdue volumes are read through the sparse index, so they cost one empty query when there are none; claims cost one read of
 * the backends and two for each of them. A volume whose handling fails is reported and does not stop the others.
 *
 * @param remainingTimeMs until the caller must have an answer
 * @throws what reading a table threw, when everything else is done
 */
export async function sweepOverdueVolumes(
  { drivers, timeLimit, imageCache: cache, ...others }: SweepDependencies,
  remainingTimeMs: () => number = () => Number.POSITIVE_INFINITY,
): Promise<SweepResult> {
  const limited = limitDrivers(drivers, timeLimit);
  const deps = { ...others, drivers: limited };
  const failures: SweepFailure[] = [];
  const result = { overdue: 0, errored_out: 0, claims_closed: 0, ...(cache !== undefined && { images_evicted: 0 }) };
  const whole = remainingTimeMs();
  const turn = (part: keyof typeof TIME_LEFT_FOR_OTHERS): SweepTurn => ({
    failures,
    hasTime: () => remainingTimeMs() >= whole * TIME_LEFT_FOR_OTHERS[part],
  });
  const later = new BackendWork();
  let snapshotsEnded = 0;
  const broken: unknown[] = [];
  const part = (work: () => Promise<void>): Promise<unknown> => work().catch((error: unknown) => broken.push(error));
  await part(() => sweepVolumes(deps, turn("volumes"), later, result));
  await part(() =>
    sweepOverdueSnapshots(deps, turn("volumes"), later, () => {
      snapshotsEnded += 1;
    }),
  );
  await part(() =>
    sweepOpenClaims(deps, turn("claims"), later, () => {
      result.claims_closed += 1;
    }),
  );
  if (cache !== undefined) {
    await part(() =>
      sweepImageCache({ ...deps, ...cache, cache }, turn("claims"), later, () => {
        result.images_evicted = (result.images_evicted ?? 0) + 1;
      }),
    );
  }
  const silent = await later.run(turn("backends"), limited);
  if (broken.length > 0) {
    throw broken[0];
  }
  const snapshots = snapshotsEnded > 0 && { snapshots_ended: snapshotsEnded };
  return { ...result, ...snapshots, ...(silent.length > 0 && { silent_backends: silent }), failures };
}

/** Dependencies of deciding volumes. */
type DecideDependencies = Omit<SweepDependencies, "timeLimit" | "imageCache">;

type Decided = Pick<SweepResult, "overdue" | "errored_out">;

async function sweepVolumes(
  deps: DecideDependencies,
  turn: SweepTurn,
  later: BackendWork,
  result: Decided,
): Promise<void> {
  const decided = { volumes: 0 };
  let from: string | undefined;
  do {
    const page = await deps.volumes.listOverdue(deps.clock.now(), PAGE_SIZE, from);
    await sweepEach(
      turn,
      page.items,
      ({ id }) => id,
      async ({ id }) => {
        result.overdue += 1;
        if (await takeOverdue(deps, id, later, result)) {
          decided.volumes += 1;
        }
      },
    );
    from = page.next;
  } while (from !== undefined && turn.hasTime() && decided.volumes < SWEEP_LIMIT);
}

/** Whether the volume is dealt with; one whose backend has to be asked is put off. */
async function takeOverdue(
  deps: DecideDependencies,
  volumeId: string,
  later: BackendWork,
  result: Decided,
): Promise<boolean> {
  const volume = await ifThere(deps.volumes.get(volumeId));
  if (volume === undefined || volume.deadline === null || volume.deadline >= deps.clock.now().toISOString()) {
    return true;
  }
  if (lifecycleOf(volume) === "taken_over") {
    // Another writer, mostly an operator, has set its status: the flow gives it up, and closes its claim like that of a volume at rest.
    await unlockSource(deps, volume);
    await deps.volumes.forgetDeadline(volumeId, volume.deadline);
    return true;
  }
  const host = backendToAsk(volume);
  if (host !== null) {
    later.add(host, volumeId, () => endOverdue(deps, volume, result));
    return false;
  }
  await endOverdue(deps, volume, result);
  return true;
}

/** The backend that ending the volume asks; null when it asks none. */
function backendToAsk(volume: VolumeRecord): string | null {
  if (lifecycleOf(volume) === "extending") {
    return volume.extension?.claimed_at === undefined ? null : volume.host;
  }
  return volume.delete_requested_at === null ? null : backendToClear(volume);
}

/** Counts a volume in `error` even when its notification could not be sent: its claim stays open for a later sweep. */
async function endOverdue(deps: DecideDependencies, volume: VolumeRecord, result: Decided): Promise<void> {
  try {
    await takeOn(deps, volume);
    result.errored_out += 1;
  } catch (error) {
    if (isOvertaken(error)) {
      return;
    }
    if (describeError(error).name === "NotificationNotSent") {
      result.errored_out += 1;
    }
    throw error;
  }
}

async function takeOn(deps: DecideDependencies, volume: VolumeRecord): Promise<void> {
  if (isBeingRemoved(volume)) {
    await removeSnapshots(deps, volume);
    await removeRequestedVolume(deps, { volumeId: volume.id, fence: volume.fence });
  } else if (lifecycleOf(volume) === "extending") {
    await endOverdueExtension(deps, volume);
  } else {
    await errorOutOverdue(deps, volume);
  }
}

async function errorOutOverdue(deps: DecideDependencies, volume: VolumeRecord): Promise<void> {
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
