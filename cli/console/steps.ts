import type { HistoryEvent } from "../cost/history.ts";
import type { WorkflowStep } from "./wire.ts";

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
