import type { RecordedCase } from "../../verify/conformance/cases.ts";
import { type Given, parseGiven } from "../../verify/conformance/cases.ts";
import type { References } from "../../verify/conformance/compare.ts";
import type { Outcome } from "../../verify/conformance/outcome.ts";
import { recordedOutcome } from "../../verify/conformance/recorded-outcome.ts";
import ends from "../data/conformance-ends.json" with { type: "json" };
import recorded from "../data/create-volume-cases.json" with { type: "json" };
import moreKinds from "../data/more-kinds-cases.json" with { type: "json" };

/** The recorded cases. */
export const CASES = [...recorded, ...moreKinds] as unknown as RecordedCase[];

/** A recorded case, read. */
export function caseNamed(name: string): { given: Given; references: References } {
  const found = CASES.find(({ case: each }) => each === name);
  if (found === undefined) {
    throw new Error(`no case ${name}`);
  }
  const given = parseGiven(found.given);
  const cinder = recordedOutcome(found.cinder, "cinder", given);
  const seed = recordedOutcome(found.seed, "seed", given);
  return { given, references: { ...(cinder !== undefined && { cinder }), ...(seed !== undefined && { seed }) } };
}

/** How some of the cases end here, as the workflow was seen to end them. */
export const ENDS = ends as unknown as Record<string, Outcome>;

/** How one of them ends here. */
export function endOf(name: string): Outcome {
  const end = ENDS[name];
  if (end === undefined) {
    throw new Error(`no end of ${name}`);
  }
  return end;
}
