import { simulated } from "./current-account.ts";

/** Stands for `lambdas/runtime/time-limit.ts`, in virtual time. */
export async function withTimeLimit<Value>(call: Promise<Value>, milliseconds: number): Promise<Value> {
  let timer: { cancel(): void } | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = simulated().time.after(milliseconds, () => reject(new Error(`no answer within ${milliseconds / 1000} s`)));
  });
  try {
    return await Promise.race([call, late]);
  } finally {
    timer?.cancel();
  }
}
