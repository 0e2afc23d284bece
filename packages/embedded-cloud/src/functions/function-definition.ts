/** A deployed function with all expressions resolved. */
export interface FunctionDefinition {
  readonly name: string;
  readonly arn: string;
  readonly handler: string;
  readonly runtime: string;
  readonly codeDirectory: string;
  /** The template's own variables; the emulator adds Lambda's. */
  readonly environment: Readonly<Record<string, string>>;
  readonly timeoutSeconds: number;
  readonly memorySizeMib: number;
  /** `undefined` if the template reserves nothing; 0 throttles every invocation. */
  readonly reservedConcurrency: number | undefined;
  readonly logGroupName: string;
  readonly description: string;
  /** ARN of the queue that takes an asynchronous event after its last failed attempt. */
  readonly deadLetterQueueArn: string | undefined;
}

/** How an invocation ended. `payload` is JSON text. */
export type InvocationOutcome =
  | { readonly kind: "succeeded"; readonly payload: string }
  | { readonly kind: "failed"; readonly payload: string; readonly errorType: string }
  | { readonly kind: "throttled" };
