import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { Worker } from "node:worker_threads";
import type { EnvironmentMessage, ThreadMessage } from "./environment-protocol.ts";

/** Callbacks of a thread for one of its environments. */
export interface ThreadMember {
  onMessage(message: EnvironmentMessage): void;
  /** The thread ended while the environment was in it. */
  onExit(reason: string): void;
  /** The thread was ended because of another environment in it. */
  onEvict(): void;
}

/** A thread that runs execution environments: one, or several that share it. */
export interface FunctionThread {
  /** False once one of its environments crashed or timed out. */
  readonly usable: boolean;
  /** Returns the environment's id in this thread. */
  add(member: ThreadMember): number;
  post(message: ThreadMessage): void;
  /** Ends the thread of an environment that crashed or timed out, at once. The others in it are evicted. */
  retire(environmentId: number): void;
  /** Removes an environment; with the last one the thread ends. */
  remove(environmentId: number): Promise<void>;
}

/** Limits of a thread's heap. */
export interface HeapLimits {
  readonly youngGenerationMib: number;
  readonly oldGenerationMib: number;
}

/**
 * The thread's program, types stripped once: a thread that reads TypeScript itself takes 45 ms longer to start, and a stack has
 * dozens of environments.
 */
let program: URL | undefined;

/** Name of the program in stack traces, like the runtime's name in Lambda's. */
const PROGRAM_NAME = "embedded-cloud/environment-thread.js";

function environmentProgram(): URL {
  if (!program) {
    const source = withoutWarnings(() =>
      stripTypeScriptTypes(readFileSync(new URL("./environment-thread.ts", import.meta.url), "utf8")),
    );
    // Without its own name, a stack frame would contain the whole data URL, which is all of the text.
    program = new URL(`data:text/javascript,${encodeURIComponent(`${source}\n//# sourceURL=${PROGRAM_NAME}\n`)}`);
  }
  return program;
}

/** Hides Node's warning that type stripping by call is experimental, which does not concern a user of the cloud. */
function withoutWarnings<Result>(action: () => Result): Result {
  const emitWarning = process.emitWarning.bind(process);
  process.emitWarning = () => undefined;
  try {
    return action();
  } finally {
    process.emitWarning = emitWarning;
  }
}

/** Starts a thread without environments. */
export function startFunctionThread(name: string, limits: HeapLimits): FunctionThread {
  const worker = new Worker(environmentProgram(), {
    // Each environment brings its own variables.
    env: {},
    execArgv: [],
    argv: [],
    name,
    resourceLimits: {
      maxOldGenerationSizeMb: limits.oldGenerationMib,
      maxYoungGenerationSizeMb: limits.youngGenerationMib,
    },
  });
  const members = new Map<number, ThreadMember>();
  let lastId = 0;
  let usable = true;

  const lose = (reason: string): void => {
    usable = false;
    for (const member of members.values()) member.onExit(reason);
    members.clear();
  };
  worker.on("message", (message: EnvironmentMessage) => {
    members.get(message.environmentId)?.onMessage(message);
  });
  worker.on("error", (error: NodeJS.ErrnoException) =>
    lose(error.code === "ERR_WORKER_OUT_OF_MEMORY" ? "signal: killed" : "exit status 1"),
  );
  worker.on("exit", (code) => lose(`exit status ${code}`));

  return {
    get usable() {
      return usable;
    },
    add: (member) => {
      lastId += 1;
      members.set(lastId, member);
      return lastId;
    },
    post: (message) => {
      worker.postMessage(message);
    },
    retire: (environmentId) => {
      usable = false;
      members.delete(environmentId);
      const others = [...members.values()];
      members.clear();
      void worker.terminate();
      for (const member of others) member.onEvict();
    },
    remove: async (environmentId) => {
      members.delete(environmentId);
      if (members.size === 0) {
        usable = false;
        await worker.terminate();
      }
    },
  };
}
