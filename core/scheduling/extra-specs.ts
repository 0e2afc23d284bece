/** Extra spec operators (`cinder/scheduler/filters/extra_specs_ops.py`). */

import { compareText, isMapping, pythonFloat, splitWords, strip } from "./python-values.ts";

type Operator = (capability: unknown, word: string) => boolean;

/** Values that oslo.utils' `bool_from_string` reads as true; everything else is false. */
const TRUE_TEXTS: ReadonlySet<string> = new Set(["1", "t", "true", "on", "y", "yes"]);

const OPERATORS: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  // "At least", as Cinder has it: "= 10" is met by a capability of 11.
  ["=", numeric((capability, word) => capability >= word)],
  [">=", numeric((capability, word) => capability >= word)],
  ["<=", numeric((capability, word) => capability <= word)],
  ["==", numeric((capability, word) => capability === word)],
  ["!=", numeric((capability, word) => capability !== word)],
  ["s==", (capability, word) => capability === word],
  ["s!=", (capability, word) => capability !== word],
  ["s<", ordering((order) => order < 0)],
  ["s<=", ordering((order) => order <= 0)],
  ["s>", ordering((order) => order > 0)],
  ["s>=", ordering((order) => order >= 0)],
  ["<in>", contains],
  ["<is>", (capability, word) => readAsBoolean(capability) === readAsBoolean(word)],
]);

/**
 * Whether a capability meets the requirement of an extra spec.
 *
 * Where Cinder's operators raise (a number where a text is needed, a list where a number is needed, a lone `<or>`), there is no
 * match: see `DEFINED_ANSWERS`.
 *
 * @param capability any value of a driver's report, one element if the report has a list
 * @param requirement the spec's value; null asks for a null capability, anything else that is not a string never matches
 */
export function matchExtraSpec(capability: unknown, requirement: unknown): boolean {
  if (requirement === null || requirement === undefined) {
    return capability === null || capability === undefined;
  }
  if (typeof requirement !== "string") {
    return false;
  }
  const [first = "", ...words] = splitWords(requirement);
  const operator = OPERATORS.get(first);
  if (operator === undefined && first !== "<or>") {
    return capability === requirement;
  }
  if (capability === null || capability === undefined) {
    return false;
  }
  if (operator === undefined) {
    return words.some((word, position) => position % 2 === 0 && word === capability);
  }
  const [word] = words;
  return word !== undefined && operator(capability, word);
}

function numeric(compare: (capability: number, word: number) => boolean): Operator {
  return (capability, word) => {
    const left = pythonFloat(capability);
    const right = pythonFloat(word);
    return left !== null && right !== null && compare(left, right);
  };
}

function ordering(holds: (order: number) => boolean): Operator {
  return (capability, word) => typeof capability === "string" && holds(compareText(capability, word));
}

/** Python's `in`: substring of a text, element of a list, key of a mapping. */
function contains(capability: unknown, word: string): boolean {
  if (typeof capability === "string") {
    return capability.includes(word);
  }
  if (Array.isArray(capability)) {
    return capability.includes(word);
  }
  return isMapping(capability) && Object.hasOwn(capability, word);
}

function readAsBoolean(value: unknown): boolean {
  if (typeof value === "string" || typeof value === "number") {
    return TRUE_TEXTS.has(strip(String(value)).toLowerCase());
  }
  return value === true;
}
