// @ts-nocheck
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import dynalite from "dynalite";
import { rebuildIndexes } from "./dynamodb-indexes.ts";
import { rememberExpressions } from "./expression-cache.ts";
import { serveCalls } from "./serve-calls.ts";

/** Values in memory are buffers: out of the pool, a long-lived key would keep 8 KiB of short-lived ones alive with it. */
Buffer.poolSize = 0;

rememberExpressions();

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

/**
 * dynalite throws the error of a request whose client went away, as happens whenever a function's environment is ended in the middle
 * of a call. Nothing was lost then; everything else ends the thread as usual.
 */
process.on("uncaughtException", (error: NodeJS.ErrnoException) => {
  if (error.code !== "ECONNRESET" && error.code !== "EPIPE" && error.message !== "aborted") throw error;
});
