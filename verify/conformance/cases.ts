import * as v from "valibot";
import { describeError } from "../../core/errors.ts";

/**
 * Cases recorded from Cinder 21.3.1 (`cinder`) and from the seed flow (`seed`): what was given, and what both did. Every key of
 * `given` is checked here, and a key that is not known makes its case an error: a case that is read half proves nothing.
 */

/** Name of an error that a case raises. `A-caused-by-B` is an A whose cause is a B. */
const raised = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z]\w*(?:-caused-by-[A-Za-z]\w*)?$/, "must be an error's name, or A-caused-by-B"),
);

const modelUpdate = v.nullable(v.strictObject({ provider_location: v.optional(v.string()) }));

/** Rows that can be gone, or go while the flow runs. `source` is the source volume, `origin` the volume of the snapshot. */
const ROWS = ["volume", "source", "snapshot", "origin"] as const;

/** See {@link ROWS}. */
export type Row = (typeof ROWS)[number];

/** The row that a hook of the driver deletes, as somebody else does while the driver works. */
export const DELETED_BY = {
  volume_deleted: "volume",
  source_deleted: "source",
  snapshot_deleted: "snapshot",
  origin_deleted: "origin",
} as const satisfies Record<string, Row>;

const HOOKS = ["source_status", ...(Object.keys(DELETED_BY) as (keyof typeof DELETED_BY)[])] as const;

/** The effect of a driver call: `hook` first, then `raise` or `return`. */
function driverCall<Return extends v.GenericSchema>(answer: Return) {
  return v.optional(
    v.strictObject({
      raise: v.optional(raised),
      return: v.optional(answer),
      /** `source_status`: the driver sets the source volume's status to backing-up. Others: see {@link DELETED_BY}. */
      hook: v.optional(v.picklist(HOOKS)),
    }),
  );
}

const DriverSchema = v.strictObject({
  initialized: v.optional(v.boolean()),
  create_volume: driverCall(modelUpdate),
  create_volume_from_snapshot: driverCall(modelUpdate),
  create_cloned_volume: driverCall(modelUpdate),
  clone_image: driverCall(v.tuple([modelUpdate, v.boolean()])),
  copy_image_to_volume: driverCall(v.null()),
  delete_volume: driverCall(v.null()),
});

/** Columns by which a failing `volume_update` can be picked: `match` is a column, or `column=value`. */
const MATCHABLE = ["status", "host", "bootable", "launched_at", "scheduled_at", "provider_location"];

/** A write of the database that fails, for the first `times` times, or always. */
const WriteFaultSchema = v.strictObject({
  op: v.picklist([
    "volume_update",
    "volume_glance_metadata_create",
    "volume_glance_metadata_bulk_create",
    "volume_glance_metadata_copy_to_volume",
    "volume_glance_metadata_copy_from_volume_to_volume",
  ]),
  match: v.optional(
    v.pipe(
      v.string(),
      v.check((text) => MATCHABLE.includes(text.split("=")[0] ?? ""), `must begin with one of ${MATCHABLE.join(", ")}`),
    ),
  ),
  raise: raised,
  times: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1))),
});

const rowColumns = {
  status: v.string(),
  size: v.pipe(v.number(), v.integer(), v.minValue(1)),
  bootable: v.boolean(),
  host: v.string(),
  migration_status: v.nullable(v.string()),
  /** Temporary volumes of Cinder's have none. No column here: they are announced as any other. */
  use_quota: v.boolean(),
};

