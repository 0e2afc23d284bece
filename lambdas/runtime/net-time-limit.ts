import type { TimeLimit } from "../../core/tasks/limited-drivers.ts";
import { withTimeLimit } from "./time-limit.ts";

/** The part of its function's time that one call of a net may take: a removal makes three, and must not outlive the function. */
const SHARE = 1 / 4;

/** Kept back for what the function does about a call that was not answered. */
const RESERVE_SHARE = 1 / 15;

/**
 * The time limit of a net's calls to backends, 7.5 s of the usual 30. By it a net ends with an answer that names the backend, and not
 * by its function's own time-out, which takes everything else that it does with it.
 */
export function netTimeLimit(remainingTimeMs: () => number): TimeLimit {
  const whole = remainingTimeMs();
  return (call) => {
    const left = remainingTimeMs() - whole * RESERVE_SHARE;
    return withTimeLimit(call, Math.max(1, Math.min(whole * SHARE, left)));
  };
}
