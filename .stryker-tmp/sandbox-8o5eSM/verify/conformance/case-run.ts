// @ts-nocheck
import { describeError } from "../../core/errors.ts";
import { type Given, parseGiven, type RecordedCase } from "./cases.ts";
import {
  compare,
  differingFields,
  type FieldDifference,
  type Reference,
  type References,
  type Verdict,
} from "./compare.ts";
import { startDeployment } from "./deployment.ts";
import { DIFFERENCES } from "./differences.ts";
import type { Outcome } from "./outcome.ts";
import { recordedOutcome } from "./recorded-outcome.ts";
import { type Replayable, replay } from "./replay.ts";

/** How one case compares; `error` when it could not be read. */
export type CaseResult = {
  name: string;
  verdict: Verdict | { kind: "error"; message: string };
  /** Everything in which the end differs from what was recorded first (Cinder's end, or else the seed's), explained or not. */
  fields: FieldDifference[];
};

/** A case that was read: what it gives, and how it ended when it was recorded. */
type ReadCase = Replayable & { references: References };

/** Replays the cases in one deployment and compares them; the results come in the order of the cases. */
export async function runCases(cases: readonly RecordedCase[]): Promise<CaseResult[]> {
  const read = cases.map(readCase);
  const readable = read.filter((each): each is ReadCase => !("message" in each));
  const deployment = readable.length === 0 ? undefined : await startDeployment();
  try {
    const outcomes = deployment === undefined ? new Map<string, Outcome | Error>() : await replay(deployment, readable);
    return read.map((each) => {
      if ("message" in each) {
        return { name: each.name, verdict: { kind: "error", message: each.message }, fields: [] };
      }
      const { name, given, references } = each;
      const actual = outcomes.get(name);
      if (actual === undefined || actual instanceof Error) {
        return { name, verdict: { kind: "error", message: actual?.message ?? "it was not replayed" }, fields: [] };
      }
      const [first] = Object.entries(references) as [Reference, Outcome][];
      const fields = first === undefined ? [] : differingFields(first[0], first[1], actual);
      return { name, verdict: compare(given, actual, references), fields };
    });
  } finally {
    await deployment?.stop();
  }
}

function readCase({
  case: name,
  given: givenAsIs,
  cinder,
  seed,
}: RecordedCase): ReadCase | { name: string; message: string } {
  try {
    const given = parseGiven(givenAsIs);
    const references = referencesOf(cinder, seed, given);
    if (Object.keys(references).length === 0) {
      throw new Error("nothing was recorded that it could be compared with");
    }
    return { name, given, references };
  } catch (error) {
    return { name, message: describeError(error).message };
  }
}

function referencesOf(cinder: RecordedCase["cinder"], seed: RecordedCase["seed"], given: Given): References {
  const zed = recordedOutcome(cinder, "cinder", given);
  const old = recordedOutcome(seed, "seed", given);
  return { ...(zed !== undefined && { cinder: zed }), ...(old !== undefined && { seed: old }) };
}

/** The rows of the list that no case needed. */
export function unusedRows(results: readonly CaseResult[]): number[] {
  const used = new Set(results.flatMap(({ verdict }) => ("numbers" in verdict ? verdict.numbers : [])));
  return DIFFERENCES.map(({ number }) => number).filter((number) => !used.has(number));
}
