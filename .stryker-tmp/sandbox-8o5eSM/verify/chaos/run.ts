// @ts-nocheck
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { synthesize } from "../../infra/synthesize.ts";
import { findViolations } from "./check.ts";
import { type KillableCloud, startCloud } from "./cloud.ts";
import type { Evidence } from "./evidence.ts";
import { deadLettersOf, driverFaultsIn, everything, executionsRunning, filesOf, messagesIn } from "./gather.ts";
import { type Listener, listen } from "./listener.ts";
import type { ChaosOptions } from "./options.ts";
import { type Random, randomOf } from "./random.ts";
import { keepSweeping, type Unrest, untilRest } from "./rest.ts";
import { type ChaosResult, countsOf } from "./result.ts";
import { type ServiceFaults, startServiceFaults } from "./service-faults.ts";
import { connect, persist, type Services } from "./services.ts";
import { makeSources, type Sources } from "./sources.ts";
import { BACKENDS, chaosContext } from "./stack.ts";
import { type Submission, submit } from "./submit.ts";
import { planWork, type Work } from "./work.ts";

/** Where a run is, for whoever watches it. */
export type Progress = {
  phase: "starting" | "making sources" | "creating" | "coming to rest" | "checking";
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

/** One run, from the start of the cloud to the checks. Its processes have ended when it resolves or rejects. */
export async function runChaos(run: RunOptions): Promise<ChaosResult> {
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
  const stopSweeping = keepSweeping(services);
  const watch = progressOf(run, listener, faults);
  try {
    watch.set({ phase: "making sources" });
    const sources = await makeSources(services, directory, random, signal);
    const work = planWork(random, volumes);
    watch.set({ phase: "creating" });
    const start = performance.now();
    const killer = killerOf(cloud, options, randomOf(seed + 1), (count) => watch.set({ kills: count }));
    const onAccepted = (accepted: number): void => {
      killer.onAccepted(accepted);
      watch.set({ accepted });
    };
    const submission = submit({ services, sources, work, signal, onAccepted });
    await submission.done;
    await killer.done();
    const asked = performance.now();
    watch.set({ phase: "coming to rest" });
    await untilRest(services, signal, (unrest) => watch.set({ unrest }));
    const rested = performance.now();
    stopSweeping();
    await listener.drained();
    watch.set({ phase: "checking" });
    const evidence = await gather({ services, directory, sources, submission, listener, work });
    return {
      seed,
      volumes,
      fault_rate,
      kills,
      seconds: (rested - start) / 1000,
      seconds_to_rest: (rested - asked) / 1000,
      recovery_ms: killer.recoveries,
      ...countsOf(evidence),
      faults: { backends: await driverFaultsIn(directory), services: Object.fromEntries(faults.counts) },
      violations: findViolations(evidence),
    };
  } finally {
    stopSweeping();
    listener.stop();
    watch.stop();
  }
}

async function backendsReported(services: Services, signal: AbortSignal): Promise<void> {
  while ((await persist(signal, () => services.backends.list())).length < BACKENDS.length) {
    await delay(50);
  }
}

/** Kills at moments that the number of accepted volumes decides, one after the other. */
function killerOf(cloud: KillableCloud, options: ChaosOptions, random: Random, onKill: (count: number) => void) {
  const moments = Array.from({ length: options.kills }, (_, index) =>
    Math.max(1, Math.floor(((index + 0.3 + random.next() * 0.7) / options.kills) * options.volumes)),
  );
  const recoveries: number[] = [];
  let last = Promise.resolve();
  const kill = async (afterMs: number): Promise<void> => {
    await delay(afterMs);
    recoveries.push(await cloud.killAndRestart());
    onKill(recoveries.length);
  };
  return {
    recoveries,
    onAccepted: (accepted: number): void => {
      while ((moments[0] ?? Number.POSITIVE_INFINITY) <= accepted) {
        moments.shift();
        const afterMs = random.below(500);
        last = last.then(() => kill(afterMs));
        // Told when the run waits for it.
        last.catch(() => undefined);
      }
    },
    done: () => last,
  };
}

/** Keeps what is known of the run, and tells it twice a second. */
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
};

async function gather({ services, directory, sources, submission, listener, work }: Gathering): Promise<Evidence> {
  return {
    accepted: submission.accepted,
    known: sources.known,
    snapshotDigests: Object.fromEntries(sources.snapshots.map(({ id, digest }) => [id, digest])),
    badMessages: work.bad,
    records: await everything((limit, from) => services.volumes.list({}, limit, from)),
    snapshots: await everything((limit, from) => services.snapshots.list(limit, from)),
    backends: await services.backends.list(),
    files: await filesOf(directory, sources.offsets),
    told: listener.told,
    deadLetters: await deadLettersOf(services),
    messagesLeft: await messagesIn(services, "SchedulerQueueUrl"),
    executionsRunning: await executionsRunning(services),
  };
}
