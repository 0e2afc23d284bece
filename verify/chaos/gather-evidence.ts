import { claimKeyOf } from "../../core/claims.ts";
import type { BackendRecord } from "../../core/records.ts";
import type { Api } from "./api.ts";
import type { BesideHanging, Evidence, PlantedOrphan } from "./evidence.ts";
import { deadLettersOf, everything, executionsRunning, filesOf, leaksOf, messagesIn } from "./gather.ts";
import { loggedOf, projectsOf } from "./gather-api.ts";
import type { Listener } from "./listener.ts";
import type { Readers } from "./readers.ts";
import type { Services } from "./services.ts";
import type { Sources } from "./sources.ts";
import type { Submission } from "./submit.ts";
import { SECRET, type Work } from "./work.ts";

/** Everything that the evidence is gathered from. */
export type Gathering = {
  services: Services;
  directory: string;
  sources: Sources;
  submission: Submission;
  api: Api;
  readers: Readers;
  listener: Listener;
  work: Work;
  planted: readonly PlantedOrphan[];
  besideHanging: BesideHanging;
  unreadable: Evidence["unreadable"];
};

/** Gathers the evidence when all is at rest. */
export async function gatherEvidence(of: Gathering): Promise<Evidence> {
  const { services, directory, sources, submission, listener, work, planted, besideHanging, unreadable } = of;
  const { creates, snapshots: asked } = submission;
  const projects = await projectsOf(services);
  const notifications = listener.leaks();
  return {
    accepted: submission.accepted,
    known: sources.known,
    snapshotDigests: Object.fromEntries(
      sources.snapshots.map(({ id, digest, damage }) => [id, damage?.digest ?? digest]),
    ),
    badMessages: work.bad,
    records: await everything((limit, from) => services.volumes.list({}, limit, from)),
    snapshots: await everything((limit, from) => services.snapshots.list(limit, from)),
    locks: await everything((limit, from) => services.locks.list(limit, from)),
    backends: await backendsWithClaims(services),
    files: await filesOf(directory, sources.offsets),
    told: listener.told,
    deadLetters: await deadLettersOf(services),
    messagesLeft: await messagesIn(services, "SchedulerQueueUrl"),
    executionsRunning: await executionsRunning(services),
    planted,
    besideHanging,
    unreadable,
    api: {
      creates,
      snapshots: asked,
      projects,
      readProblems: of.readers.problems,
      ...(await loggedOf(directory, of.api)),
    },
    leaks: [
      ...(await leaksOf(services, directory, SECRET)),
      ...(notifications === 0 ? [] : [`${notifications} notifications`]),
    ],
  };
}

/** The backends with all of their open claims. */
async function backendsWithClaims({ backends: repository }: Services): Promise<BackendRecord[]> {
  const backends = await repository.list();
  return Promise.all(
    backends.map(async (backend) => {
      const open = await repository.openClaims(backend.host);
      return { ...backend, claims: Object.fromEntries(open.map((each) => [claimKeyOf(each), each.claim])) };
    }),
  );
}
