import { InvokeCommand, type LambdaClient } from "@aws-sdk/client-lambda";
import type { CallDriver } from "./remote-driver.ts";

/** The required part of the client. */
type Invoker = Pick<LambdaClient, "send">;

/** Access to the function. */
export type DriverCallerOptions = {
  client: Invoker;
  functionName: string;
  /** Longest wait for an answer. The function continues, as after any time-out of a driver. */
  timeoutMs: number;
};

/**
 * Calls a driver by a synchronous invocation of the function CallDriver. The SDK repeats throttled and unanswered calls; each call may be
 * repeated.
 *
 * Throws: an error under the name that the driver has thrown, or under Lambda's, such as Sandbox.Timedout, when the function ended
 * otherwise. Errors of the invocation itself are thrown as the SDK names them. None of these shows the backend's state.
 */
export function lambdaDriverCaller({ client, functionName, timeoutMs }: DriverCallerOptions): CallDriver {
  return async (request) => {
    const command = new InvokeCommand({ FunctionName: functionName, Payload: Buffer.from(JSON.stringify(request)) });
    const { FunctionError, Payload = [] } = await client.send(command, { abortSignal: AbortSignal.timeout(timeoutMs) });
    const answer = parse(Buffer.from(Payload).toString("utf8"));
    if (FunctionError !== undefined) {
      const { errorType, errorMessage } = (answer ?? {}) as { errorType?: unknown; errorMessage?: unknown };
      throw named(
        typeof errorType === "string" && errorType !== "" ? errorType : "Lambda.Unknown",
        typeof errorMessage === "string" ? errorMessage : "CallDriver ended without a message",
      );
    }
    return answer;
  };
}

function parse(text: string): unknown {
  try {
    return text === "" ? null : JSON.parse(text);
  } catch {
    throw named("Lambda.Unknown", "CallDriver answered with something that is not JSON");
  }
}

function named(name: string, message: string): Error {
  return Object.assign(new Error(message), { name });
}
