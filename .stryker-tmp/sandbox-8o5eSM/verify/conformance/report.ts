// @ts-nocheck
import type { CaseResult } from "./case-run.ts";
import type { FieldDifference } from "./compare.ts";
import type { VectorResult } from "./vectors/vector-run.ts";

/** The line of a case, with its differing fields where they are wanted or unexplained. */
export function caseLines({ name, verdict, fields }: CaseResult, verbose: boolean): string[] {
  if (verdict.kind === "error") {
    return [`${name}: ERROR: ${verdict.message}`];
  }
  if (verdict.kind === "different") {
    return [`${name}: DIFFERENT`, ...verdict.fields.map(fieldLine)];
  }
  const rows = verdict.kind === "deliberate difference" ? ` ${verdict.numbers.join(", ")}` : "";
  return [`${name}: ${verdict.kind}${rows}`, ...(verbose ? fields.map(fieldLine) : [])];
}

/** The line of a vector. */
export function vectorLines({ name, verdict, expected, actual }: VectorResult): string[] {
  const what = `    expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`;
  return verdict === "different" ? [`${name}: DIFFERENT`, what] : [`${name}: ${verdict}`];
}

function fieldLine({ field, from, expected, actual }: FieldDifference): string {
  const whose = from === "cinder" ? "Cinder" : "the seed";
  return `    ${field}: ${whose} ${JSON.stringify(expected)}, here ${JSON.stringify(actual)}`;
}

/** How many results there are of each kind, in the order in which the kinds first come. */
export function totalsOf(kinds: readonly string[]): Record<string, number> {
  const totals: Record<string, number> = {};
  for (const kind of kinds) {
    totals[kind] = (totals[kind] ?? 0) + 1;
  }
  return totals;
}

/** `175 cases: 19 same as both, 123 deliberate difference`. */
export function totalsLine(what: string, totals: Record<string, number>): string {
  const count = Object.values(totals).reduce((sum, each) => sum + each, 0);
  const parts = Object.entries(totals).map(([kind, number]) => `${number} ${kind}`);
  return `${count} ${what}${parts.length === 0 ? "" : `: ${parts.join(", ")}`}`;
}
