import { noCounts } from "../../core/audit/book.ts";
import type { AuditReport, Finding } from "../../core/audit/report.ts";

/** A finding of an audit: a volume on a backend without a record, kept. */
export function aFinding(columns: Partial<Finding> = {}): Finding {
  return {
    kind: "orphan",
    what: "volume",
    id: "4b8f2f3e-5a0e-4f0e-9a7f-0a3b9d1c2e4f",
    host: "storage@file1",
    detail: "no record has this id",
    size_bytes: 2 ** 30,
    modified_at: "2026-03-01T00:00:00.000Z",
    outcome: "reported",
    reason: null,
    ...columns,
  };
}

/** The report of an audit that has ended and found nothing. */
export function anAuditReport(columns: Partial<AuditReport> = {}): AuditReport {
  return {
    audited_at: "2026-03-04T05:06:07.000Z",
    complete: true,
    unaudited: [],
    older_than_hours: 24,
    reap: false,
    hosts: {},
    totals: noCounts(),
    findings: [],
    not_listed: 0,
    ...columns,
  };
}
