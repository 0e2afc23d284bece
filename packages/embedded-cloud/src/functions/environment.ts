import type { EnvironmentStart, FunctionErrorPayload, InvokeMessage } from "./environment-protocol.ts";
import type { FunctionDefinition, InvocationOutcome } from "./function-definition.ts";
import type { FunctionThread } from "./function-thread.ts";

export interface EnvironmentOptions {
  readonly definition: FunctionDefinition;
  /** The whole process environment of the function. */
  readonly variables: Readonly<Record<string, string>>;
  readonly onLog: ((text: string) => void) | undefined;
  /** The thread in which it runs. */
  readonly thread: FunctionThread;
}

/** The thread was ended because of another environment in it: the invocation must be repeated in another thread. */
export type Evicted = { readonly kind: "evicted" };

/** One execution environment: its own module, which runs one invocation at a time. */
export interface Environment {
  /** False once it crashed, timed out or was ended; such an environment accepts no invocation. */
  readonly usable: boolean;
  /** Epoch milliseconds of the end of the last invocation. */
  readonly idleSince: number;
  /** Runs one invocation. Never rejects. The time-out counts from the moment at which the handler is loaded. */
  invoke(
    message: Pick<InvokeMessage, "requestId" | "payload" | "invokedFunctionArn">,
  ): Promise<InvocationOutcome | Evicted>;
  /** Shows the running invocation its remaining time. Its time-out stays unchanged. */
  hurry(milliseconds: number): void;
  end(): Promise<void>;
}

/** Time that Lambda gives a module to load; after it, loading counts against the function's own time-out. */
const INIT_TIMEOUT_SECONDS = 10;

interface Running {
  readonly requestId: string;
  readonly resolve: (outcome: InvocationOutcome | Evicted) => void;
  timer: NodeJS.Timeout | undefined;
}

export function startEnvironment(options: EnvironmentOptions): Environment {
  const { definition, thread } = options;
  let running: Running | undefined;
  let usable = true;
  let idleSince = Date.now();
  let initFailure: InvocationOutcome | Evicted | undefined;

  const finish = (outcome: InvocationOutcome | Evicted): void => {
    const finished = running;
    running = undefined;
    idleSince = Date.now();
    clearTimeout(finished?.timer);
    finished?.resolve(outcome);
  };
  const { promise: ready, resolve: markReady } = Promise.withResolvers<void>();
  const die = (outcome: InvocationOutcome | Evicted): void => {
    usable = false;
    initFailure ??= outcome;
    clearTimeout(initTimer);
    markReady();
    finish(outcome);
  };

  // A module that never finishes loading must not hold its invocation for ever.
  const initSeconds = INIT_TIMEOUT_SECONDS + definition.timeoutSeconds;
  const initTimer = setTimeout(() => {
    die(timedOut("init", initSeconds));
    thread.retire(environmentId);
  }, initSeconds * 1000);
  initTimer.unref();

  const environmentId = thread.add({
    onMessage: (message) => {
      switch (message.kind) {
        case "ready":
          clearTimeout(initTimer);
          markReady();
          return;
        case "log":
          options.onLog?.(message.text);
          return;
        case "succeeded":
          if (running?.requestId === message.requestId) finish({ kind: "succeeded", payload: message.payload });
          return;
        case "failed": {
          const outcome = failed(message.payload);
          if (!message.fatal) {
            if (running?.requestId === message.requestId) finish(outcome);
            return;
          }
          die(outcome);
          thread.retire(environmentId);
        }
      }
    },
    onExit: (reason) => die(crash(running?.requestId, reason)),
    onEvict: () => die({ kind: "evicted" }),
  });
  thread.post(startMessage(environmentId, options));

  return {
    get usable() {
      return usable && thread.usable;
    },
    get idleSince() {
      return idleSince;
    },
    invoke: async (message) => {
      await ready;
      if (!usable) return initFailure ?? crash(message.requestId, "exit status 1");
      const milliseconds = definition.timeoutSeconds * 1000;
      return new Promise<InvocationOutcome | Evicted>((resolve) => {
        const timer = setTimeout(() => {
          die(timedOut(message.requestId, definition.timeoutSeconds));
          thread.retire(environmentId);
        }, milliseconds);
        running = { requestId: message.requestId, resolve, timer };
        thread.post({ ...message, kind: "invoke", environmentId, deadline: Date.now() + milliseconds });
      });
    },
    hurry: (milliseconds) => {
      if (running) thread.post({ kind: "hurry", environmentId, deadline: Date.now() + milliseconds });
    },
    end: async () => {
      // Ends the waiting invocation now: a removed environment does not receive the end of its thread any more.
      die(crash(running?.requestId, "signal: killed"));
      await thread.remove(environmentId);
    },
  };
}

function startMessage(environmentId: number, { definition, variables, onLog }: EnvironmentOptions): EnvironmentStart {
  return {
    kind: "start",
    environmentId,
    functionName: definition.name,
    memorySizeMib: definition.memorySizeMib,
    logGroupName: definition.logGroupName,
    logStreamName: variables["AWS_LAMBDA_LOG_STREAM_NAME"] ?? "",
    handler: definition.handler,
    codeDirectory: definition.codeDirectory,
    forwardLogs: onLog !== undefined,
    variables,
  };
}

function failed(payload: string): InvocationOutcome {
  const { errorType } = JSON.parse(payload) as FunctionErrorPayload;
  return { kind: "failed", payload, errorType };
}

function timedOut(requestId: string, timeoutSeconds: number): InvocationOutcome {
  const errorMessage = `RequestId: ${requestId} Error: Task timed out after ${timeoutSeconds.toFixed(2)} seconds`;
  return failed(JSON.stringify({ errorType: "Sandbox.Timedout", errorMessage } satisfies FunctionErrorPayload));
}

function crash(requestId: string | undefined, reason: string): InvocationOutcome {
  const errorMessage = `RequestId: ${requestId ?? "unknown"} Error: Runtime exited with error: ${reason}`;
  return failed(JSON.stringify({ errorType: "Runtime.ExitError", errorMessage } satisfies FunctionErrorPayload));
}
