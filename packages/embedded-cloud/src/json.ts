/** Any JSON value. */
export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject;

/** A JSON object. A key that is absent and a key that holds `undefined` mean the same. */
export type JsonObject = { [key: string]: JsonValue | undefined };

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value as an object, or an empty one: for optional sections of a template. */
export function objectOrEmpty(value: unknown): JsonObject {
  return isJsonObject(value) ? value : {};
}

export function arrayOrEmpty(value: unknown): JsonValue[] {
  return Array.isArray(value) ? (value as JsonValue[]) : [];
}

/** Text of a scalar as CloudFormation coerces it: numbers and booleans may replace a string. */
export function scalarText(value: JsonValue | undefined): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return undefined;
}

/** A number, or the number that a string spells (CloudFormation accepts both). */
export function numberOf(value: JsonValue | undefined): number | undefined {
  if (typeof value === "number") return value;
  if (typeof value === "string" && value.trim() !== "" && Number.isFinite(Number(value))) return Number(value);
  return undefined;
}

/** A boolean, or the one that a string spells (CloudFormation accepts both). */
export function booleanOf(value: JsonValue | undefined): boolean | undefined {
  if (typeof value === "boolean") return value;
  if (value === "true") return true;
  if (value === "false") return false;
  return undefined;
}

/** Text of a value for a name or a message: a scalar unchanged, anything else as JSON, the fallback for a missing value. */
export function textOf(value: JsonValue | undefined, fallback = ""): string {
  if (value === undefined || value === null) return fallback;
  return scalarText(value) ?? JSON.stringify(value);
}
