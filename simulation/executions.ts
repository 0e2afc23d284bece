import { type FunctionName, TASK_NAMES } from "../core/settings/functions.ts";
import type { WorkflowInput } from "../core/requests/messages.ts";
import type { Definition, State } from "./definition.ts";
import type { Account } from "./account.ts";
import { deferred, type Timer } from "./virtual-time.ts";
import { LARGEST_PAYLOAD_BYTES, StateFailure, walk, type WalkResult } from "./walker.ts";

export type ExecutionStatus = "RUNNING" | "SUCCEEDED" | "FAILED" | "TIMED_OUT" | "ABORTED";

/** One execution of the workflow. */
export type Execution = {
  name: string;
  input: WorkflowInput;
  status: ExecutionStatus;
  error: string | null;
  cause: string | null;
  /** Errors of its states that a Catch took, or that ended it, in their order. */
  failures: { state: string; error: string; cause: string }[];
};

/** The longest until a function that Lambda has lost sight of begins: longer than the state's own retries last. */
const LATEST_UNSEEN_START_MS = 240_000;

/** Between two states, and between a function's end and the next state. */
const TRANSITION_MS = 20;

/** Step Functions: executions by name, walked in virtual time, with the faults of a visit. */
export class Executions {
  readonly byName = new Map<string, Execution>();
  /** Every state that was entered, for coverage. */
  readonly entered = new Set<string>();
  readonly #account: Account;
  readonly #definition: Definition;

  constructor(account: Account, definition: Definition) {
    this.#account = account;
    this.#definition = definition;
  }

  /** StartExecution; one that was started before is a success. */
  start(input: WorkflowInput): void {
    this.#account.note("state document", input);
    if (this.byName.has(input.fence)) {
      return;
    }
    const execution: Execution = {
      name: input.fence,
      input: structuredClone(input),
      status: "RUNNING",
      error: null,
      cause: null,
      failures: [],
    };
    this.byName.set(execution.name, execution);
    this.#account.measure("AWS/States/ExecutionsStarted", 1);
    this.#account.time.after(TRANSITION_MS, () => void this.#run(execution));
  }

  /** Ends an execution from outside. Its functions continue. */
  stop(execution: Execution, status: "ABORTED" | "TIMED_OUT", hears: "rule hears" | "event lost"): void {
    if (execution.status === "RUNNING") {
      execution.status = status;
      this.#account.measure(`AWS/States/Executions${status === "ABORTED" ? "Aborted" : "TimedOut"}`, 1);
      if (hears === "rule hears") {
        this.#account.rules.executionEnded(execution);
      }
    }
  }

  /** Delivers an input to every function that is a state, in the name of an execution, without a waiting caller. */
  deliverLate(execution: Execution, input: Record<string, unknown>): void {
    for (const name of TASK_NAMES) {
      const visit = `late ${this.#account.nextVisit(name)}`;
      this.#account.owns(visit, execution);
      this.#invokeAside(name, input, visit);
    }
  }

