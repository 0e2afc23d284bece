/**
 * A thread of execution environments: loads the bundle of each, and runs one invocation at a time in each. It imports only built-in
 * modules, because the main thread strips its types once and starts every thread from that text.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { existsSync, readFileSync } from "node:fs";
import { Module } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { types } from "node:util";
import { parentPort } from "node:worker_threads";
import type {
  EnvironmentMessage,
  EnvironmentStart,
  FunctionErrorPayload,
  InvokeMessage,
  ThreadMessage,
} from "./environment-protocol.ts";

type Handler = (event: unknown, context: object) => unknown;

/** An environment of this thread. Everything that its function does runs in its asynchronous context. */
interface Hosted {
  readonly start: EnvironmentStart;
  readonly variables: NodeJS.ProcessEnv;
  handler: Handler | undefined;
  currentRequestId: string | undefined;
  /** Epoch milliseconds at which the current invocation has no time left. */
  deadline: number;
}

const MAXIMUM_RESPONSE_BYTES = 6_291_556;

const port = parentPort;
if (!port) throw new Error("environments run in a worker thread only");

const hosted = new Map<number, Hosted>();
const current = new AsyncLocalStorage<Hosted>();
const modules = new Map<string, Promise<Record<string, unknown>>>();

redirectOutput();
giveEachItsVariables();

process.on("uncaughtException", (error) => failThread(error, undefined));
process.on("unhandledRejection", (reason) => failThread(reason, "Runtime.UnhandledPromiseRejection"));

// The port keeps the thread running between invocations.
port.on("message", (message: ThreadMessage) => {
  if (message.kind === "start") {
    startEnvironment(message);
    return;
  }
  const environment = hosted.get(message.environmentId);
  if (!environment) return;
  environment.deadline = message.deadline;
  if (message.kind === "invoke") void current.run(environment, invoke, environment, message);
});

function startEnvironment(start: EnvironmentStart): void {
  const environment: Hosted = {
    start,
    variables: { ...start.variables },
    handler: undefined,
    currentRequestId: undefined,
    deadline: 0,
  };
  hosted.set(start.environmentId, environment);
  void current.run(environment, prepare, environment);
}

async function prepare(environment: Hosted): Promise<void> {
  const { start } = environment;
  try {
    environment.handler = await loadHandler(start);
    send({ kind: "ready", environmentId: start.environmentId });
  } catch (error) {
    fail(environment, error, initErrorType(error), true);
  }
}

/** Gives `process.env` the variables of the environment whose code reads it. */
function giveEachItsVariables(): void {
  const none: NodeJS.ProcessEnv = {};
  const variables = (): NodeJS.ProcessEnv => current.getStore()?.variables ?? none;
  process.env = new Proxy(none, {
    get: (_none, name) => variables()[name as string],
    set: (_none, name, value) => Reflect.set(variables(), name, String(value)),
    has: (_none, name) => Reflect.has(variables(), name),
    deleteProperty: (_none, name) => Reflect.deleteProperty(variables(), name),
    ownKeys: () => Reflect.ownKeys(variables()),
    getOwnPropertyDescriptor: (_none, name) => Reflect.getOwnPropertyDescriptor(variables(), name),
  });
}

function send(message: EnvironmentMessage): void {
  port?.postMessage(message);
}

async function invoke(environment: Hosted, message: InvokeMessage): Promise<void> {
  const { requestId, environmentId } = message;
  environment.currentRequestId = requestId;
  try {
    const result = await environment.handler?.(JSON.parse(message.payload), contextOf(environment, message));
    const payload = JSON.stringify(result) ?? "null";
    if (payload.length > MAXIMUM_RESPONSE_BYTES / 4 && Buffer.byteLength(payload) > MAXIMUM_RESPONSE_BYTES) {
      const errorMessage = `Response payload size exceeded maximum allowed payload size (${MAXIMUM_RESPONSE_BYTES} bytes).`;
      const tooLarge: FunctionErrorPayload = {
        errorType: "Function.ResponseSizeTooLarge",
        errorMessage,
      };
      send({ kind: "failed", environmentId, requestId, payload: JSON.stringify(tooLarge), fatal: false });
      return;
    }
    send({ kind: "succeeded", environmentId, requestId, payload });
  } catch (error) {
    fail(environment, error, undefined, false);
  } finally {
    if (environment.currentRequestId === requestId) environment.currentRequestId = undefined;
  }
}

function contextOf(environment: Hosted, { requestId, invokedFunctionArn }: InvokeMessage): object {
  const { start } = environment;
  return {
    functionName: start.functionName,
    functionVersion: "$LATEST",
    invokedFunctionArn,
    memoryLimitInMB: String(start.memorySizeMib),
    awsRequestId: requestId,
    logGroupName: start.logGroupName,
    logStreamName: start.logStreamName,
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => Math.max(0, environment.deadline - Date.now()),
  };
}

