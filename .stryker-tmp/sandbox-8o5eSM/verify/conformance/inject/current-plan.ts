// @ts-nocheck
import { AsyncLocalStorage } from "node:async_hooks";
import { type Plan, planOf } from "./plan.ts";

const storage = new AsyncLocalStorage<Plan>();

/** Runs one invocation in the name of the case that its event belongs to. */
export function withPlanOf<Result>(event: unknown, run: () => Result): Result {
  const { volume_id: volumeId } = (event ?? {}) as { volume_id?: unknown };
  const plan = typeof volumeId === "string" ? planOf(volumeId) : undefined;
  return plan === undefined ? run() : storage.run(plan, run);
}

/** The case of the running invocation, for calls that name no volume. */
export function currentPlan(): Plan | undefined {
  return storage.getStore();
}
