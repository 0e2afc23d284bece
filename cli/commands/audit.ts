import { type Command, InvalidArgumentError } from "commander";
import {
  type AuditReport,
  type AuditRequest,
  DEFAULT_MAX_REAP,
  DEFAULT_OLDER_THAN_HOURS,
  LEAST_OLDER_THAN_HOURS,
  openFindings,
} from "../../core/audit/report.ts";
import { CliError, UsageError } from "../errors.ts";
import { inSession } from "../session.ts";
import type { CliContext, Session } from "../session.ts";

type AuditOptions = {
  reap?: boolean;
  yes?: boolean;
  olderThan: number;
  host?: string;
  maxReap: number;
  limit: number;
};

const MAX_LISTED = 500;
const MAX_MAX_REAP = 10_000;

const EXAMPLES = `
Examples:
  $ cinderless audit
  $ cinderless audit --host storage@file1 --older-than 48
  $ cinderless audit --reap
  $ cinderless audit --reap --yes --json | jq .totals

Exit status: 0 when nothing is left to do; 1 when something was found and not reaped, when a backend could not be examined,
or when the audit failed; 2 for an invalid command line. The data of volumes in error needs no action.
`;

/** `audit`: compares the content of the backends with the records. */
export function registerAudit(program: Command, context: CliContext): void {
  program
    .command("audit")
    .summary("compare the backends with the records")
    .description(
      "Compare what each backend holds with the records: orphans, missing volumes, suspects, leftovers, capacity. " +
        "Without --reap nothing is changed.",
    )
    .option("--reap", "delete old orphans and leftovers that no record claims and that cannot come back")
    .option("--yes", "reap without asking")
    .option(
      "--older-than <hours>",
      `hours for which a finding must have been left alone, at least ${LEAST_OLDER_THAN_HOURS}`,
      parseHours,
      DEFAULT_OLDER_THAN_HOURS,
    )
    .option("--host <host>", "only this backend, as host@backend")
    .option(
      "--max-reap <count>",
      "reap nothing on a backend with more findings than this",
      wholeNumber(MAX_MAX_REAP),
      DEFAULT_MAX_REAP,
    )
    .option("--limit <count>", "number of findings of each kind to list", wholeNumber(MAX_LISTED), 50)
    .addHelpText("after", EXAMPLES)
    .action(inSession(context, audit));
}

async function audit(session: Session, options: AuditOptions): Promise<void> {
  const { reap = false, yes = false } = options;
  const mustAsk = reap && !yes;
  if (mustAsk && (session.confirm === undefined || session.json)) {
    throw new UsageError(
      "--reap deletes permanently, and there is no terminal to ask for confirmation",
      "add --yes to reap without being asked",
    );
  }
  const { renderReport, summaryOf } = await import("../audit-report.ts");
  const functions = await session.connection.driverFunctions();
  const request = requestOf(options);
  let report = await functions.auditBackends({ ...request, reap: reap && !mustAsk });
  await session.answer(report, () => renderReport(session.stdout, report));
  if (mustAsk && (await isConfirmed(session, report, options.maxReap))) {
    report = await functions.auditBackends({ ...request, reap: true });
    session.stdout.write(`\n${renderReport(session.stdout, report)}`);
  }
  if (!report.complete || openFindings(report.totals) > 0) {
    throw new CliError(summaryOf(report), { name: report.complete ? "AuditFindings" : "AuditIncomplete" });
  }
  if (!session.json) {
    session.stdout.write(`\n${summaryOf(report)}\n`);
  }
}

async function isConfirmed(session: Session, { findings, not_listed }: AuditReport, maxReap: number): Promise<boolean> {
  const listed = findings.filter(
    ({ kind, outcome }) => (kind === "orphan" || kind === "leftover") && outcome === "reported",
  ).length;
  if (listed === 0 || session.confirm === undefined) {
    return false;
  }
  const count = `${listed}${not_listed > 0 ? " and more" : ""}`;
  return session.confirm(`Delete orphans and leftovers for good: ${count}, at most ${maxReap} on a backend?`);
}

function requestOf({ olderThan, host, maxReap, limit }: AuditOptions): Omit<AuditRequest, "reap"> {
  return { older_than_hours: olderThan, host: host ?? null, max_reap: maxReap, max_listed: limit };
}

function parseHours(text: string): number {
  const hours = Number(text);
  if (!/^[0-9]+(\.[0-9]+)?$/.test(text) || hours < LEAST_OLDER_THAN_HOURS) {
    throw new InvalidArgumentError(`It must be a number of hours, ${LEAST_OLDER_THAN_HOURS} or more.`);
  }
  return hours;
}

function wholeNumber(largest: number): (text: string) => number {
  return (text) => {
    const count = Number(text);
    if (!/^[0-9]+$/.test(text) || count < 1 || count > largest) {
      throw new InvalidArgumentError(`It must be a whole number from 1 to ${largest}.`);
    }
    return count;
  };
}
