import { describe, expect, test } from "vitest";
import { noCounts } from "../../core/audit/book.ts";
import { keptAudit } from "../../core/audit/kept-audit.ts";
import type { Finding } from "../../core/audit/report.ts";
import { bytesOf } from "../../core/requests/byte-budget.ts";
import { aFinding, anAuditReport } from "../support/audit-reports.ts";

const LARGEST_ITEM = 400 * 1024;

function finding(id: string, text: string): Finding {
  return aFinding({ id, modified_at: null, outcome: "kept", detail: text, reason: text });
}

describe("the kept form of an audit's report", () => {
  test("has the first findings, counts the others as not listed, and counts the backends", () => {
    const findings = Array.from({ length: 150 }, (_, index) => finding(String(index), "no record"));
    const kept = keptAudit(anAuditReport({ findings, not_listed: 7, hosts: { "a@b": noCounts(), "c@d": noCounts() } }));
    expect(kept.findings).toEqual(findings.slice(0, 100));
    expect([kept.not_listed, kept.backends]).toEqual([57, 2]);
    expect(kept).not.toHaveProperty("hosts");
  });

  test("fits into an item, however long its texts are and however many backends failed", () => {
    const long = "\u{1F4BE}".repeat(2000);
    const kept = keptAudit(
      anAuditReport({
        findings: Array.from({ length: 500 }, () => finding("f".repeat(255), long)),
        unaudited: Array.from({ length: 1000 }, () => ({ host: "h".repeat(255), reason: long })),
      }),
    );
    expect(bytesOf(JSON.stringify(kept))).toBeLessThan(LARGEST_ITEM / 2);
    expect(kept.findings[0]?.detail).toHaveLength(199);
  });

  test("is the report itself where nothing is long", () => {
    const { hosts: _hosts, ...rest } = anAuditReport({
      findings: [{ ...finding("1", "x"), reason: null }],
      unaudited: [{ host: null, reason: "r" }],
    });
    expect(keptAudit({ ...rest, hosts: {} })).toEqual({ ...rest, backends: 0 });
  });
});
