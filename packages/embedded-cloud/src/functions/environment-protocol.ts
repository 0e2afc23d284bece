/** Start parameters of one environment of a thread. */
export interface EnvironmentStart {
  readonly kind: "start";
  readonly environmentId: number;
  readonly functionName: string;
  readonly memorySizeMib: number;
  readonly logGroupName: string;
  readonly logStreamName: string;
  /** File and export, as in Lambda: `index.handler`. */
  readonly handler: string;
  readonly codeDirectory: string;
  readonly forwardLogs: boolean;
  /** The whole process environment of the function. */
  readonly variables: Readonly<Record<string, string>>;
}

/** One invocation. `payload` is JSON text. */
export interface InvokeMessage {
  readonly kind: "invoke";
  readonly environmentId: number;
  readonly requestId: string;
  readonly payload: string;
  /** Epoch milliseconds at which the function times out. */
  readonly deadline: number;
  readonly invokedFunctionArn: string;
}

/** Reduces the remaining time of an environment's invocation. */
export interface HurryMessage {
  readonly kind: "hurry";
  readonly environmentId: number;
  /** Epoch milliseconds. */
  readonly deadline: number;
}

/** Main thread to function thread. */
export type ThreadMessage = EnvironmentStart | InvokeMessage | HurryMessage;

/** The payload of a failed invocation, as Lambda's Node runtime reports it. */
export interface FunctionErrorPayload {
  readonly errorType: string;
  readonly errorMessage: string;
  readonly trace?: readonly string[];
}

/**
 * Function thread to main thread. `ready` comes once for an environment, after its handler was loaded; `failed` with `fatal` says that
 * its thread cannot be used again. `payload` is JSON text.
 */
export type EnvironmentMessage = { readonly environmentId: number } & (
  | { readonly kind: "ready" }
  | { readonly kind: "succeeded"; readonly requestId: string; readonly payload: string }
  | {
      readonly kind: "failed";
      readonly requestId: string | undefined;
      readonly payload: string;
      readonly fatal: boolean;
    }
  | { readonly kind: "log"; readonly text: string }
);
