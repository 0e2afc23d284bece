import type { CreateOutcome, Driver } from "../../../core/drivers/driver-ports.ts";
import type { ModelUpdate } from "../../../core/records.ts";
import { DELETED_BY, type Given } from "../cases.ts";
import { currentPlan } from "./current-plan.ts";
import { errorRaised } from "./errors.ts";
import { eventsOf, log, type Plan, planOf } from "./plan.ts";
import { backUpSource, deleteRow } from "./rows.ts";

/** A call of the driver that a case can script. */
type Call = Exclude<keyof Given["driver"], "initialized">;

/** State of the backend after a call: the volume, nothing, or unchanged. */
type Leaves = "volume" | "nothing" | "as it was";

/**
 * A driver that does what the case says, and remembers in the case's log whether it holds the volume. Without a word of the case a
 * call succeeds and returns nothing, and no image is cloned, as with the recording's driver.
 */
export const SCRIPTED_DRIVER: Driver = {
  // Cinder's drivers do not: no recording has a call that closes.
  fencesAttempts: false,
  closeAttempt: () => notScripted("close_attempt"),
  closeSnapshot: () => notScripted("close_snapshot"),
  forgetClosedAttempts: () => notScripted("forget_closed_attempts"),
  initialized: async () => currentPlan()?.given.driver.initialized ?? true,
  createVolume: ({ id }) => create(id, "create_volume"),
  createVolumeFromSnapshot: ({ id }) => create(id, "create_volume_from_snapshot"),
  createClonedVolume: ({ id }) => create(id, "create_cloned_volume"),
  cloneImage: async ({ id }) => {
    const [, cloned] = planFor(id).given.driver.clone_image?.return ?? [null, false];
    const [update] = (await perform(id, "clone_image", cloned ? "volume" : "as it was"))?.return ?? [null];
    return { ...outcomeOf(update), cloned };
  },
  copyImageToVolume: async ({ id }) => {
    await perform(id, "copy_image_to_volume", "as it was");
    return { done: true };
  },
  deleteVolume: async (volumeId) => {
    await perform(volumeId, "delete_volume", "nothing");
  },
  findVolume: async (volumeId) => {
    const left = eventsOf(volumeId).flatMap((event) => (event.event === "driver" ? event.leaves : []));
    return left.findLast((leaves) => leaves !== "as it was") === "volume" ? "present" : "absent";
  },
  extendVolume: () => notScripted("extend_volume"),
  createSnapshot: () => notScripted("create_snapshot"),
  deleteSnapshot: () => notScripted("delete_snapshot"),
  findSnapshot: () => notScripted("find_snapshot"),
  listContents: () => {
    throw new Error("No case asks for what the backend holds");
  },
  getVolumeStats: () => notScripted("get_volume_stats"),
};

async function create(
  volumeId: string,
  call: "create_volume" | "create_volume_from_snapshot" | "create_cloned_volume",
): Promise<CreateOutcome> {
  return outcomeOf((await perform(volumeId, call, "volume"))?.return ?? null);
}

/** The result of a case's driver, in the form of this project's drivers. */
function outcomeOf(update: { provider_location?: string | undefined } | null): CreateOutcome {
  const { provider_location } = update ?? {};
  const kept: ModelUpdate = provider_location === undefined ? {} : { provider_location };
  return { done: true, wait_seconds: 0, checkpoint: null, model_update: update === null ? null : kept };
}

/** Does what the case says of a call, and returns what it says. */
async function perform<Name extends Call>(
  volumeId: string,
  call: Name,
  leaves: Leaves,
): Promise<Given["driver"][Name]> {
  const plan = planFor(volumeId);
  const script = plan.given.driver[call];
  if (script?.hook === "source_status") {
    await backUpSource(plan);
  } else if (script?.hook !== undefined) {
    await deleteRow(plan, DELETED_BY[script.hook]);
  }
  log(plan, { event: "driver", call, leaves: script?.raise === undefined ? leaves : "as it was" });
  if (script?.raise !== undefined) {
    throw errorRaised(script.raise);
  }
  return script;
}

function planFor(volumeId: string): Plan {
  const plan = planOf(volumeId);
  if (plan === undefined) {
    throw new Error(`No case has the volume ${volumeId}`);
  }
  return plan;
}

async function notScripted(call: string): Promise<never> {
  throw new Error(`No case scripts ${call}`);
}
