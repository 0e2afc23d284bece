import { Duration } from "aws-cdk-lib";
import type { IFunction } from "aws-cdk-lib/aws-lambda";
import { type IChainable, JsonPath, TaskInput, Timeout } from "aws-cdk-lib/aws-stepfunctions";
import { LambdaInvoke } from "aws-cdk-lib/aws-stepfunctions-tasks";
import type { Construct } from "constructs";
import { errorNamesOf } from "../core/errors.ts";
import { FUNCTIONS, type TaskFunctionName } from "../core/settings/functions.ts";
import { STATE_TIMEOUT_MARGIN_SECONDS } from "../core/settings/time-bounds.ts";

/** Key under which a Catch stores the failure: `$.failure.Error` and `$.failure.Cause`. */
export const FAILURE_PATH = "$.failure";

/**
 * Errors of the Lambda service itself, before or outside the function's work. `Lambda.TooManyRequestsException` is missing from CDK's
 * default list. Waits 2, 4, 8, 16, 32, 60 s: a task survives about two minutes of throttling.
 */
const LAMBDA_TRANSIENT_ERRORS = [
  "Lambda.ClientExecutionTimeoutException",
  "Lambda.ServiceException",
  "Lambda.AWSLambdaException",
  "Lambda.SdkClientException",
  "Lambda.TooManyRequestsException",
];

/** Names with their own route: the outcome is known, so a retry cannot help. */
const DECIDED_ERRORS = [...errorNamesOf("final"), ...errorNamesOf("reschedulable")];

/** Keys of the state document that every task gets. */
const OWNER_KEYS = ["volume_id", "fence", "attempt", "host", "context"];

/** Options of a task state. */
export type TaskStateProps = {
  function: IFunction;
  /** Keys of the state document that the task gets in addition to the owner's: `volume_spec` is passed as `$.volume_spec`. */
  input?: readonly string[];
  /** Key under which the result is stored; without it the result is dropped. */
  result?: string;
};

/**
 * A task of the workflow: calls its function's ARN directly, retries undecided outcomes, and leaves catching to {@link catchByRoute}.
 *
 * "Uncertain" means the retry of everything that is neither final nor reschedulable: the same function on the same backend, under the same
 * fence, twice more, after 2 and 4 s.
 */
export function taskState(scope: Construct, name: TaskFunctionName, props: TaskStateProps): LambdaInvoke {
  const keys = [...OWNER_KEYS, ...(props.input ?? [])];
  const state = new LambdaInvoke(scope, name, {
    stateName: name,
    lambdaFunction: props.function,
    payloadResponseOnly: true,
    retryOnServiceExceptions: false,
    payload: TaskInput.fromObject(Object.fromEntries(keys.map((key) => [key, JsonPath.objectAt(`$.${key}`)]))),
    resultPath: props.result === undefined ? JsonPath.DISCARD : `$.${props.result}`,
    taskTimeout: Timeout.duration(Duration.seconds(FUNCTIONS[name].timeoutSeconds + STATE_TIMEOUT_MARGIN_SECONDS)),
  });
  state.addRetry({
    errors: LAMBDA_TRANSIENT_ERRORS,
    interval: Duration.seconds(2),
    maxAttempts: 6,
    backoffRate: 2,
    maxDelay: Duration.seconds(60),
  });
  state.addRetry({ errors: DECIDED_ERRORS, maxAttempts: 0 });
  state.addRetry({ errors: ["States.ALL"], interval: Duration.seconds(2), maxAttempts: 2, backoffRate: 2 });
  return state;
}

/** Adds the Catch branches of the error table: final errors to `final`, all others to `otherwise`. */
export function catchByRoute(state: LambdaInvoke, final: IChainable, otherwise: IChainable): LambdaInvoke {
  state.addCatch(final, { errors: errorNamesOf("final"), resultPath: FAILURE_PATH });
  state.addCatch(otherwise, { errors: ["States.ALL"], resultPath: FAILURE_PATH });
  return state;
}
