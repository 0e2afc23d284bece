import { simulated } from "./current-account.ts";

/** Stands for `lambdas/runtime/logger.ts`: each line is kept with the account, to be searched for what no log may hold. */
function log(message: string, ...details: unknown[]): void {
  simulated().note("log", [message, ...details]);
}

export const logger = { debug: log, info: log, warn: log, error: log, critical: log };
