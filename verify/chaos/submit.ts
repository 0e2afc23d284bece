import { setTimeout as delay } from "node:timers/promises";
import { SendMessageCommand } from "@aws-sdk/client-sqs";
import { buildCreateRequest, createMessage } from "../../core/requests/create-request.ts";
import { ifThere } from "../../core/if-there.ts";
import type { Api } from "./api.ts";
import { digestOf } from "./content.ts";
import { createByApi, type SourceIds } from "./create-by-api.ts";
import { deleteLater } from "./deletions.ts";
import type { AcceptedVolume, ApiCreate, ApiSnapshot } from "./evidence.ts";
import type { Hang } from "./hang.ts";
import type { Known } from "./readers.ts";
import type { ServiceFaults } from "./service-faults.ts";
import { persist, type Services } from "./services.ts";
import type { Source, Sources } from "./sources.ts";
import { HANGING_ZONE, TIME_BOUNDS } from "./stack.ts";
import { useLater } from "./uses.ts";
import { SECRET, type Wish, type Work } from "./work.ts";

/** The clients that request volumes. */
export type Submission = {
  /** Volumes whose message the queue took, or whose create the API accepted. */
  readonly accepted: AcceptedVolume[];
  /** The readable message of each volume that did not come through the API, for sending it again. */
  readonly messages: ReadonlyMap<string, string>;
  /** Creates through the API, with what came of them. */
  readonly creates: readonly ApiCreate[];
  readonly snapshots: readonly ApiSnapshot[];
  /** Volumes of the API that were asked for until now. */
  readonly known: () => readonly Known[];
  /** Ids of volumes whose creates the API is being asked for now. */
  readonly asking: ReadonlySet<string>;
  /** Resolves when everything was asked for, and every deletion answered that does not wait for the backend that hangs. */
  readonly done: Promise<void>;
  /** Resolves when the other deletions were answered too. */
  readonly answered: Promise<void>;
};

