import * as v from "valibot";
import { InvalidInput } from "../errors.ts";
import type { Clock } from "../ports.ts";
import type { VolumePhase } from "../records.ts";

/**
 * How long each phase may last before the sweep takes the volume, in seconds. A bound is longer than the longest honest run of
 * its phase, so the sweep never races a healthy workflow:
 *
 * - queued: scheduler message visibility 180 s x 5 receives = 900 s, then the dead-letter queue.
 * - scheduled: ExtractVolumeRef, ExtractVolumeSpec and NotifyCreateStart, 3 x (30 s time-out x 3 tries + 6 s of waits) = 288 s.
 * - creating: one turn of 900 s x 3 tries + 6 s of waits = 2,706 s; each further turn renews the deadline.
 * - copying: the same; each checkpoint (about 1 s of copying) renews the deadline.
 */
export const PHASE_BOUND_SECONDS = {
  queued: 1200,
  scheduled: 600,
  creating: 3600,
  copying: 3600,
} as const;

/** Phases with a bound of their own; `created` keeps the deadline of the phase before. */
export type BoundedPhase = keyof typeof PHASE_BOUND_SECONDS & VolumePhase;

/**
 * Bounds in seconds: of the phases, of a claim that stays open, of a requested removal, and of abandoned work on a backend.
 */
export type PhaseBounds = Readonly<Record<BoundedPhase | "open_claim" | "removal" | "late_work", number>>;

/**
 * Time for which a claim may stay open after its attempt has ended before the sweep sends the notification and closes it: longer than the
 * state CreateVolumeOnFinish takes at most, 3 tries x 60 s + 6 s of waits = 186 s, so that the sweep does not send what the workflow is
 * about to send.
 */
export const OPEN_CLAIM_BOUND_SECONDS = 300;

/**
 * How long the removal of a volume that was deleted while being created may take before the sweep begins it again: the longest
 * run of ErrorOutVolume, 3 tries x 60 s + 6 s of waits = 186 s, and some more for a backend to recover.
 */
const REMOVAL_BOUND_SECONDS = 240;

/** How often the sweep looks. A volume is undecided for at most the longest bound plus two of these. */
export const SWEEP_INTERVAL_SECONDS = 60;

/** How often each backend reports its capacity. */
const REPORT_INTERVAL_SECONDS = 60;

/** A backend whose last report is older than this takes no new volume (Cinder's `service_down_time`, a setting of the scheduler). */
export const SERVICE_DOWN_SECONDS = 300;

/** A report that is older than an hour says nothing about a backend. */
const LONGEST_REPORT_INTERVAL_SECONDS = 3600;

/** As in Cinder (`cinder/service.py`): two reports may be missed, and a half of the interval passes before the third is late. */
const SERVICE_DOWN_IN_REPORT_INTERVALS = 2.5;

/** The shortest `service_down_time` with which a backend that reports at this interval is never called down. */
export function leastServiceDownSeconds({
  report_interval_seconds: interval,
}: Pick<TimeBounds, "report_interval_seconds">): number {
  return interval * SERVICE_DOWN_IN_REPORT_INTERVALS;
}

/** Time-out of a function whose work is a few calls. */
export const SHORT_FUNCTION_TIMEOUT_SECONDS = 30;

/** Time-out of a function that moves data: Lambda's own limit. */
export const LONG_FUNCTION_TIMEOUT_SECONDS = 900;

/**
 * Time-out of a whole execution. Nothing honest comes near it: each turn of long work renews its own deadline, and the sweep
 * takes a volume that does not move an hour after it stopped.
 */
export const EXECUTION_TIMEOUT_SECONDS = 86_400;

/** Time that a state waits beyond its function's time-out, so that the function's own time-out comes first. */
export const STATE_TIMEOUT_MARGIN_SECONDS = 30;

/**
 * Visibility time-out of the scheduler queue, in time-outs of its function: AWS recommends six, so that a batch that was throttled is tried
 * again before its messages are visible.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
 */
const SCHEDULER_VISIBILITY_IN_FUNCTION_TIMEOUTS = 6;

/** Deliveries of a scheduler message before it goes to the dead-letter queue. */
export const SCHEDULER_RECEIVES = 5;

/** Tries of a state whose outcome is uncertain, and the waits between them: 2 s and 4 s. */
const STATE_TRIES = 3;
const STATE_RETRY_WAIT_SECONDS = 6;

/** States before the backend is asked. */
const STATES_BEFORE_THE_BACKEND = 3;

/** The moment `seconds` after `from`. */
export function deadlineAfter(from: Date, seconds: number): Date {
  return new Date(from.getTime() + seconds * 1000);
}

/** Writers of deadlines have a clock, and the deployment's bounds if they differ from {@link PHASE_BOUND_SECONDS}. */
export type DeadlineDependencies = { clock: Clock; phaseBounds?: PhaseBounds };

/** The published bounds. */
export const DEFAULT_PHASE_BOUNDS: PhaseBounds = {
  ...PHASE_BOUND_SECONDS,
  open_claim: OPEN_CLAIM_BOUND_SECONDS,
  removal: REMOVAL_BOUND_SECONDS,
  late_work: LONG_FUNCTION_TIMEOUT_SECONDS,
};

/** The deadline of a phase that begins, or moves on, now. */
export function phaseDeadline({ clock, phaseBounds }: DeadlineDependencies, phase: keyof PhaseBounds): Date {
  return deadlineAfter(clock.now(), (phaseBounds ?? DEFAULT_PHASE_BOUNDS)[phase]);
}

/** Seconds as a whole number; the message names the setting. */
const seconds = (fallback: number, minimum: number, maximum: number, rule: string) =>
  v.optional(v.pipe(v.number(rule), v.integer(rule), v.minValue(minimum, rule), v.maxValue(maximum, rule)), fallback);

