import { isDeepStrictEqual } from "node:util";
import { prepareDefinition, StateError, StateMachine } from "@cinderless/embedded-cloud/states";
import type { TaskFunctionName } from "../../core/settings/functions.ts";
import { readFailure } from "../../core/fault.ts";
import { DEFINITION_TEXT, stateOf, TASK_STATES } from "../../simulation/definition.ts";
import { type Answer, inputOf, MESSAGE, ORDINARY, type Outcome, type Scenario } from "./scenario.ts";

/** The behavior of an execution. */
export type Run = {
  path: string[];
  calls: Record<string, number>;
  /** The input of each function call, in order. */
  inputs: { state: string; input: unknown }[];
  outcome: Outcome;
  /** Index of each catcher and retrier that matched, as `State/index`. */
  catchers: string[];
  retriers: string[];
  /** The state document at the end, when it succeeded. */
  output: unknown;
};

const prepared = prepareDefinition(DEFINITION_TEXT);
if ("problems" in prepared) {
  throw new Error(prepared.problems.join("\n"));
}
const machine = new StateMachine(prepared.definition, { validationOptions: { noValidate: true } });

/** No time passes between tries and in waits. */
const IMMEDIATELY = {
  waitTimeOverrides: { WaitForBackend: 0 },
  retryIntervalOverrides: Object.fromEntries(TASK_STATES.map(([name]) => [name, 0])),
};

type EngineEvent = {
  type: string;
  state?: { name: string };
  catch?: { catcher: { ErrorEquals: string[] } };
};

/** Runs a scenario on the engine of the embedded cloud, in this process and without its waits. */
export async function runScenario(scenario: Scenario): Promise<Run> {
  const run: Run = {
    path: [],
    calls: {},
    inputs: [],
    outcome: { status: "SUCCEEDED" },
    catchers: [],
    retriers: [],
    output: undefined,
  };
  const { result, eventLogs } = machine.run(inputOf(scenario, "scenario") as never, {
    overrides: { ...IMMEDIATELY, taskResourceLocalHandlers: handlersOf(scenario, run) as never },
  });
  const ended = result.then(
    (output) => void (run.output = output),
    (error: unknown) => void (run.outcome = outcomeOf(error as Error)),
  );
  for await (const event of eventLogs as AsyncIterable<EngineEvent>) {
    note(event, run);
  }
  await ended;
  return run;
}

function note({ type, state, catch: caught }: EngineEvent, run: Run): void {
  if (state === undefined) {
    return;
  }
  if (type === "StateEntered") {
    run.path.push(state.name);
  } else if (type === "StateCaught") {
    const names = caught?.catcher.ErrorEquals;
    const index = stateOf(state.name).Catch?.findIndex(({ ErrorEquals }) => isDeepStrictEqual(ErrorEquals, names));
    run.catchers.push(`${state.name}/${index}`);
  }
}

function handlersOf(scenario: Scenario, run: Run): Record<string, (input: unknown) => Promise<unknown>> {
  return Object.fromEntries(
    TASK_STATES.map(([name, { Retry = [] }]) => [
      name,
      async (input: unknown) => {
        run.inputs.push({ state: name, input });
        const task = name as TaskFunctionName;
        const call = (run.calls[name] ?? 0) + 1;
        run.calls[name] = call;
        const answer: Answer = scenario.answers?.[task]?.[call - 1] ?? ORDINARY[task];
        if ("returns" in answer) {
          return answer.returns;
        }
        const failure = failureOf(answer, name);
        const matches = ({ ErrorEquals }: { ErrorEquals: string[] }) =>
          ErrorEquals.includes(failure.name) || ErrorEquals.includes("States.ALL");
        run.retriers.push(`${name}/${Retry.findIndex(matches)}`);
        throw failure;
      },
    ]),
  );
}

/** The error that Step Functions makes from an answer that is not a result. */
function failureOf(answer: Exclude<Answer, { returns: unknown }>, state: string): StateError {
  if ("throws" in answer) return new StateError(answer.throws, causeOf(answer.throws));
  if ("sleeps" in answer) return new StateError("States.Timeout", "");
  return new StateError("States.DataLimitExceeded", `the result of ${state} is larger than 262144 bytes`);
}

/** The Cause that Step Functions makes of a function's error. */
function causeOf(error: string): string {
  return JSON.stringify({ errorType: error, errorMessage: MESSAGE, trace: [] });
}

function outcomeOf(thrown: Error): Outcome {
  const reason = thrown.cause instanceof Error ? thrown.cause : thrown;
  const { error, cause } = readFailure({ Error: reason.name, Cause: reason.message });
  return { status: "FAILED", error, cause };
}

/** How often each function is called in a scenario. */
export function callsOf({ path, calls = {} }: Scenario): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of path.filter((state) => stateOf(state).Type === "Task")) {
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return { ...counts, ...calls };
}
