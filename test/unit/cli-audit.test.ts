import { describe, expect, test } from "vitest";
import { noCounts } from "../../core/audit/book.ts";
import type { AuditReport, AuditRequest, Finding, HostCounts } from "../../core/audit/report.ts";
import { aFinding, anAuditReport } from "../support/audit-reports.ts";
import { runCli } from "../support/cli-context.ts";

const HOST = "storage@file1";

function report(findings: Finding[], counts: Partial<HostCounts> = {}, rest: Partial<AuditReport> = {}): AuditReport {
  const totals = { ...noCounts(), volumes: 3, snapshots: 1, ...counts };
  return anAuditReport({ hosts: { [HOST]: totals }, totals, findings, ...rest });
}

const ORPHAN = report([aFinding()], { orphan: 1 });
const REAPED = report([aFinding({ outcome: "reaped" })], { orphan: 1, reaped: 1 }, { reap: true });

/** The function that audits; answers in turn, and keeps what it was asked. */
function auditor(...answers: AuditReport[]) {
  const asked: Partial<AuditRequest>[] = [];
  const driverFunctions = {
    auditBackends: async (request: Partial<AuditRequest>) => {
      asked.push(request);
      return answers[asked.length - 1];
    },
  };
  return { asked, parts: { driverFunctions } };
}

describe("an audit", () => {
  test("that finds nothing ends well, with the counts of each backend", async () => {
    const { asked, parts } = auditor(report([]));
    const { status, stdout, stderr } = await runCli(["audit"], parts);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toMatch(/^Backend +Volumes +Snapshots/);
    expect(stdout).toMatch(/^storage@file1 +3 +1 +0/m);
    expect(stdout).toContain("the audit found nothing to do\n");
    expect(asked).toEqual([{ reap: false, older_than_hours: 24, host: null, max_reap: 25, max_listed: 50 }]);
  });

  test("that finds something says what, why and what to do, and fails", async () => {
    const missing = aFinding({
      kind: "missing",
      detail: "the record is available, and nothing is there",
      modified_at: null,
    });
    const { parts } = auditor(report([missing, aFinding()], { missing: 1, orphan: 1 }));
    const { status, stdout, stderr } = await runCli(["audit"], parts);
    expect(status).toBe(1);
    expect(stdout).toMatch(
      /^missing +volume +4b8f2f3e\S+ +storage@file1 +1\.0 GiB +-\n {4}the record is available, and/m,
    );
    expect(stdout).toMatch(/^orphan +volume .+ 2026-03-01 00:00:00Z\n {4}no record has this id$/m);
    expect(stdout).toMatch(/^missing +data is gone/m);
    expect(stdout).toMatch(/^orphan +`cinderless audit --reap` deletes it/m);
    expect(stderr).toBe("error: the audit found 1 missing, 1 orphan\n");
  });

  test("says why something is kept, and how many findings are not listed", async () => {
    const kept = aFinding({ outcome: "kept", reason: "the volume is in error" });
    const { stdout } = await runCli(["audit"], auditor(report([kept], { orphan: 9 }, { not_listed: 8 })).parts);
    expect(stdout).toMatch(/^orphan, kept .+\n {4}no record has this id; kept: the volume is in error$/m);
    expect(stdout).toContain("8 more are not listed");
  });

  test("that lists what volumes in error hold does not say that it found nothing", async () => {
    const held = aFinding({ kind: "held", detail: "the volume is in error" });
    const { status, stdout } = await runCli(["audit"], auditor(report([held], { held: 1 })).parts);
    expect([status, stdout.trimEnd().split("\n").at(-1)]).toEqual([
      0,
      "the audit found nothing to do; 1 held by volumes in error",
    ]);
  });

  test("that could not look everywhere fails, and names where", async () => {
    const unaudited = [{ host: "storage@file2", reason: "its driver is not initialized" }];
    const { status, stdout } = await runCli(["audit"], auditor(report([], {}, { complete: false, unaudited })).parts);
    expect(status).toBe(1);
    expect(stdout).toMatch(/^not audited: storage@file2: its driver is not initialized$/m);
  });

  test("of which only a volume in error holds something ends well", async () => {
    const held = aFinding({ kind: "held", detail: "the volume is in error" });
    const { status, stdout } = await runCli(["audit"], auditor(report([held], { held: 1 })).parts);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^held +nothing is wrong/m);
  });

  test("answers with the report as it is for scripts, and still fails on findings", async () => {
    const { status, stdout, stderr } = await runCli(["audit", "--json"], auditor(ORPHAN).parts);
    expect(JSON.parse(stdout)).toEqual(ORPHAN);
    expect(status).toBe(1);
    expect(JSON.parse(stderr)).toMatchObject({ error: { name: "AuditFindings" } });
  });

  test("shows nothing that a terminal would act on", async () => {
    const evil = aFinding({ detail: "\u001b[2Jgone" });
    const { stdout } = await runCli(["audit"], auditor(report([evil], { orphan: 1 })).parts);
    expect(stdout).not.toContain("\u001b");
  });

  test("asks what its options say", async () => {
    const { asked, parts } = auditor(report([]));
    await runCli(
      ["audit", "--host", HOST, "--older-than", "1.5", "--limit", "7", "--max-reap", "2", "--reap", "--yes"],
      parts,
    );
    expect(asked).toEqual([{ reap: true, older_than_hours: 1.5, host: HOST, max_reap: 2, max_listed: 7 }]);
  });
});

