// @ts-nocheck
import type { FunctionErrorPayload } from "../functions/environment-protocol.ts";

/** An error with the name and cause that Step Functions gives it; the engine reads the other two. */
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
/** Input or output of a state is too large; `States.ALL` does not match it. */
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
