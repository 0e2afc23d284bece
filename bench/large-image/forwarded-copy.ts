import { fork } from "node:child_process";
import { once } from "node:events";
import { appendFileSync } from "node:fs";
import type { Context } from "aws-lambda";
import type { InvocationAnswer, InvocationOrder } from "./copy-process.ts";

/** The variables that {@link handler} reads. */
export const FORWARDED = { bundle: "BENCH_BUNDLE", program: "BENCH_PROGRAM", report: "BENCH_REPORT" } as const;

/**
 * Replaces CopyImageToVolume: passes each invocation to a separate process, which runs the function's real bundle, and adds a line of JSON
 * to the report.
 */
export async function handler(event: unknown, context: Context): Promise<unknown> {
  const { BENCH_BUNDLE: bundle = "", BENCH_PROGRAM: program = "", BENCH_REPORT: report = "", ...env } = process.env;
  const child = fork(program, { env, stdio: ["ignore", "ignore", "inherit", "ipc"] });
  const order: InvocationOrder = { bundle, event, remainingTimeMs: context.getRemainingTimeInMillis() };
  child.send(order);
  const answered = once(child, "message");
  const died = once(child, "exit").then(() => {
    throw new Error("the process of the copy ended without an answer");
  });
  const [answer] = (await Promise.race([answered, died])) as [InvocationAnswer];
  await died.catch(() => {});
  appendFileSync(report, `${JSON.stringify(answer)}\n`);
  if (answer.error !== null) {
    throw Object.assign(new Error(answer.error.message), { name: answer.error.name });
  }
  return answer.output;
}
