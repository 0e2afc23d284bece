import { isDeepStrictEqual } from "node:util";
import type { Given } from "./cases.ts";
import { DIFFERENCES, type Difference } from "./differences.ts";
import type { Outcome } from "./outcome.ts";

/** Whose recording. */
export type Reference = "cinder" | "seed";

/** The comparable part of a case's recording. */
export type References = Partial<Record<Reference, Outcome>>;

/** How a case compares. `different`: no recording, and no row of the list, explains what was done here. */
export type Verdict =
  | { kind: "same as both" | "same as Cinder" | "same as seed" }
  | { kind: "deliberate difference"; from: Reference; numbers: number[] }
  | { kind: "different"; fields: FieldDifference[] };

/** A field that no explanation covers, as it should be and as it is. */
export type FieldDifference = { field: string; from: Reference; expected: unknown; actual: unknown };

/** Rows that may work together on one case. More of them would explain anything. */
const MOST_ROWS = 4;

/**
 * Compares what was done with what was recorded. Equal to a recording it is the same; otherwise the smallest set of rows is looked
 * for that, one after the other, make of a recording exactly what was done, in every field.
 */
export function compare(
  given: Given,
  actual: Outcome,
  references: References,
  differences: readonly Difference[] = DIFFERENCES,
): Verdict {
  const { cinder, seed } = references;
  const sameAs = (reference: Outcome | undefined): boolean => reference !== undefined && isSame(reference, actual);
  if (sameAs(cinder) || sameAs(seed)) {
    // Fields without a recording cannot be equal.
    return { kind: !sameAs(seed) ? "same as Cinder" : sameAs(cinder) ? "same as both" : "same as seed" };
  }
  const concerning = differences.filter((row) => row.concerns(given));
  const explained = explanations(given, actual, references, concerning);
  if (explained !== undefined) {
    return { kind: "deliberate difference", ...explained };
  }
  return { kind: "different", fields: closestFields(given, actual, references, concerning) };
}

function explanations(
  given: Given,
  actual: Outcome,
  references: References,
  differences: readonly Difference[],
): { from: Reference; numbers: number[] } | undefined {
  for (let size = 1; size <= MOST_ROWS; size += 1) {
    for (const [from, recorded] of Object.entries(references) as [Reference, Outcome][]) {
      for (const rows of subsets(differences, size)) {
        if (isSame(expectedUnder(rows, given, recorded, actual), actual)) {
          return { from, numbers: rows.map(({ number }) => number) };
        }
      }
    }
  }
  return undefined;
}

/** A recording with the rows' changes made to it, in the order of the list. */
function expectedUnder(rows: readonly Difference[], given: Given, recorded: Outcome, actual: Outcome): Outcome {
  return rows.reduce<Outcome>((expected, row) => row.expect({ given, expected, actual }) ?? expected, recorded);
}

/** Every choice of that many, in the order of the list. */
function* subsets<Item>(items: readonly Item[], size: number): Generator<Item[]> {
  if (size === 0) {
    yield [];
    return;
  }
  for (const [index, item] of items.entries()) {
    for (const others of subsets(items.slice(index + 1), size - 1)) {
      yield [item, ...others];
    }
  }
}

/** Whether an outcome is as expected; fields that a recording lacks are not compared. */
export function isSame(expected: Outcome, actual: Outcome): boolean {
  return isDeepStrictEqual(fieldsOf(expected, actual), fieldsOf(actual, actual));
}

/** The fields that differ from the recording which comes closest, with whatever rows bring it closest. */
function closestFields(
  given: Given,
  actual: Outcome,
  references: References,
  differences: readonly Difference[],
): FieldDifference[] {
  let closest: FieldDifference[] | undefined;
  for (const [from, recorded] of Object.entries(references) as [Reference, Outcome][]) {
    for (let size = 0; size <= 2; size += 1) {
      for (const rows of subsets(differences, size)) {
        const fields = differingFields(from, expectedUnder(rows, given, recorded, actual), actual);
        if (closest === undefined || fields.length < closest.length) {
          closest = fields;
        }
      }
    }
  }
  return closest ?? [];
}

/** The fields in which an outcome is not as expected. */
export function differingFields(from: Reference, expected: Outcome, actual: Outcome): FieldDifference[] {
  const wanted = fieldsOf(expected, actual);
  const found = fieldsOf(actual, actual);
  return Object.keys({ ...wanted, ...found })
    .filter((field) => !isDeepStrictEqual(wanted[field], found[field]))
    .map((field) => ({ field, from, expected: wanted[field], actual: found[field] }));
}

/** An outcome by fields: each column of the row is one. Missing fields are taken from the other. */
function fieldsOf({ volume, casts, ...others }: Outcome, told: Outcome): Record<string, unknown> {
  const columns = Object.entries(volume ?? { row: "gone" }).map(([column, value]) => [`volume.${column}`, value]);
  return {
    ...Object.fromEntries(columns),
    ...others,
    casts: casts.map((cast, index) => filled(cast, told.casts[index])),
  };
}

/** An object with what is undefined in it taken from another. */
function filled(told: unknown, other: unknown): unknown {
  if (told === undefined) {
    return other;
  }
  if (typeof told !== "object" || told === null || Array.isArray(told)) {
    return told;
  }
  const from = (other ?? {}) as Record<string, unknown>;
  return Object.fromEntries(Object.entries(told).map(([key, value]) => [key, filled(value, from[key])]));
}
