import { subscribe } from "node:diagnostics_channel";
import type { ClientRequest } from "node:http";
import { peakKibibytes } from "../../local/peak-memory.ts";

/**
 * One invocation of a function in its own process, as in Lambda: the measured memory is that of the function alone. The order comes as a
 * message, and the answer is sent as one.
 */

/** The order. */
export type InvocationOrder = { bundle: string; event: unknown; remainingTimeMs: number };

/** The result. */
export type InvocationAnswer = {
  output: unknown;
  /** Null if there is an output. */
  error: { name: string; message: string } | null;
  seconds: number;
  cpu_seconds: number;
  /** The largest resident size. */
  peak_mebibytes: number;
  /** UpdateItem requests of DynamoDB. */
  updates: number;
};

let updates = 0;
subscribe("http.client.request.start", (message) => {
  const target = (message as { request: ClientRequest }).request.getHeader("x-amz-target");
  updates += String(target).endsWith(".UpdateItem") ? 1 : 0;
});

process.once("message", (order: InvocationOrder) => {
  void invoke(order).then((answer) => process.send?.(answer, () => process.exit()));
});

async function invoke({ bundle, event, remainingTimeMs }: InvocationOrder): Promise<InvocationAnswer> {
  const start = performance.now();
  const until = start + remainingTimeMs;
  const outcome = await handle(bundle, event, () => until - performance.now());
  const { user, system } = process.cpuUsage();
  return {
    ...outcome,
    seconds: (performance.now() - start) / 1000,
    cpu_seconds: (user + system) / 1_000_000,
    peak_mebibytes: peakKibibytes() / 1024,
    updates,
  };
}

type Handler = (event: unknown, context: { getRemainingTimeInMillis(): number }) => Promise<unknown>;

async function handle(
  bundle: string,
  event: unknown,
  getRemainingTimeInMillis: () => number,
): Promise<Pick<InvocationAnswer, "output" | "error">> {
  try {
    const { handler } = (await import(bundle)) as { handler: Handler };
    return { output: await handler(event, { getRemainingTimeInMillis }), error: null };
  } catch (error) {
    const { name, message } = error as Error;
    return { output: null, error: { name, message } };
  }
}
