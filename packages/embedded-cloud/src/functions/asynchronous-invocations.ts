import { randomUUID } from "node:crypto";
import type { InvocationOutcome } from "./function-definition.ts";
import type { FunctionEmulator } from "./function-emulator.ts";

/** Retries of a function's asynchronous events, and the destination of events that fail finally. */
export interface AsynchronousPolicy {
  /** Attempts after the first; Lambda's default is 2. */
  readonly maximumRetryAttempts: number;
  readonly failureQueueArn: string | undefined;
}

export interface AsynchronousInvocations {
  setPolicy(functionName: string, policy: AsynchronousPolicy): void;
  /**
   * Accepts an event for a function. Resolves when it was handled: the function processed it, or it failed its last attempt and was sent to
   * its destination. Never rejects, and never resolves once the cloud is being stopped.
   */
  invoke(functionName: string, payload: string): Promise<void>;
  /** Events that wait for an attempt or run. */
  readonly pending: number;
  stop(): void;
}

/** Lambda waits one minute before the first retry and two before the second. */
const RETRY_DELAYS_SECONDS = [60, 120] as const;

const DEFAULT_MAXIMUM_RETRY_ATTEMPTS = 2;

/**
 * The queue in front of asynchronous invocations. It is kept in memory: an event that waits for a retry is lost when the process ends,
 * while Lambda would keep it for six hours.
 */
export function createAsynchronousInvocations(
  functions: FunctionEmulator,
  sendToQueue: (queueArn: string, body: string) => Promise<void>,
  reportProblem: (line: string) => void,
): AsynchronousInvocations {
  const policies = new Map<string, AsynchronousPolicy>();
  const timers = new Set<NodeJS.Timeout>();
  let pending = 0;
  let stopped = false;

  const giveUp = async (
    functionName: string,
    payload: string,
    outcome: InvocationOutcome,
    attempts: number,
  ): Promise<void> => {
    const definition = functions.find(functionName);
    const destination = policies.get(functionName)?.failureQueueArn;
    const queueArn = destination ?? definition?.deadLetterQueueArn;
    if (queueArn === undefined) return;
    // A destination receives a record of the invocation; a dead-letter queue receives the event itself.
    const body = destination ? invocationRecord(definition?.arn, payload, outcome, attempts) : payload;
    await sendToQueue(queueArn, body).catch((error: Error) => reportProblem(`${functionName}: ${error.message}`));
  };
  const attempt = async (
    functionName: string,
    payload: string,
    failures: number,
    handled: () => void,
  ): Promise<void> => {
    const outcome = await functions.invoke(functionName, payload);
    if (outcome.kind === "succeeded" || stopped) {
      pending -= 1;
      if (outcome.kind === "succeeded") handled();
      return;
    }
    const policy = policies.get(functionName);
    if (failures >= (policy?.maximumRetryAttempts ?? DEFAULT_MAXIMUM_RETRY_ATTEMPTS)) {
      reportProblem(`${functionName}: an asynchronous event failed to the last attempt`);
      await giveUp(functionName, payload, outcome, failures + 1);
      pending -= 1;
      handled();
      return;
    }
    const delaySeconds = RETRY_DELAYS_SECONDS[failures] ?? 120;
    const timer = setTimeout(() => {
      timers.delete(timer);
      void attempt(functionName, payload, failures + 1, handled);
    }, delaySeconds * 1000);
    timers.add(timer);
  };

  return {
    get pending() {
      return pending;
    },
    setPolicy: (functionName, policy) => void policies.set(functionName, policy),
    invoke: (functionName, payload) => {
      pending += 1;
      return new Promise((resolve) => void attempt(functionName, payload, 0, resolve));
    },
    stop: () => {
      stopped = true;
      for (const timer of timers) clearTimeout(timer);
    },
  };
}

/** The record that Lambda sends to a destination on failure. */
function invocationRecord(
  functionArn: string | undefined,
  payload: string,
  outcome: InvocationOutcome,
  attempts: number,
): string {
  const throttled = outcome.kind === "throttled";
  return JSON.stringify({
    version: "1.0",
    timestamp: new Date().toISOString(),
    requestContext: {
      requestId: randomUUID(),
      functionArn: `${functionArn ?? ""}:$LATEST`,
      condition: throttled ? "EventAgeExceeded" : "RetriesExhausted",
      approximateInvokeCount: attempts,
    },
    requestPayload: JSON.parse(payload) as unknown,
    responseContext: throttled
      ? undefined
      : { statusCode: 200, executedVersion: "$LATEST", functionError: "Unhandled" },
    responsePayload: throttled ? undefined : (JSON.parse(outcome.payload) as unknown),
  });
}
