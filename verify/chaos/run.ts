import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { synthesize } from "../../infra/synthesize.ts";
import { type Api, connectApi } from "./api.ts";
import { keepBusy } from "./busy.ts";
import { findViolations } from "./check.ts";
import { type KillableCloud, startCloud } from "./cloud.ts";
import { driverFaultsIn } from "./gather.ts";
import { gatherEvidence } from "./gather-evidence.ts";
import { planHang, restBesideHanging, whenHanging } from "./hang.ts";
import { killerOf } from "./kills.ts";
import { type Listener, listen } from "./listener.ts";
import { type Operators, plantOrphans, plantUnreadable, startOperators } from "./operators.ts";
import type { ChaosOptions } from "./options.ts";
import { randomOf } from "./random.ts";
import { type Readers, startReaders } from "./readers.ts";
import { LONGEST_REST_MS, type Unrest, unrestOf, untilRest } from "./rest.ts";
import { type ChaosResult, countsOf } from "./result.ts";
import { type ServiceFaults, startServiceFaults } from "./service-faults.ts";
import { connect, persist, type Services } from "./services.ts";
import { makeSources } from "./sources.ts";
import { BACKENDS, chaosContext } from "./stack.ts";
import { submit } from "./submit.ts";
import { type Limits, planWork, PROJECT, UNLIMITED } from "./work.ts";

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
    faults.connect({ ...cloud.endpoints, api: new URL(cloud.outputs["BlockStorageApiUrl"] ?? "").origin });
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
  const api = connectApi(`${faults.apiUrl()}/v3`, signal, () => cloud.isRestarting());
  await backendsReported(services, signal);
  const listener = await listen(services, signal);
  const planted = await plantOrphans(directory);
  const unreadable = await persist(signal, () => plantUnreadable(services, directory));
  let operators: Operators | undefined;
  let readers: Readers | undefined;
  const watch = progressOf(run, listener, faults);
  try {
    watch.set({ phase: "making sources" });
    const sources = await makeSources(services, directory, random, signal);
    const work = planWork(random, volumes);
    watch.set({ phase: "creating" });
    const start = performance.now();
    await setLimits(api, work.limits);
    const hang = planHang(directory, work.hangAfter);
    const killer = killerOf(
      {
        cloud,
        faults,
        services,
        directory,
        signal,
        asking: () => submission.asking,
        onKill: (count) => watch.set({ kills: count }),
      },
      options,
      randomOf(seed + 1),
    );
    const onAccepted = (accepted: number): void => {
      killer.onAccepted(accepted);
      hang.onAccepted(accepted);
      watch.set({ accepted });
    };
    const submission = submit({ services, api, faults, sources, work, hang, signal, onAccepted });
    const { known } = submission;
    const { limits } = work;
    readers = startReaders({
      api,
      projects: [PROJECT, ...Object.keys(limits)],
      limits,
      known,
      random: randomOf(seed + 2),
    });
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
    await readers.finish();
    watch.set({ phase: "coming to rest" });
    await submission.answered;
    await operators.finish();
    await untilRest(() => unrestOf(services), signal, onLook);
    const rested = performance.now();
    await listener.drained();
    watch.set({ phase: "checking" });
    const evidence = await gatherEvidence({
      services,
      directory,
      sources,
      submission,
      api,
      readers,
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
      recovery_ms: [...killer.recoveries],
      ...countsOf(evidence),
      kills_before: killer.before,
      cached_volumes_damaged: killer.damaged(),
      api: { ...api.counts, ...readers.counts },
      operators: operators.counts,
      faults: { backends: await driverFaultsIn(directory), services: Object.fromEntries(faults.counts) },
      violations: findViolations(evidence),
    };
  } finally {
    operators?.stop();
    void readers?.finish().catch(() => undefined);
    listener.stop();
    watch.stop();
  }
}

/** The project of most volumes has room for all of them. */
async function setLimits(api: Api, limits: Readonly<Record<string, Limits>>): Promise<void> {
  for (const [project, quota] of Object.entries({ [PROJECT]: UNLIMITED, ...limits })) {
    const request = { project, method: "PUT", path: `/os-quota-sets/${project}`, body: { quota_set: quota } };
    const { status } = await api.ask(request);
    if (status !== 200) {
      throw new Error(`the quota of ${project} is answered by ${status}`);
    }
  }
}

async function backendsReported(services: Services, signal: AbortSignal): Promise<void> {
  while ((await persist(signal, () => services.backends.list())).length < BACKENDS.length) {
    signal.throwIfAborted();
    await delay(50);
  }
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
