import { DriverNotInitialized } from "../errors.ts";
import type { CreateOutcome, Driver, Drivers, VolumeRepository, Work } from "../ports.ts";
import type { VolumePhase, VolumeRecord, VolumeStatus } from "../records.ts";
import type { Creation, NextStep, WorkCheckpoint } from "../spec.ts";
import { type DeadlineDependencies, phaseDeadline } from "../time-bounds.ts";
import { type OwnerInput, ownerOf } from "./input.ts";

/** What every state that creates on a backend uses. */
export type CreateDependencies = DeadlineDependencies & {
  volumes: Pick<VolumeRepository, "get" | "beginCreate" | "persistModelUpdate">;
  drivers: Drivers;
};

/** The time that a function has left, and the checkpoint of the turn before. */
export type Turn = { remainingTimeMs(): number; checkpoint: WorkCheckpoint | null };

/** What follows when the backend holds the volume. */
type Follow = { next: NextStep; phase: VolumePhase; status?: VolumeStatus };

/**
 * The common course of CreateVolumeFromSpec's states: check the driver, take the record past the point from which the backend may
 * hold the volume, ask the backend, keep what it returned. When only the last write of the create follows, that one keeps it:
 * nothing needs it before, since drivers find a volume by its id.
 *
 * Twice: drivers create by volume id, so the second call finds what the first made. Dead half-way: a retry repeats it; until the
 * model update is written the phase says `creating`, so rescheduling clears the backend first. Late: the fence refuses the first
 * write, before the backend is asked.
 *
 * @throws DriverNotInitialized before anything was asked; FenceLost; what the driver throws.
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
  const outcome = await create(driver, volume, turn);
  const { done, wait_seconds, checkpoint, model_update } = outcome;
  if (follow.next === "finish") {
    return { done, wait_seconds, checkpoint, next: follow.next, model_update };
  }
  if (done) {
    await deps.volumes.persistModelUpdate(owner, model_update ?? {}, follow.phase, follow.status);
  }
  return { done, wait_seconds, checkpoint, next: follow.next, model_update: null };
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
