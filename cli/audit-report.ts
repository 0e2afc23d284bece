import {
  type AuditReport,
  type Finding,
  FINDING_KINDS,
  type FindingKind,
  type HostCounts,
} from "../core/audit/report.ts";
import { formatBytes, formatTime, text } from "./format.ts";
import { type Cell, renderTable } from "./table.ts";
import { type Output, paint, type Style } from "./terminal.ts";

/** An audit's report for people: the findings, the action for each, and the counts of each backend. */

const NAMES: Readonly<Record<FindingKind, readonly [one: string, many: string]>> = {
  missing: ["missing", "missing"],
  damaged: ["damaged", "damaged"],
  unreadable: ["unreadable record", "unreadable records"],
  orphan: ["orphan", "orphans"],
  leftover: ["leftover", "leftovers"],
  suspect: ["suspect", "suspects"],
  claim: ["stale claim", "stale claims"],
  capacity: ["capacity difference", "capacity differences"],
  held: ["held", "held"],
};

const ADVICE: Readonly<Record<FindingKind, string>> = {
  missing: "data is gone, or its disk is missing: check the backend now; nothing repairs this automatically",
  damaged:
    "bytes were lost or added on the backend: restore it from a backup; it is refused as a source until its size fits",
  unreadable:
    "correct the record in its table: see the runbook, UnreadableRecords; the data of its volume is never reaped",
  orphan: "`cinderless audit --reap` deletes it, unless it is kept for the reason given",
  leftover: "the same; unfinished work next to a volume that is in use must be removed by hand",
  suspect: "each audit examines it again; it becomes an orphan when it has been left alone for long enough",
  claim: "the sweep closes it; if it is still there after a day, look at the logs of SweepOverdueVolumes",
  capacity: "audit again when nothing is being created or deleted; the scheduler uses the counted figure",
  held: "nothing is wrong: `cinderless delete ID` removes it with its volume",
};

const STYLES: Readonly<Record<FindingKind, Style>> = {
  missing: "red",
  damaged: "red",
  unreadable: "red",
  orphan: "yellow",
  leftover: "yellow",
  suspect: "yellow",
  claim: "yellow",
  capacity: "yellow",
  held: "dim",
};

const COLUMNS_OF_FINDINGS = [
  { title: "Found" },
  { title: "What" },
  { title: "ID", isKept: true },
  { title: "Backend" },
  { title: "Size", isRightAligned: true },
  { title: "Last written" },
] as const;
const COUNTS_HEAD = [
  "Backend",
  "Volumes",
  "Snapshots",
  "Missing",
  "Damaged",
  "Orphans",
  "Leftovers",
  "Suspects",
  "Held",
  "Reaped",
];

/** The whole report except {@link summaryOf}. */
export function renderReport(output: Pick<Output, "hasColours" | "columns">, report: AuditReport): string {
  const { findings, not_listed: notListed, unaudited } = report;
  const parts = [
    unaudited
      .map(({ host, reason }) => `${paint(output, "red", "not audited:")} ${text(host ?? "all")}: ${text(reason)}\n`)
      .join(""),
    findings.length === 0 ? "" : renderFindings(output, findings),
    notListed === 0 ? "" : `${notListed} more are not listed; see --limit\n`,
    findings.length === 0 ? "" : renderAdvice(output, findings),
    renderCounts(output, report),
  ];
  return parts.filter((part) => part !== "").join("\n");
}

/** `1 missing, 2 orphans (1 reaped)`, or that there is nothing. */
export function summaryOf({ totals, complete, unaudited, older_than_hours: hours }: AuditReport): string {
  const found = FINDING_KINDS.filter((kind) => kind !== "held" && totals[kind] > 0).map(
    (kind) => `${totals[kind]} ${NAMES[kind][totals[kind] === 1 ? 0 : 1]}`,
  );
  const reaped = totals.reaped === 0 ? "" : `; ${totals.reaped} reaped`;
  const young = totals.young === 0 ? "" : `; ${totals.young} without a claim, younger than ${hours} h`;
  const open = complete ? "" : `; not all was audited (${unaudited.length})`;
  const held = totals.held === 0 ? "" : `; ${totals.held} held by volumes in error`;
  return `the audit found ${found.length === 0 ? "nothing to do" : found.join(", ")}${reaped}${young}${held}${open}`;
}

/** Each finding in its line of the table, and below it the reason, which is never cut. */
function renderFindings(output: Pick<Output, "hasColours" | "columns">, findings: readonly Finding[]): string {
  const [head, ...lines] = renderTable(output, COLUMNS_OF_FINDINGS, findings.map(rowOf)).trimEnd().split("\n");
  const told = lines.map((line, index) => `${line}\n    ${whyText(findings[index])}\n`);
  return `${head}\n${told.join("")}`;
}

function whyText(finding: Finding | undefined): string {
  if (finding === undefined) {
    return "";
  }
  const { detail, outcome, reason } = finding;
  return text(reason === null ? detail : `${detail}; ${outcome}: ${reason}`);
}

function rowOf(finding: Finding): Cell[] {
  const { kind, what, id, host, outcome } = finding;
  const name = NAMES[kind][0];
  const found = outcome === "reported" ? { text: name, style: STYLES[kind] } : `${name}, ${outcome}`;
  return [
    found,
    what,
    text(id),
    text(host),
    finding.size_bytes === null ? "-" : formatBytes(finding.size_bytes),
    formatTime(finding.modified_at),
  ];
}

function renderAdvice(output: Pick<Output, "hasColours">, findings: readonly Finding[]): string {
  const kinds = FINDING_KINDS.filter((kind) => findings.some((one) => one.kind === kind && one.outcome !== "reaped"));
  const width = Math.max(0, ...kinds.map((kind) => NAMES[kind][0].length));
  return kinds.map((kind) => `${paint(output, "bold", NAMES[kind][0].padEnd(width))}  ${ADVICE[kind]}\n`).join("");
}

function renderCounts(output: Pick<Output, "hasColours" | "columns">, { hosts }: AuditReport): string {
  const rows = Object.entries(hosts)
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .map(([host, counts]) => [text(host), ...COLUMNS.map((column) => String(counts[column]))]);
  const columns = COUNTS_HEAD.map((title, index) => ({ title, ...(index > 0 && { isRightAligned: true }) }));
  return rows.length === 0 ? "" : renderTable(output, columns, rows);
}

const COLUMNS = [
  "volumes",
  "snapshots",
  "missing",
  "damaged",
  "orphan",
  "leftover",
  "suspect",
  "held",
  "reaped",
] as const satisfies (keyof HostCounts)[];