const GivenSchema = v.strictObject({
  type: v.picklist(["raw", "snap", "source_vol", "image"]),
  also_source: v.optional(v.boolean(), false),
  also_image: v.optional(v.boolean(), false),
  /** The row when the flow starts; `volume` repeats what of it is unusual. */
  volume_row: v.strictObject({
    ...rowColumns,
    migration_status: v.optional(rowColumns.migration_status, null),
    use_quota: v.optional(rowColumns.use_quota, true),
  }),
  volume: v.optional(v.partial(v.strictObject(rowColumns)), {}),
  preexisting_glance_meta: v.optional(v.record(v.string(), v.string()), {}),

  allow_reschedule: v.boolean(),
  request_spec: v.picklist(["present", "empty_dict", "empty_ovo"]),
  filter_properties: v.optional(v.nullable(v.record(v.string(), v.unknown())), {}),
  /** Says in a word what `filter_properties.retry` is, which is what counts. */
  retry: v.optional(v.pipe(v.string(), v.regex(/^\w+$/))),
  /** Neither request_spec nor filter_properties came with the call. */
  none: v.optional(v.boolean(), false),
  reschedule_context: v.optional(v.boolean(), true),

  /** The source volume, or the volume that the snapshot was taken of. */
  src: v.optional(
    v.strictObject({
      status: v.optional(v.string(), "available"),
      bootable: v.optional(v.boolean(), false),
      glance_meta: v.optional(v.record(v.string(), v.string()), {}),
    }),
  ),
  gone: v.optional(v.picklist(ROWS)),
  /** A row that is deleted when the spec has been made. */
  gone_after_spec: v.optional(v.picklist(ROWS)),
  origin_lookup_fails: v.optional(v.boolean(), false),
  /** ExtractVolumeSpec's value in place of the type. */
  spec_type: v.optional(v.string()),

  image: v.optional(
    v.strictObject({
      /** Changes of the usual image; `<absent>` takes the attribute away. */
      meta: v.optional(v.record(v.string(), v.unknown()), {}),
      raise: v.optional(v.strictObject({ show: v.optional(raised), get_location: v.optional(raised) }), {}),
    }),
    {},
  ),
  /** The image as its service shows it, with those changes made. */
  image_meta: v.optional(v.record(v.string(), v.unknown())),

  driver: v.optional(DriverSchema, {}),
  db: v.optional(v.array(WriteFaultSchema), []),
  notify_raise: v.optional(
    v.strictObject({ "create.start": v.optional(raised), "create.end": v.optional(raised) }),
    {},
  ),
  scheduler_raise: v.optional(raised),
});

/** The input of a case. See {@link GivenSchema}. */
export type Given = v.InferOutput<typeof GivenSchema>;

/** A failing write. */
export type WriteFault = v.InferOutput<typeof WriteFaultSchema>;

const CaseSchema = v.object({
  case: v.string(),
  given: v.unknown(),
  cinder: v.optional(v.nullable(v.record(v.string(), v.unknown())), null),
  seed: v.optional(v.nullable(v.record(v.string(), v.unknown())), null),
});

/** A case of the file; `given` is read when it is its turn, so that one that cannot be read does not hide the others. */
export type RecordedCase = v.InferOutput<typeof CaseSchema>;

/**
 * Reads a file of cases.
 *
 * @throws Error with one line that says what is wrong with it.
 */
export function parseCases(text: string): RecordedCase[] {
  const result = v.safeParse(v.array(CaseSchema), parseJson(text));
  if (!result.success) {
    throw new Error(`no list of cases: ${issuesOf(result.issues)}`);
  }
  const names = result.output.map(({ case: name }) => name);
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated !== undefined) {
    throw new Error(`the case ${repeated} is there twice`);
  }
  return result.output;
}

/**
 * Reads what a case gives.
 *
 * @throws Error with one line that names each key that is not known or not right.
 */
export function parseGiven(given: unknown): Given {
  const result = v.safeParse(GivenSchema, given);
  if (!result.success) {
    throw new Error(issuesOf(result.issues));
  }
  const { volume, volume_row: row } = result.output;
  const contradicted = Object.entries(volume).find(([column, value]) => row[column as keyof typeof row] !== value);
  if (contradicted !== undefined) {
    throw new Error(`volume.${contradicted[0]} is not what volume_row says`);
  }
  return result.output;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`not valid JSON: ${describeError(error).message}`, { cause: error });
  }
}

function issuesOf(issues: readonly v.BaseIssue<unknown>[]): string {
  return issues.map((issue) => `${v.getDotPath(issue) ?? "it"}: ${issue.message}`).join("; ");
}
