import * as v from "valibot";
import { InvalidInput } from "../errors.ts";
import { unknownName } from "../text/suggestion.ts";

/** Checks foreign values against a schema, and describes their errors. */

/**
 * Checks a value against a schema.
 *
 * @param placeOf the text of a path, if its beginning has a better name, such as an index
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

/** The error of a key that a strict object does not have; undefined for any other issue, and for a variant without a single list. */
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

/** The error text after the field's name. */
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

/** The error text for schemas without their own: a value is missing, or has another type. */
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

/** Valibot quotes a text in place of another type, which may be a token, or as long as a message. */
function withoutText({ message, received }: v.BaseIssue<unknown>): string {
  return received.startsWith('"') ? message.replace(received, () => "a string") : message;
}
