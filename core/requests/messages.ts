import * as v from "valibot";
import { bytesOf, messageText, requireWithinBudget } from "./byte-budget.ts";
import { InvalidInput } from "../errors.ts";
import { AuthSecret, ImageReference, Uuid } from "./identifiers.ts";
import { parseOrThrow, wordsOf } from "./parsing.ts";
import { isMapping } from "../scheduling/python-values.ts";
import { ATTEMPTS_BEFORE, MOST_ATTEMPTS, MOST_ATTEMPTS_BEFORE } from "../scheduling/retry.ts";
import { MAX_DEPTH } from "../text/secrets.ts";

/**
 * Cinder's cast `create_volume` to the scheduler, in the scheduler queue, and the workflow's input that scheduling makes from it. Both are
 * checked at the boundary; unknown keys of `request_spec` and `filter_properties` travel along untouched, because other services read them.
 */

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

/** The kind of a value, without the value, which may be a token. */
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

/** The used fields of a request spec; see `RequestSpec` in `core/scheduling/request.ts`. */
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

/** The used fields of filter properties. Sizes, zones and types among them are overwritten by those of the record and the spec. */
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

/** Input of the workflow. Everything a task needs and no data: records stay in their tables. */
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
  if (MAY_ALTER_NUMBERS.test(body)) {
    // Only now, because a reviver is called by recursion.
    JSON.parse(body, keptNumber as Reviver);
  }
  const message = parseOrThrow(CreateVolumeMessageSchema, value, "message");
  const { retry: _retry, ...properties } = message.filter_properties ?? {};
  requireWithinBudget(bytesOf(messageText({ ...message, filter_properties: properties })), "the message");
  return message;
}

/** A number that is not kept has 16 digits or more, or an exponent of three digits. A part of a hexadecimal UUID may look like one. */
const MAY_ALTER_NUMBERS = /\d{16}|\d[eE][+-]?\d{3}/;

/** A reviver as engines call it, which the types of the language do not have yet. */
type Reviver = (this: unknown, key: string, value: unknown) => unknown;

/**
 * Refuses a number that would leave in other digits than it came in: the next attempt gets the same request in a message, with keys that
 * are not known. Whole numbers up to 2^53 and what Python writes of a float are kept.
 *
 * @throws InvalidInput that names the key
 */
function keptNumber(this: unknown, key: string, value: unknown, { source }: { source?: string }): unknown {
  if (typeof value === "number" && source !== undefined && !isKept(value, source)) {
    const name = /^\w{1,64}$/.test(key) ? key : "an unknown field";
    throw new InvalidInput(`message: ${name} has a number that is not kept exactly; send it as a string`);
  }
  return value;
}

function isKept(value: number, source: string): boolean {
  return /^-?\d+$/.test(source) ? String(value) === source || value === 0 : Number.isFinite(value);
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

/** V8 quotes the text around the fault, which may be a token. */
function withoutExcerpt(message: string): string {
  return message.replace(/,? (?:\.\.\.)?".*$/s, "");
}

/**
 * The volume that an unreadable message names, if it names one. A lost message is a stuck volume, so code that drops a message must be able
 * to mark the volume.
 */
export function volumeIdNamedBy(body: string): string | undefined {
  try {
    const result = v.safeParse(v.object({ volume_id: Uuid }), JSON.parse(body));
    return result.success ? result.output.volume_id : undefined;
  } catch {
    return undefined;
  }
}
