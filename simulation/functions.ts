import { registerHooks } from "node:module";
import type { Context } from "aws-lambda";
import { FUNCTION_NAMES, type FunctionName, fileNameOf } from "../core/settings/functions.ts";

/**
 * The functions as they are deployed, from `lambdas/`, with some of their frame's modules replaced: the composition root by one that
 * composes the simulated account, logger and metrics by ones that are read, and what waits by the clock. Every import of a function must
 * exist there, so a new port cannot be overlooked.
 */

const REPLACED: readonly [end: string, by: URL][] = [
  ["/lambdas/runtime/composition.ts", new URL("composition.ts", import.meta.url)],
  ["/lambdas/runtime/logger.ts", new URL("captured-logger.ts", import.meta.url)],
  ["/lambdas/runtime/metrics.ts", new URL("captured-metrics.ts", import.meta.url)],
  ["/lambdas/runtime/time-limit.ts", new URL("virtual-time-limit.ts", import.meta.url)],
];

function replaceModules(): void {
  registerHooks({
    resolve(specifier, context, nextResolve) {
      const resolved = nextResolve(specifier, context);
      const replacement = REPLACED.find(([end]) => resolved.url.endsWith(end));
      return replacement === undefined ? resolved : { ...resolved, url: replacement[1].href };
    },
  });
}

/** A function as Lambda calls it. */
export type FunctionHandler = (event: unknown, context: Context, callback: () => void) => Promise<unknown>;

/** More invocations of one function than this are never under way at once. */
const ENVIRONMENTS = 6;

const idle = new Map<FunctionName, FunctionHandler[]>();

/** Loads every function, each as often as it may run at once: an environment serves one invocation at a time. */
export async function loadFunctions(): Promise<void> {
  replaceModules();
  for (const name of FUNCTION_NAMES) {
    const handlers: FunctionHandler[] = [];
    for (let environment = 1; environment <= ENVIRONMENTS; environment += 1) {
      const url = new URL(`../lambdas/${fileNameOf(name)}.ts?environment=${environment}`, import.meta.url);
      const { handler } = (await import(url.href)) as { handler: FunctionHandler };
      handlers.push(handler);
    }
    idle.set(name, handlers);
  }
}

/** Takes an idle environment of a function. */
export function takeEnvironment(name: FunctionName): FunctionHandler {
  const handler = idle.get(name)?.pop();
  if (handler === undefined) {
    throw new Error(`more than ${ENVIRONMENTS} invocations of ${name} at once`);
  }
  return handler;
}

/** Gives an environment back. Its invocation has ended, or never continues. */
export function giveEnvironment(name: FunctionName, handler: FunctionHandler): void {
  const handlers = idle.get(name) ?? [];
  handlers.push(handler);
  idle.set(name, handlers);
}
