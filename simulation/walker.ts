import type { Definition, Retrier, State } from "./definition.ts";

/**
 * Walks a definition in the Amazon States Language, as far as this project uses it, with invocations and waits given from outside:
 * Task, Choice, Wait, Succeed and Fail; Parameters of plain paths, ResultPath, Retry and Catch. Anything else is refused, so a
 * definition that outgrows it cannot be walked wrongly. `test/unit/faults-walker.test.ts` holds it to the engine of the embedded
 * cloud.
 */

/** The state document. */
export type StateDocument = Record<string, unknown>;

/** An error as Step Functions knows it: a name, and a text. */
export class StateFailure extends Error {
  override readonly name = "StateFailure";
  readonly error: string;

  constructor(error: string, cause: string) {
    super(cause);
    this.error = error;
  }
}

/** Dependencies and callbacks of the walker. */
export type WalkerHost = {
  /** Calls a Task's function once. @throws StateFailure */
  invoke(stateName: string, state: State, input: StateDocument): Promise<unknown>;
  wait(seconds: number): Promise<void>;
  entered?(stateName: string, document: StateDocument): void;
  caught?(stateName: string, catcher: number, error: string, cause: string): void;
  /** True when the execution was ended from outside: the walker then stops and never returns. */
  isStopped?(): boolean;
};

/** How a walk ended. */
export type WalkResult =
  | { status: "SUCCEEDED"; output: StateDocument }
  | { status: "FAILED"; error: string; cause: string };

/** Largest input or output of a state ("Quotas for state machines", 256 KiB). */
export const LARGEST_PAYLOAD_BYTES = 262_144;

/** Walks an execution from its input to its end. Never throws a StateFailure: that is a FAILED result. */
export async function walk(definition: Definition, input: StateDocument, host: WalkerHost): Promise<WalkResult> {
  let document = structuredClone(input);
  let name: string | undefined = definition.StartAt;
  try {
    while (name !== undefined) {
      const state: State = stateOf(definition, name);
      host.entered?.(name, document);
      if (state.Type === "Fail") {
        return failed(state, document);
      }
      if (state.Type === "Succeed") {
        return { status: "SUCCEEDED", output: document };
      }
      ({ next: name, document } = await step(name, state, document, host));
      if (host.isStopped?.() === true) {
        return await new Promise<never>(() => {});
      }
    }
    return { status: "SUCCEEDED", output: document };
  } catch (thrown) {
    if (thrown instanceof StateFailure) {
      return { status: "FAILED", error: thrown.error, cause: thrown.message };
    }
    throw thrown;
  }
}

type Step = { next: string | undefined; document: StateDocument };

async function step(name: string, state: State, document: StateDocument, host: WalkerHost): Promise<Step> {
  switch (state.Type) {
    case "Task": {
      const left = await walkTask(name, state, document, host);
      // No catcher of the state sees this.
      requireSize(left.document, `the output of ${name}`);
      return left;
    }
    case "Choice":
      return { next: chooseNext(name, state, document), document };
    case "Wait":
      await host.wait(numberAt(document, state.SecondsPath));
      return { next: state.Next, document };
    default:
      throw new Error(`state ${name}: the walker knows no ${state.Type}`);
  }
}

async function walkTask(name: string, state: State, document: StateDocument, host: WalkerHost): Promise<Step> {
  try {
    const input = parametersOf(state, document);
    const result = await invokeWithRetries(name, state, input, host);
    return { next: state.Next, document: withResult(document, state.ResultPath, result) };
  } catch (thrown) {
    if (!(thrown instanceof StateFailure)) {
      throw thrown;
    }
    const { error, message } = thrown;
    const index = (state.Catch ?? []).findIndex(({ ErrorEquals }) => matches(ErrorEquals, error));
    const catcher = state.Catch?.[index];
    if (catcher === undefined) {
      throw thrown;
    }
    host.caught?.(name, index, error, message);
    const failure = { Error: error, Cause: message };
    return { next: catcher.Next, document: withResult(document, catcher.ResultPath, failure) };
  }
}

