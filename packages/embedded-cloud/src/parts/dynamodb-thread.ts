import { AsyncLocalStorage } from "node:async_hooks";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import dynalite from "dynalite";
import { rebuildIndexes } from "./dynamodb-indexes.ts";
import { guardServer } from "../request-guard.ts";
import { enforceRules } from "./dynamodb-rules.ts";
import { rememberExpressions } from "./expression-cache.ts";
import { serveCalls } from "./serve-calls.ts";

/** Values in memory are buffers. From the pool, a long-lived key would keep 8 KiB of short-lived buffers alive. */
Buffer.poolSize = 0;

rememberExpressions();
enforceRules();

/** The answer to the current request. */
const answering = new AsyncLocalStorage<ServerResponse>();

const KEEP_ALIVE_MILLISECONDS = 65_000;

let server: Server | undefined;

serveCalls({
  start: async ({ port, directory }: { port: number; directory?: string }) => {
    if (directory !== undefined) await rebuildIndexes(directory);
    return new Promise<number>((resolve, reject) => {
      const started = dynalite({
        createTableMs: 0,
        updateTableMs: 0,
        deleteTableMs: 0,
        ...(directory === undefined ? {} : { path: directory }),
      });
      started.keepAliveTimeout = KEEP_ALIVE_MILLISECONDS;
      rememberAnswers(started);
      guardServer(started);
      started.once("error", reject);
      started.listen(port, "127.0.0.1", () => resolve((started.address() as AddressInfo).port));
      server = started;
    });
  },
  stop: () =>
    new Promise<void>((resolve) => {
      if (!server?.listening) {
        resolve();
        return;
      }
      server.close(() => resolve());
      server.closeAllConnections();
    }),
});

/** Connects each request's work to its answer. */
function rememberAnswers(guarded: Server): void {
  const handlers = guarded.listeners("request") as ((request: IncomingMessage, response: ServerResponse) => void)[];
  guarded.removeAllListeners("request");
  guarded.on("request", (request, response) => {
    answering.run(response, () => {
      for (const handler of handlers) handler.call(guarded, request, response);
    });
  });
}

/** Errors of a program, not of the disk. */
const MISTAKES = [TypeError, RangeError, ReferenceError, SyntaxError];

/**
 * dynalite throws the error of a request whose client disconnected, which happens when a function's environment is ended during a call:
 * nothing is lost then. It also throws on its own bugs with unexpected requests: only that request fails. Every other error ends the thread
 * as usual: a store that cannot write must not continue.
 */
process.on("uncaughtException", (error: NodeJS.ErrnoException) => {
  if (error.code === "ECONNRESET" || error.code === "EPIPE" || error.message === "aborted") return;
  const response = answering.getStore();
  if (response === undefined || !MISTAKES.some((kind) => error instanceof kind)) throw error;
  if (response.writableEnded) return;
  const body = { __type: "com.amazonaws.dynamodb.v20120810#InternalServerError", message: error.message };
  response.writeHead(500, { "Content-Type": "application/x-amz-json-1.0" });
  response.end(JSON.stringify(body));
});
