import { bounded } from "../text/foreign-text.ts";
import type { AuditReport, Finding } from "./report.ts";

/** The last audit of all backends as it is kept: its report with counts in place of the backends, and with limited lists. */
export type KeptAudit = Omit<AuditReport, "hosts"> & {
  /** Backends that were looked at. */
  backends: number;
};

/** Keeps the last audit of all backends. */
export interface AuditRepository {
  /** Keeps a report in place of an earlier one. Late: a report of an earlier time than the kept one changes nothing. */
  keep(audit: KeptAudit): Promise<void>;
  /** The kept report; undefined before the first audit. */
  last(): Promise<KeptAudit | undefined>;
}

/** Limits that keep a report below half of the size of an item, with four bytes for each character. */
const MOST_FINDINGS = 100;
const MOST_UNAUDITED = 20;
const LONGEST_TEXT = 200;

/** The kept form of a report. Its findings have the worst kinds first, so the worst ones are kept. */
export function keptAudit({ hosts, findings, unaudited, not_listed, ...report }: AuditReport): KeptAudit {
  const kept = findings.slice(0, MOST_FINDINGS);
  return {
    ...report,
    backends: Object.keys(hosts).length,
    findings: kept.map((finding): Finding => ({
      ...finding,
      detail: bounded(finding.detail, LONGEST_TEXT),
      reason: finding.reason === null ? null : bounded(finding.reason, LONGEST_TEXT),
    })),
    unaudited: unaudited
      .slice(0, MOST_UNAUDITED)
      .map(({ host, reason }) => ({ host, reason: bounded(reason, LONGEST_TEXT) })),
    not_listed: not_listed + findings.length - kept.length,
  };
}
