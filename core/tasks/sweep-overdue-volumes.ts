import { FenceLost, VolumeNotFound } from "../errors.ts";
import type { VolumeRepository } from "../ports.ts";
import { attemptOfFence, type VolumeRecord } from "../records.ts";
import { type ErrorOutDependencies, errorOutAttempt, errorOutQueued } from "./error-out-volume.ts";
import { ownContext } from "./own-context.ts";

/** What the sweep uses. */
export type SweepDependencies = ErrorOutDependencies & { volumes: Pick<VolumeRepository, "listOverdue"> };

/** How many volumes one sweep looks at before it leaves the rest to the next. */
const SWEEP_LIMIT = 500;
const PAGE_SIZE = 50;

/**
 * The last net: takes every volume whose deadline has passed, whatever happened to its message, its execution and the rule on
 * failed executions. It reads through the sparse index, so it costs one empty query when nothing is overdue. Two sweeps at once,
 * or one beside a workflow that still moves, are safe: the writes are fenced and the loser leaves the volume alone.
 *
 * Returns how many volumes it put in `error`.
 */
export async function sweepOverdueVolumes(deps: SweepDependencies): Promise<{ overdue: number; errored_out: number }> {
  let overdue = 0;
  let erroredOut = 0;
  let from: string | undefined;
  do {
    const page = await deps.volumes.listOverdue(deps.clock.now(), PAGE_SIZE, from);
    for (const { id } of page.items) {
      overdue += 1;
      erroredOut += (await takeOverdue(deps, id)) ? 1 : 0;
    }
    from = page.next;
  } while (from !== undefined && overdue < SWEEP_LIMIT);
  return { overdue, errored_out: erroredOut };
}

async function takeOverdue(deps: SweepDependencies, volumeId: string): Promise<boolean> {
  try {
    const volume = await deps.volumes.get(volumeId);
    if (volume.deadline === null || volume.deadline >= deps.clock.now().toISOString()) {
      return false;
    }
    await errorOutOverdue(deps, volume);
    return true;
  } catch (error) {
    if (error instanceof FenceLost || error instanceof VolumeNotFound) {
      return false;
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
    await errorOutAttempt(deps, { volumeId: volume.id, fence: volume.fence, attempt }, why, context);
  }
}
