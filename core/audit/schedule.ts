import * as v from "valibot";
import { parseOrThrow } from "../requests/parsing.ts";
import { type AuditRequest, parseAuditRequest } from "./report.ts";

const MINUTES = "interval_minutes must be a whole number from 5 to 1440";

const AuditScheduleSchema = v.strictObject({
  interval_minutes: v.optional(
    v.pipe(v.number(MINUTES), v.integer(MINUTES), v.minValue(5, MINUTES), v.maxValue(1440, MINUTES)),
    60,
  ),
  reap: v.optional(v.unknown()),
  older_than_hours: v.optional(v.unknown()),
  max_reap: v.optional(v.unknown()),
});

/** Interval and options of a deployment's automatic audit. */
export type AuditSchedule = {
  intervalMinutes: number;
  request: Pick<AuditRequest, "reap" | "older_than_hours" | "max_reap">;
};

/**
 * Reads the schedule as CDK context gives it: `interval_minutes`, and of a request `reap` (off unless it is asked for),
 * `older_than_hours` and `max_reap`.
 *
 * @param longestPhaseSeconds as for a request
 * @throws InvalidInput that names the problem
 */
export function parseAuditSchedule(value: unknown, longestPhaseSeconds?: number): AuditSchedule {
  const { interval_minutes: intervalMinutes, ...asked } = parseOrThrow(AuditScheduleSchema, value, "audit");
  const { reap, older_than_hours, max_reap } = parseAuditRequest(asked, longestPhaseSeconds);
  return { intervalMinutes, request: { reap, older_than_hours, max_reap } };
}
