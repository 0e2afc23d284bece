import Table from "cli-table3";
import { oneLine, type Screen } from "../../local/screen.ts";
import type { ChaosResult } from "./result.ts";
import type { Progress } from "./run.ts";

/** Violations that are shown; the document of --json has all of them. */
const SHOWN_VIOLATIONS = 20;

const NO_ROW_LINES = { mid: "", "left-mid": "", "mid-mid": "", "right-mid": "" };

/** One line about a run in progress. */
export function progressLine(progress: Progress, volumes: number, kills: number, elapsedMs: number): string {
  const { phase, accepted, available, error, unrest } = progress;
  const time = new Date(elapsedMs).toISOString().slice(14, 19);
  const rest =
    unrest === undefined || phase === "creating"
      ? ""
      : Object.entries(unrest)
          .map(([what, count]) => `  ${what} ${count}`)
          .join("");
  const counts = `asked ${accepted}/${volumes}  available ${available}  error ${error}  kills ${progress.kills}/${kills}`;
  return `${time}  ${phase.padEnd(15)}  ${counts}  service faults ${progress.faults}${rest}`;
}

/** The tables at the end. */
export function report(result: ChaosResult, screen: Screen): string {
  const { outcomes, recovery_ms: recoveries } = result;
  const total = (counts: Record<string, number>): number => Object.values(counts).reduce((sum, each) => sum + each, 0);
  const rows: [string, string][] = [
    ["volumes asked for", String(result.volumes)],
    ["  available", String(outcomes.available)],
    ["  error, with its cause", String(outcomes.error)],
    ["  deleted, as asked", String(outcomes.deleted)],
    ...Object.entries(result.by_kind).map(([kind, { asked, available }]): [string, string] => [
      `  ${kind}: available of asked`,
      `${available} of ${asked}`,
    ]),
    ...rowsOf("attempts", result.attempts, (number) => `  volumes with ${number}`),
    ...rowsOf("errors", result.errors),
    ["faults of backends", String(total(result.faults.backends))],
    ...rowsOf("", result.faults.backends),
    ["faults of services", String(total(result.faults.services))],
    ...rowsOf("", result.faults.services),
    ["kills", String(recoveries.length)],
    ...(recoveries.length === 0
      ? []
      : [
          ["  until it served again", `${secondsOf(Math.min(...recoveries))} to ${secondsOf(Math.max(...recoveries))}`],
        ]),
    ...rowsOf("", result.kills_before, (step) => `  before ${step}`),
    ...rowsOf("creates through the API", result.creates),
    ...rowsOf("the API", result.api),
    ["cached volumes damaged", String(result.cached_volumes_damaged)],
    ...rowsOf("operators", result.operators),
    ...rowsOf("notifications received", result.notifications),
    ["dead letters", String(result.dead_letters)],
    ["from the first request to rest", `${result.seconds.toFixed(1)} s`],
    ["  of it after the last request", `${result.seconds_to_rest.toFixed(1)} s`],
    ["violations", String(result.violations.length)],
  ] as [string, string][];
  const table = new Table({
    head: [`chaos, seed ${result.seed}`, ""],
    chars: NO_ROW_LINES,
    style: { head: [], border: [] },
    colAligns: ["left", "right"],
  });
  table.push(...rows);
  return `${table.toString()}\n${violationsText(result, screen)}`;
}

function rowsOf(
  heading: string,
  counts: Record<string, number>,
  name: (key: string) => string = (key) => `  ${key}`,
): [string, string][] {
  const entries = Object.entries(counts).toSorted(([one], [other]) => one.localeCompare(other));
  return [
    ...(heading === "" ? [] : [[heading, ""] as [string, string]]),
    ...entries.map(([key, count]): [string, string] => [name(key), String(count)]),
  ];
}

function secondsOf(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}

function violationsText({ violations }: ChaosResult, screen: Screen): string {
  if (violations.length === 0) {
    return `${screen.paint("green", "every check held")}\n`;
  }
  const lines = violations
    .slice(0, SHOWN_VIOLATIONS)
    .map(({ check, subject, message }) => `  ${screen.paint("red", check)}: ${subject}: ${oneLine(message)}\n`);
  const more = violations.length - lines.length;
  return `${lines.join("")}${more > 0 ? `  and ${more} more\n` : ""}`;
}
