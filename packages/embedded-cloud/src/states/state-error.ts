import type { FunctionErrorPayload } from "../functions/environment-protocol.ts";

/** An error with Step Functions' name and cause; the engine reads the other two. */
export class StateError extends Error {
  override readonly name: string;
  readonly isRetryable: boolean;
  readonly isCatchable: boolean;

  constructor(
    name: string,
    cause: string,
    handled: { retryable: boolean; catchable: boolean } = { retryable: true, catchable: true },
  ) {
    super(cause);
    this.name = name;
    this.isRetryable = handled.retryable;
    this.isCatchable = handled.catchable;
  }
}

/** Neither a retrier nor a catcher sees it. */
export const NOT_HANDLED = { retryable: false, catchable: false };
/** For a task's result it is handled as any error; for a state's whole output it ends the execution. */
export const DATA_LIMIT_ERROR = "States.DataLimitExceeded";

/**
 * Error and cause of a failed invocation. A function's own error keeps its type. A runtime that ended without one is `Lambda.Unknown`
 * (AWS, "Handling errors in Step Functions workflows").
 */
export function stepFunctionsError(payload: string): { error: string; cause: string } {
  const { errorType } = JSON.parse(payload) as FunctionErrorPayload;
  if (errorType === "Runtime.ExitError") {
    const cause = `The cause could not be determined because Lambda did not return an error type. Returned payload: ${payload}`;
    return { error: "Lambda.Unknown", cause };
  }
  return { error: errorType, cause: payload };
}

/**
 * The error of a task that timed out. AWS gives it no cause. It is made from the engine's own error, which `States.TaskFailed` does not
 * match.
 */
export function timeoutErrorFrom(engineError: Error): Error {
  return Object.create(engineError, { message: { value: "" } }) as Error;
}