const DAY_SECONDS = 86_400;
const phase = (fallback: number) =>
  seconds(fallback, 1, DAY_SECONDS, `must be a whole number of seconds from 1 to ${DAY_SECONDS}`);
const interval = (fallback: number, longest: number) => {
  const rule = `must be whole minutes in seconds, from 60 to ${longest}: EventBridge knows no shorter rate`;
  return v.pipe(
    seconds(fallback, 60, longest, rule),
    v.check((value) => value % 60 === 0, rule),
  );
};
const timeout = (longest: number) =>
  seconds(longest, 1, longest, `must be a whole number of seconds from 1 to ${longest}`);

const TimeBoundsSchema = v.strictObject({
  queued_seconds: phase(PHASE_BOUND_SECONDS.queued),
  scheduled_seconds: phase(PHASE_BOUND_SECONDS.scheduled),
  creating_seconds: phase(PHASE_BOUND_SECONDS.creating),
  copying_seconds: phase(PHASE_BOUND_SECONDS.copying),
  open_claim_seconds: phase(OPEN_CLAIM_BOUND_SECONDS),
  removal_seconds: phase(REMOVAL_BOUND_SECONDS),
  sweep_interval_seconds: interval(SWEEP_INTERVAL_SECONDS, DAY_SECONDS),
  report_interval_seconds: interval(REPORT_INTERVAL_SECONDS, LONGEST_REPORT_INTERVAL_SECONDS),
  short_function_timeout_seconds: timeout(SHORT_FUNCTION_TIMEOUT_SECONDS),
  long_function_timeout_seconds: timeout(LONG_FUNCTION_TIMEOUT_SECONDS),
});

/** Every bound of a deployment, complete. */
export type TimeBounds = v.InferOutput<typeof TimeBoundsSchema>;

/**
 * Reads the bounds that a deployment names; the others keep their defaults.
 *
 * @throws InvalidInput that names the bound and its valid range; also when a phase's bound is not longer than its longest regular run,
 * because the sweep would then put healthy volumes in `error` then.
 */
export function parseTimeBounds(value: unknown): TimeBounds {
  const result = v.safeParse(TimeBoundsSchema, Array.isArray(value) ? null : value);
  if (!result.success) {
    const issues = result.issues.map((issue) => {
      const name = v.getDotPath(issue);
      const unknown = issue.type === "strict_object" && name !== null;
      return unknown ? `there is no ${name}` : `${name ?? "it"} ${name === null ? "must be an object" : issue.message}`;
    });
    throw new InvalidInput(`time_bounds: ${issues.join("; ")}`);
  }
  const bounds = result.output;
  for (const [name, least, why] of honestRuns(bounds)) {
    if (bounds[name] <= least) {
      throw new InvalidInput(`time_bounds: ${name} must be more than ${least}, ${why}; it is ${bounds[name]}`);
    }
  }
  return bounds;
}

/** The longest honest run of each phase: see {@link PHASE_BOUND_SECONDS}. */
function honestRuns(bounds: TimeBounds): [keyof TimeBounds, number, string][] {
  const { short_function_timeout_seconds: short, long_function_timeout_seconds: long } = bounds;
  const tried = (timeoutSeconds: number) => timeoutSeconds * STATE_TRIES + STATE_RETRY_WAIT_SECONDS;
  const turn = "one turn of a function with its retries";
  return [
    ["queued_seconds", visibilitySeconds(bounds) * SCHEDULER_RECEIVES, "the deliveries of a scheduler message"],
    ["scheduled_seconds", STATES_BEFORE_THE_BACKEND * tried(short), "three short functions with their retries"],
    ["creating_seconds", tried(long), turn],
    ["copying_seconds", tried(long), turn],
    ["open_claim_seconds", tried(short), "CreateVolumeOnFinish with its retries"],
    ["removal_seconds", tried(short), "ErrorOutVolume with its retries"],
  ];
}

/** How long a scheduler message is hidden from other receivers while one has it. */
export function visibilitySeconds(bounds: Pick<TimeBounds, "short_function_timeout_seconds">): number {
  return bounds.short_function_timeout_seconds * SCHEDULER_VISIBILITY_IN_FUNCTION_TIMEOUTS;
}

/** The bounds that the functions write deadlines by. */
export function phaseBoundsOf(bounds: TimeBounds): PhaseBounds {
  return {
    queued: bounds.queued_seconds,
    scheduled: bounds.scheduled_seconds,
    creating: bounds.creating_seconds,
    copying: bounds.copying_seconds,
    open_claim: bounds.open_claim_seconds,
    removal: bounds.removal_seconds,
    // A function that was given up works until its own time-out at most.
    late_work: bounds.long_function_timeout_seconds,
  };
}

const PhaseBoundsSchema = v.object({
  queued: v.number(),
  scheduled: v.number(),
  creating: v.number(),
  copying: v.number(),
  open_claim: v.number(),
  removal: v.number(),
  late_work: v.number(),
});

/** Reads the bounds as the stack gives them to a function. @throws InvalidInput */
export function parsePhaseBounds(text: string): PhaseBounds {
  try {
    return v.parse(PhaseBoundsSchema, JSON.parse(text));
  } catch {
    throw new InvalidInput("the phases' bounds in the environment are unreadable");
  }
}

/**
 * The published bound T: the longest, in seconds, that any fault may leave a volume undecided after its last progress. The longest
 * phase, then a sweep that has just passed it by, then one that failed.
 */
export function longestUndecidedSeconds(bounds: TimeBounds): number {
  return Math.max(...Object.values(phaseBoundsOf(bounds))) + 2 * bounds.sweep_interval_seconds;
}
