import type { HistoryEvent } from "../cost/history.ts";
import type { NotificationSent, StateData, WorkflowStep } from "./wire.ts";

/** A step while its events come in. */
type OpenStep = {
  step: WorkflowStep;
  /** Whether the last call failed. A state that is left so was left by a Catch. */
  hasFailed: boolean;
};

/**
 * The states that an execution has been in, in order, out of its history. The workflow has no parallel branches, so whatever is between
 * the entries of two states belongs to the first.
 */
export function stepsOf(events: readonly HistoryEvent[]): WorkflowStep[] {
  const steps: OpenStep[] = [];
  for (const event of events) {
    const last = steps.at(-1);
    if (event.type.endsWith("StateEntered")) {
      // Some engines write no exit of a state whose failure was caught.
      close(last, event.timestamp);
      steps.push(openStep(event));
    } else if (last !== undefined) {
      take(last, event);
    }
  }
  return steps.map(({ step }) => step);
}

/**
 * Input and output of a step's state, from a history with data; undefined when there is no such step.
 *
 * @param index of the step in {@link stepsOf}
 */
export function dataOfStep(events: readonly HistoryEvent[], index: number): StateData | undefined {
  const entries = events.flatMap(({ type }, at) => (type.endsWith("StateEntered") ? [at] : []));
  const from = entries[index];
  if (from === undefined) {
    return undefined;
  }
  const within = events.slice(from, entries[index + 1]);
  const left =
    within.find(({ type }) => type.endsWith("StateExited")) ?? within.find(({ type }) => type === "ExecutionSucceeded");
  return { input: within[0]?.data ?? null, output: left?.data ?? null };
}

/** The states that publish a notification, with its event. */
const EVENTS: Readonly<Record<string, NotificationSent["event"]>> = {
  NotifyCreateStart: "volume.create.start",
  CreateVolumeOnFinish: "volume.create.end",
  ErrorOutVolume: "volume.create.error",
};

/**
 * The notifications of an execution, by the states that publish them: such a state ends when the topic has the message. The sweep later
 * publishes what a failed one could not, except `volume.create.start`.
 */
export function notificationsOf(steps: readonly WorkflowStep[]): NotificationSent[] {
  return steps.flatMap(({ state, outcome, left_at, error }) => {
    const event = EVENTS[state];
    return event === undefined ? [] : [{ event, outcome, at: left_at, error: outcome === "done" ? null : error }];
  });
}

function openStep({ stateName, timestamp }: HistoryEvent): OpenStep {
  const step: WorkflowStep = {
    state: stateName ?? "",
    outcome: "running",
    entered_at: timestamp.toISOString(),
    left_at: null,
    calls: 0,
    error: null,
    cause: null,
  };
  return { step, hasFailed: false };
}

function take(open: OpenStep, { type, timestamp, error, cause }: HistoryEvent): void {
  const { step } = open;
  if (/(Failed|TimedOut|Aborted)$/.test(type)) {
    open.hasFailed = true;
    if (error !== undefined) {
      step.error = error;
      step.cause = cause ?? null;
    }
  }
  if (type.endsWith("StateExited")) {
    close(open, timestamp);
  } else if (type.startsWith("Execution")) {
    step.left_at ??= timestamp.toISOString();
    step.outcome = type === "ExecutionSucceeded" ? "done" : "failed";
  } else if (/^(LambdaFunction|Task)Scheduled$/.test(type)) {
    step.calls += 1;
    open.hasFailed = false;
  }
}

function close(open: OpenStep | undefined, at: Date): void {
  if (open?.step.outcome === "running") {
    open.step.left_at = at.toISOString();
    open.step.outcome = open.hasFailed ? "caught" : "done";
  }
}
