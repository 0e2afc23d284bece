import { backendHost } from "../backends/backends.ts";
import type { Unreadable } from "../ports.ts";
import {
  type AuditReport,
  type AuditRequest,
  type Finding,
  FINDING_KINDS,
  type FindingKind,
  type HostCounts,
  type Unaudited,
} from "./report.ts";

/** Reasons for incompleteness that are named; a deployment has no more backends than fit its environment. */
const MAX_UNAUDITED = 100;

/** Placeholder for the host of a record without one. */
const UNKNOWN_HOST = "unknown";

/** Collects the findings of an audit: every finding is counted, the first of each kind are kept. */
export type AuditBook = {
  counts(host: string): HostCounts;
  add(finding: Finding): void;
  /** Notes a record that cannot be read, once however often it is met. */
  unreadable(what: Finding["what"], record: Unreadable): void;
  unaudited(entry: Unaudited): void;
  report(): AuditReport;
};

/** An empty book. */
export function openBook(request: AuditRequest, startedAt: Date): AuditBook {
  const hosts = new Map<string, HostCounts>();
  const listed = new Map<FindingKind, Finding[]>(FINDING_KINDS.map((kind) => [kind, []]));
  const unaudited: Unaudited[] = [];
  let isComplete = true;
  let notListed = 0;

  const noted = new Set<string>();

  const counts = (host: string): HostCounts => {
    const known = hosts.get(host) ?? noCounts();
    hosts.set(host, known);
    return known;
  };
  const add = (finding: Finding): void => {
    const of = counts(backendHost(finding.host));
    of[finding.kind] += 1;
    of.reaped += finding.outcome === "reaped" ? 1 : 0;
    of.failed += finding.outcome === "failed" ? 1 : 0;
    const kept = listed.get(finding.kind) ?? [];
    if (kept.length < request.max_listed) {
      kept.push(finding);
    } else {
      notListed += 1;
    }
  };
  return {
    counts,
    add,
    unreadable: (what, { id, host, reason }) => {
      if (!noted.has(`${what} ${id}`)) {
        noted.add(`${what} ${id}`);
        add({
          kind: "unreadable",
          what,
          id,
          host: host ?? UNKNOWN_HOST,
          detail: reason,
          size_bytes: null,
          modified_at: null,
          outcome: "reported",
          reason: null,
        });
      }
    },
    unaudited: (entry) => {
      isComplete = false;
      if (unaudited.length < MAX_UNAUDITED) {
        unaudited.push(entry);
      }
    },
    report: () => ({
      audited_at: startedAt.toISOString(),
      complete: isComplete,
      unaudited,
      older_than_hours: request.older_than_hours,
      reap: request.reap,
      hosts: Object.fromEntries(hosts),
      totals: sum([...hosts.values()]),
      findings: [...listed.values()].flat(),
      not_listed: notListed,
    }),
  };
}

/** Counts of a backend on which nothing was found. */
export function noCounts(): HostCounts {
  return {
    missing: 0,
    damaged: 0,
    unreadable: 0,
    orphan: 0,
    leftover: 0,
    suspect: 0,
    claim: 0,
    capacity: 0,
    held: 0,
    volumes: 0,
    snapshots: 0,
    young: 0,
    cleared: 0,
    reaped: 0,
    failed: 0,
  };
}

function sum(all: readonly HostCounts[]): HostCounts {
  const total = noCounts();
  for (const one of all) {
    for (const key of Object.keys(total) as (keyof HostCounts)[]) {
      total[key] += one[key];
    }
  }
  return total;
}
