import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { claimKeyOf } from "../../core/claims.ts";
import type { BackendRecord } from "../../core/records.ts";
import { synthesize } from "../../infra/synthesize.ts";
import { findViolations } from "./check.ts";
import { cachedFiles, truncateFiles } from "./damage.ts";
import { type KillableCloud, startCloud } from "./cloud.ts";
import type { BesideHanging, Evidence, PlantedOrphan } from "./evidence.ts";
import {
  deadLettersOf,
  driverFaultsIn,
  everything,
  executionsRunning,
  filesOf,
  leaksOf,
  messagesIn,
} from "./gather.ts";
import { keepBusy } from "./busy.ts";
import { planHang, restBesideHanging, whenHanging } from "./hang.ts";
import { type Listener, listen } from "./listener.ts";
import { type Operators, plantOrphans, plantUnreadable, startOperators } from "./operators.ts";
import type { ChaosOptions } from "./options.ts";
import { type Random, randomOf } from "./random.ts";
import { LONGEST_REST_MS, type Unrest, unrestOf, untilRest } from "./rest.ts";
import { type ChaosResult, countsOf } from "./result.ts";
import { type ServiceFaults, startServiceFaults } from "./service-faults.ts";
import { connect, persist, type Services } from "./services.ts";
import { makeSources, type Sources } from "./sources.ts";
import { BACKENDS, chaosContext } from "./stack.ts";
import { type Submission, submit } from "./submit.ts";
import { planWork, SECRET, type Work } from "./work.ts";

/** The progress of a run, for observers. */
export type Progress = {
  phase: "starting" | "making sources" | "creating" | "a backend hangs" | "coming to rest" | "checking";
  accepted: number;
  available: number;
  error: number;
  kills: number;
  faults: number;
  unrest: Unrest | undefined;
};

export type RunOptions = {
  options: ChaosOptions;
  /** An empty directory of the run's own. */
  directory: string;
  signal: AbortSignal;
  onProgress: (progress: Progress) => void;
};

/** The longest that a volume takes of a run, on a machine that is busy with other things as well. */
const LONGEST_MS_PER_VOLUME = 2_000;
/** It comes to rest while a backend hangs, and once more when that one answers again. */
const RESTS = 2;
/** Start, sources and restarts. */
const OVERHEAD_MS = 300_000;

/**
 * One run, from the start of the cloud to the checks. Its processes have ended when it resolves or rejects.
 *
 * @throws Error when the run takes longer than it can while anything moves
 */
export async function runChaos(run: RunOptions): Promise<ChaosResult> {
  const limitMs = OVERHEAD_MS + RESTS * LONGEST_REST_MS + run.options.volumes * LONGEST_MS_PER_VOLUME;
  const limit = AbortSignal.timeout(limitMs);
  const stopBusy = keepBusy(run.options.busy);
  try {
    return await runInCloud({ ...run, signal: AbortSignal.any([run.signal, limit]) });
  } catch (error) {
    throw limit.aborted ? new Error(`the run has not ended after ${limitMs / 1000} s: the product hangs`) : error;
  } finally {
    stopBusy();
  }
}

async function runInCloud(run: RunOptions): Promise<ChaosResult> {
  const { options, directory, signal } = run;
  const faults = await startServiceFaults(options.seed + 100, options.faultRate);
  let cloud: KillableCloud | undefined;
  try {
    const assembly = path.join(directory, "cdk.out");
    await synthesize(assembly, chaosContext(directory, options.seed, options.faultRate));
    signal.throwIfAborted();
    cloud = await startCloud({ directory, assembly, functionEnvironment: faults.environment });
    signal.throwIfAborted();
    faults.connect(cloud.endpoints);
    return await runOn(cloud, faults, run);
  } finally {
    await cloud?.end();
    faults.stop();
  }
}

