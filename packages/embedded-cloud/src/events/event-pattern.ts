import { isJsonObject } from "../json.ts";
import type { JsonObject, JsonValue } from "../json.ts";

/** The reason why a pattern is not supported: only lists of exact values, nested like the event, are. */
export function patternProblems(pattern: JsonValue | undefined, path = ""): string[] {
  if (!isJsonObject(pattern)) return ["EventPattern is not an object"];
  return Object.entries(pattern).flatMap(([key, expected]) => {
    const where = path === "" ? key : `${path}.${key}`;
    if (Array.isArray(expected)) {
      return expected.some((value) => typeof value === "object" && value !== null)
        ? [`EventPattern ${where}: only exact values are supported by the embedded cloud`]
        : [];
    }
    if (key.startsWith("$")) return [`EventPattern ${where} is not supported by the embedded cloud`];
    return patternProblems(expected, where);
  });
}

/** EventBridge's matching: every key of the pattern is in the event, with one of the listed values (or sharing one, for a list). */
export function matchesPattern(pattern: JsonObject, event: JsonObject): boolean {
  return Object.entries(pattern).every(([key, expected]) => {
    const actual = event[key];
    if (!Array.isArray(expected))
      return isJsonObject(expected) && isJsonObject(actual) && matchesPattern(expected, actual);
    const values = Array.isArray(actual) ? actual : [actual];
    return values.some((value) => value !== undefined && expected.includes(value));
  });
}
