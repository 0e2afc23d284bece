import { bytesOf, requireWithinBudget } from "../requests/byte-budget.ts";
import { describeError, FenceLost, isOvertaken, routeOf, VolumeDeleteRequested } from "../errors.ts";
import type { CreateVolumeMessage, WorkflowInput } from "../requests/messages.ts";
import type { Owner, SnapshotRepository, VolumeRepository, VolumeTypeRepository, WorkflowStarter } from "../ports.ts";
import { fenceOf, isBeforeTheBackend, type VolumeRecord } from "../records.ts";
import type { FilterProperties, RequestSpec } from "./request.ts";
import { addRetryBackend, attemptOfRequest, populateRetry } from "./retry.ts";
import type { Pin } from "./schedule.ts";
import type { SchedulerSettings } from "./settings.ts";
import { type DeadlineDependencies, phaseDeadline } from "../settings/time-bounds.ts";
import { isInFlow, isQueuedError, lifecycleOf } from "../volume-lifecycle.ts";
import { type Candidate, claimBackend, type ClaimDependencies } from "./claim-backend.ts";
import {
  errorOutAttempt,
  type ErrorOutDependencies,
  errorOutQueued,
  finishQueuedError,
} from "../workflow/error-out-volume.ts";
import { volumeRefOf } from "../workflow/extract-volume-ref.ts";
import { removeQueuedVolume } from "../volumes/remove-requested-volume.ts";
import { scheduledSpec } from "./scheduled-spec.ts";
import { notifyUnscheduled, notifyUnscheduledAgain } from "./notify-unscheduled.ts";

/** Dependencies of ScheduleVolume. */
export type ScheduleDependencies = ErrorOutDependencies &
  ClaimDependencies &
  DeadlineDependencies & {
    volumes: Pick<VolumeRepository, "assignHost">;
    snapshots: Pick<SnapshotRepository, "get">;
    volumeTypes: Pick<VolumeTypeRepository, "get">;
    workflow: WorkflowStarter;
    settings: SchedulerSettings;
  };

/**
 * The result of a message. `left alone`: a repeated or late delivery that another one has overtaken. `unscheduled`: the volume is in
 * `error` because it could not be scheduled; a repeated delivery says so too, because the first one may have died before it was heard.
 */
export type ScheduleResult = {
  outcome: "scheduled" | "error" | "deleted" | "left alone";
  detail: string;
  unscheduled?: true;
};

/**
 * Schedules one volume: `create_volume` of Cinder's scheduler, with the decision made durable as one claim.
 *
 * Delivered twice or late: a volume that has left the flow, or belongs to a later attempt, is left alone; an attempt that was scheduled
 * before is started again, which starts nothing.
 * Interrupted after the claim: the next delivery finds the claim on its backend and continues with it.
 * Interrupted after the record was written: the next delivery starts the execution.
 *
 * A volume whose deletion was asked for while it waited is removed here, so that its message is consumed and no dead letter.
 *
 * @param volume the record as it was read for this delivery
 * @throws whatever may pass (throttling, time-outs), so that the message comes again.
 */
export async function scheduleVolume(
  deps: ScheduleDependencies,
  message: CreateVolumeMessage,
  volume: VolumeRecord,
): Promise<ScheduleResult> {
  const retry = populateRetry(message.filter_properties ?? {}, deps.settings.scheduler_max_attempts, volume.id);
  const attempt = attemptOfRequest(message.filter_properties ?? {});
  const owner = { volumeId: volume.id, attempt, fence: fenceOf(volume.id, attempt) };
  const overtaken = overtakenBy(volume, owner);
  if (overtaken !== undefined) {
    if (isQueuedError(volume)) {
      await finishQueuedError(deps, volume, message.context);
      await notifyUnscheduledAgain(deps, message, volume, attempt);
      return { outcome: "left alone", detail: overtaken, unscheduled: true };
    }
    return { outcome: "left alone", detail: overtaken };
  }
  try {
    if (volume.delete_requested_at !== null && volume.host === null) {
      throw new VolumeDeleteRequested(volume.id);
    }
    if (retry.noValidBackend !== null) {
      throw retry.noValidBackend;
    }
    const { spec, properties, pin } = await scheduledSpec(deps, message, volume, retry.filterProperties);
    requireRoom(workflowInput(message, volume, owner, spec, properties), volume);
    const scheduled = await placeVolume(deps, owner, volume, properties, pin);
    await deps.workflow.start(workflowInput(message, scheduled, owner, spec, properties));
    return { outcome: "scheduled", detail: scheduled.host ?? "" };
  } catch (error) {
    return failScheduling(deps, message, volume, owner, error);
  }
}