async function runOn(cloud: KillableCloud, faults: ServiceFaults, run: RunOptions): Promise<ChaosResult> {
  const { options, directory, signal } = run;
  const { volumes, faultRate: fault_rate, kills, seed } = options;
  const random = randomOf(seed);
  const services = connect(cloud);
  await backendsReported(services, signal);
  const listener = await listen(services, signal);
  const planted = await plantOrphans(directory);
  const unreadable = await persist(signal, () => plantUnreadable(services, directory));
  let operators: Operators | undefined;
  const watch = progressOf(run, listener, faults);
  try {
    watch.set({ phase: "making sources" });
    const sources = await makeSources(services, directory, random, signal);
    const work = planWork(random, volumes);
    watch.set({ phase: "creating" });
    const start = performance.now();
    const killer = killerOf({ cloud, services, directory, signal }, options, randomOf(seed + 1), (count) =>
      watch.set({ kills: count }),
    );
    const hang = planHang(directory, work.hangAfter);
    const onAccepted = (accepted: number): void => {
      killer.onAccepted(accepted);
      hang.onAccepted(accepted);
      watch.set({ accepted });
    };
    const submission = submit({ services, sources, work, hang, signal, onAccepted });
    operators = startOperators(services, submission);
    const before = whenHanging(hang, services, operators, signal);
    // The waiting caller gets the error.
    before.catch(() => undefined);
    await submission.done;
    await killer.done();
    const asked = performance.now();
    watch.set({ phase: "a backend hangs" });
    const onLook = (unrest: Unrest): void => watch.set({ unrest });
    const besideHanging = await restBesideHanging({
      services,
      directory,
      submission,
      operators,
      planted,
      before: await before,
      signal,
      onLook,
    });
    await hang.end();
    watch.set({ phase: "coming to rest" });
    await submission.answered;
    await operators.finish();
    await untilRest(() => unrestOf(services), signal, onLook);
    const rested = performance.now();
    await listener.drained();
    watch.set({ phase: "checking" });
    const evidence = await gather({
      services,
      directory,
      sources,
      submission,
      listener,
      work,
      planted,
      besideHanging,
      unreadable: { put: [unreadable], reported: [...operators.unreadable] },
    });
    return {
      seed,
      volumes,
      fault_rate,
      kills,
      seconds: (rested - start) / 1000,
      seconds_to_rest: (rested - asked) / 1000,
      recovery_ms: killer.recoveries,
      ...countsOf(evidence),
      cached_volumes_damaged: killer.damaged(),
      operators: operators.counts,
      faults: { backends: await driverFaultsIn(directory), services: Object.fromEntries(faults.counts) },
      violations: findViolations(evidence),
    };
  } finally {
    operators?.stop();
    listener.stop();
    watch.stop();
  }
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

async function backendsReported(services: Services, signal: AbortSignal): Promise<void> {
  while ((await persist(signal, () => services.backends.list())).length < BACKENDS.length) {
    signal.throwIfAborted();
    await delay(50);
  }
}

/**
 * Kills at moments that the number of accepted volumes decides, one after the other. While the process is dead, the cached volumes lose
 * bytes.
 */
function killerOf(
  {
    cloud,
    services,
    directory,
    signal,
  }: { cloud: KillableCloud; services: Services; directory: string; signal: AbortSignal },
  options: ChaosOptions,
  random: Random,
  onKill: (count: number) => void,
) {
  const moments = Array.from({ length: options.kills }, (_, index) =>
    Math.max(1, Math.floor(((index + 0.3 + random.next() * 0.7) / options.kills) * options.volumes)),
  );
  const recoveries: number[] = [];
  let damaged = 0;
  let last = Promise.resolve();
  const kill = async (afterMs: number): Promise<void> => {
    await delay(afterMs);
    const cached = await cachedFiles(services, directory, signal);
    recoveries.push(await cloud.killAndRestart(async () => void (damaged += await truncateFiles(cached))));
    onKill(recoveries.length);
  };
  return {
    recoveries,
    /** How many cached volumes have lost bytes. */
    damaged: () => damaged,
    onAccepted: (accepted: number): void => {
      while ((moments[0] ?? Number.POSITIVE_INFINITY) <= accepted) {
        moments.shift();
        const afterMs = random.below(500);
        last = last.then(() => kill(afterMs));
        // Called when the run waits for it.
        last.catch(() => undefined);
      }
    },
    done: () => last,
  };
}

/** Keeps the known state of the run, and reports it twice a second. */
function progressOf({ onProgress }: RunOptions, listener: Listener, faults: ServiceFaults) {
  let state: Progress = {
    phase: "starting",
    accepted: 0,
    available: 0,
    error: 0,
    kills: 0,
    faults: 0,
    unrest: undefined,
  };
  const tell = (): void => {
    const told = (eventType: string): number =>
      new Set(listener.told.filter((each) => each.eventType === eventType).map(({ volumeId }) => volumeId)).size;
    state = {
      ...state,
      available: told("volume.create.end"),
      error: told("volume.create.error"),
      faults: [...faults.counts.values()].reduce((sum, count) => sum + count, 0),
    };
    onProgress(state);
  };
  const timer = setInterval(tell, 500);
  return {
    set: (change: Partial<Progress>): void => {
      state = { ...state, ...change };
    },
    stop: (): void => clearInterval(timer),
  };
}

type Gathering = {
  services: Services;
  directory: string;
  sources: Sources;
  submission: Submission;
  listener: Listener;
  work: Work;
  planted: readonly PlantedOrphan[];
  besideHanging: BesideHanging;
  unreadable: Evidence["unreadable"];
};

async function gather(of: Gathering): Promise<Evidence> {
  const { services, directory, sources, submission, listener, work, planted, besideHanging, unreadable } = of;
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
    backends: await backendsWithClaims(services),
    files: await filesOf(directory, sources.offsets),
    told: listener.told,
    deadLetters: await deadLettersOf(services),
    messagesLeft: await messagesIn(services, "SchedulerQueueUrl"),
    executionsRunning: await executionsRunning(services),
    planted,
    besideHanging,
    unreadable,
    leaks: [
      ...(await leaksOf(services, directory, SECRET)),
      ...(notifications === 0 ? [] : [`${notifications} notifications`]),
    ],
  };
}