  async #run(execution: Execution): Promise<void> {
    const limit = this.#definition.TimeoutSeconds;
    const timer: Timer | undefined =
      limit === undefined
        ? undefined
        : this.#account.time.after(limit * 1000, () => this.stop(execution, "TIMED_OUT", "rule hears"), true);
    const result = await walk(
      this.#definition,
      { ...execution.input },
      {
        entered: (name, document) => {
          this.entered.add(name);
          this.#account.note("state document", document);
        },
        caught: (state, _catcher, error, cause) => void execution.failures.push({ state, error, cause }),
        wait: (seconds) => this.#account.time.sleep(seconds * 1000 + TRANSITION_MS),
        isStopped: () => execution.status !== "RUNNING",
        invoke: this.#invoker(execution),
      },
    );
    timer?.cancel();
    this.#end(execution, result);
  }

  #end(execution: Execution, result: WalkResult): void {
    if (execution.status !== "RUNNING") {
      return;
    }
    execution.status = result.status;
    if (result.status === "FAILED") {
      execution.failures.push({ state: "", error: result.error, cause: result.cause });
      this.#account.measure("AWS/States/ExecutionsFailed", 1);
      execution.error = result.error;
      execution.cause = result.cause;
    }
    this.#account.rules.executionEnded(execution);
  }

  /** Each entry of a Task is one visit, its retries included: the walker passes the same input to all of them. */
  #invoker(execution: Execution): (name: string, state: State, input: Record<string, unknown>) => Promise<unknown> {
    const visits = new WeakMap<object, string>();
    const throttlings = new Map<string, number>();
    return async (_name, state, input) => {
      const functionName = functionOf(state);
      const visit = visits.get(input) ?? this.#account.nextVisit(functionName);
      if (!visits.has(input)) {
        visits.set(input, visit);
        this.#account.owns(visit, execution);
        this.#account.repeatLater(visit, () => this.#invokeAside(functionName, input, visit));
      }
      await this.#account.time.sleep(TRANSITION_MS);
      this.#throttle(visit, throttlings);
      if (this.#account.visitFault(visit, ["States.Runtime"]) !== undefined) {
        throw new StateFailure("States.Runtime", "a path of the state is not in its input");
      }
      if (this.#account.visitFault(visit, ["lost from sight", "lost from sight, each time"]) !== undefined) {
        const startsLater = LATEST_UNSEEN_START_MS * this.#account.random();
        this.#account.time.after(startsLater, () => this.#invokeAside(functionName, input, visit));
        throw new StateFailure("Lambda.ServiceException", "The service encountered an internal error.");
      }
      const result = await this.#withTimeout(state, this.#account.invoke(functionName, input, visit));
      return this.#afterwards(visit, state, result);
    };
  }

  #throttle(visit: string, throttlings: Map<string, number>): void {
    const fault = this.#account.visitFault(visit, ["throttled", "throttled for long"]);
    if (fault !== undefined) {
      throttlings.set(visit, fault === "throttled" ? 5 : 10);
    }
    const left = throttlings.get(visit) ?? 0;
    if (left > 0) {
      throttlings.set(visit, left - 1);
      throw new StateFailure("Lambda.TooManyRequestsException", "Rate Exceeded.");
    }
  }

  async #afterwards(visit: string, state: State, result: unknown): Promise<unknown> {
    const fault = this.#account.visitFault(visit, AFTER_THE_WORK);
    if (fault === "over 256 KiB" || fault === "over 256 KiB, each time") {
      return padded(result, LARGEST_PAYLOAD_BYTES + 1);
    }
    if (fault === "output over 256 KiB") {
      return padded(result, LARGEST_PAYLOAD_BYTES);
    }
    if (fault === "States.Runtime after") {
      throw new StateFailure("States.Runtime", "a path of the state is not in its result");
    }
    if (fault === "States.Timeout") {
      await this.#account.time.sleep((state.TimeoutSeconds ?? 60) * 1000);
      throw new StateFailure("States.Timeout", "");
    }
    return result;
  }

  /** A repeated delivery of a Task's input, without a waiting caller. */
  #invokeAside(functionName: FunctionName, input: Record<string, unknown>, visit: string): void {
    this.#account.invoke(functionName, input, `${visit} again`).catch(() => {});
  }

  async #withTimeout(state: State, work: Promise<unknown>): Promise<unknown> {
    const late = deferred<"late">();
    const timer = this.#account.time.after((state.TimeoutSeconds ?? 60) * 1000, () => late.resolve("late"));
    try {
      const outcome = await Promise.race([work.then((result) => ({ result })), late.promise]);
      if (outcome === "late") {
        throw new StateFailure("States.Timeout", "");
      }
      return outcome.result;
    } finally {
      timer.cancel();
    }
  }
}

/** Faults that come when the function has done its work. */
const AFTER_THE_WORK = [
  "over 256 KiB",
  "over 256 KiB, each time",
  "output over 256 KiB",
  "States.Runtime after",
  "States.Timeout",
] as const;

/** The result with a key more, so that it has so many bytes as JSON. */
/** The function that a Task calls: the last part of its ARN. */
function functionOf({ Resource = "" }: State): FunctionName {
  return Resource.split(":").at(-1) as FunctionName;
}

function padded(result: unknown, bytes: number): object {
  const own = { ...(result as object | null), padding: "" };
  return { ...own, padding: "x".repeat(bytes - Buffer.byteLength(JSON.stringify(own))) };
}
