import { createContext, runInContext } from "node:vm";

/** Long for anything linear, even on a machine that does a hundred things at once; nothing quadratic on a long text ends in it. */
const WATCHDOG_MS = 30_000;

/**
 * Runs something synchronous whose time could grow faster than its input. It is stopped, and the test fails, when it does not
 * end; how long it takes otherwise is not looked at.
 *
 * @throws Error "Script execution timed out" of `node:vm`
 */
export function endsSoon<Result>(work: () => Result): Result {
  return runInContext("work()", createContext({ work }), { timeout: WATCHDOG_MS }) as Result;
}
