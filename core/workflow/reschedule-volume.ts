import { placingClaimOf } from "../claims.ts";
import { clearVolume } from "../drivers/clear-backend.ts";
import { BackendNotCleared, describeError, isOvertaken, mayStillRun, routeOf } from "../errors.ts";
import { buildFault, causeOf, causeText, readFailure } from "../fault.ts";
import type { Drivers } from "../drivers/driver-ports.ts";
import type { BackendRepository, ClaimRef, Owner, SchedulerQueue, VolumeRepository } from "../ports.ts";
import { fenceOf, isBeforeTheBackend, type VolumeRecord } from "../records.ts";
import type { Failure } from "../spec.ts";
import { type DeadlineDependencies, phaseDeadline } from "../settings/time-bounds.ts";
import { type OwnerInput, ownerOf } from "./input.ts";
import { requireInFlow } from "../attempt/require-in-flow.ts";

/** Dependencies of RescheduleVolume. */
export type RescheduleDependencies = DeadlineDependencies & {
  volumes: Pick<VolumeRepository, "get" | "releaseForReschedule" | "markError">;
  backends: Pick<BackendRepository, "release">;
  drivers: Drivers;
  queue: Pick<SchedulerQueue, "send">;
};

/** The request as it goes back to the scheduler, and why. */
export type RescheduleInput = OwnerInput & {
  image_id: string | null;
  snapshot_id: string | null;
  source_volid: string | null;
  request_spec: Record<string, unknown>;
  filter_properties: Record<string, unknown>;
  failure: Failure;
};

/** Lines of the failed attempt's trace that travel in `retry.exc`, before the line that names the error. */
const TRACE_LINES = 10;

/**
 * OnFailureRescheduleTask: clears the failed backend, hands the record to the next attempt, gives the capacity back, and only then
 * casts the request to the scheduler. If the backend is not clear, it puts the volume in `error` with both reasons, because whatever ends the
 * execution later may not know why no other backend was tried. ErrorOutVolume then finds the record written and does the rest.
 *
 * Each step may be repeated.
 * Interrupted before the record is handed over: a retry does everything again.
 * Interrupted after: the record names the next attempt, and a retry continues from there; the scheduler drops a second cast. Never retried:
 * the queued record is overdue in time, and the sweep takes it, and the claim, which belongs to an attempt that is over. Capacity is given
 * back only after the record does not name the host any more: a volume that ends in `error` in between keeps its host and its counted
 * capacity.
 *
 * @throws BackendNotCleared when the failure is uncertain and the backend cannot confirm that it holds nothing.
 */
export async function rescheduleVolume(
  deps: RescheduleDependencies,
  input: RescheduleInput,
): Promise<{ outcome: string }> {
  const owner = ownerOf(input);
  const next = {
    volumeId: owner.volumeId,
    attempt: owner.attempt + 1,
    fence: fenceOf(owner.volumeId, owner.attempt + 1),
  };
  let claim: ClaimRef;
  try {
    const volume = await deps.volumes.get(owner.volumeId);
    claim = placingClaimOf(volume, owner.attempt);
    if (volume.fence !== next.fence) {
      requireNotEnded(volume, input.host, owner);
      await handOver(deps, input, volume, owner, next);
    }
  } catch (error) {
    if (isOvertaken(error)) {
      return { outcome: "left alone" };
    }
    throw error;
  }
  await deps.backends.release(input.host, claim);
  await deps.queue.send(castOf(input));
  return { outcome: "rescheduled" };
}

/** Stops a repeated call whose answer was lost: its caller has to notify, and to close the claim. @throws BackendNotCleared */
function requireNotEnded(volume: VolumeRecord, host: string, { fence, attempt }: Owner): void {
  if (volume.fence === fence && volume.fault?.attempt === attempt) {
    throw new BackendNotCleared(volume.id, host, `its attempt has ended already, by ${volume.fault.error}`);
  }
}

