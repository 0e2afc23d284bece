import type { VolumeRef } from "../records.ts";
import * as v from "valibot";
import { AuthSecret, Uuid } from "../requests/identifiers.ts";
import { parseOrThrow } from "../requests/parsing.ts";
import type { Owner } from "../ports.ts";
import type { Creation, Failure, VolumeSpec } from "../spec.ts";

/** Keys that every task of the workflow gets: who it works for, and which attempt it is. */
const OwnerInputSchema = v.object({
  volume_id: Uuid,
  fence: v.pipe(v.string(), v.nonEmpty()),
  attempt: v.pipe(v.number(), v.integer(), v.minValue(1)),
  host: v.pipe(v.string(), v.nonEmpty()),
  context: v.object({
    request_id: v.string(),
    user_id: v.nullable(v.string()),
    project_id: v.nullable(v.string()),
    is_admin: v.boolean(),
    roles: v.array(v.string()),
    auth_secret: AuthSecret,
  }),
});

/** See {@link OwnerInputSchema}. */
export type OwnerInput = v.InferOutput<typeof OwnerInputSchema>;

/** The attempt in whose name a task writes. */
export function ownerOf(input: OwnerInput): Owner {
  return { volumeId: input.volume_id, fence: input.fence, attempt: input.attempt };
}

/** The States Language requires no Cause of an error; the last resort must not fail for the lack of one. */
const FailureSchema = v.object({ Error: v.string(), Cause: v.optional(v.string(), "") });

/**
 * The workflow's own keys that tasks get in addition to the owner's. They are checked for what the tasks rely on before they act; the rest
 * of their shape comes from the state before.
 */
const shapes = {
  volume_spec: v.looseObject({
    // A type that is not known is an answer of the tasks: VolumeTypeNotFound.
    type: v.string(),
    status: v.string(),
    volume_id: Uuid,
    volume_size: v.pipe(v.number(), v.integer(), v.minValue(1)),
  }),
  volume_ref: v.looseObject({ id: Uuid, size: v.number() }),
  creation: v.looseObject({
    next: v.picklist(["copy_image", "bootable", "finish"]),
    model_update: v.nullable(v.object({ provider_location: v.optional(v.string()) })),
  }),
  failure: FailureSchema,
  reschedule_failure: v.optional(v.nullable(FailureSchema), null),
  snapshot_id: v.nullable(Uuid),
  source_volid: v.nullable(Uuid),
  image_id: v.nullable(v.string()),
  request_spec: v.record(v.string(), v.unknown()),
  filter_properties: v.record(v.string(), v.unknown()),
};

/** The types behind {@link shapes}. */
type Shapes = {
  volume_spec: VolumeSpec;
  volume_ref: VolumeRef;
  creation: Creation;
  failure: Failure;
  reschedule_failure: Failure | null;
  snapshot_id: string | null;
  source_volid: string | null;
  image_id: string | null;
  request_spec: Record<string, unknown>;
  filter_properties: Record<string, unknown>;
};

/**
 * Reads a task's input: the owner's keys and the named ones.
 *
 * @throws InvalidInput that names each key that is wrong.
 */
export function parseTaskInput<Key extends keyof Shapes>(
  event: unknown,
  keys: readonly Key[],
): OwnerInput & Pick<Shapes, Key> {
  const schema = v.object({
    ...OwnerInputSchema.entries,
    ...Object.fromEntries(keys.map((key) => [key, shapes[key]])),
  });
  return parseOrThrow(schema, event, "task input") as OwnerInput & Pick<Shapes, Key>;
}