/** As `toRapidResponse` of aws-lambda-nodejs-runtime-interface-client: the error's own name, message and stack, nothing else. */
function errorPayload(error: unknown, errorType: string | undefined): FunctionErrorPayload {
  if (
    types.isNativeError(error) ||
    (typeof error === "object" && error !== null && "name" in error && "message" in error)
  ) {
    const { name, message, stack } = error as Error;
    return {
      errorType: errorType ?? name,
      errorMessage: message,
      trace: (stack ?? "").split("\n"),
    };
  }
  return { errorType: errorType ?? typeof error, errorMessage: textOf(error), trace: [] };
}

function textOf(value: unknown): string {
  try {
    return typeof value === "object" && value !== null ? Object.prototype.toString.call(value) : String(value);
  } catch {
    return "unknown";
  }
}

function fail(environment: Hosted, error: unknown, errorType: string | undefined, fatal: boolean): void {
  send({
    kind: "failed",
    environmentId: environment.start.environmentId,
    requestId: environment.currentRequestId,
    payload: JSON.stringify(errorPayload(error, errorType)),
    fatal,
  });
}

/** An uncaught error: reported for the environment whose code threw it, or for all when that is unknown. */
function failThread(error: unknown, errorType: string | undefined): void {
  const thrower = current.getStore();
  for (const environment of thrower ? [thrower] : hosted.values()) fail(environment, error, errorType, true);
}

/** The error type of a handler that could not be loaded; a module's own error keeps its name. */
function initErrorType(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  if (code === "ERR_MODULE_NOT_FOUND" || code === "MODULE_NOT_FOUND") {
    return "Runtime.ImportModuleError";
  }
  return typeof code === "string" && code.startsWith("Runtime.") ? code : undefined;
}

function initError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

async function loadHandler(start: EnvironmentStart): Promise<Handler> {
  const separator = start.handler.lastIndexOf(".");
  const moduleName = start.handler.slice(0, separator);
  const exportName = start.handler.slice(separator + 1);
  const file = [".js", ".mjs", ".cjs"]
    .map((extension) => path.join(start.codeDirectory, moduleName + extension))
    .find(existsSync);
  if (file === undefined) throw initError("MODULE_NOT_FOUND", `Cannot find module '${moduleName}'`);
  const loaded = await loadModule(start, file);
  const found = loaded[exportName] ?? (loaded["default"] as Record<string, unknown> | undefined)?.[exportName];
  if (typeof found !== "function") {
    throw initError("Runtime.HandlerNotFound", `${start.handler} is undefined or not exported`);
  }
  if (found.length > 2) {
    throw initError("Runtime.CallbackHandlerDeprecated", "callback-based handlers are not supported: return a promise");
  }
  return found as Handler;
}

/** Environments of one function in one thread share their module and its state. */
function loadModule(start: EnvironmentStart, file: string): Promise<Record<string, unknown>> {
  const loading = modules.get(file) ?? importModule(start, file);
  modules.set(file, loading);
  return loading;
}

async function importModule(start: EnvironmentStart, file: string): Promise<Record<string, unknown>> {
  // A package.json above the asset belongs to the machine that built it. In Lambda a .js file without one is CommonJS.
  if (file.endsWith(".js") && !existsSync(path.join(start.codeDirectory, "package.json"))) {
    const source = readFileSync(file, "utf8");
    if (!/^\s*(import|export)\s/m.test(source)) return loadCommonJs(file, source);
  }
  return (await import(pathToFileURL(file).href)) as Record<string, unknown>;
}

function loadCommonJs(file: string, source: string): Record<string, unknown> {
  const module = new Module(file) as Module & {
    _compile(source: string, file: string): void;
    paths: string[];
  };
  const internals = Module as unknown as { _nodeModulePaths(directory: string): string[] };
  module.filename = file;
  module.paths = internals._nodeModulePaths(path.dirname(file));
  module._compile(source, file);
  return module.exports as Record<string, unknown>;
}

/** Output of the function goes to the log sink, or is dropped; a worker's own streams would keep unread output in memory. */
function redirectOutput(): void {
  const write = (chunk: unknown, encoding?: unknown, callback?: unknown): boolean => {
    const environment = current.getStore();
    if (environment?.start.forwardLogs) {
      const text = typeof chunk === "string" ? chunk : Buffer.from(chunk as Uint8Array).toString();
      send({ kind: "log", environmentId: environment.start.environmentId, text });
    }
    const done = typeof encoding === "function" ? encoding : callback;
    if (typeof done === "function") queueMicrotask(() => (done as () => void)());
    return true;
  };
  process.stdout.write = write;
  process.stderr.write = write;
}
