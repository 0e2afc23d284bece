import { setImmediate as nextTurn } from "node:timers/promises";
import type { FunctionDefinition, InvocationOutcome } from "../functions/function-definition.ts";
import type { FunctionEmulator } from "../functions/function-emulator.ts";
import type { JsonObject, JsonValue } from "../json.ts";
import { createJsonTexts } from "./executions.ts";
import type { DeployedStateMachine, Execution, ExecutionStatus, TransitionListener } from "./executions.ts";
import {
  endEvent,
  exceedsDataLimit,
  MAXIMUM_DATA_BYTES,
  MAXIMUM_HISTORY_EVENTS,
  NOT_TRUNCATED,
  previousEventIdOf,
  stateEventType,
} from "./history.ts";
import type { HistoryEvent } from "./history.ts";
import { REST_STATE, RESUME_STATE } from "./resumption.ts";
import type { Resumption } from "./resumption.ts";
import { runtimeCause } from "./runtime-cause.ts";
import { DATA_LIMIT_ERROR, NOT_HANDLED, StateError, stepFunctionsError, timeoutErrorFrom } from "./state-error.ts";

export interface RunOptions {
  readonly machine: DeployedStateMachine;
  readonly execution: Execution;
  /** For an execution that an earlier process began; the machine's engine leads into its state. */
  readonly resumption: Resumption | undefined;
  readonly input: JsonValue;
  readonly functions: FunctionEmulator;
  readonly listeners: ReadonlySet<TransitionListener>;
  readonly counters: { stateTransitions: number };
  /** While it returns true, no further task begins: an execution stops before its next task. */
  readonly isDraining: () => boolean;
  /** Called with each event, before the listeners; `isPosition` means that the execution can be continued from there. */
  readonly record: (event: HistoryEvent, isPosition: boolean) => void;
  /** Called once, when the execution has its final status and its last event. */
  readonly onEnd: () => void;
}

/** The used events of the engine; see its README, "Execution event logs". */
interface EngineEvent {
  readonly type: string;
  readonly state?: {
    readonly name: string;
    readonly type: string;
    readonly input?: JsonValue;
    readonly output?: JsonValue;
  };
  readonly Error?: string;
}

/**
 * Runs an execution on the engine and keeps status and history. The engine's events become AWS's. This function decides where the engine
 * differs from AWS: sizes of data, errors that `States.ALL` must not match, ends from outside.
 */
export function runExecution(options: RunOptions): void {
  const run = new ExecutionRun(options);
  run.start();
}

class ExecutionRun {
  readonly #options: RunOptions;
  readonly #texts = createJsonTexts();
  /** Task attempts that have not ended. One that timed out is removed, and its function's later answer is dropped. */
  readonly #liveAttempts = new Map<string, object>();
  /** Tasks that have not begun because the cloud is being stopped. */
  readonly #parked = new Set<(error: Error) => void>();
  #abortEngine: () => void = () => undefined;
  #suspended = false;
  /** The state in which it continues; its beginning is already in the history. */
  #resumedIn: string | undefined;

  constructor(options: RunOptions) {
    this.#options = options;
    this.#resumedIn = options.resumption?.state;
    options.execution.state = options.resumption?.state;
  }

