import { simulated } from "./current-account.ts";

/** Stands for `lambdas/runtime/time-limit.ts`, in virtual time. A process that has ended notices no limit any more. */
export async function withTimeLimit<Value>(call: Promise<Value>, milliseconds: number): Promise<Value> {
  const invocation = simulated().running("withTimeLimit");
  let timer: { cancel(): void } | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = simulated().time.after(milliseconds, () => {
      if (!invocation.isDead) {
        reject(new Error(`no answer within ${milliseconds / 1000} s`));
      }
    });
  });
  try {
    return await Promise.race([call, late]);
  } finally {
    timer?.cancel();
  }
}
