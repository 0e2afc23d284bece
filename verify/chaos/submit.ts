import { setTimeout as delay } from "node:timers/promises";
import { SendMessageCommand } from "@aws-sdk/client-sqs";
import { buildCreateRequest } from "../../core/requests/create-request.ts";
import { VolumeNotFound } from "../../core/errors.ts";
import { isBeforeTheBackend, isInFlow } from "../../core/records.ts";
import { digestOf } from "./content.ts";
import { type AcceptedVolume, type Deletion, suspectedBackends } from "./evidence.ts";
import type { Hang } from "./hang.ts";
import { FunctionFailed, persist, type Services } from "./services.ts";
import type { Source, Sources } from "./sources.ts";
import { HANGING_ZONE, TIME_BOUNDS } from "./stack.ts";
import { type DeletionMoment, SECRET, type Wish, type Work } from "./work.ts";

/** The clients that request volumes. */
export type Submission = {
  /** Volumes whose message the queue took. */
  readonly accepted: AcceptedVolume[];
  /** The readable message of each volume, for sending it again. */
  readonly messages: ReadonlyMap<string, string>;
  /** Resolves when everything was asked for, and every deletion answered that does not wait for the backend that hangs. */
  readonly done: Promise<void>;
  /** Resolves when the other deletions were answered too. */
  readonly answered: Promise<void>;
};

export type SubmissionOptions = {
  services: Services;
  sources: Sources;
  work: Work;
  hang: Pick<Hang, "begun" | "over">;
  signal: AbortSignal;
  /** Called after each volume. */
  onAccepted: (count: number) => void;
};

/** Requests that are sent at the same time. */
const LANES = 8;
/** Volumes in the flow beyond which the next waits, so that kills and faults meet all of it and not the first second. */
const MOST_IN_FLOW = 48;
const PROJECT = "chaos";
/** A project that owns none of the sources. */
const STRANGER = "stranger";
const EMPTY = digestOf([]);

/** Asks for all of the work, in lanes. */
export function submit({ services, sources, work, hang, signal, onAccepted }: SubmissionOptions): Submission {
  const accepted: AcceptedVolume[] = [];
  const messages = new Map<string, string>();
  const later: Promise<void>[] = [];
  const hanging: Promise<void>[] = [];
  const wishes = work.wishes.values();
  const bad = work.bad.values();
  const everySoMany = Math.max(1, Math.floor(work.wishes.length / Math.max(1, work.bad.length)));
  const send = (body: string): Promise<unknown> => {
    const request = { QueueUrl: services.output("SchedulerQueueUrl"), MessageBody: body };
    return persist(signal, () => services.sqs.send(new SendMessageCommand(request)));
  };
  const ask = async (wish: Wish): Promise<void> => {
    const { record, message, digest } = requestOf(wish, sources);
    await persist(signal, () => services.volumes.create(record));
    const readable = JSON.stringify({ ...message, context: { ...message.context, auth_token: SECRET } });
    messages.set(wish.volumeId, readable);
    const body = wish.spoiled ? JSON.stringify({ volume_id: wish.volumeId, context: `token=${SECRET}` }) : readable;
    await send(body);
    const volume = acceptedOf(wish, digest);
    accepted.push(volume);
    onAccepted(accepted.length);
    for (let repeat = 0; repeat < wish.repeats; repeat += 1) {
      later.push(delay(repeat * 700).then(async () => void (await send(body))));
    }
    if (wish.deletion !== null) {
      const deletion = deleteLater(services, volume, wish.deletion, hang, signal);
      (wish.zone === HANGING_ZONE ? hanging : later).push(deletion);
      // The waiting caller gets the error.
      deletion.catch(() => undefined);
    }
    if (accepted.length % everySoMany === 0) {
      const next = bad.next();
      if (next.done !== true) {
        await send(next.value.body);
      }
    }
  };
  const lanes = async (): Promise<void> => {
    await Promise.all(
      Array.from({ length: LANES }, async () => {
        for (const wish of wishes) {
          await roomFor(services, signal);
          await ask(wish);
        }
      }),
    );
    for (const { body } of bad) {
      await send(body);
    }
    await Promise.all(later);
  };
  const done = lanes();
  const answered = done.then(async () => void (await Promise.all(hanging)));
  answered.catch(() => undefined);
  return { accepted, messages, done, answered };
}