describe("reaping", () => {
  test("asks first, with what would be deleted in sight", async () => {
    const { asked, parts } = auditor(ORPHAN, REAPED);
    const { status, stdout, stderr } = await runCli(["audit", "--reap"], parts, { answers: [true] });
    expect(asked.map(({ reap }) => reap)).toEqual([false, true]);
    expect(stderr).toBe("Delete orphans and leftovers for good: 1, at most 25 on a backend?");
    expect(stdout).toMatch(/^orphan, reaped/m);
    expect(status).toBe(0);
  });

  test("leaves everything when the user answers no", async () => {
    const { asked, parts } = auditor(ORPHAN);
    expect((await runCli(["audit", "--reap"], parts, { answers: [false] })).status).toBe(1);
    expect(asked.map(({ reap }) => reap)).toEqual([false]);
  });

  test("does not ask when there is nothing to delete", async () => {
    const { asked, parts } = auditor(report([aFinding({ outcome: "kept", reason: "x" })], { orphan: 1 }));
    const { stderr } = await runCli(["audit", "--reap"], parts, { answers: [true] });
    expect(asked).toHaveLength(1);
    expect(stderr).not.toContain("Delete");
  });

  test("with --yes does not ask, and reaped findings need no more action", async () => {
    const { asked, parts } = auditor(REAPED);
    expect((await runCli(["audit", "--reap", "--yes"], parts)).status).toBe(0);
    expect(asked.map(({ reap }) => reap)).toEqual([true]);
  });

  test.each([
    ["no terminal", ["audit", "--reap"], {}],
    ["a script", ["audit", "--reap", "--json"], { answers: [true] }],
  ])("without --yes is refused for %s", async (_, argv, options) => {
    const { asked, parts } = auditor(REAPED);
    const { status, stderr } = await runCli(argv, parts, options);
    expect(status).toBe(2);
    expect(stderr).toContain("--yes");
    expect(asked).toEqual([]);
  });
});

test.each([
  ["--older-than", "0.5"],
  ["--older-than", "day"],
  ["--limit", "0"],
  ["--max-reap", "1.5"],
])("%s %s is refused", async (option, value) => {
  const { status, stderr } = await runCli(["audit", option, value]);
  expect(status).toBe(2);
  expect(stderr).toContain(option);
});
