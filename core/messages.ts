import * as v from "valibot";
import { bytesOf, messageText, requireWithinBudget } from "./byte-budget.ts";
import { InvalidInput } from "./errors.ts";
import { ImageReference, Uuid } from "./identifiers.ts";
import { isMapping } from "./scheduling/python-values.ts";
import { ATTEMPTS_BEFORE, MOST_ATTEMPTS, MOST_ATTEMPTS_BEFORE } from "./scheduling/retry.ts";
import { isPathOfSecret, MAX_DEPTH } from "./secrets.ts";
import { unknownName } from "./suggestion.ts";

/**
 * Cinder's cast `create_volume` to the scheduler, as it stands in the scheduler queue, and the workflow's input that scheduling
 * makes of it. Both are checked at the boundary; unknown keys of `request_spec` and `filter_properties` travel along untouched,
 * because other services read them.
 */

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

/** Entries of a list that the scheduler reads, more than any cloud has; and the longest of them, Cinder's column. */
const MOST_LISTED = 1_000;
const LONGEST_NAME = 255;

const Name = v.pipe(v.string(), v.maxLength(LONGEST_NAME, `must have at most ${LONGEST_NAME} characters`));
const Names = v.pipe(v.array(Name), v.maxLength(MOST_LISTED, `must have at most ${MOST_LISTED} entries`));
const attemptsUpTo = (most: number) => {
  const rule = `must be a whole number from 0 to ${most}`;
  return v.pipe(v.number(rule), v.integer(rule), v.minValue(0, rule), v.maxValue(most, rule));
};

/** A mapping is returned as it came: a schema would leave out keys such as `constructor`, and lose what other services read. */
function mappingOf(entries: v.ObjectEntries) {
  const schema = v.looseObject(entries);
  return v.pipe(
    v.custom<Record<string, unknown>>(isMapping, ({ input }) => `must be an object, not ${kindOf(input)}`),
    v.rawCheck(({ dataset, addIssue }) => {
      const { issues = [] } = dataset.typed ? v.safeParse(schema, dataset.value) : {};
      for (const issue of issues) {
        addIssue({ message: wordsOf(issue), ...(issue.path === undefined ? {} : { path: issue.path }) });
      }
    }),
  );
}

/** What a value is, without the value, which may be a token. */
function kindOf(value: unknown): string {
  if (value === null) {
    return "null";
  }
  return Array.isArray(value) ? "a list" : `a ${typeof value}`;
}

const Properties = mappingOf({
  size: v.nullish(v.number()),
  availability_zone: v.nullish(Name),
  user_id: v.nullish(v.string()),
  metadata: v.nullish(mappingOf({})),
});

/** What the code reads of a request spec; see `RequestSpec` in `core/scheduling/request.ts`. */
const RequestSpecSchema = mappingOf({
  image_id: v.nullish(ImageReference),
  volume_type: v.nullish(
    mappingOf({
      id: v.nullish(v.string()),
      name: v.nullish(v.string()),
      extra_specs: v.nullish(
        v.custom<Record<string, string | null>>(
          (specs) =>
            isMapping(specs) && Object.values(specs).every((spec) => spec === null || typeof spec === "string"),
          "must be an object of strings",
        ),
      ),
    }),
  ),
  volume_properties: v.nullish(Properties),
  resource_properties: v.nullish(Properties),
  availability_zones: v.nullish(Names),
  resource_backend: v.nullish(Name),
});

/** What the code reads of filter properties. Sizes, zones and types among them are overwritten by those of the record and the spec. */
const FilterPropertiesSchema = mappingOf({
  retry: v.nullish(
    mappingOf({
      num_attempts: v.nullish(attemptsUpTo(MOST_ATTEMPTS)),
      backends: v.nullish(Names),
      hosts: v.nullish(Names),
      [ATTEMPTS_BEFORE]: v.nullish(attemptsUpTo(MOST_ATTEMPTS_BEFORE)),
    }),
  ),
});

const CreateVolumeMessageSchema = v.object({
  context: RequestContextSchema,
  volume_id: Uuid,
  image_id: v.optional(v.nullable(ImageReference), null),
  snapshot_id: v.optional(v.nullable(Uuid), null),
  source_volid: v.optional(v.nullable(Uuid), null),
  request_spec: v.optional(v.nullable(RequestSpecSchema), null),
  filter_properties: v.optional(v.nullable(FilterPropertiesSchema), null),
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
 * Reads a scheduler message. Everything that the flow reads of it is checked here, and nowhere later: types, counts, nesting, bytes.
 *
 * @throws InvalidInput that names each field that is wrong.
 */
export function parseCreateVolumeMessage(body: string): CreateVolumeMessage {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (error) {
    throw new InvalidInput(
      `the message is not valid JSON (${error instanceof Error ? withoutExcerpt(error.message) : "unreadable"})`,
    );
  }
  requireShallow(value);
  const message = parseOrThrow(CreateVolumeMessageSchema, value, "message");
  const { retry: _retry, ...properties } = message.filter_properties ?? {};
  requireWithinBudget(bytesOf(messageText({ ...message, filter_properties: properties })), "the message");
  return message;
}

/** Level by level and not by recursion: nesting without end must not exhaust the stack. */
function requireShallow(value: unknown): void {
  let level: { field: string; entry: unknown }[] = [{ field: "it", entry: value }];
  for (let depth = 0; level.length > 0; depth += 1) {
    const [first] = level;
    if (depth >= MAX_DEPTH && first !== undefined) {
      throw new InvalidInput(`message: ${first.field} nests deeper than ${MAX_DEPTH} levels`);
    }
    level = level.flatMap(({ field, entry }) =>
      typeof entry === "object" && entry !== null
        ? Object.entries(entry)
            .filter(([, inner]) => typeof inner === "object" && inner !== null)
            .map(([key, inner]: [string, unknown]) => ({ field: depth === 0 ? fieldOf(key) : field, entry: inner }))
        : [],
    );
  }
}

/** A key that is not known may be anything. */
function fieldOf(key: string): string {
  return Object.hasOwn(CreateVolumeMessageSchema.entries, key) ? key : "an unknown field";
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
    const result = v.safeParse(v.object({ volume_id: Uuid }), JSON.parse(body));
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
function wordsOf(issue: v.BaseIssue<unknown>): string {
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
