import { registerHooks } from "node:module";
import type { Context } from "aws-lambda";
import type { CallOutcome, RecordedCall, ReplayedCall } from "../../cli/replay.ts";
import { FUNCTIONS, type FunctionName, fileNameOf } from "../../core/settings/functions.ts";
import { differencesOf } from "./compare.ts";
import { readCause } from "../../core/fault.ts";
import { type Recording, replayed } from "./recording.ts";
import { startStores, takeImageSpec } from "./stores.ts";

/** Modules in whose place the recording answers. */
const REPLACED: readonly [end: string, by: URL][] = [
  ["/adapters/drivers.ts", new URL("recorded-drivers.ts", import.meta.url)],
  ["/adapters/lambda/remote-drivers.ts", new URL("recorded-drivers.ts", import.meta.url)],
  ["/adapters/images.ts", new URL("recorded-images.ts", import.meta.url)],
];

/**
 * Calls the functions of this tree in this process with the recorded inputs, one after the other, on stores in memory. Backends and image
 * services answer what they answered then. It stops after the first call whose answer differs.
 *
 * @param onCall called for each call as soon as it is compared
 */
export async function replay(recording: Recording, onCall: (call: ReplayedCall) => void): Promise<boolean> {
  replaceModules();
  const stop = await startStores(recording);
  try {
    for (const call of recording.calls) {
      const compared = await replayCall(call);
      onCall(compared);
      if (compared.differences.length > 0) {
        return false;
      }
    }
    return true;
  } finally {
    await stop();
  }
}

function replaceModules(): void {
  registerHooks({
    resolve(specifier, context, nextResolve) {
      const resolved = nextResolve(specifier, context);
      const replacement = REPLACED.find(([end]) => resolved.url.endsWith(end));
      // A replacement keeps what else the module exports, so it imports the module itself.
      return replacement === undefined || context.parentURL === replacement[1].href
        ? resolved
        : { ...resolved, url: replacement[1].href };
    },
  });
}

type Handler = (event: unknown, context: Context) => Promise<unknown>;

async function replayCall(call: RecordedCall): Promise<ReplayedCall> {
  const { state } = call;
  const input: unknown = JSON.parse(call.input);
  const recorded: CallOutcome =
    call.error === null
      ? { output: JSON.parse(call.output ?? "null") as unknown }
      : { error: call.error, message: readCause(call.cause ?? "").message };
  if (!Object.hasOwn(FUNCTIONS, state)) {
    const outcome = { error: "UnknownState", message: `this tree has no function ${state}` };
    return { state, input, recorded, replayed: outcome, differences: [outcome.message] };
  }
  replayed.call = call;
  takeImageSpec(call);
  const outcome = await outcomeOf(state as FunctionName, input);
  return { state, input, recorded, replayed: outcome, differences: differencesOf(recorded, outcome) };
}

/** Hours, so that a function can be looked at in a debugger. */
const REMAINING_MILLISECONDS = 6 * 3_600_000;

async function outcomeOf(name: FunctionName, input: unknown): Promise<CallOutcome> {
  const url = new URL(`../../lambdas/${fileNameOf(name)}.ts`, import.meta.url);
  const { handler } = (await import(url.href)) as { handler: Handler };
  const context = {
    functionName: name,
    awsRequestId: "replay",
    getRemainingTimeInMillis: () => REMAINING_MILLISECONDS,
  } as Context;
  try {
    const output: unknown = await handler(input, context);
    return { output: JSON.parse(JSON.stringify(output ?? null)) as unknown };
  } catch (error) {
    const { name: errorName, message } = error as Error;
    return { error: errorName, message };
  }
}
