// @ts-nocheck
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { withTimeLimit } from "../../lambdas/runtime/time-limit.ts";

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

it("hands on the answer, and leaves no timer behind", async () => {
  await expect(withTimeLimit(Promise.resolve("answer"), 1000)).resolves.toBe("answer");
  expect(vi.getTimerCount()).toBe(0);
});

it("hands on a failure", async () => {
  await expect(withTimeLimit(Promise.reject(new Error("down")), 1000)).rejects.toThrow("down");
  expect(vi.getTimerCount()).toBe(0);
});

it("says how long it waited for a call that never answers", async () => {
  const limited = withTimeLimit(new Promise<never>(() => {}), 30_000);
  const outcome = limited.catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(30_000);
  expect(await outcome).toEqual(new Error("no answer within 30 s"));
});
