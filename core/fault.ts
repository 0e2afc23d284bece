import { foreignErrorName, foreignText } from "./text/foreign-text.ts";
import type { Attempt, Fault, VolumeRecord } from "./records.ts";
import type { Failure } from "./spec.ts";

/** Longest cause that is kept, in UTF-16 units: causes never take the room of the record. */
const CAUSE_LIMIT = 500;

/** Lines of earlier attempts that a fault has room for. */
export const FAULT_ATTEMPTS = 20;

/** A message of another service as a cause that may be stored: see {@link foreignText}. */
export function causeText(text: string, limit: number = CAUSE_LIMIT): string {
  return foreignText(text, limit);
}

/**
 * Message and trace of the Cause of a failed state or execution. Lambda's Cause of an error is the JSON of
 * `{errorType, errorMessage, trace}`; any other Cause is the message itself.
 */
export function readCause(text: string): { message: string; trace: string[] } {
  try {
    const cause: unknown = JSON.parse(text);
    if (
      typeof cause === "object" &&
      cause !== null &&
      "errorMessage" in cause &&
      typeof cause.errorMessage === "string"
    ) {
      const trace =
        "trace" in cause && Array.isArray(cause.trace) ? cause.trace.filter((line) => typeof line === "string") : [];
      return { message: cause.errorMessage, trace };
    }
  } catch {
    // Not JSON.
  }
  return { message: text, trace: [] };
}

/** Name and message of a failure that a Catch or an execution event carries, as they may be stored. */
export function readFailure(failure: Failure): { error: string; cause: string; trace: string[] } {
  const { message, trace } = readCause(failure.Cause);
  return { error: foreignErrorName(failure.Error), cause: causeText(message), trace };
}

/** The reason why no other backend was tried, in addition to the failure: one must not hide the other. */
export function causeOf(cause: string, rescheduleFailure: Failure | null): string {
  if (rescheduleFailure === null) {
    return cause;
  }
  const why = readFailure(rescheduleFailure);
  const half = CAUSE_LIMIT / 2;
  return causeText(
    `${causeText(cause, half - 1)} (not rescheduled: ${causeText(`${why.error}: ${why.cause}`, half - 24)})`,
  );
}

/**
 * The fault of a volume whose attempt ended by `error`. It names the attempts that came before: all of them, or the first and the newest
 * ones with how many are not listed.
 */
export function buildFault(volume: VolumeRecord, attempt: number, error: string, cause: string, at: Date): Fault {
  const earlier = Object.entries(volume.attempts)
    .filter(([number]) => Number(number) < attempt)
    .sort(([a], [b]) => Number(a) - Number(b))
    .map(([number, entry]) => attemptLine(number, entry));
  const dropped = volume.dropped?.attempts ?? 0;
  return { error, cause: causeText(cause), attempt, at: at.toISOString(), attempts: listed(earlier, dropped) };
}

/** The lines that a fault has room for, with how many attempts are not among them. */
function listed(lines: readonly string[], dropped: number): string[] {
  const [first, ...others] = lines;
  if (first === undefined) {
    return dropped === 0 ? [] : [droppedText(dropped)];
  }
  if (dropped === 0 && lines.length <= FAULT_ATTEMPTS) {
    return [...lines];
  }
  const newest = others.slice(-(FAULT_ATTEMPTS - 2));
  const unlisted = others.length - newest.length;
  const texts = [
    ...(unlisted === 0 ? [] : [`${unlisted} attempts are in the ledger only`]),
    ...(dropped === 0 ? [] : [droppedText(dropped)]),
  ];
  return [first, texts.join("; "), ...newest];
}

/** How many lines a ledger has dropped, for people. */
export function droppedText(dropped: number): string {
  return `${dropped} older ${dropped === 1 ? "attempt was" : "attempts were"} dropped from the ledger`;
}

/** One attempt of the ledger in one line. */
export function attemptLine(number: string, attempt: Attempt): string {
  const why = attempt.error === undefined ? attempt.outcome : `${attempt.error}: ${attempt.cause ?? ""}`;
  const orphan = attempt.suspected_orphan === true ? " (may have left something there)" : "";
  return causeText(`attempt ${number} on ${attempt.host ?? "no host"}: ${why}${orphan}`, 200);
}