  get #running(): boolean {
    return this.#options.execution.status === "RUNNING" && !this.#suspended;
  }

  start(): void {
    const { machine, execution, input, resumption } = this.#options;
    if (resumption === undefined) {
      this.#record("ExecutionStarted", {
        executionStartedEventDetails: { input: execution.input, roleArn: machine.roleArn },
      });
    }
    const { abort, result, eventLogs } = machine.engine.run(input as never, {
      overrides: { taskResourceLocalHandlers: this.#taskHandlers() as never },
      context: {
        Execution: {
          Id: execution.executionArn,
          Name: execution.name,
          RoleArn: machine.roleArn,
          RedriveCount: 0,
        },
        StateMachine: { Id: machine.arn, Name: machine.name },
        ...resumption?.context,
      },
    });
    this.#abortEngine = abort;
    execution.abort = () => this.#end("ABORTED", { error: execution.error, cause: execution.cause });
    execution.suspend = () => this.#suspend();
    const consumed = this.#consume(eventLogs as AsyncIterable<EngineEvent>);
    result.then(
      (output) => void consumed.then(() => this.#succeed(output as JsonValue)),
      (error: unknown) => void consumed.then(() => this.#fail(error as Error)),
    );
  }

  async #consume(events: AsyncIterable<EngineEvent>): Promise<void> {
    for await (const event of events) if (this.#running) this.#observe(event);
  }

  #suspend(): void {
    if (!this.#running) return;
    this.#suspended = true;
    this.#abortEngine();
    for (const reject of this.#parked) reject(new StateError("States.Runtime", "The cloud is stopped.", NOT_HANDLED));
    this.#liveAttempts.clear();
  }

  #observe(event: EngineEvent): void {
    const { type, state, Error: error } = this.#withoutDetour(event);
    if (!state) return;
    switch (type) {
      case "StateEntered":
        this.#entered(state);
        return;
      case "StateExited": {
        const output = this.#texts.of(state.output);
        if (exceedsDataLimit(output)) {
          this.#failHere(
            DATA_LIMIT_ERROR,
            `The state '${state.name}' returned a result with a size exceeding the maximum number of bytes service limit.`,
          );
          return;
        }
        // A Fail state is never left.
        this.#record(stateEventType(state.type, "Exited"), {
          stateExitedEventDetails: {
            name: state.name,
            output,
            outputDetails: NOT_TRUNCATED,
          },
        });
        return;
      }
      case "StateRetried":
        // Step Functions counts a retry as a transition.
        this.#options.counters.stateTransitions += 1;
        return;
      case "StateFailed":
        if (state.type === "Task" && error === "States.Timeout" && this.#liveAttempts.delete(state.name)) {
          this.#record("LambdaFunctionTimedOut", {
            lambdaFunctionTimedOutEventDetails: { error: "States.Timeout" },
          });
        }
    }
  }

  /** The engine's event without the states that lead the execution into its state again. */
  #withoutDetour(event: EngineEvent): EngineEvent {
    const { type, state } = event;
    if (state?.name !== RESUME_STATE && state?.name !== REST_STATE) return event;
    if (state.name === RESUME_STATE || type !== "StateExited" || this.#resumedIn === undefined) return { type: "" };
    const name = this.#resumedIn;
    this.#resumedIn = undefined;
    return { ...event, state: { ...state, name } };
  }

  #entered({ name, type, input }: NonNullable<EngineEvent["state"]>): void {
    this.#options.execution.state = name;
    if (this.#resumedIn === name) {
      this.#resumedIn = undefined;
      return;
    }
    this.#options.counters.stateTransitions += 1;
    const details = { name, input: this.#texts.of(input), inputDetails: NOT_TRUNCATED };
    this.#record(stateEventType(type, "Entered"), { stateEnteredEventDetails: details }, true);
  }

  #taskHandlers(): Record<string, (input: JsonValue) => Promise<JsonValue>> {
    const handlers: Record<string, (input: JsonValue) => Promise<JsonValue>> = {};
    for (const [stateName, functionName] of this.#options.machine.prepared.taskFunctions) {
      handlers[stateName] = (input) => this.#runTask(stateName, functionName, input);
    }
    return handlers;
  }

  async #runTask(stateName: string, functionName: string, input: JsonValue): Promise<JsonValue> {
    // One turn of the event loop lets the engine's earlier events be recorded before this task's own.
    await nextTurn();
    if (this.#options.isDraining() && this.#running) {
      await new Promise<never>((_resolve, reject) => void this.#parked.add(reject));
    }
    if (!this.#running) throw new StateError("States.Runtime", "The execution has ended.", NOT_HANDLED);
    const payload = this.#texts.of(input);
    if (exceedsDataLimit(payload)) throw this.#inputTooLarge(stateName);
    const definition = this.#options.functions.find(functionName);
    const timeoutInSeconds = this.#options.machine.prepared.timeouts.get(stateName);
    const attempt = {};
    this.#liveAttempts.set(stateName, attempt);
    this.#record("LambdaFunctionScheduled", {
      lambdaFunctionScheduledEventDetails: {
        resource: definition?.arn ?? functionName,
        input: payload,
        inputDetails: NOT_TRUNCATED,
        ...(timeoutInSeconds === undefined ? {} : { timeoutInSeconds }),
      },
    });
    if (!definition)
      return this.#taskFailed(stateName, "Lambda.ResourceNotFoundException", `Function not found: ${functionName}`);
    this.#record("LambdaFunctionStarted", {});
    const invocation = this.#options.functions.invoke(functionName, payload);
    const outcome = await (timeoutInSeconds === undefined ? invocation : this.#within(timeoutInSeconds, invocation));
    if (outcome === undefined && this.#running) return this.#taskTimedOut(stateName);
    if (outcome === undefined || !this.#running || this.#liveAttempts.get(stateName) !== attempt) {
      throw new StateError("States.Runtime", "The task has ended.", NOT_HANDLED);
    }
    return this.#taskEnded(stateName, definition, outcome);
  }

  /** The outcome, or `undefined` when it takes longer: the function's later answer is dropped. */
  async #within(seconds: number, invocation: Promise<InvocationOutcome>): Promise<InvocationOutcome | undefined> {
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), seconds * 1000);
    });
    return Promise.race([invocation, over]).finally(() => clearTimeout(timer));
  }

  #taskTimedOut(stateName: string): never {
    this.#liveAttempts.delete(stateName);
    this.#record("LambdaFunctionTimedOut", { lambdaFunctionTimedOutEventDetails: { error: "States.Timeout" } });
    throw timeoutErrorFrom(this.#options.machine.engineTimeout);
  }

  #taskEnded(stateName: string, definition: FunctionDefinition, outcome: InvocationOutcome): JsonValue {
    if (outcome.kind === "throttled") {
      const requestId = "00000000-0000-0000-0000-000000000000";
      const cause = `Rate Exceeded. (Service: Lambda, Status Code: 429, Request ID: ${requestId})`;
      return this.#taskFailed(stateName, "Lambda.TooManyRequestsException", cause);
    }
    if (outcome.kind === "failed") {
      const { error, cause } = stepFunctionsError(outcome.payload);
      return this.#taskFailed(stateName, error, cause);
    }
    this.#liveAttempts.delete(stateName);
    if (exceedsDataLimit(outcome.payload)) {
      const cause = `The state/task '${definition.arn}' returned a result with a size exceeding the maximum number of bytes service limit.`;
      return this.#taskFailed(stateName, DATA_LIMIT_ERROR, cause);
    }
    this.#record("LambdaFunctionSucceeded", {
      lambdaFunctionSucceededEventDetails: { output: outcome.payload, outputDetails: NOT_TRUNCATED },
    });
    const result = JSON.parse(outcome.payload) as JsonValue;
    this.#texts.remember(result, outcome.payload);
    return result;
  }

  #taskFailed(stateName: string, error: string, cause: string): never {
    this.#liveAttempts.delete(stateName);
    this.#record("LambdaFunctionFailed", { lambdaFunctionFailedEventDetails: { error, cause } });
    throw new StateError(error, cause);
  }

  /** Matched by a retrier or catcher that names it, but not by `States.ALL`. */
  #inputTooLarge(stateName: string): StateError {
    const named = this.#options.machine.prepared.handlers.get(stateName);
    const cause = `The input of the state '${stateName}' exceeds the maximum number of bytes service limit (${MAXIMUM_DATA_BYTES}).`;
    return new StateError(DATA_LIMIT_ERROR, cause, {
      retryable: named?.retried.has(DATA_LIMIT_ERROR) ?? false,
      catchable: named?.caught.has(DATA_LIMIT_ERROR) ?? false,
    });
  }

  #succeed(output: JsonValue): void {
    if (!this.#running) return;
    this.#end("SUCCEEDED", { output: this.#texts.of(output) });
  }

  #fail(error: Error): void {
    if (!this.#running) return;
    if (error.name === "ExecutionTimeoutError") {
      this.#end("TIMED_OUT", { error: "States.Timeout" });
      return;
    }
    const reason = error.cause instanceof Error ? error.cause : error;
    // The engine's own name for a Fail state without Error and Cause.
    if (reason.name === "FailStateError") this.#end("FAILED", {});
    else this.#end("FAILED", { error: reason.name, cause: this.#causeOf(reason) });
  }

  /** The engine's own errors have other texts than AWS's. */
  #causeOf({ name, message }: Error): string | undefined {
    const { machine, execution } = this.#options;
    if (name === "States.Runtime") return runtimeCause(machine.prepared.definition, execution.history, message);
    return message === "" ? undefined : message;
  }

  #failHere(error: string, cause: string): void {
    this.#end("FAILED", { error, cause });
  }

  #end(
    status: Exclude<ExecutionStatus, "RUNNING">,
    { output, error, cause }: { output?: string; error?: string | undefined; cause?: string | undefined },
  ): void {
    const { execution, onEnd } = this.#options;
    if (!this.#running) return;
    execution.output = output;
    execution.error = error;
    execution.cause = cause;
    this.#record(...endEvent(status, execution));
    execution.status = status;
    execution.stopDate = Date.now();
    execution.abort = () => undefined;
    execution.suspend = () => undefined;
    if (status === "ABORTED" || (status === "FAILED" && error === DATA_LIMIT_ERROR)) this.#abortEngine();
    this.#liveAttempts.clear();
    onEnd();
  }

  #record(type: string, details: JsonObject, isPosition = false): void {
    const { execution, listeners, record } = this.#options;
    const id = execution.history.length + 1;
    const event: HistoryEvent = {
      id,
      previousEventId: previousEventIdOf(id),
      timestamp: Date.now() / 1000,
      type,
      ...details,
    };
    execution.history.push(event);
    record(event, isPosition);
    for (const listener of listeners) {
      try {
        listener(execution, event);
      } catch (error) {
        // A listener's error does not belong to the execution: it becomes an uncaught error instead of failing a task.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
    if (id === MAXIMUM_HISTORY_EVENTS - 1) {
      this.#failHere(
        "States.Runtime",
        `The execution reached the maximum number of history events (${MAXIMUM_HISTORY_EVENTS}).`,
      );
      this.#abortEngine();
    }
  }
}
