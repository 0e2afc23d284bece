import type { DeadLetterRecord } from "../../core/dead-letters/dead-letters.ts";
import { CliError } from "../errors.ts";
import { getLetter, redrive } from "../commands/redrive.ts";
import { askAgain } from "../commands/retry.ts";
import { receiptOf } from "../commands/cost.ts";
import { allPages } from "../listing.ts";
import type { CallOutcome } from "../replay.ts";
import type { Session } from "../session.ts";
import { dataOfStep, notificationsOf, stepsOf } from "./steps.ts";
import type { CostAnswer, DeadLettersAnswer, ExecutionAnswer, ReplayAnswer, StateData } from "./wire.ts";

/** Reads and actions of the console in addition to the volumes' list, each like the command with the same purpose. */

type Deployment = Pick<Session, "connection" | "clock">;

const PAGE_SIZE = 1000;

/** Every dead letter that is kept, the newest first. */
export async function deadLettersAnswer(deployment: Deployment): Promise<DeadLettersAnswer> {
  return { letters: await allLetters(deployment) };
}

/** The same, as a list. */
export async function allLetters({ connection }: Pick<Session, "connection">): Promise<DeadLetterRecord[]> {
  const repository = await connection.deadLetters();
  const letters = await allPages((from) => repository.list(PAGE_SIZE, from));
  return letters.toSorted((one, other) => (one.kept_at < other.kept_at ? 1 : -1));
}

/** Sends a dead letter again. */
export async function resend(deployment: Deployment, id: string): Promise<unknown> {
  return redrive(deployment, await getLetter(deployment, id));
}

/** Removes a dead letter for good. */
export async function discard(deployment: Deployment, id: string): Promise<unknown> {
  await getLetter(deployment, id);
  await (await deployment.connection.deadLetters()).discard(id);
  return { id };
}

/** Deletes a volume, or asks its create to end. */
export async function deleteVolume({ connection }: Deployment, id: string): Promise<unknown> {
  return { outcome: await (await connection.driverFunctions()).deleteVolume(id) };
}

/** Sets the status by an operator's word. */
export async function resetVolume(
  { connection }: Deployment,
  id: string,
  status: "available" | "error",
): Promise<unknown> {
  const { resetVolumeStatus } = await import("../../core/volumes/reset-status.ts");
  const deps = {
    volumes: await connection.volumes(),
    locks: await connection.locks(),
    backends: await connection.backends(),
  };
  const volume = await resetVolumeStatus(deps, await deps.volumes.get(id), status);
  return { status: volume.status };
}

/** Asks for a failed volume again. */
export async function retryVolume(deployment: Deployment, id: string): Promise<unknown> {
  return askAgain(deployment, id);
}

/** The states of an execution of the volume. @throws CliError when the name is of another volume */
export async function executionAnswer(
  { connection }: Deployment,
  volumeId: string,
  execution: string,
): Promise<ExecutionAnswer> {
  requireOwn(volumeId, execution);
  const events = await (await connection.executions()).history(execution);
  const steps = events === undefined ? null : stepsOf(events);
  return { execution, steps, notifications: notificationsOf(steps ?? []) };
}

/** Input and output of a state. @throws CliError when there is no such state, or the name is of another volume */
export async function stateAnswer(
  { connection }: Deployment,
  volumeId: string,
  execution: string,
  index: number,
): Promise<StateData> {
  requireOwn(volumeId, execution);
  const events = await (await connection.executions()).history(execution, true);
  const data = dataOfStep(events ?? [], index);
  if (data === undefined) {
    throw new CliError(`${execution} has no state ${index}`, { name: "InvalidInput" });
  }
  return data;
}

function requireOwn(volumeId: string, execution: string): void {
  if (!execution.startsWith(`${volumeId}-a`)) {
    throw new CliError(`${execution} is not an execution of volume ${volumeId}`, { name: "InvalidInput" });
  }
}

/** Replays an execution of the volume in a process of this machine. @throws CliError when its history has no calls */
export async function replayAnswer(deployment: Deployment, volumeId: string, execution: string): Promise<ReplayAnswer> {
  requireOwn(volumeId, execution);
  const calls: ReplayAnswer["calls"] = [];
  const { replayExecution } = await import("../replay.ts");
  const { isSame, recorded } = await replayExecution(deployment, execution, {
    debug: false,
    onCall: (call) =>
      calls.push({
        state: call.state,
        recorded: outcomeText(call.recorded),
        replayed: outcomeText(call.replayed),
        differences: call.differences,
      }),
  });
  return { same: isSame, recorded, calls };
}

function outcomeText(outcome: CallOutcome): string {
  return "error" in outcome ? `${outcome.error}: ${outcome.message}` : JSON.stringify(outcome.output);
}

/** The cost of creating the volume. */
export async function costAnswer(deployment: Deployment, volumeId: string): Promise<CostAnswer> {
  const volume = await (await deployment.connection.volumes()).get(volumeId);
  const { cost, prices, steps, assumptions } = await receiptOf(deployment, volume);
  return {
    cost,
    currency: prices.currency,
    steps: steps.map((step) => ({ step: step.step, cost: step.cost })),
    assumptions,
  };
}
