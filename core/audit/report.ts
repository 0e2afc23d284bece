import * as v from "valibot";
import { InvalidInput } from "../errors.ts";
import { parseOrThrow } from "../requests/parsing.ts";
import { PHASE_BOUND_SECONDS } from "../settings/time-bounds.ts";

/** Request and answer of an audit; both travel as JSON. */

/** How old something without a record must be before it is called an orphan, unless the caller says otherwise. */
export const DEFAULT_OLDER_THAN_HOURS = 24;

/** More orphans than this on one backend point to the wrong records (a restored table, a shared directory), not to lost work. */
export const DEFAULT_MAX_REAP = 25;

/** Findings that are listed of each kind; all are counted. */
const DEFAULT_MAX_LISTED = 50;

/** The least age, in hours: no phase lasts longer, so whatever began before has ended. */
export const LEAST_OLDER_THAN_HOURS = Math.max(...Object.values(PHASE_BOUND_SECONDS)) / 3600;

const MAX_HOURS = 24 * 3650;

const AuditRequestSchema = v.object({
  reap: v.optional(v.boolean("reap must be true or false"), false),
  older_than_hours: v.optional(
    v.pipe(
      v.number("older_than_hours must be a number"),
      v.minValue(LEAST_OLDER_THAN_HOURS, `older_than_hours must be at least ${LEAST_OLDER_THAN_HOURS}`),
      v.maxValue(MAX_HOURS, `older_than_hours must be at most ${MAX_HOURS}`),
    ),
    DEFAULT_OLDER_THAN_HOURS,
  ),
  /** `host@backend`; null for every backend that is configured. */
  host: v.optional(v.nullable(v.pipe(v.string("host must be host@backend"), v.nonEmpty())), null),
  max_reap: v.optional(
    v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(10_000, "max_reap must be from 1 to 10000")),
    DEFAULT_MAX_REAP,
  ),
  max_listed: v.optional(
    v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(500, "max_listed must be from 1 to 500")),
    DEFAULT_MAX_LISTED,
  ),
});

/**
 * Request of an audit.
 *
 * - `reap`: delete the orphans and leftovers that may be; otherwise nothing is changed anywhere.
 * - `older_than_hours`: how long they must have been left alone.
 * - `host`: only this backend.
 * - `max_reap`: a backend with more to reap than this is not reaped at all.
 * - `max_listed`: how many findings of each kind are listed.
 */
export type AuditRequest = v.InferOutput<typeof AuditRequestSchema>;

/**
 * Reads a request; omitted fields have their defaults.
 *
 * @param longestPhaseSeconds of this deployment; a younger object may still be work in progress
 * @throws InvalidInput that names each field that is wrong
 */
export function parseAuditRequest(value: unknown, longestPhaseSeconds = LEAST_OLDER_THAN_HOURS * 3600): AuditRequest {
  const request = parseOrThrow(AuditRequestSchema, value, "audit request");
  if (request.older_than_hours * 3600 < longestPhaseSeconds) {
    throw new InvalidInput(
      `audit request: older_than_hours must be at least ${longestPhaseSeconds / 3600}, the longest phase of a create here`,
    );
  }
  return request;
}

/**
 * - `missing`: a record says that the volume or snapshot is usable, and its backend does not have it. Nothing repairs that.
 * - `damaged`: a record says that the volume or snapshot is usable, and its backend holds another size of it. Nothing repairs that.
 * - `unreadable`: a record that cannot be read. No function works on it, and nothing of its volume is reaped.
 * - `orphan`: a whole volume or snapshot that no record claims.
 * - `leftover`: abandoned unfinished work.
 * - `suspect`: the ledger says that an attempt may have left data, and the check did not clear it.
 * - `claim`: capacity held for a volume that is not being created.
 * - `capacity`: a backend's allocated capacity is not the sum of its volumes.
 * - `held`: kept by a volume or snapshot in error: its own `delete` removes it. Nothing is wrong with it.
 */
export const FINDING_KINDS = [
  "missing",
  "damaged",
  "unreadable",
  "orphan",
  "leftover",
  "suspect",
  "claim",
  "capacity",
  "held",
] as const;

/** See {@link FINDING_KINDS}. */
export type FindingKind = (typeof FINDING_KINDS)[number];

/**
 * The result: `reported` only; `reaped`, and confirmed gone; `kept`, because it may not be reaped; `failed`, because the backend did not
 * delete it.
 */
export type FindingOutcome = "reported" | "reaped" | "kept" | "failed";

/** One thing that an audit found. */
export type Finding = {
  kind: FindingKind;
  what: "volume" | "snapshot" | "backend";
  /** Id of the volume or snapshot; of a backend its host. */
  id: string;
  /** `host@backend`; with its pool where the finding is about a pool. */
  host: string;
  /** Why it is one, in one line. */
  detail: string;
  size_bytes: number | null;
  modified_at: string | null;
  outcome: FindingOutcome;
  /** Why it was kept, or how deleting it failed. */
  reason: string | null;
};

/** Counts of one backend. */
export type HostCounts = Record<FindingKind, number> & {
  /** The backend's content. */
  volumes: number;
  snapshots: number;
  /** Found without a claim, but not left alone for long enough to be called anything. */
  young: number;
  /** Suspects of the ledger of which nothing is there. */
  cleared: number;
  reaped: number;
  failed: number;
};

/** A backend, or a part of the work (`host` null), that could not be looked at. */
export type Unaudited = { host: string | null; reason: string };

/** The answer. */
export type AuditReport = {
  audited_at: string;
  /** False when anything could not be examined: missing data then proves nothing. */
  complete: boolean;
  unaudited: Unaudited[];
  older_than_hours: number;
  reap: boolean;
  /** By `host@backend`. */
  hosts: Record<string, HostCounts>;
  totals: HostCounts;
  /** The first of each kind, the worst kinds first. */
  findings: Finding[];
  /** Found and counted, but not listed. */
  not_listed: number;
};

/** Open findings: without those that were reaped or need no action. */
export function openFindings(counts: HostCounts): number {
  const found = FINDING_KINDS.filter((kind) => kind !== "held").reduce((sum, kind) => sum + counts[kind], 0);
  return found - counts.reaped;
}
