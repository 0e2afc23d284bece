import * as v from "valibot";
import { InvalidInput } from "./errors.ts";
import { unknownName } from "./suggestion.ts";

/** Checks of what comes from outside against a schema, and what is told of it when it is wrong. */

/**
 * Checks a value against a schema.
 *
 * @param placeOf how a path is told, where it begins with something that has a better name, such as an index
 * @throws InvalidInput with one line that names each issue and its path; of an unknown key also the known ones.
 */
export function parseOrThrow<Schema extends v.GenericSchema>(
  schema: Schema,
  value: unknown,
  what: string,
  placeOf: (path: string) => string = (path) => path,
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, value);
  if (result.success) {
    return result.output;
  }
  const issues = result.issues.map((issue) => {
    const path = v.getDotPath(issue);
    const unknown = unknownKey(schema, issue);
    if (unknown !== undefined) {
      const parent = path?.split(".").slice(0, -1).join(".") ?? "";
      return parent === "" ? unknown : `${placeOf(parent)}: ${unknown}`;
    }
    const words = wordsOf(issue);
    const follows = /^(?:must|is|has) /.test(words);
    if (path === null && !follows) {
      return words;
    }
    return `${path === null ? "it" : placeOf(path)}${follows ? "" : ":"} ${words}`;
  });
  throw new InvalidInput(`${what}: ${issues.join("; ")}`);
}

/** What is wrong with a key that a strict object does not have; undefined for any other issue, and where a variant has no one list. */
function unknownKey(schema: v.GenericSchema, { type, expected, path }: v.BaseIssue<unknown>): string | undefined {
  const key = path?.at(-1)?.key;
  if (type !== "strict_object" || expected !== "never" || path === undefined || typeof key !== "string") {
    return undefined;
  }
  let known: SchemaParts | undefined = schema as SchemaParts;
  for (const step of path.slice(0, -1)) {
    known = partAt(known, step.key);
  }
  const entries = objectOf(known)?.entries;
  return entries === undefined ? undefined : unknownName("option", key, Object.keys(entries));
}

/** The parts of valibot's schemas that lead to an object's keys. */
type SchemaParts = {
  entries?: Record<string, SchemaParts>;
  item?: SchemaParts;
  wrapped?: SchemaParts;
};

function partAt(schema: SchemaParts | undefined, key: unknown): SchemaParts | undefined {
  const part = objectOf(schema);
  return part?.item ?? part?.entries?.[String(key)];
}

function objectOf(schema: SchemaParts | undefined): SchemaParts | undefined {
  const wrapped = schema?.wrapped;
  return wrapped === undefined ? schema : objectOf(wrapped);
}

/** What is wrong, to follow the field's name. */
export function wordsOf(issue: v.BaseIssue<unknown>): string {
  return plainWords(issue) ?? withoutText(issue);
}

const EXPECTED: Readonly<Record<string, string>> = {
  Object: "an object",
  Array: "a list",
  string: "a string",
  number: "a number",
  boolean: "true or false",
};

/** What is wrong where the schema has no words of its own: something is missing, or is of another kind. */
function plainWords({ message, expected, received }: v.BaseIssue<unknown>): string | undefined {
  if (!message.startsWith("Invalid key: ") && !message.startsWith("Invalid type: ")) {
    return undefined;
  }
  if (received === "undefined") {
    return "is missing";
  }
  const kind = (expected !== null && Object.hasOwn(EXPECTED, expected) ? EXPECTED[expected] : expected) ?? "another";
  return `must be ${kind}, not ${received.startsWith('"') ? "a string" : received}`;
}

/** Valibot quotes a text that stands where something else is expected, which may be a token, or as long as a message. */
function withoutText({ message, received }: v.BaseIssue<unknown>): string {
  return received.startsWith('"') ? message.replace(received, () => "a string") : message;
}
