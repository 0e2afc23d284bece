import type { CfnFunction } from "aws-cdk-lib/aws-lambda";
import type { CfnQueue, Queue } from "aws-cdk-lib/aws-sqs";
import { FUNCTIONS } from "../core/settings/functions.ts";
import {
  LONG_FUNCTION_TIMEOUT_SECONDS,
  parseTimeBounds,
  phaseBoundsOf,
  type TimeBounds,
  visibilitySeconds,
} from "../core/settings/time-bounds.ts";
import type { Functions } from "./functions.ts";

/**
 * Gives functions and queues the bounds of a deployment that sets its own. The states' time-outs stay: function time-outs can only be
 * shorter than the defaults, so a state still waits longer than its function.
 */
export function applyTimeBounds(bounds: TimeBounds, functions: Functions, queues: readonly Queue[]): void {
  if (JSON.stringify(bounds) === JSON.stringify(parseTimeBounds({}))) {
    return;
  }
  for (const name of functions.names) {
    const isLong = FUNCTIONS[name].timeoutSeconds === LONG_FUNCTION_TIMEOUT_SECONDS;
    (functions.get(name).node.defaultChild as CfnFunction).timeout = isLong
      ? bounds.long_function_timeout_seconds
      : bounds.short_function_timeout_seconds;
  }
  for (const queue of queues) {
    (queue.node.defaultChild as CfnQueue).visibilityTimeout = visibilitySeconds(bounds);
  }
  for (const name of functions.using("deadlines")) {
    functions.setEnvironment(name, { phaseBounds: JSON.stringify(phaseBoundsOf(bounds)) });
  }
}
