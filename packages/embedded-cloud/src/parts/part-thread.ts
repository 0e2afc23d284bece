import { Worker } from "node:worker_threads";
import { EmbeddedCloudError } from "../errors.ts";

/** One request to a part's thread; `id` pairs it with its answer. */
export interface PartRequest {
  readonly id: number;
  readonly method: string;
  readonly parameters: unknown;
}

export interface PartResponse {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: { readonly message: string; readonly code?: string };
}

/** A part of the cloud that runs in its own thread and answers method calls. */
export interface PartThread {
  call<Result>(method: string, parameters?: unknown): Promise<Result>;
  stop(): Promise<void>;
}

/** Failure of a call into a part's thread; `code` is the system's, such as EADDRINUSE. */
class PartError extends Error {
  override readonly name = "PartError";
  readonly code: string | undefined;

  constructor(message: string, code?: string) {
    super(message);
    this.code = code;
  }
}

/** Small: a store's garbage dies young, and a larger young generation would only be filled before it is collected. */
const YOUNG_GENERATION_MIB = 24;

/** Starts `module` as a thread. When the thread ends, its open calls and every later call are rejected; a crash is reported too. */
export function startPartThread(
  module: URL,
  name: string,
  env: Readonly<Record<string, string>>,
  reportCrash: (line: string) => void,
): PartThread {
  const worker = new Worker(module, {
    env: { ...env },
    execArgv: [],
    name,
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MIB },
  });
  const open = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  let lastId = 0;
  let ended: Error | undefined;
  const end = (error: Error): void => {
    ended ??= error;
    for (const { reject } of open.values()) reject(error);
    open.clear();
  };
  worker.on("message", (response: PartResponse) => {
    const call = open.get(response.id);
    open.delete(response.id);
    if (response.error) call?.reject(new PartError(response.error.message, response.error.code));
    else call?.resolve(response.result);
  });
  worker.on("error", (error: Error) => {
    reportCrash(`${name} crashed: ${error.message}`);
    end(new PartError(`${name} crashed: ${error.message}`));
  });
  worker.on("exit", () => end(new PartError(`${name} has stopped`)));
  return {
    call: <Result>(method: string, parameters?: unknown) =>
      new Promise<Result>((resolve, reject) => {
        if (ended) {
          reject(ended);
          return;
        }
        lastId += 1;
        open.set(lastId, { resolve: resolve as (value: unknown) => void, reject });
        const request: PartRequest = { id: lastId, method, parameters };
        worker.postMessage(request);
      }),
    stop: async () => {
      await worker.terminate();
    },
  };
}

/** The reason in one line why a part did not start. */
export function startFailure(part: string, port: number, error: unknown): EmbeddedCloudError {
  const reason = error as { message?: string; code?: string };
  const text =
    reason.code === "EADDRINUSE"
      ? `port ${port} for ${part} is already in use`
      : `${part} did not start: ${reason.message ?? String(error)}`;
  return new EmbeddedCloudError(text, { cause: error });
}
