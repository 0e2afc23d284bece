import type { StateMachine } from "aws-local-stepfunctions";
import type { JsonObject, JsonValue } from "../json.ts";
import type { PreparedDefinition } from "./asl-definition.ts";
import type { HistoryEvent } from "./history.ts";

export type ExecutionStatus = "RUNNING" | "SUCCEEDED" | "FAILED" | "TIMED_OUT" | "ABORTED";

/** An execution as callers see it; dates are epoch milliseconds, input and output JSON text. */
export interface ExecutionView {
  readonly executionArn: string;
  readonly stateMachineArn: string;
  readonly name: string;
  readonly status: ExecutionStatus;
  /** Its current or last state. Unknown for an execution that ended in an earlier process. */
  readonly state: string | undefined;
  readonly startDate: number;
  readonly stopDate: number | undefined;
  readonly input: string;
  readonly output: string | undefined;
  readonly error: string | undefined;
  readonly cause: string | undefined;
}

/** One execution, running or kept. */
export interface Execution extends ExecutionView {
  status: ExecutionStatus;
  state: string | undefined;
  stopDate: number | undefined;
  output: string | undefined;
  error: string | undefined;
  cause: string | undefined;
  readonly history: HistoryEvent[];
  abort: () => void;
  /** Stops it in its state, without an end: with a journal, the next process continues it. */
  suspend: () => void;
}

/** An execution that does nothing yet. */
export function executionOf(known: Omit<ExecutionView, "state">, history: HistoryEvent[]): Execution {
  return { ...known, state: undefined, history, abort: () => undefined, suspend: () => undefined };
}

/** A deployed state machine. */
export interface DeployedStateMachine {
  readonly arn: string;
  readonly name: string;
  readonly roleArn: string;
  readonly creationDate: number;
  readonly prepared: PreparedDefinition;
  readonly loggingConfiguration: JsonObject;
  readonly engine: StateMachine;
  /** The engine's error for a task that timed out. */
  readonly engineTimeout: Error;
  /** Names of ended executions: a name cannot be taken again, though the execution may have been forgotten. */
  readonly endedNames: Set<string>;
}

/** The argument of a listener: the execution, and the new event of its history. */
export type TransitionListener = (execution: ExecutionView, event: HistoryEvent) => void;

/** JSON texts of the values that pass through one execution. */
export interface JsonTexts {
  of(value: JsonValue | undefined): string;
  /** Sets the text of a value that was just parsed. */
  remember(value: JsonValue, text: string): void;
}

/**
 * The engine passes the same object as result, output and next input. Caching the last text therefore saves most of the work, and the
 * events of an execution share one string.
 */
export function createJsonTexts(): JsonTexts {
  let lastValue: JsonValue | undefined;
  let lastText = "null";
  return {
    of: (value) => {
      if (value === undefined || value === null || typeof value !== "object") return JSON.stringify(value) ?? "null";
      if (value !== lastValue) {
        lastText = JSON.stringify(value);
        lastValue = value;
      }
      return lastText;
    },
    remember: (value, text) => {
      lastValue = value;
      lastText = text;
    },
  };
}
