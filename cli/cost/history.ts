import { FUNCTIONS, type FunctionName } from "../../core/settings/functions.ts";
import { addWork, invocation, sourceSteps, type Step, workOf } from "./work.ts";

/** An event of GetExecutionHistory, as far as the commands use it; the event of a failure has its error. */
export type HistoryEvent = {
  type: string;
  timestamp: Date;
  stateName: string | undefined;
  error?: string | undefined;
  cause?: string | undefined;
  /** JSON text: what a state was entered or left with, or a function was called with or answered; only in a history with data. */
  data?: string | undefined;
};

/**
 * The steps of one execution from its history: a transition for each entry of a state, and an invocation with its duration for each run of
 * its function. A retry adds an invocation and a transition.
 */
export function stepsOfExecution(events: readonly HistoryEvent[]): Step[] {
  const steps = new Map<string, Step["work"][]>();
  const add = (name: string, work: Step["work"]): void => {
    steps.set(name, [...(steps.get(name) ?? []), work]);
  };
  let state = "";
  let started: Date | undefined;
  let invocations = 0;
  for (const { type, timestamp, stateName } of events) {
    if (type.endsWith("StateEntered")) {
      state = stateName ?? "";
      invocations = 0;
      add(state, workOf({ state_transition: 1 }));
    } else if (type === "LambdaFunctionStarted") {
      started = timestamp;
      invocations += 1;
      if (invocations > 1) {
        add(state, workOf({ state_transition: 1 }));
      }
    } else if (/^LambdaFunction(Succeeded|Failed|TimedOut)$/.test(type) && started !== undefined && isFunction(state)) {
      add(state, invocation(state, timestamp.getTime() - started.getTime()));
      started = undefined;
    }
  }
  const ofStates = [...steps].map(([step, works]) => ({ step, times: 1, work: addWork(works) }));
  return [...ofStates, ...sourceSteps([...steps.keys()], 1)];
}

/** Whether a history names states of functions but none of their invocations: then its receipt has transitions only. */
export function lacksFunctionEvents(events: readonly HistoryEvent[]): boolean {
  const entersFunction = events.some(
    ({ type, stateName }) => type === "TaskStateEntered" && isFunction(stateName ?? ""),
  );
  return entersFunction && !events.some(({ type }) => type.startsWith("LambdaFunction"));
}

function isFunction(name: string): name is FunctionName {
  return Object.hasOwn(FUNCTIONS, name);
}
