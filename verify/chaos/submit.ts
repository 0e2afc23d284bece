import { setTimeout as delay } from "node:timers/promises";
import { SendMessageCommand } from "@aws-sdk/client-sqs";
import { buildCreateRequest } from "../../core/create-request.ts";
import { VolumeNotFound } from "../../core/errors.ts";
import { isBeforeTheBackend, isInFlow } from "../../core/records.ts";
import { digestOf } from "./content.ts";
import type { AcceptedVolume, Deletion } from "./evidence.ts";
import { FunctionFailed, persist, type Services } from "./services.ts";
import type { Source, Sources } from "./sources.ts";
import { TIME_BOUNDS } from "./stack.ts";
import { type DeletionMoment, SECRET, type Wish, type Work } from "./work.ts";

/** Who asks for volumes. */
export type Submission = {
  /** Volumes whose message the queue took. */
  readonly accepted: AcceptedVolume[];
  /** The readable message of each volume, for whoever sends it again. */
  readonly messages: ReadonlyMap<string, string>;
  /** Resolves when everything was asked for and every deletion answered. */
  readonly done: Promise<void>;
};

export type SubmissionOptions = {
  services: Services;
  sources: Sources;
  work: Work;
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
export function submit({ services, sources, work, signal, onAccepted }: SubmissionOptions): Submission {
  const accepted: AcceptedVolume[] = [];
  const messages = new Map<string, string>();
  const later: Promise<void>[] = [];
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
    const { volumeId: id, kind, sizeGib, spoiled, foreign } = wish;
    const volume: AcceptedVolume = { id, kind, sizeGib, digest, deletion: "none", spoiled, foreign, redriven: false };
    accepted.push(volume);
    onAccepted(accepted.length);
    for (let repeat = 0; repeat < wish.repeats; repeat += 1) {
      later.push(delay(repeat * 700).then(async () => void (await send(body))));
    }
    if (wish.deletion !== null) {
      later.push(deleteLater(services, volume, wish.deletion, signal));
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
  return { accepted, messages, done: lanes() };
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

/** Deletes a volume as a patient user does: again until it is answered. */
async function deleteLater(
  services: Services,
  volume: AcceptedVolume,
  { after, milliseconds }: DeletionMoment,
  signal: AbortSignal,
): Promise<void> {
  while (!(await hasCome(services, volume.id, after, signal))) {
    await delay(100);
  }
  await delay(milliseconds);
  const name = services.functionName("DeleteVolume");
  for (let tries = 0; tries < DELETE_TRIES; tries += 1) {
    volume.deletion = await persist(
      signal,
      () => deleteOnce(services, name, volume.id),
      (error) => error instanceof FunctionFailed,
    );
    if (volume.deletion !== "unanswered") {
      return;
    }
    await delay(500);
  }
}

/** Whether the moment after which a deletion is asked for has come, or never will. */
async function hasCome(
  { volumes }: Services,
  volumeId: string,
  after: DeletionMoment["after"],
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