function acceptedOf(wish: Wish, digest: string): AcceptedVolume {
  const { volumeId: id, kind, sizeGib, spoiled, foreign, zone } = wish;
  return { id, kind, sizeGib, digest, deletion: "none", spoiled, foreign, redriven: false, suspectedOn: [], zone };
}

async function roomFor(services: Services, signal: AbortSignal): Promise<void> {
  while ((await persist(signal, () => services.inFlow())) >= MOST_IN_FLOW) {
    await delay(50);
  }
}

function requestOf(wish: Wish, sources: Sources) {
  const source = (list: readonly Source[]): Source | undefined => list[wish.source];
  const image = wish.kind === "image" ? source(sources.images) : undefined;
  const snapshot = wish.kind === "snapshot" ? source(sources.snapshots) : undefined;
  const volume = wish.kind === "clone" ? source(sources.volumes) : undefined;
  const request = buildCreateRequest(
    {
      sizeGib: wish.sizeGib,
      projectId: wish.foreign ? STRANGER : PROJECT,
      availabilityZone: wish.zone,
      imageId: image?.id ?? null,
      snapshotId: snapshot?.id ?? null,
      sourceVolumeId: volume?.id ?? null,
      queuedSeconds: TIME_BOUNDS.queued_seconds,
    },
    new Date(),
    { volumeId: wish.volumeId, requestId: `req-${wish.volumeId}` },
  );
  return { ...request, digest: (image ?? snapshot ?? volume)?.digest ?? EMPTY };
}

/** Tries of a deletion that fails for reasons that may pass. */
const DELETE_TRIES = 20;

/**
 * Deletes a volume as a patient user does: again until it is answered. One whose backend hangs is asked for once more when it answers
 * again: calls that hang would take every environment of the function.
 */
async function deleteLater(
  services: Services,
  volume: AcceptedVolume,
  { after, milliseconds }: DeletionMoment,
  hang: Pick<Hang, "begun" | "over">,
  signal: AbortSignal,
): Promise<void> {
  if (after === "hang") {
    await hang.begun;
  } else {
    while (!(await hasCome(services, volume.id, after, signal))) {
      await delay(100);
    }
  }
  await delay(milliseconds);
  const name = services.functionName("DeleteVolume");
  volume.suspectedOn = await suspectedOn(services, volume.id, signal);
  for (let tries = 0; tries < DELETE_TRIES; tries += 1) {
    const ask = (): Promise<Deletion> => deleteOnce(services, name, volume.id);
    const mayHang = volume.zone === HANGING_ZONE && tries === 0;
    // A call that hangs may outlast the client's patience.
    volume.deletion = await (mayHang
      ? ask().catch(() => "unanswered" as const)
      : persist(signal, ask, (error) => error instanceof FunctionFailed));
    if (volume.deletion !== "unanswered") {
      return;
    }
    await (mayHang ? hang.over : delay(500));
  }
}

/** The backends that the record's ledger suspects. */
async function suspectedOn({ volumes }: Services, volumeId: string, signal: AbortSignal): Promise<string[]> {
  const found = await persist(signal, () => volumes.getMany([volumeId]));
  return [...found.values()].flatMap(suspectedBackends);
}

/** Whether the moment after which a deletion is asked for has come, or never will. */
async function hasCome(
  { volumes }: Services,
  volumeId: string,
  after: Exclude<DeletionMoment["after"], "hang">,
  signal: AbortSignal,
): Promise<boolean> {
  if (after === "message") {
    return true;
  }
  const isGone = (error: unknown): boolean => error instanceof VolumeNotFound;
  const record = await persist(signal, () => volumes.get(volumeId), isGone).catch((error: unknown) => {
    if (!isGone(error)) {
      throw error;
    }
  });
  if (record === undefined || !isInFlow(record)) {
    return true;
  }
  return after === "backend" && record.phase !== null && !isBeforeTheBackend(record.phase);
}

async function deleteOnce(services: Services, name: string, volumeId: string): Promise<Deletion> {
  try {
    await services.call(name, { volume_id: volumeId });
    return "accepted";
  } catch (error) {
    if (!(error instanceof FunctionFailed)) {
      throw error;
    }
    return error.errorType === "InvalidVolume" ? "refused" : "unanswered";
  }
}
