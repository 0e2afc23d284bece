import { backendHost } from "../backends/backends.ts";
import { clearVolume } from "../drivers/clear-backend.ts";
import { requireAnswerWithinBudget } from "../drivers/driver-answers.ts";
import { DriverNotInitialized } from "../errors.ts";
import type { CreateOutcome, Driver, Drivers, Work } from "../drivers/driver-ports.ts";
import type { Owner, VolumeRepository } from "../ports.ts";
import { fenceOf, type VolumePhase, type VolumeRecord, type VolumeStatus } from "../records.ts";
import type { Creation, NextStep, WorkCheckpoint } from "../spec.ts";
import {
  DEFAULT_PHASE_BOUNDS,
  type DeadlineDependencies,
  type PhaseBounds,
  phaseDeadline,
} from "../settings/time-bounds.ts";
import { type OwnerInput, ownerOf } from "../workflow/input.ts";

/** Dependencies of every state that creates on a backend. */
export type CreateDependencies = DeadlineDependencies & {
  volumes: Pick<VolumeRepository, "beginCreate" | "persistModelUpdate">;
  drivers: Drivers;
};

/** The time that a function has left, and the checkpoint of the turn before. */
export type Turn = { remainingTimeMs(): number; checkpoint: WorkCheckpoint | null };

/** The step after the backend holds the volume. */
type Follow = { next: NextStep; phase: VolumePhase; status?: VolumeStatus };

/**
 * The common course of CreateVolumeFromSpec's states: check the driver, take the record past the point from which the backend may hold the
 * volume, clear the suspected remains of an earlier attempt there, ask the backend, store its result. When only the last write of the
 * create follows, that one stores it: it is not needed before, because drivers find a volume by its id.
 *
 * Repeated: drivers create by attempt, so the second call finds the result of the first.
 * Interrupted: a retry repeats it; until the model update is written the phase says `creating`, so rescheduling clears the backend first.
 * Late: the fence refuses the first write, before the backend is asked.
 *
 * @throws DriverNotInitialized before the backend was asked; FenceLost; the driver's errors; VolumeDriverException when its data exceeds
 * its share of the byte budget.
 */
export async function createOnBackend(
  deps: CreateDependencies,
  input: OwnerInput,
  turn: Turn,
  follow: Follow,
  create: (driver: Driver, volume: VolumeRecord, work: Work) => Promise<CreateOutcome>,
): Promise<Creation> {
  const owner = ownerOf(input);
  const driver = await readyDriver(deps.drivers, input.host);
  const volume = await deps.volumes.beginCreate(owner, phaseDeadline(deps, "creating"));
  const suspect = turn.checkpoint === null ? suspectOn(volume, owner) : undefined;
  if (suspect !== undefined) {
    await clearVolume(driver, volume.id, suspect);
  }
  const outcome = await create(driver, volume, turn);
  const { done, checkpoint, model_update } = outcome;
  requireAnswerWithinBudget("checkpoint", checkpoint);
  requireAnswerWithinBudget("model_update", model_update);
  const wait_seconds = done ? 0 : waitSeconds(outcome.wait_seconds, deps.phaseBounds ?? DEFAULT_PHASE_BOUNDS);
  if (follow.next === "finish") {
    return { done, wait_seconds, checkpoint, next: follow.next, model_update };
  }
  if (done) {
    await deps.volumes.persistModelUpdate(owner, model_update ?? {}, follow.phase, follow.status);
  }
  return { done, wait_seconds, checkpoint, next: follow.next, model_update: null };
}

/**
 * The fence of the latest earlier attempt that may have left something on the attempt's own backend, where no other attempt could
 * confirm that nothing is there. Undefined when there is none, which is nearly always.
 */
function suspectOn({ attempts, host }: VolumeRecord, { volumeId, attempt }: Owner): string | undefined {
  const suspects = Object.entries(attempts).filter(
    ([number, line]) =>
      Number(number) < attempt &&
      line.suspected_orphan === true &&
      backendHost(line.host ?? "") === backendHost(host ?? ""),
  );
  const latest = Math.max(0, ...suspects.map(([number]) => Number(number)));
  return latest === 0 ? undefined : fenceOf(volumeId, latest);
}

/**
 * How long the workflow waits before it asks the backend again: a whole number, because the states language takes no other, and at
 * most a quarter of the phase's bound, because a wait renews no deadline.
 */
function waitSeconds(asked: number, { creating }: PhaseBounds): number {
  const wanted = Number.isFinite(asked) ? Math.ceil(asked) : 1;
  return Math.max(0, Math.min(wanted, Math.floor(creating / 4)));
}

/**
 * The driver that serves the host, ready to be asked.
 *
 * @throws DriverNotInitialized
 */
export async function readyDriver(drivers: Drivers, host: string): Promise<Driver> {
  const driver = drivers.forHost(host);
  if (!(await driver.initialized())) {
    throw new DriverNotInitialized(host);
  }
  return driver;
}
