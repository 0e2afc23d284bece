import type { CreateOutcome, Driver, Drivers } from "../../core/drivers/driver-ports.ts";
import type { ModelUpdate } from "../../core/records.ts";
import type { WorkCheckpoint } from "../../core/spec.ts";
import { recordedAnswer } from "./recording.ts";

/** Takes the place of `adapters/drivers.ts` and of `adapters/lambda/remote-drivers.ts`: each backend answers what it answered then. */

function recordedOutcome(): CreateOutcome & { cloned: boolean } {
  const { done = true, wait_seconds = 0, checkpoint = null, model_update = null, cloned = false } = recordedAnswer();
  return {
    done: done === true,
    wait_seconds: Number(wait_seconds),
    checkpoint: checkpoint as WorkCheckpoint | null,
    model_update: model_update as ModelUpdate | null,
    cloned: cloned === true,
  };
}

const nothing = async (): Promise<void> => {};
const outcome = async (): Promise<CreateOutcome & { cloned: boolean }> => recordedOutcome();

/** It holds nothing, so that what is cleared is found cleared. */
const DRIVER: Driver = {
  fencesAttempts: true,
  closeAttempt: nothing,
  closeSnapshot: nothing,
  forgetClosedAttempts: nothing,
  initialized: async () => true,
  createVolume: outcome,
  createVolumeFromSnapshot: outcome,
  createClonedVolume: outcome,
  cloneImage: outcome,
  copyImageToVolume: async () => ({ done: recordedAnswer()["done"] !== false }),
  deleteVolume: nothing,
  extendVolume: nothing,
  createSnapshot: async () => null,
  deleteSnapshot: nothing,
  findVolume: async () => "absent",
  findSnapshot: async () => "absent",
  listContents: async function* () {},
  getVolumeStats: async () => ({
    total_capacity_gb: 0,
    free_capacity_gb: 0,
    thin_provisioning_support: true,
    thick_provisioning_support: false,
    capabilities: {},
  }),
};

const DRIVERS: Drivers = { hosts: [], forHost: () => DRIVER };

export * from "../../adapters/drivers.ts";
export * from "../../adapters/lambda/remote-drivers.ts";

/** Overrides the exports of the same names. */
export const createDrivers = (): Drivers => DRIVERS;
export const createRemoteDrivers = (): Drivers => DRIVERS;
