import * as v from "valibot";
import { InvalidInput } from "./errors.ts";
import { isPathOfSecret } from "./secrets.ts";
import { unknownName } from "./suggestion.ts";

/**
 * Cinder's cast `create_volume` to the scheduler, as it stands in the scheduler queue, and the workflow's input that scheduling
 * makes of it. Both are checked at the boundary; unknown keys of `request_spec` and `filter_properties` travel along untouched,
 * because other services read them.
 */

const uuid = (what: string) => v.pipe(v.string(`${what} must be a string`), v.uuid(`${what} must be a UUID`));
const looseObject = v.record(v.string(), v.unknown());

/** Name of the secret that holds the caller's token. The value is not told when it is wrong: it may be a token. */
export const AuthSecret = v.optional(
  v.nullable(
    v.pipe(v.string(), v.check(isPathOfSecret, "must be the name of a secret, such as cinderless/tokens/NAME")),
  ),
);

/**
 * The caller, as far as the flow needs it. Every other key of the context is dropped here, at the boundary, so that no token can
 * reach a state document, a message or a log.
 */
const RequestContextSchema = v.object({
  request_id: v.optional(v.string(), ""),
  user_id: v.optional(v.nullable(v.string()), null),
  project_id: v.optional(v.nullable(v.string()), null),
  is_admin: v.optional(v.boolean(), false),
  roles: v.optional(v.array(v.string()), []),
  auth_secret: AuthSecret,
});

/** See {@link RequestContextSchema}. */
export type RequestContext = v.InferOutput<typeof RequestContextSchema>;

const CreateVolumeMessageSchema = v.object({
  context: RequestContextSchema,
  volume_id: uuid("volume_id"),
  image_id: v.optional(v.nullable(v.string()), null),
  snapshot_id: v.optional(v.nullable(uuid("snapshot_id")), null),
  source_volid: v.optional(v.nullable(uuid("source_volid")), null),
  request_spec: v.optional(v.nullable(looseObject), null),
  filter_properties: v.optional(v.nullable(looseObject), null),
});

/** The body of a message in the scheduler queue. */
export type CreateVolumeMessage = v.InferOutput<typeof CreateVolumeMessageSchema>;

/** What the workflow starts with. Everything a task needs and no data: records stay in their tables. */
export type WorkflowInput = {
  context: RequestContext;
  volume_id: string;
  attempt: number;
  fence: string;
  host: string;
  image_id: string | null;
  snapshot_id: string | null;
  source_volid: string | null;
  request_spec: Record<string, unknown>;
  filter_properties: Record<string, unknown>;
  /** Whether a failure that allows it goes back to the scheduler: the request names a retry and a spec. */
  allow_reschedule: boolean;
  /** Filled by the workflow when rescheduling failed; there from the start, because a task's input names it. */
  reschedule_failure: null;
};

/**
 * Reads a scheduler message.
 *
 * @throws InvalidInput that names each field that is wrong.
 */
export function parseCreateVolumeMessage(body: string): CreateVolumeMessage {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (error) {
    throw new InvalidInput(
      `the message is no JSON (${error instanceof Error ? withoutExcerpt(error.message) : "unreadable"})`,
    );
  }
  return parseOrThrow(CreateVolumeMessageSchema, value, "message");
}

/** V8 quotes what stands around the fault, which may be a token. */
function withoutExcerpt(message: string): string {
  return message.replace(/,? (?:\.\.\.)?".*$/s, "");
}

/**
 * The volume that an unreadable message names, if it names one. A lost message is a stuck volume, so whoever drops the message
 * must be able to say so on the volume.
 */
export function volumeIdNamedBy(body: string): string | undefined {
  try {
    const result = v.safeParse(v.object({ volume_id: uuid("volume_id") }), JSON.parse(body));
    return result.success ? result.output.volume_id : undefined;
  } catch {
    return undefined;
  }
}

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
    const plain = plainWords(issue);
    if (plain !== undefined) {
      return `${path === null ? "it" : placeOf(path)} ${plain}`;
    }
    return path === null ? withoutText(issue) : `${placeOf(path)}: ${withoutText(issue)}`;
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
