import type { JsonObject } from "../json.ts";
import type { Execution, ExecutionStatus } from "./executions.ts";

/** One event of GetExecutionHistory in wire form, `timestamp` in epoch seconds. */
export interface HistoryEvent extends JsonObject {
  id: number;
  previousEventId: number;
  timestamp: number;
  type: string;
}

/** Histories hold all data; all events share this object, which says so. */
export const NOT_TRUNCATED = { truncated: false };

/** A Standard execution fails when its history has this many events. */
export const MAXIMUM_HISTORY_EVENTS = 25_000;

/** Largest input or output of a state, in bytes of JSON. */
export const MAXIMUM_DATA_BYTES = 262_144;

export function exceedsDataLimit(json: string): boolean {
  // A UTF-16 unit is at most three bytes of UTF-8: most texts need no count.
  if (json.length * 3 <= MAXIMUM_DATA_BYTES) return false;
  return Buffer.byteLength(json) > MAXIMUM_DATA_BYTES;
}

/** The first two events have no event before them. */
export function previousEventIdOf(id: number): number {
  return id <= 2 ? 0 : id - 1;
}

/** Event type of entering or leaving a state: TaskStateEntered, ChoiceStateExited. */
export function stateEventType(stateType: string, moment: "Entered" | "Exited"): string {
  return `${stateType}State${moment}`;
}

/** Type and details of the event that ends an execution. */
export function endEvent(
  status: Exclude<ExecutionStatus, "RUNNING">,
  { output, error, cause }: Execution,
): [string, JsonObject] {
  const reason: JsonObject = {
    ...(error === undefined ? {} : { error }),
    ...(cause === undefined ? {} : { cause }),
  };
  if (status === "SUCCEEDED") {
    const details = { output: output ?? "", outputDetails: NOT_TRUNCATED };
    return ["ExecutionSucceeded", { executionSucceededEventDetails: details }];
  }
  if (status === "TIMED_OUT") return ["ExecutionTimedOut", { executionTimedOutEventDetails: reason }];
  if (status === "ABORTED") return ["ExecutionAborted", { executionAbortedEventDetails: reason }];
  return ["ExecutionFailed", { executionFailedEventDetails: reason }];
}