/** Why this delivery has nothing to do, if it has nothing to do. */
function overtakenBy(volume: VolumeRecord, owner: Owner): string | undefined {
  if (!isInFlow(volume) && lifecycleOf(volume) !== "unclaimed") {
    return `the volume is ${volume.status}`;
  }
  if (volume.fence !== null && volume.fence !== owner.fence) {
    return `the volume belongs to ${volume.fence}`;
  }
  // Before the backend is asked, the attempt's execution may not have been started yet.
  if (volume.phase !== null && !isBeforeTheBackend(volume.phase)) {
    return `its workflow runs, in phase ${volume.phase}`;
  }
  return undefined;
}

/**
 * Claims a backend and writes it on the record. Only a claim that the record then refuses is released: this delivery may have found the
 * claim of another one, which the record names, and which stays open until the notification was sent.
 */
async function placeVolume(
  deps: ScheduleDependencies,
  owner: Owner,
  volume: VolumeRecord,
  properties: FilterProperties,
  pin: Pin | undefined,
): Promise<VolumeRecord> {
  if (volume.fence === owner.fence && volume.host !== null) {
    return volume;
  }
  const candidate = await claimBackend(deps, owner, volume.size, properties, pin);
  const claim = { key: volume.id, attempt: owner.attempt, claimedAt: candidate.claimedAt };
  try {
    const scheduled = await assign(deps, owner, candidate);
    // Otherwise another delivery of this attempt was faster, with a claim of its own.
    if (scheduled.host !== candidate.host || scheduled.attempts[owner.attempt]?.started_at !== candidate.claimedAt) {
      await deps.backends.release(candidate.host, claim);
    }
    return scheduled;
  } catch (error) {
    if (isOvertaken(error) || error instanceof VolumeDeleteRequested) {
      await deps.backends.release(candidate.host, claim);
    }
    throw error;
  }
}

/** The attempt starts with its claim: the time is how the claim is known again (`isClaimOf`). */
function assign(deps: ScheduleDependencies, owner: Owner, candidate: Candidate): Promise<VolumeRecord> {
  return deps.volumes.assignHost(
    owner,
    candidate.host,
    candidate.availabilityZone,
    { host: candidate.host, execution: owner.fence, started_at: candidate.claimedAt, outcome: "running" },
    phaseDeadline(deps, "scheduled"),
  );
}

function workflowInput(
  message: CreateVolumeMessage,
  volume: VolumeRecord,
  owner: Owner,
  spec: RequestSpec,
  properties: FilterProperties,
): WorkflowInput {
  const host = volume.host ?? "";
  return {
    context: message.context,
    volume_id: volume.id,
    attempt: owner.attempt,
    fence: owner.fence,
    host,
    image_id: message.image_id,
    snapshot_id: message.snapshot_id,
    source_volid: message.source_volid ?? volume.source_volid,
    request_spec: message.request_spec === null ? {} : travellingSpec(spec, volume),
    filter_properties: travellingProperties(addRetryBackend(properties, host)),
    allow_reschedule: mayReschedule(message.request_spec, properties),
    reschedule_failure: null,
  };
}

