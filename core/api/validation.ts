import { pythonRepr } from "../text/python-str.ts";
import { badRequest, type ApiError } from "./errors.ts";

/**
 * The part of JSON Schema that Cinder's schemas use, with the messages of Python's jsonschema: clients show them, and operators know
 * them. The schemas are data, copied from cinder/api/schemas; a general validator of npm has other messages and several times the
 * size of this file.
 */

export type JsonType = "string" | "integer" | "boolean" | "object" | "array" | "null" | "number";

/** See {@link validateBody}. Keywords are checked in the order in which a schema has them. */
export type Schema = {
  readonly type?: JsonType | readonly JsonType[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean;
  readonly required?: readonly string[];
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly enum?: readonly unknown[];
  readonly items?: Schema;
  readonly oneOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly format?: Format;
};

/** Describes the problem of a value; the message replaces the usual one when it is an error. */
export type Format = (value: unknown) => ApiError | string | undefined;

type Issue = { path: readonly string[]; value: unknown; message: string; error?: ApiError };

/**
 * Checks the body of a request.
 *
 * @throws ApiError 400 that names the field, its value, and the problem
 */
export function validateBody(schema: Schema, body: unknown): void {
  const issue = firstIssue(schema, body, []);
  if (issue === undefined) {
    return;
  }
  if (issue.error !== undefined) {
    throw issue.error;
  }
  const field = issue.path.at(-1);
  throw badRequest(
    field === undefined
      ? cut(issue.message)
      : `Invalid input for field/attribute ${cut(field)}. Value: ${cut(textOf(issue.value))}. ${cut(issue.message)}`,
  );
}

/** Longest part of a message: a client's value may be as long as a request. */
const LONGEST_PART = 1_000;

function cut(text: string): string {
  return text.length <= LONGEST_PART ? text : `${text.slice(0, LONGEST_PART)}...`;
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : pythonRepr(value);
}

function firstIssue(schema: Schema, value: unknown, path: readonly string[]): Issue | undefined {
  for (const keyword of Object.keys(schema) as (keyof Schema)[]) {
    const issue = checkKeyword(keyword, schema, value, path);
    if (issue !== undefined) {
      return issue;
    }
  }
  return undefined;
}

function checkKeyword(
  keyword: keyof Schema,
  schema: Schema,
  value: unknown,
  path: readonly string[],
): Issue | undefined {
  if (keyword === "properties" || keyword === "patternProperties" || keyword === "items") {
    return nestedIssue(keyword, schema, value, path);
  }
  if (keyword === "format") {
    const wrong = schema.format?.(value);
    if (wrong === undefined) {
      return undefined;
    }
    return typeof wrong === "string" ? { path, value, message: wrong } : { path, value, message: "", error: wrong };
  }
  const message = MESSAGES[keyword](schema, value);
  return message === undefined ? undefined : { path, value, message };
}

function nestedIssue(
  keyword: "properties" | "patternProperties" | "items",
  schema: Schema,
  value: unknown,
  path: readonly string[],
): Issue | undefined {
  if (keyword === "items") {
    const items = Array.isArray(value) ? value : [];
    return first(items.entries(), ([index, item]) => firstIssue(schema.items ?? {}, item, [...path, String(index)]));
  }
  if (!isObject(value)) {
    return undefined;
  }
  if (keyword === "properties") {
    return first(Object.entries(schema.properties ?? {}), ([name, each]) =>
      Object.hasOwn(value, name) ? firstIssue(each, value[name], [...path, name]) : undefined,
    );
  }
  return first(Object.entries(schema.patternProperties ?? {}), ([pattern, each]) =>
    first(Object.entries(value), ([name, item]) =>
      new RegExp(pattern, "u").test(name) ? firstIssue(each, item, [...path, name]) : undefined,
    ),
  );
}

function first<Item>(items: Iterable<Item>, check: (item: Item) => Issue | undefined): Issue | undefined {
  for (const item of items) {
    const issue = check(item);
    if (issue !== undefined) {
      return issue;
    }
  }
  return undefined;
}

type Check = (schema: Schema, value: unknown) => string | undefined;

const MESSAGES: Readonly<
  Record<Exclude<keyof Schema, "properties" | "patternProperties" | "items" | "format">, Check>
> = {
  type: ({ type = [] }, value) => {
    const types = [type].flat();
    return types.some((each) => isOfType(value, each))
      ? undefined
      : `${pythonRepr(value)} is not of type ${types.map((each) => `'${each}'`).join(", ")}`;
  },
  additionalProperties: (schema, value) =>
    schema.additionalProperties === false ? unexpected(schema, value) : undefined,
  required: ({ required = [] }, value) => {
    const missing = isObject(value) ? required.find((name) => !Object.hasOwn(value, name)) : undefined;
    return missing === undefined ? undefined : `'${missing}' is a required property`;
  },
  minProperties: ({ minProperties = 0 }, value) =>
    isObject(value) && Object.keys(value).length < minProperties
      ? `${pythonRepr(value)} does not have enough properties`
      : undefined,
  maxProperties: ({ maxProperties = Infinity }, value) =>
    isObject(value) && Object.keys(value).length > maxProperties
      ? `${pythonRepr(value)} has too many properties`
      : undefined,
  minLength: ({ minLength = 0 }, value) =>
    typeof value === "string" && lengthOf(value) < minLength ? `${pythonRepr(value)} is too short` : undefined,
  maxLength: ({ maxLength = Infinity }, value) =>
    typeof value === "string" && lengthOf(value) > maxLength ? `${pythonRepr(value)} is too long` : undefined,
  pattern: ({ pattern = "" }, value) =>
    typeof value === "string" && !new RegExp(pattern, "u").test(value)
      ? `${pythonRepr(value)} does not match '${pattern}'`
      : undefined,
  minimum: ({ minimum = -Infinity }, value) => {
    const number = numberOf(value);
    return number !== undefined && number < minimum ? `${number} is less than the minimum of ${minimum}` : undefined;
  },
  maximum: ({ maximum = Infinity }, value) => {
    const number = numberOf(value);
    return number !== undefined && number > maximum ? `${number} is greater than the maximum of ${maximum}` : undefined;
  },
  enum: ({ enum: allowed = [] }, value) =>
    allowed.includes(value) ? undefined : `${pythonRepr(value)} is not one of ${pythonRepr(allowed)}`,
  oneOf: ({ oneOf = [] }, value) => matchMessage(oneOf, value),
  anyOf: ({ anyOf = [] }, value) => matchMessage(anyOf, value),
};

function matchMessage(schemas: readonly Schema[], value: unknown): string | undefined {
  return schemas.some((each) => firstIssue(each, value, []) === undefined)
    ? undefined
    : `${pythonRepr(value)} is not valid under any of the given schemas`;
}

function unexpected({ properties = {}, patternProperties }: Schema, value: unknown): string | undefined {
  if (!isObject(value)) {
    return undefined;
  }
  const patterns = Object.keys(patternProperties ?? {});
  const extra = Object.keys(value).filter(
    (name) => !Object.hasOwn(properties, name) && !patterns.some((pattern) => new RegExp(pattern, "u").test(name)),
  );
  if (extra.length === 0) {
    return undefined;
  }
  const names = extra.map((name) => pythonRepr(name)).join(", ");
  if (patterns.length > 0) {
    const verb = extra.length === 1 ? "does" : "do";
    return `${names} ${verb} not match any of the regexes: ${patterns.map((pattern) => `'${pattern}'`).join(", ")}`;
  }
  return `Additional properties are not allowed (${names} ${extra.length === 1 ? "was" : "were"} unexpected)`;
}

/** Length of a text as Python counts it, in code points. */
export function lengthOf(text: string): number {
  return Array.from(text).length;
}

/** Cinder compares the integer value of a text. */
function numberOf(value: unknown): number | undefined {
  if (typeof value === "number") {
    return value;
  }
  return typeof value === "string" && /^\s*[+-]?\d+\s*$/.test(value) ? Number(value) : undefined;
}

/** An object out of JSON. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isOfType(value: unknown, type: JsonType): boolean {
  switch (type) {
    case "string":
      return typeof value === "string";
    case "integer":
      return typeof value === "number" && Number.isInteger(value);
    case "number":
      return typeof value === "number";
    case "boolean":
      return typeof value === "boolean";
    case "object":
      return isObject(value);
    case "array":
      return Array.isArray(value);
    case "null":
      return value === null;
    default:
      return type satisfies never;
  }
}
