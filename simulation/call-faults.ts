import { InvalidInput, NotificationNotSent, VolumeBackendAPIException } from "../core/errors.ts";
import { resetVolumeStatus } from "../core/volumes/reset-status.ts";
import type { Account, Invocation } from "./account.ts";
import { SECRET } from "./identifiers.ts";
import { StateFailure } from "./walker.ts";

/** Part of the message of injected errors, which distinguishes them from the product's own. */
export const FAULTS_OWN = "as the fault has it";

/** A service may echo the request's token in an error, and say more than a cause has room for. */
const MESSAGE = `${FAULTS_OWN}, X-Auth-Token: ${SECRET}, ${"and so on ".repeat(60)}`;

/** A name of no table: what an SDK, a library or a bug throws. */
class UnheardOfError extends Error {
  override readonly name = "UnheardOfError";
  constructor() {
    super(`of a kind that no table has, ${MESSAGE}`);
  }
}

/** How long a function that outlives its execution pauses: long enough for the rule to have acted. */
const PAUSE_MS = 8000;

/** The longest that a request which failed may still have its effect. */
const LATEST_EFFECT_MS = 30_000;

/** Makes a call of a port, with the fault of its place if there is one. A call of a dead invocation never returns. */
export async function callUnderFault(
  account: Account,
  invocation: Invocation,
  call: string,
  effect: () => Promise<unknown>,
): Promise<unknown> {
  if (invocation.isDead) {
    return never();
  }
  const fault = account.faults.at(invocation.visit, call);
  if (fault === undefined) {
    return ifAlive(invocation, await outcomeOf(effect));
  }
  switch (fault) {
    case "final error":
      throw new InvalidInput(MESSAGE);
    case "reschedulable error":
      throw new VolumeBackendAPIException(MESSAGE);
    case "unknown error":
    case "unknown error, each time":
      throw new UnheardOfError();
    case "time-out":
    case "time-out, each time":
      return never();
    case "answer lost":
    case "answer lost, each time":
      await effect();
      throw new UnheardOfError();
    case "dies after":
    case "dies after, each time":
      await outcomeOf(effect);
      invocation.end(died());
      return never();
    case "not sent":
    case "not sent, each time":
      throw new NotificationNotSent("event", MESSAGE);
    case "done, then refused":
      await effect();
      throw new VolumeBackendAPIException(MESSAGE);
    case "effect late":
    case "effect late, each time":
      account.time.after(LATEST_EFFECT_MS * account.random(), () => void outcomeOf(effect));
      throw new UnheardOfError();
    case "aborted":
    case "aborted, event lost":
    case "timed out":
    case "deleted meanwhile":
    case "reset meanwhile":
      await meanwhile(account, invocation, fault);
      break;
  }
  return ifAlive(invocation, await outcomeOf(effect));
}

type Outcome = { value: unknown } | { thrown: unknown };

async function outcomeOf(effect: () => Promise<unknown>): Promise<Outcome> {
  try {
    return { value: await effect() };
  } catch (thrown) {
    return { thrown };
  }
}

function ifAlive(invocation: Invocation, outcome: Outcome): unknown {
  if (invocation.isDead) {
    return never();
  }
  if ("thrown" in outcome) {
    throw outcome.thrown;
  }
  return outcome.value;
}

/** Events during the call, before it has its effect. */
async function meanwhile(account: Account, { visit }: Invocation, fault: string): Promise<void> {
  const execution = account.executionOf(visit);
  const volumeId = execution?.input.volume_id ?? account.subject;
  if (fault === "deleted meanwhile") {
    account.request("DeleteVolume", { volume_id: volumeId });
  } else if (fault === "reset meanwhile") {
    await resetStatus(account, volumeId);
  } else if (execution === undefined) {
    throw new Error(`${fault}: ${visit} belongs to no execution`);
  } else if (fault === "aborted" || fault === "aborted, event lost") {
    account.executions.stop(execution, "ABORTED", fault === "aborted" ? "rule hears" : "event lost");
  } else {
    account.executions.stop(execution, "TIMED_OUT", "rule hears");
  }
  await account.time.sleep(PAUSE_MS);
}

const RESETS = ["creating", "available", "error", "deleting"] as const;

/** As the API does it. One that is refused changes nothing. */
async function resetStatus(account: Account, volumeId: string): Promise<void> {
  const { volumes } = account.stores;
  const volume = volumes.records.get(volumeId);
  const status = RESETS[Math.floor(account.random() * RESETS.length)];
  if (volume !== undefined && status !== undefined) {
    const reset = () => resetVolumeStatus(account.stores, volume, status);
    await outcomeOf(() => account.watch.around("volumes.resetStatus", reset, []));
  }
}

/** A runtime that ended without an error of its own. */
function died(): StateFailure {
  return new StateFailure(
    "Lambda.Unknown",
    'The cause could not be determined because Lambda did not return an error type. Returned payload: {"errorType":"Runtime.ExitError","errorMessage":"RequestId: simulated Error: Runtime exited with error: signal: killed"}',
  );
}

function never(): Promise<never> {
  return new Promise(() => {});
}
