import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { auditTimeLimit, netTimeLimit } from "../../lambdas/runtime/net-time-limit.ts";
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

const waitsFor = async (limit: (call: Promise<never>) => Promise<never>): Promise<number> => {
  const start = Date.now();
  const failed = limit(new Promise<never>(() => {})).catch(() => Date.now() - start);
  await vi.advanceTimersToNextTimerAsync();
  return failed;
};

it("lets an audit wait 30 s for a backend, and less where its time does not suffice for all of them", async () => {
  expect(await waitsFor(auditTimeLimit(() => 900_000, 2))).toBe(30_000);
  expect(await waitsFor(auditTimeLimit(() => 900_000, 60))).toBe(7500);
  expect(await waitsFor(auditTimeLimit(() => 14_000, 2))).toBe(3500);
  expect(await waitsFor(auditTimeLimit(() => 14_000, 0))).toBe(7000);
});

it("lets a net wait a quarter of its function's time for a backend, and not longer than its function lives", async () => {
  expect(await waitsFor(netTimeLimit(() => 30_000))).toBe(7500);
  let left = 30_000;
  const limit = netTimeLimit(() => left);
  left = 5000;
  expect(await waitsFor(limit)).toBe(3000);
});
