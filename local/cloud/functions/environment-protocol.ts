/** What a function's environment thread is started with. */
export interface EnvironmentStart {
  readonly functionName: string;
  readonly memorySizeMib: number;
  readonly logGroupName: string;
  readonly logStreamName: string;
  /** File and export, as in Lambda: `index.handler`. */
  readonly handler: string;
  readonly codeDirectory: string;
  readonly forwardLogs: boolean;
}

/** Main thread to environment: one invocation. `payload` is JSON text. */
export interface InvokeMessage {
  readonly requestId: string;
  readonly payload: string;
  /** Epoch milliseconds at which the function times out. */
  readonly deadline: number;
  readonly invokedFunctionArn: string;
}

/** The payload of a failed invocation, as Lambda's Node runtime reports it. */
export interface FunctionErrorPayload {
  readonly errorType: string;
  readonly errorMessage: string;
  readonly trace?: readonly string[];
}

/**
 * Environment to main thread. `ready` comes once, after the handler was loaded; `failed` with `fatal` says that the environment cannot
 * be used again. `payload` is JSON text.
 */
export type EnvironmentMessage =
  | { readonly kind: "ready" }
  | { readonly kind: "succeeded"; readonly requestId: string; readonly payload: string }
  | {
      readonly kind: "failed";
      readonly requestId: string | undefined;
      readonly payload: string;
      readonly fatal: boolean;
    }
  | { readonly kind: "log"; readonly text: string };
