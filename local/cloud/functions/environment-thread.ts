/**
 * One execution environment of a function: loads the bundle, then runs one invocation at a time. It imports nothing but built-in modules,
 * because the main thread strips its types once and starts every environment from that text.
 */
import { existsSync, readFileSync } from "node:fs";
import { Module } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { types } from "node:util";
import { parentPort, workerData } from "node:worker_threads";
import type {
  EnvironmentMessage,
  EnvironmentStart,
  FunctionErrorPayload,
  InvokeMessage,
} from "./environment-protocol.ts";

type Handler = (event: unknown, context: object) => unknown;

const MAXIMUM_RESPONSE_BYTES = 6_291_556;

const start = workerData as EnvironmentStart;
const port = parentPort;
if (!port) throw new Error("an environment runs in a worker thread only");

let currentRequestId: string | undefined;

redirectOutput();

process.on("uncaughtException", (error) => fail(error, undefined, true));
process.on("unhandledRejection", (reason) => fail(reason, "Runtime.UnhandledPromiseRejection", true));

// An interval keeps nothing alive that the port does not; the port itself keeps the thread running between invocations.
const handler = await loadHandler().catch((error: unknown) => {
  fail(error, initErrorType(error), true);
  return undefined;
});
if (handler) {
  port.on("message", (message: InvokeMessage) => void invoke(handler, message));
  send({ kind: "ready" });
}

function send(message: EnvironmentMessage): void {
  port?.postMessage(message);
}

async function invoke(run: Handler, message: InvokeMessage): Promise<void> {
  const { requestId } = message;
  currentRequestId = requestId;
  try {
    const result = await run(JSON.parse(message.payload), contextOf(message));
    const payload = JSON.stringify(result) ?? "null";
    if (payload.length > MAXIMUM_RESPONSE_BYTES / 4 && Buffer.byteLength(payload) > MAXIMUM_RESPONSE_BYTES) {
      const errorMessage = `Response payload size exceeded maximum allowed payload size (${MAXIMUM_RESPONSE_BYTES} bytes).`;
      const tooLarge: FunctionErrorPayload = {
        errorType: "Function.ResponseSizeTooLarge",
        errorMessage,
      };
      send({ kind: "failed", requestId, payload: JSON.stringify(tooLarge), fatal: false });
      return;
    }
    send({ kind: "succeeded", requestId, payload });
  } catch (error) {
    fail(error, undefined, false);
  } finally {
    if (currentRequestId === requestId) currentRequestId = undefined;
  }
}

function contextOf({ requestId, deadline, invokedFunctionArn }: InvokeMessage): object {
  return {
    functionName: start.functionName,
    functionVersion: "$LATEST",
    invokedFunctionArn,
    memoryLimitInMB: String(start.memorySizeMib),
    awsRequestId: requestId,
    logGroupName: start.logGroupName,
    logStreamName: start.logStreamName,
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
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

function fail(error: unknown, errorType: string | undefined, fatal: boolean): void {
  const requestId = currentRequestId;
  send({
    kind: "failed",
    requestId,
    payload: JSON.stringify(errorPayload(error, errorType)),
    fatal,
  });
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

async function loadHandler(): Promise<Handler> {
  const separator = start.handler.lastIndexOf(".");
  const moduleName = start.handler.slice(0, separator);
  const exportName = start.handler.slice(separator + 1);
  const file = [".js", ".mjs", ".cjs"]
    .map((extension) => path.join(start.codeDirectory, moduleName + extension))
    .find(existsSync);
  if (file === undefined) throw initError("MODULE_NOT_FOUND", `Cannot find module '${moduleName}'`);
  const loaded = await loadModule(file);
  const found = loaded[exportName] ?? (loaded["default"] as Record<string, unknown> | undefined)?.[exportName];
  if (typeof found !== "function") {
    throw initError("Runtime.HandlerNotFound", `${start.handler} is undefined or not exported`);
  }
  if (found.length > 2) {
    throw initError("Runtime.CallbackHandlerDeprecated", "callback-based handlers are not supported: return a promise");
  }
  return found as Handler;
}

async function loadModule(file: string): Promise<Record<string, unknown>> {
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

/** Output of the function goes to the log sink or nowhere; a worker's own streams would keep what nobody reads in memory. */
function redirectOutput(): void {
  const write = (chunk: unknown, encoding?: unknown, callback?: unknown): boolean => {
    if (start.forwardLogs)
      send({
        kind: "log",
        text: typeof chunk === "string" ? chunk : Buffer.from(chunk as Uint8Array).toString(),
      });
    const done = typeof encoding === "function" ? encoding : callback;
    if (typeof done === "function") queueMicrotask(() => (done as () => void)());
    return true;
  };
  process.stdout.write = write;
  process.stderr.write = write;
}
