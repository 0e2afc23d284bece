import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { Worker } from "node:worker_threads";
import type {
  EnvironmentMessage,
  EnvironmentStart,
  FunctionErrorPayload,
  InvokeMessage,
} from "./environment-protocol.ts";
import type { FunctionDefinition, InvocationOutcome } from "./function-definition.ts";

export interface EnvironmentOptions {
  readonly definition: FunctionDefinition;
  /** The whole process environment of the function. */
  readonly variables: Readonly<Record<string, string>>;
  readonly onLog: ((text: string) => void) | undefined;
}

/** One execution environment: a thread that runs one invocation at a time. */
export interface Environment {
  /** False once it crashed, timed out or was ended; such an environment takes no invocation. */
  readonly usable: boolean;
  /** Epoch milliseconds of the end of the last invocation. */
  readonly idleSince: number;
  /** Runs one invocation. Never rejects. The time-out counts from the moment at which the handler is loaded. */
  invoke(message: Omit<InvokeMessage, "deadline">): Promise<InvocationOutcome>;
  end(): Promise<void>;
}

/** Small, for a stack has dozens of environments and each would let its young generation grow to 16 MiB and more. */
const YOUNG_GENERATION_MIB = 8;

/** Time that Lambda gives a module to load; after it, loading counts against the function's own time-out. */
const INIT_TIMEOUT_SECONDS = 10;

/**
 * The environment's program, types stripped once: a thread that reads TypeScript itself takes 45 ms longer to start, and a stack has
 * dozens of environments.
 */
let program: URL | undefined;

function environmentProgram(): URL {
  if (!program) {
    const source = withoutWarnings(() =>
      stripTypeScriptTypes(readFileSync(new URL("./environment-thread.ts", import.meta.url), "utf8")),
    );
    program = new URL(`data:text/javascript,${encodeURIComponent(source)}`);
  }
  return program;
}

/** Node announces on standard error that type stripping by call is experimental, which is nothing to tell a user of the cloud. */
function withoutWarnings<Result>(action: () => Result): Result {
  const emitWarning = process.emitWarning.bind(process);
  process.emitWarning = () => undefined;
  try {
    return action();
  } finally {
    process.emitWarning = emitWarning;
  }
}

interface Running {
  readonly requestId: string;
  readonly resolve: (outcome: InvocationOutcome) => void;
  timer: NodeJS.Timeout | undefined;
}

export function startEnvironment(options: EnvironmentOptions): Environment {
  const { definition } = options;
  const worker = startWorker(options);
  let running: Running | undefined;
  let usable = true;
  let idleSince = Date.now();
  let initFailure: InvocationOutcome | undefined;

  const finish = (outcome: InvocationOutcome): void => {
    const finished = running;
    running = undefined;
    idleSince = Date.now();
    clearTimeout(finished?.timer);
    finished?.resolve(outcome);
  };
  const retire = (outcome: InvocationOutcome): void => {
    usable = false;
    finish(outcome);
    void worker.terminate();
  };
  const { promise: ready, resolve: markReady } = Promise.withResolvers<void>();

  // A module that never finishes loading must not hold its invocation for ever.
  const initTimer = setTimeout(
    () => {
      initFailure = timedOut("init", INIT_TIMEOUT_SECONDS + definition.timeoutSeconds);
      markReady();
      retire(initFailure);
    },
    (INIT_TIMEOUT_SECONDS + definition.timeoutSeconds) * 1000,
  );
  initTimer.unref();

  worker.on("message", (message: EnvironmentMessage) => {
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
        initFailure = outcome;
        markReady();
        retire(outcome);
      }
    }
  });
  worker.on("error", (error: NodeJS.ErrnoException) => {
    initFailure = crash(
      running?.requestId,
      error.code === "ERR_WORKER_OUT_OF_MEMORY" ? "signal: killed" : "exit status 1",
    );
    markReady();
    retire(initFailure);
  });
  worker.on("exit", (code) => {
    clearTimeout(initTimer);
    initFailure ??= crash(running?.requestId, `exit status ${code}`);
    usable = false;
    markReady();
    finish(initFailure);
  });

  return {
    get usable() {
      return usable;
    },
    get idleSince() {
      return idleSince;
    },
    invoke: async (message) => {
      await ready;
      if (!usable) return initFailure ?? crash(message.requestId, "exit status 1");
      return new Promise<InvocationOutcome>((resolve) => {
        const milliseconds = definition.timeoutSeconds * 1000;
        const timer = setTimeout(() => retire(timedOut(message.requestId, definition.timeoutSeconds)), milliseconds);
        running = { requestId: message.requestId, resolve, timer };
        const posted: InvokeMessage = { ...message, deadline: Date.now() + milliseconds };
        worker.postMessage(posted);
      });
    },
    end: async () => {
      usable = false;
      await worker.terminate();
    },
  };
}

function startWorker({ definition, variables, onLog }: EnvironmentOptions): Worker {
  const start: EnvironmentStart = {
    functionName: definition.name,
    memorySizeMib: definition.memorySizeMib,
    logGroupName: definition.logGroupName,
    logStreamName: variables["AWS_LAMBDA_LOG_STREAM_NAME"] ?? "",
    handler: definition.handler,
    codeDirectory: definition.codeDirectory,
    forwardLogs: onLog !== undefined,
  };
  return new Worker(environmentProgram(), {
    env: { ...variables },
    execArgv: [],
    argv: [],
    name: definition.name,
    workerData: start,
    resourceLimits: {
      maxOldGenerationSizeMb: definition.memorySizeMib,
      maxYoungGenerationSizeMb: YOUNG_GENERATION_MIB,
    },
  });
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
