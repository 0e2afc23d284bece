import { randomUUID } from "node:crypto";
import { writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { buildCreateRequest } from "../../core/requests/create-request.ts";
import { describeError } from "../../core/errors.ts";
import { ifThere } from "../../core/if-there.ts";
import type { WorkflowInput } from "../../core/requests/messages.ts";
import {
  fenceOf,
  isFlowStatus,
  type SnapshotRecord,
  type VolumeRecord,
  type VolumeStatus,
} from "../../core/records.ts";
import { isInFlow } from "../../core/volume-lifecycle.ts";
import type { Retry } from "../../core/scheduling/request.ts";
import { mayReschedule } from "../../core/scheduling/schedule-volume.ts";
import type { Given } from "./cases.ts";
import type { Deployment } from "./deployment.ts";
import { eventsOf, fileIn, type Plan } from "./inject/plan.ts";
import { type Outcome, outcomeOf, type Traces } from "./outcome.ts";

/** A case with a name, to be replayed. */
export type Replayable = { name: string; given: Given };

/** Executions that run at the same time. */
const LANES = 48;

/** Volumes that one sweep takes at most. */
const LARGEST_SWEEP = 500;

/** How long the net below the workflow may take to come by, and from its read of a volume to its write. */
const NET_MS = 20_000;
const NET_WRITE_MS = 1000;
const POLL_MS = 100;

/** A case that ran: what is needed to read its end. */
type Ran = { name: string; plan: Plan; execution: Traces["execution"] };

/**
 * Runs the cases, each from the moment that the scheduler has placed its volume, and returns how each ended. A volume that is undecided at
 * the end of its execution, and did not go back to the scheduler, is read after the next sweep. A case that cannot be run, or whose
 * execution does not end, is an error.
 */
export async function replay(
  deployment: Deployment,
  cases: readonly Replayable[],
): Promise<Map<string, Outcome | Error>> {
  const outcomes = new Map<string, Outcome | Error>();
  const undecided: Ran[] = [];
  const rest = cases.values();
  const lane = async (): Promise<void> => {
    for (const { name, given } of rest) {
      try {
        const ran = await run(deployment, name, given);
        const traces = await settledTraces(deployment, ran);
        if (isDecided(traces)) {
          outcomes.set(name, outcomeOf(ran.plan, traces));
        } else {
          undecided.push(ran);
        }
      } catch (error) {
        outcomes.set(name, new Error(describeError(error).message, { cause: error }));
      }
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  // Volumes that wait for the scheduler are overdue by then, too, and one sweep processes only a limited number.
  for (let swept = 0; undecided.length > 0 && swept <= cases.length; swept += LARGEST_SWEEP) {
    await deployment.sweepLate();
  }
  for (const ran of undecided) {
    outcomes.set(ran.name, outcomeOf(ran.plan, await tracesOf(deployment, ran)));
  }
  return outcomes;
}

async function run(deployment: Deployment, name: string, given: Given): Promise<Ran> {
  const plan: Plan = {
    volumeId: randomUUID(),
    sourceId: randomUUID(),
    snapshotId: randomUUID(),
    imageId: randomUUID(),
    given,
  };
  for (const id of [plan.volumeId, plan.sourceId, plan.snapshotId, plan.imageId]) {
    writeFileSync(fileIn(deployment.planDirectory, id, "json"), JSON.stringify(plan));
  }
  const { record, input } = placed(plan);
  await putSource(deployment, plan);
  if (given.gone !== "volume") {
    await deployment.volumes.create(record);
  }
  return { name, plan, execution: await deployment.run(input) };
}

/** The record as the scheduler leaves it, and the input with which it starts the workflow. */
function placed(plan: Plan): { record: VolumeRecord; input: WorkflowInput } {
  const { given, volumeId } = plan;
  const { record, message } = buildCreateRequest({ sizeGib: given.volume_row.size }, new Date(), {
    volumeId,
    requestId: `req-${randomUUID()}`,
  });
  const sources = sourcesOf(plan);
  const filterProperties = given.none ? null : (given.filter_properties ?? null);
  const retry = (filterProperties?.["retry"] ?? null) as Retry | null;
  const attempt = retry?.num_attempts ?? 1;
  const fence = fenceOf(volumeId, attempt);
  const { host, status, bootable, migration_status } = given.volume_row;
  const isSpecGiven = given.request_spec === "present" && !given.none;
  const requestSpec = isSpecGiven ? { ...message.request_spec, ...sources } : null;
  return {
    record: {
      ...record,
      snapshot_id: sources.snapshot_id,
      source_volid: sources.source_volid,
      status: status as VolumeStatus,
      host,
      bootable,
      migration_status,
      glance_metadata: Object.fromEntries(
        Object.entries(given.preexisting_glance_meta).map(([key, value]) => [
          key,
          value === "IMG" ? plan.imageId : value,
        ]),
      ),
      fence,
      attempts: { [attempt]: { host, execution: fence, started_at: record.created_at, outcome: "running" } },
      phase: "scheduled",
      // A row that the flow finds in another status than it left it in is not the flow's any more.
      deadline: isFlowStatus(status) ? record.deadline : null,
    },
    input: {
      context: message.context,
      volume_id: volumeId,
      attempt,
      fence,
      host,
      ...sources,
      request_spec: requestSpec ?? {},
      filter_properties: filterProperties ?? {},
      allow_reschedule: given.allow_reschedule && mayReschedule(requestSpec, { ...filterProperties, retry }),
      reschedule_failure: null,
    },
  };
}

function sourcesOf({ given, sourceId, snapshotId, imageId }: Plan) {
  return {
    image_id: given.type === "image" || given.also_image ? imageId : null,
    snapshot_id: given.type === "snap" ? snapshotId : null,
    source_volid: given.type === "source_vol" || given.also_source ? sourceId : null,
  };
}

/** Puts the source volume, or the snapshot with its origin, of those that are not gone. */
async function putSource({ volumes, snapshots }: Deployment, plan: Plan): Promise<void> {
  const { given, sourceId } = plan;
  const { snapshot_id: snapshotId, source_volid: sourceVolumeId } = sourcesOf(plan);
  if (snapshotId === null && sourceVolumeId === null) {
    return;
  }
  const source = sourceOf(plan);
  if (given.gone !== "source" && given.gone !== "origin") {
    await volumes.create(source);
  }
  if (snapshotId !== null && given.gone !== "snapshot") {
    const snapshot: SnapshotRecord = {
      id: snapshotId,
      volume_id: sourceId,
      project_id: source.project_id,
      user_id: source.user_id,
      status: "available",
      display_name: null,
      volume_size: source.size,
      host: given.volume_row.host,
      provider_location: null,
      glance_metadata: source.glance_metadata,
      created_at: source.created_at,
    };
    await snapshots.create(snapshot);
  }
}

function sourceOf({ given, sourceId }: Plan): VolumeRecord {
  const { record } = buildCreateRequest({ sizeGib: given.volume_row.size }, new Date(), {
    volumeId: sourceId,
    requestId: "",
  });
  const { status = "available", bootable = false, glance_meta: glanceMetadata = {} } = given.src ?? {};
  return {
    ...record,
    status: status as VolumeStatus,
    host: given.volume_row.host,
    bootable,
    glance_metadata: glanceMetadata,
    phase: null,
    deadline: null,
  };
}

/**
 * The traces of a case, once the net below the workflow has been where the workflow left something to do. It reads the volume
 * before it writes, so it gets a moment.
 */
async function settledTraces(deployment: Deployment, ran: Ran): Promise<Traces> {
  const isTried = ran.execution.status === "SUCCEEDED";
  for (let waited = 0, netSince: number | undefined; ; waited += POLL_MS) {
    const traces = await tracesOf(deployment, ran);
    netSince ??= traces.events.some(({ event }) => event === "net") ? waited : undefined;
    const netWas = netSince !== undefined && waited - netSince >= NET_WRITE_MS;
    if (isDecided(traces) || isTried || netWas || waited >= NET_MS) {
      return traces;
    }
    await delay(POLL_MS);
  }
}

/** Whether the volume has left the flow, or is back with the scheduler. */
function isDecided({ volume, events }: Traces): boolean {
  const cast = events.findLast((event) => event.event === "cast");
  return volume === undefined || !isInFlow(volume) || (cast?.event === "cast" && cast.raised === undefined);
}

async function tracesOf({ volumes, planDirectory }: Deployment, { plan, execution }: Ran): Promise<Traces> {
  const [volume, source] = await Promise.all(
    [plan.volumeId, plan.sourceId].map((volumeId) => ifThere(volumes.get(volumeId))),
  );
  return { volume, source, execution, events: eventsOf(plan.volumeId, planDirectory) };
}
