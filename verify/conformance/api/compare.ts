import type { Names } from "./names.ts";

/** Compares an answer with the recorded one: scalars by value, things of a list by the shape of the first of them. */

/** Maps whose keys are somebody's own. */
const MAPS = new Set(["metadata", "extra_specs", "volume_image_metadata", "capabilities", "specs"]);

/** Lists of which one thing was asked for, whose values count where there is one. */
const VALUES = new Set(["messages", "attachments", "volume.attachments"]);

/** Lists in which each part counts. */
const WHOLE = new Set(["links"]);

/** Differences, one line each: the path, and both values. */
export function differencesOf(recorded: unknown, actual: unknown, names: Names): string[] {
  return compare(recorded, actual, "", { names, onlyShape: false });
}

type How = { names: Names; onlyShape: boolean };

function compare(recorded: unknown, actual: unknown, path: string, how: How): string[] {
  if (Array.isArray(recorded) && Array.isArray(actual)) {
    return compareLists(recorded, actual, path, how);
  }
  if (isObject(recorded) && isObject(actual)) {
    return compareObjects(recorded, actual, path, how);
  }
  if (how.onlyShape) {
    const isNull = recorded === null || actual === null;
    return isNull || typeof recorded === typeof actual ? [] : [differs(path, recorded, actual)];
  }
  if (typeof recorded === "string" && typeof actual === "string") {
    return how.names.matches(recorded, actual) ? [] : [differs(path, how.names.fill(recorded).text, actual)];
  }
  return recorded === actual ? [] : [differs(path, recorded, actual)];
}

function compareLists(recorded: readonly unknown[], actual: readonly unknown[], path: string, how: How): string[] {
  const isWhole = WHOLE.has(path.slice(path.lastIndexOf(".") + 1));
  if (isWhole && recorded.length !== actual.length) {
    return [differs(`${path}.length`, recorded.length, actual.length)];
  }
  if (isWhole) {
    return recorded.flatMap((each, index) => compare(each, actual[index], `${path}.${index}`, how));
  }
  if ((recorded.length === 0) !== (actual.length === 0)) {
    return [differs(`${path}.length`, recorded.length, actual.length)];
  }
  const isOfValues = VALUES.has(path) && recorded.length === 1 && actual.length === 1;
  const onlyShape = how.onlyShape || !isOfValues;
  return recorded.length === 0 ? [] : compare(recorded[0], actual[0], `${path}.0`, { ...how, onlyShape });
}

function compareObjects(
  recorded: Record<string, unknown>,
  actual: Record<string, unknown>,
  path: string,
  how: How,
): string[] {
  const isMap = how.onlyShape && MAPS.has(path.slice(path.lastIndexOf(".") + 1));
  if (isMap) {
    return [];
  }
  const at = (key: string): string => (path === "" ? key : `${path}.${key}`);
  return [
    ...Object.keys(recorded).flatMap((key) =>
      Object.hasOwn(actual, key)
        ? compare(recorded[key], actual[key], at(key), how)
        : [`${at(key)}: missing, recorded ${shown(recorded[key])}`],
    ),
    ...Object.keys(actual)
      .filter((key) => !Object.hasOwn(recorded, key))
      .map((key) => `${at(key)}: not recorded, here ${shown(actual[key])}`),
  ];
}

function differs(path: string, recorded: unknown, actual: unknown): string {
  return `${path}: recorded ${shown(recorded)}, here ${shown(actual)}`;
}

const LONGEST = 300;

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}...` : text;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