async function handOver(
  deps: RescheduleDependencies,
  input: RescheduleInput,
  volume: VolumeRecord,
  owner: Owner,
  next: Owner,
): Promise<void> {
  // Before the backend is called: this attempt must not delete the data of a volume that has left the flow.
  requireInFlow(volume, owner);
  const { error, cause } = readFailure(input.failure);
  const isClear = await clearBackend(deps.drivers, input.host, volume, error).catch(async (thrown: unknown) => {
    const { name, message } = describeError(thrown);
    const both = causeOf(cause, { Error: name, Cause: message });
    await deps.volumes.markError(owner, buildFault(volume, owner.attempt, error, both, deps.clock.now()));
    throw thrown;
  });
  const now = deps.clock.now();
  // Before the backend was asked nothing can be there: a function that still runs gets no further than the fence.
  const mayComeLate = volume.phase === "creating" && !fencesAttempts(deps.drivers, input.host) && mayStillRun(error);
  const suspectedOrphan = !isClear || mayComeLate;
  const close = { outcome: "rescheduled", error, cause, at: now, suspectedOrphan, clearedPhase: volume.phase } as const;
  await deps.volumes.releaseForReschedule(owner, next, close, phaseDeadline(deps, "queued"));
}

/**
 * Makes sure that the failed backend holds nothing. True when it confirms that; false when it cannot but said itself that the
 * volume was not created, so that what may be left is a suspected orphan. A driver that is not ready has said nothing: an earlier
 * call of the attempt may have reached the backend.
 *
 * @throws BackendNotCleared when neither is known, or when the backend holds the finished volume.
 */
async function clearBackend(drivers: Drivers, host: string, volume: VolumeRecord, errorName: string): Promise<boolean> {
  if (isBeforeTheBackend(volume.phase)) {
    return true;
  }
  if (volume.phase !== "creating") {
    throw new BackendNotCleared(volume.id, host, "it holds the created volume");
  }
  const doubt = await clearAndTell(drivers, host, volume);
  if (doubt === undefined) {
    return true;
  }
  if (routeOf(errorName) === "reschedulable" && errorName !== "DriverNotInitialized") {
    return false;
  }
  throw new BackendNotCleared(volume.id, host, doubt);
}

/** Undefined when nothing of the volume is there, or can come there, any more; otherwise why that is not known. */
async function clearAndTell(drivers: Drivers, host: string, { id, fence }: VolumeRecord): Promise<string | undefined> {
  try {
    // Not only a driver that is ready: what fails here counts as unknown.
    await clearVolume(drivers.forHost(host), id, fence);
    return undefined;
  } catch (error) {
    const { name, message } = describeError(error);
    return causeText(`${name}: ${message}`);
  }
}

/** False for a host without a backend: closing attempts is not confirmed there. */
function fencesAttempts(drivers: Drivers, host: string): boolean {
  try {
    return drivers.forHost(host).fencesAttempts;
  } catch {
    return false;
  }
}

/**
 * The cast that goes back: `request_spec` with the volume's id, `retry` with the failed attempt's trace (OnFailureRescheduleTask).
 * The last line names the error, as that of a traceback of Python's does.
 */
function castOf(input: RescheduleInput): Record<string, unknown> {
  const { error, cause, trace } = readFailure(input.failure);
  const exc = [...trace.slice(0, TRACE_LINES).map((line) => causeText(line)), `${error}: ${cause}`];
  const retry = input.filter_properties["retry"];
  return {
    context: input.context,
    volume_id: input.volume_id,
    image_id: input.image_id,
    snapshot_id: input.snapshot_id,
    source_volid: input.source_volid,
    request_spec: { ...input.request_spec, volume_id: input.volume_id },
    filter_properties: {
      ...input.filter_properties,
      retry: { ...(typeof retry === "object" && retry !== null ? retry : {}), exc },
    },
  };
}