export type SubmissionOptions = {
  services: Services;
  api: Api;
  faults: Pick<ServiceFaults, "refuse">;
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
const EMPTY = digestOf([]);

/** Asks for all of the work, in lanes. */
export function submit(options: SubmissionOptions): Submission {
  const { services, api, faults, sources, work, hang, signal, onAccepted } = options;
  const accepted: AcceptedVolume[] = [];
  const messages = new Map<string, string>();
  const creates: ApiCreate[] = [];
  const snapshots: ApiSnapshot[] = [];
  const known = new Map<string, Known>();
  const asking = new Set<string>();
  const later: Promise<void>[] = [];
  const hanging: Promise<void>[] = [];
  const bad = work.bad.values();
  const everySoMany = Math.max(1, Math.floor(work.wishes.length / Math.max(1, work.bad.length)));
  let asked = 0;
  const send = (body: string): Promise<unknown> => {
    const request = { QueueUrl: services.output("SchedulerQueueUrl"), MessageBody: body };
    return persist(signal, () => services.sqs.send(new SendMessageCommand(request)));
  };
  const sendLater = async (milliseconds: number, bodyOf: () => Promise<string | undefined>): Promise<void> => {
    await delay(milliseconds);
    const body = await bodyOf();
    await (body === undefined ? undefined : send(body));
  };
  const sendAgain = (times: number, bodyOf: () => Promise<string | undefined>): void => {
    for (let repeat = 0; repeat < times; repeat += 1) {
      keep(later, sendLater(repeat * 700, bodyOf));
    }
  };
  const byMessage = async (wish: Wish): Promise<boolean> => {
    const { record, message } = requestOf(wish, sources);
    await persist(signal, () => services.volumes.create(record));
    const readable = JSON.stringify({ ...message, context: { ...message.context, auth_token: SECRET } });
    messages.set(wish.volumeId, readable);
    const body = wish.spoiled ? JSON.stringify({ volume_id: wish.volumeId, context: `token=${SECRET}` }) : readable;
    await send(body);
    sendAgain(wish.repeats, async () => body);
    return true;
  };
  const throughApi = async (wish: Wish): Promise<boolean> => {
    const { volumeId: id, project } = wish;
    const volume: Known = { id, project, isAnswered: false, isLeaving: wish.deletion !== null };
    known.set(id, volume);
    asking.add(id);
    const create = await createByApi(api, faults, wish, sourceOf(wish, sources).ids);
    asking.delete(id);
    creates.push(create);
    volume.isAnswered = create.end === "accepted";
    // The cast of the API arrives once more, as SQS may deliver it.
    sendAgain(create.end === "accepted" ? wish.repeats : 0, () => castOf(services, id, signal));
    return create.end !== "refused by the quota";
  };
  const ask = async (wish: Wish): Promise<void> => {
    const isAccepted = await (wish.byApi ? throughApi(wish) : byMessage(wish));
    asked += 1;
    if (isAccepted) {
      const volume = acceptedOf(wish, sourceOf(wish, sources).digest);
      accepted.push(volume);
      if (wish.deletion !== null) {
        const deletion = deleteLater({ services, api, hang, signal }, volume, wish.byApi, wish.deletion);
        keep(wish.zone === HANGING_ZONE ? hanging : later, deletion);
      }
      if (wish.use !== null) {
        keep(later, useLater({ services, api, snapshots, signal }, volume, wish.use));
      }
    }
    onAccepted(asked);
    if (asked % everySoMany === 0) {
      const next = bad.next();
      if (next.done !== true) {
        await send(next.value.body);
      }
    }
  };
  const everything = async (): Promise<void> => {
    await inLanes(work.wishes, async (wish) => {
      await roomFor(services, signal);
      await ask(wish);
    });
    for (const { body } of bad) {
      await send(body);
    }
    await Promise.all(later);
  };
  const done = everything();
  const answered = done.then(async () => void (await Promise.all(hanging)));
  answered.catch(() => undefined);
  return { accepted, messages, creates, snapshots, known: () => [...known.values()], asking, done, answered };
}

/** The waiting caller gets the error. */
function keep(promises: Promise<void>[], promise: Promise<void>): void {
  promise.catch(() => undefined);
  promises.push(promise);
}

async function inLanes(wishes: readonly Wish[], act: (wish: Wish) => Promise<void>): Promise<void> {
  const next = wishes.values();
  await Promise.all(
    Array.from({ length: LANES }, async () => {
      for (const wish of next) {
        await act(wish);
      }
    }),
  );
}

function acceptedOf(wish: Wish, digest: string): AcceptedVolume {
  const { volumeId: id, name, project, kind, sizeGib, spoiled, foreign, abandoned, zone } = wish;
  return {
    id,
    name,
    project,
    kind,
    sizeGib,
    digest,
    spoiled,
    foreign,
    abandoned,
    zone,
    deletion: "none",
    extendedTo: null,
    resetTo: null,
    redriven: false,
    suspectedOn: [],
  };
}

async function roomFor(services: Services, signal: AbortSignal): Promise<void> {
  while ((await persist(signal, () => services.inFlow())) >= MOST_IN_FLOW) {
    await delay(50);
  }
}

function sourceOf({ kind, source }: Wish, sources: Sources): { ids: SourceIds; digest: string } {
  const one = (list: readonly Source[], isIt: boolean): Source | undefined => (isIt ? list[source] : undefined);
  const image = one(sources.images, kind === "image");
  const snapshot = one(sources.snapshots, kind === "snapshot");
  const volume = one(sources.volumes, kind === "clone");
  return {
    ids: { imageId: image?.id ?? null, snapshotId: snapshot?.id ?? null, sourceVolumeId: volume?.id ?? null },
    digest: (image ?? snapshot ?? volume)?.digest ?? EMPTY,
  };
}

function requestOf(wish: Wish, sources: Sources) {
  const input = {
    sizeGib: wish.sizeGib,
    displayName: wish.name,
    projectId: wish.project,
    availabilityZone: wish.zone,
    ...sourceOf(wish, sources).ids,
    queuedSeconds: TIME_BOUNDS.queued_seconds,
  };
  return buildCreateRequest(input, new Date(), { volumeId: wish.volumeId, requestId: `req-${wish.volumeId}` });
}

/** The message that the API has sent for a volume; undefined when the volume is gone. */
async function castOf({ volumes }: Services, volumeId: string, signal: AbortSignal): Promise<string | undefined> {
  const record = await persist(signal, () => ifThere(volumes.get(volumeId)));
  return record && JSON.stringify(createMessage(record, null));
}
