import type { TimeLimit } from "../../core/backends/limited-drivers.ts";
import { withTimeLimit } from "./time-limit.ts";

/** The part of its function's time that one call of a net may take: a removal makes three, and must not outlive the function. */
const SHARE = 1 / 4;

/** Reserved for the function's handling of an unanswered call. */
const RESERVE_SHARE = 1 / 15;

/** The longest that an audit waits for a network file system: a backend that has not answered by then is down. */
const AUDIT_ANSWER_MS = 30_000;

/** The part of an audit's time that backends may take by not answering, all of them together. */
const AUDIT_SILENCE_SHARE = 1 / 2;

/**
 * The time limit of an audit's calls to backends. It asks one backend after the other, and each one that hangs costs one call, so the
 * time suffices for the others even when only one of them answers.
 */
export function auditTimeLimit(remainingTimeMs: () => number, backends: number): TimeLimit {
  const share = (remainingTimeMs() * AUDIT_SILENCE_SHARE) / Math.max(1, backends);
  return (call) => withTimeLimit(call, Math.min(AUDIT_ANSWER_MS, share));
}

/**
 * The time limit of a net's calls to backends, 7.5 s of the usual 30. With it a net ends with an answer that names the backend, instead of
 * its function's own time-out, which would also end all its other work.
 */
export function netTimeLimit(remainingTimeMs: () => number): TimeLimit {
  const whole = remainingTimeMs();
  return (call) => {
    const left = remainingTimeMs() - whole * RESERVE_SHARE;
    return withTimeLimit(call, Math.max(1, Math.min(whole * SHARE, left)));
  };
}
