import type { Drivers } from "../drivers/driver-ports.ts";
import type { BackendRepository, Clock, LockRepository, SnapshotRepository, VolumeRepository } from "../ports.ts";
import { PHASE_BOUND_SECONDS, type PhaseBounds } from "../settings/time-bounds.ts";
import { type AuditBook, openBook } from "./book.ts";
import type { AuditRequest } from "./report.ts";

/** Dependencies of an audit. */
export type AuditDependencies = {
  volumes: Pick<VolumeRepository, "getMany" | "list" | "forgetLock">;
  snapshots: Pick<SnapshotRepository, "getMany" | "list" | "forgetLock">;
  locks: Pick<LockRepository, "list" | "put" | "remove">;
  backends: Pick<BackendRepository, "list" | "openClaims">;
  drivers: Drivers;
  clock: Clock;
  /** Fails a call of a driver that gives no answer, so that one dead backend does not take the audit with it. */
  timeLimit<Value>(call: Promise<Value>): Promise<Value>;
  /** Milliseconds until the caller must have the report. */
  remainingTimeMs(): number;
  phaseBounds?: PhaseBounds;
};

/** One audit under way. */
export type AuditRun = AuditDependencies & {
  request: AuditRequest;
  book: AuditBook;
  startedAt: Date;
  /** Data whose last write was before this time is old. */
  oldBefore: Date;
  longestPhaseSeconds: number;
  /** Kept back for the report itself. */
  reserveMs: number;
};

/** The most that is kept back for the report: a deployment's function may have less time than that in all. */
const MOST_RESERVE_MS = 20_000;
const RESERVED_SHARE = 0.25;

const OUT_OF_TIME = "the time of one audit was over: narrow it with a host";

/** Begins an audit. */
export function beginRun(deps: AuditDependencies, request: AuditRequest): AuditRun {
  const startedAt = deps.clock.now();
  const oldBefore = new Date(startedAt.getTime() - request.older_than_hours * 3_600_000);
  const book = openBook(request, startedAt);
  const reserveMs = Math.min(MOST_RESERVE_MS, RESERVED_SHARE * deps.remainingTimeMs());
  return { ...deps, request, book, startedAt, oldBefore, reserveMs, longestPhaseSeconds: longestPhaseSeconds(deps) };
}

/** Whether there is time to continue; records it when there is none. */
export function hasTime(run: AuditRun, host: string | null): boolean {
  if (run.remainingTimeMs() > run.reserveMs) {
    return true;
  }
  run.book.unaudited({ host, reason: OUT_OF_TIME });
  return false;
}

/** Longest time without progress before a create of the deployment is decided. */
export function longestPhaseSeconds({ phaseBounds }: Pick<AuditDependencies, "phaseBounds">): number {
  return Math.max(...Object.values(phaseBounds ?? PHASE_BOUND_SECONDS));
}
