import { RETURNED_CAPACITY } from "../../core/records.ts";
import { isInFlow } from "../../core/volume-lifecycle.ts";
import { Account, type Violation } from "../../simulation/account.ts";
import { simulate } from "../../simulation/current-account.ts";
import type { Deployment } from "../../simulation/deployment.ts";
import type { Fault } from "../../simulation/faults.ts";
import {
  checkInvariants,
  checkTimeOfEnds,
  contentsOf,
  endOf,
  projectsAtRest,
  unclaimedOn,
  type Undisturbed,
  UNDECIDED_BOUND_SECONDS,
  checkLocks,
} from "./invariants.ts";
import { projectProblems } from "../../test/support/project-problems.ts";
import type { Scenario } from "./scenario.ts";

/** Two sweeps and two reports find nothing to do within this time. */
const QUIET_MS = 150_000;

/** Longer than the bound and the repeated tries of everything: a run that takes longer never rests. */
const LONGEST_RUN_MS = (2 * UNDECIDED_BOUND_SECONDS + 7200) * 1000;

/** One call of a function in a run. */
export type RunInvocation = {
  functionName: string;
  visit: string;
  calls: readonly string[];
  /** Its state was entered by an execution. */
  isOfExecution: boolean;
  /** It ended without an error. */
  hasAnswered: boolean;
  /** A user asked for it, and repeats what got no answer. */
  isAsked: boolean;
};

/** A run's actions, and the violations at its end. */
export type RunResult = {
  /** How each volume ended. */
  ends: string[];
  /** Seconds from the beginning until every volume was decided and no claim was open. Housekeeping after that does not count. */
  decidedSeconds: number;
  violations: Violation[];
  invocations: readonly RunInvocation[];
  enteredStates: ReadonlySet<string>;
  contents: Undisturbed;
  /** Faults whose place was not reached. */
  missed: readonly Fault[];
  /** Alarms that were on at any time. */
  alarmed: readonly string[];
};

/** Runs a scenario with faults until everything is at rest, and checks the invariants. */
export async function runScenario(
  deployment: Deployment,
  scenario: Scenario,
  faults: readonly Fault[],
  seed: number,
  undisturbed?: Undisturbed,
): Promise<RunResult> {
  const account = new Account(deployment, seed, [...(scenario.faults ?? []), ...faults]);
  simulate(account);
  const volumeIds = scenario.begin(account);
  account.scenariosOwn = new Set(unclaimedOn(account).map(({ id }) => id));
  account.rules.begin(scenario.firstTickWithinSeconds);
  const pending = pendingOf(account);
  do {
    account.lastChangeMs = account.time.nowMs;
    await account.time.run((nextAtMs) => isAtRest(account, nextAtMs, pending()));
  } while (account.disturbRest());
  if (!account.faults.mayLeaveLock) {
    checkLocks(account);
  }
  const invocations = [...account.invocations];
  await auditIfNeeded(account);
  await auditIfProjectsDisagree(account);
  checkInvariants(account, scenario, volumeIds, undisturbed);
  if (faults.length <= 1) {
    checkTimeOfEnds(account, volumeIds);
  }
  return {
    ends: volumeIds.map((id) => endOf(account, id)),
    decidedSeconds: (account.undecidedUntilMs - account.startMs) / 1000,
    violations: account.violations,
    invocations: invocations.map(({ functionName, visit, calls, hasAnswered }) => ({
      functionName,
      visit,
      calls,
      hasAnswered,
      isAsked: account.asked.has(visit),
      isOfExecution: account.executionOf(visit) !== undefined,
    })),
    enteredStates: account.executions.entered,
    contents: contentsOf(account, volumeIds),
    missed: account.faults.missed,
    alarmed: scenario.alarms === undefined ? [] : account.monitor.alarmed(account.time.nowMs),
  };
}

/** The audit must find unclaimed data, and remove locks that came too late: it runs when there may be any. */
async function auditIfNeeded(account: Account): Promise<void> {
  if (unclaimedOn(account).length > 0 || account.faults.mayLeaveLock) {
    account.time.after(0, () => void account.audit());
    await account.time.run(() => !account.time.isBusy);
  }
}

/** Longer than the audit leaves alone what a request may still be working on. */
const LEFT_OVER_MS = 1_000_000;

/** Interrupted requests leave reservations and entries, which the audit settles, and then counts again. */
async function auditIfProjectsDisagree(account: Account): Promise<void> {
  for (let round = 0; round < 3 && projectProblems(projectsAtRest(account)).length > 0; round += 1) {
    account.time.after(LEFT_OVER_MS, () => void account.audit());
    await account.time.run(() => !account.time.isBusy);
  }
}

/** Unfinished work, by the records. */
type Pending = {
  /** A volume or snapshot is in the flow, or its claim is open. */
  isUndecided: boolean;
  /** That, or a mark of returned capacity, or an entry of the image cache that is being filled or evicted. */
  isAny: boolean;
};

/** Finds what is pending, again only if a record has changed. */
function pendingOf({ stores: { volumes, snapshots, backends, imageCacheEntries } }: Account): () => Pending {
  let version = -1;
  let pending: Pending = { isUndecided: false, isAny: false };
  return () => {
    const sources = [volumes.records, snapshots.records, backends, imageCacheEntries.records];
    const now = sources.reduce((sum, source) => sum + source.version, 0);
    if (now !== version) {
      version = now;
      const claims = [...backends.records.keys()].flatMap((host) => [...backends.openOn(host).values()]);
      const isUndecided =
        [...snapshots.records.values()].some(({ deadline }) => deadline !== undefined) ||
        [...volumes.records.values()].some(
          (record) => !volumes.unreadable.has(record.id) && (isInFlow(record) || record.deadline !== null),
        ) ||
        claims.some(({ attempt }) => attempt !== RETURNED_CAPACITY);
      const isCacheBusy = [...imageCacheEntries.records.values()].some(({ state }) => state !== "available");
      pending = { isUndecided, isAny: isUndecided || claims.length > 0 || isCacheBusy };
    }
    return pending;
  };
}

/** Only recurring work is in progress, every volume is decided, no claim is open, and nothing has changed for a while. */
function isAtRest(account: Account, nextAtMs: number, { isUndecided, isAny }: Pending): boolean {
  if (isUndecided) {
    account.undecidedUntilMs = nextAtMs;
  }
  if (nextAtMs - account.startMs > LONGEST_RUN_MS) {
    account.breach(1, `something is under way for ever: after ${LONGEST_RUN_MS / 3_600_000} hours it changes yet`);
    return true;
  }
  return !isAny && nextAtMs - account.lastChangeMs > QUIET_MS && !account.time.isBusy;
}