/** The volume's metadata travels once, with its reference; {@link scheduledSpec} puts it back where the request comes again. */
function travellingSpec(spec: RequestSpec, { metadata }: VolumeRecord): RequestSpec {
  const { volume_properties: properties, resource_properties: twin, ...others } = spec;
  const { metadata: given, ...rest } = properties ?? {};
  return {
    ...others,
    // Twins in Cinder, of which the scheduler reads the first.
    ...(twin === undefined || isTwin(twin, properties) ? {} : { resource_properties: twin }),
    volume_properties: isSame(given ?? {}, metadata) ? rest : { ...rest, metadata: given ?? null },
  };
}

/** The record's size may have taken the place of the message's. */
function isTwin(twin: RequestSpec["resource_properties"], properties: RequestSpec["volume_properties"]): boolean {
  const { size: _size, metadata: _metadata, ...own } = properties ?? {};
  const { size: _twinSize, metadata: _twinMetadata, ...others } = twin ?? {};
  return JSON.stringify(own) === JSON.stringify(others);
}

/** Data that the filters get twice, or have with the request spec, travels once. */
function travellingProperties(properties: FilterProperties): FilterProperties {
  const { request_spec: _spec, resource_type: _twin, metadata: _metadata, ...others } = properties;
  return others;
}

function isSame(one: Record<string, unknown>, other: Record<string, unknown>): boolean {
  const keys = Object.keys(one);
  return keys.length === Object.keys(other).length && keys.every((key) => one[key] === other[key]);
}

/** @throws InvalidInput when the request and the volume's reference leave no room in a state document: `core/requests/byte-budget.ts` */
function requireRoom(input: WorkflowInput, volume: VolumeRecord): void {
  const bytes = bytesOf(JSON.stringify(input)) + bytesOf(JSON.stringify(volumeRefOf(volume)));
  requireWithinBudget(bytes, "the request with the columns of its volume");
}

/**
 * Whether a failure that allows it goes back to the scheduler: the request has a spec to be scheduled by and a retry that counts
 * attempts. Empty ones count as none: the seed asks for a spec that is not empty, Zed for a retry that is not.
 */
export function mayReschedule(requestSpec: CreateVolumeMessage["request_spec"], properties: FilterProperties): boolean {
  return Object.keys(requestSpec ?? {}).length > 0 && Object.keys(properties.retry ?? {}).length > 0;
}

/** A final error ends the volume in `error` with the reason; anything else is thrown, and the message comes again. */
async function failScheduling(
  deps: ScheduleDependencies,
  message: CreateVolumeMessage,
  volume: VolumeRecord,
  owner: Owner,
  error: unknown,
): Promise<ScheduleResult> {
  const { name, message: cause } = describeError(error);
  if (error instanceof FenceLost) {
    return { outcome: "left alone", detail: cause };
  }
  if (routeOf(name) !== "final") {
    throw error;
  }
  const why = { error: name, cause };
  try {
    if (error instanceof VolumeDeleteRequested) {
      await removeQueuedVolume(deps, volume.id);
      return { outcome: "deleted", detail: cause };
    }
    await errorOutQueued(deps, volume, owner.attempt, why, message.context).catch(async (refused: unknown) => {
      // The host was written by this delivery, or by another one of the attempt, whose execution may be with the backend by now.
      if (!(refused instanceof FenceLost) || !isBeforeTheBackend((await deps.volumes.get(volume.id)).phase)) {
        throw refused;
      }
      await errorOutAttempt(deps, owner, why, message.context);
    });
  } catch (thrown) {
    if (isOvertaken(thrown)) {
      return { outcome: "left alone", detail: describeError(thrown).message };
    }
    throw thrown;
  }
  await notifyUnscheduled(deps, message, volume, owner.attempt, cause);
  return { outcome: "error", detail: cause, unscheduled: true };
}
