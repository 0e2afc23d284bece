import { vi } from "vitest";

/** Waits until a condition holds; fails after two minutes. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  await vi.waitUntil(condition, { timeout: 120_000, interval: 20 });
}
