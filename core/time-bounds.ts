/**
 * How long each phase may last before the sweep takes the volume, in seconds. A bound is longer than the longest honest run of
 * its phase, so the sweep never races a healthy workflow:
 *
 * - queued: scheduler message visibility 120 s x 5 receives = 600 s, then the dead-letter queue.
 * - scheduled: ExtractVolumeRef, ExtractVolumeSpec and NotifyCreateStart, 3 x (30 s time-out x 3 tries + 6 s of waits) = 288 s.
 * - creating: one turn of 900 s x 3 tries + 6 s of waits = 2,706 s; each further turn renews the deadline.
 * - copying: the same; each checkpoint (20 s of copying at most) renews the deadline.
 */
export const PHASE_BOUND_SECONDS = {
  queued: 900,
  scheduled: 600,
  creating: 3600,
  copying: 3600,
} as const;

/**
 * How long the removal of a volume that was deleted while being created may take before the sweep begins it again: the longest
 * run of ErrorOutVolume, 30 s time-out x 3 tries + 6 s of waits = 96 s, and as much again for a backend to recover.
 */
export const REMOVAL_BOUND_SECONDS = 240;

/** How often the sweep looks. A volume is undecided for at most the longest bound plus two of these. */
export const SWEEP_INTERVAL_SECONDS = 60;

/** How often each backend reports its capacity. */
export const REPORT_INTERVAL_SECONDS = 60;

/** A backend whose last report is older than this takes no new volume (Cinder's `service_down_time`). */
export const SERVICE_DOWN_SECONDS = 300;

/** Time-out of a function whose work is a few calls. */
export const SHORT_FUNCTION_TIMEOUT_SECONDS = 30;

/** Time-out of a function that moves data: Lambda's own limit. */
export const LONG_FUNCTION_TIMEOUT_SECONDS = 900;

/**
 * Time-out of a whole execution. Nothing honest comes near it: each turn of long work renews its own deadline, and the sweep
 * takes a volume that does not move an hour after it stopped.
 */
export const EXECUTION_TIMEOUT_SECONDS = 86_400;

/** What a state waits beyond its function's time-out, so that the function's own time-out comes first. */
export const STATE_TIMEOUT_MARGIN_SECONDS = 30;

/** The moment `seconds` after `from`. */
export function deadlineAfter(from: Date, seconds: number): Date {
  return new Date(from.getTime() + seconds * 1000);
}