async function invokeWithRetries(name: string, state: State, input: StateDocument, host: WalkerHost): Promise<unknown> {
  const used = new Map<Retrier, number>();
  for (;;) {
    try {
      const result = await host.invoke(name, state, input);
      requireSize(result, `the result of ${name}`);
      return result;
    } catch (thrown) {
      if (!(thrown instanceof StateFailure)) {
        throw thrown;
      }
      const retrier = (state.Retry ?? []).find(({ ErrorEquals }) => matches(ErrorEquals, thrown.error));
      const tries = retrier === undefined ? 0 : (used.get(retrier) ?? 0);
      if (retrier === undefined || tries >= (retrier.MaxAttempts ?? 3)) {
        throw thrown;
      }
      used.set(retrier, tries + 1);
      const { IntervalSeconds = 1, BackoffRate = 2, MaxDelaySeconds = Infinity } = retrier;
      await host.wait(Math.min(IntervalSeconds * BackoffRate ** tries, MaxDelaySeconds));
    }
  }
}

/** Neither retried nor caught, whatever is named ("Error handling in Step Functions workflows"). */
const TERMINAL_ERROR = "States.Runtime";
/** For a task's result it is retried and caught as any error; for a state's whole output it ends the execution. */
const DATA_LIMIT_ERROR = "States.DataLimitExceeded";

function matches(names: readonly string[], error: string): boolean {
  if (error === TERMINAL_ERROR) {
    return false;
  }
  if (names.includes(error)) {
    return true;
  }
  return names.includes("States.ALL") || (names.includes("States.TaskFailed") && error !== "States.Timeout");
}

function requireSize(value: unknown, what: string): void {
  const text = JSON.stringify(value) ?? "null";
  // A character is one to four bytes: only long texts have to be measured.
  if (text.length * 4 > LARGEST_PAYLOAD_BYTES && Buffer.byteLength(text) > LARGEST_PAYLOAD_BYTES) {
    throw new StateFailure(DATA_LIMIT_ERROR, `${what} is larger than ${LARGEST_PAYLOAD_BYTES} bytes`);
  }
}

function failed(state: State, document: StateDocument): WalkResult {
  const text = (path: string | undefined): string => (path === undefined ? "" : String(valueAt(document, path)));
  return { status: "FAILED", error: text(state.ErrorPath), cause: text(state.CausePath) };
}

function parametersOf(state: State, document: StateDocument): StateDocument {
  const parameters: StateDocument = {};
  for (const [key, value] of Object.entries(state.Parameters ?? {})) {
    if (!key.endsWith(".$") || typeof value !== "string") {
      throw new Error(`the walker knows no parameter ${key} of ${JSON.stringify(value)}`);
    }
    parameters[key.slice(0, -2)] = valueAt(document, value);
  }
  return parameters;
}

function chooseNext(name: string, state: State, document: StateDocument): string {
  for (const { Variable, Next, ...test } of state.Choices ?? []) {
    const value = valueAt(document, Variable);
    const [operator, expected] = Object.entries(test)[0] ?? [];
    if (Object.keys(test).length !== 1 || (operator !== "BooleanEquals" && operator !== "StringEquals")) {
      throw new Error(`state ${name}: the walker knows no choice ${JSON.stringify(test)}`);
    }
    if (value === expected) {
      return Next;
    }
  }
  if (state.Default === undefined) {
    throw new StateFailure("States.NoChoiceMatched", `no choice of ${name} matches`);
  }
  return state.Default;
}

function withResult(document: StateDocument, path: string | null | undefined, result: unknown): StateDocument {
  if (path === null) {
    return document;
  }
  const key = /^\$\.(\w+)$/.exec(path ?? "")?.[1];
  if (key === undefined) {
    throw new Error(`the walker knows no ResultPath ${path ?? "of none"}`);
  }
  return { ...document, [key]: result };
}

function numberAt(document: StateDocument, path: string | undefined): number {
  const value = path === undefined ? undefined : valueAt(document, path);
  if (typeof value !== "number" || value < 0) {
    throw new StateFailure(TERMINAL_ERROR, `${path ?? "the wait"} is not a number of seconds: ${String(value)}`);
  }
  return value;
}

/** @throws StateFailure States.Runtime when nothing is there */
function valueAt(document: StateDocument, path: string): unknown {
  if (!/^\$(\.\w+)+$/.test(path)) {
    throw new Error(`the walker knows no path ${path}`);
  }
  let value: unknown = document;
  for (const key of path.split(".").slice(1)) {
    if (typeof value !== "object" || value === null || !(key in value)) {
      throw new StateFailure(TERMINAL_ERROR, `the path ${path} is not in the state's input`);
    }
    value = (value as StateDocument)[key];
  }
  return value;
}

function stateOf(definition: Definition, name: string): State {
  const state = definition.States[name];
  if (state === undefined) {
    throw new Error(`the definition has no state ${name}`);
  }
  return state;
}
