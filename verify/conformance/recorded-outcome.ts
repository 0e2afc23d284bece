import * as v from "valibot";
import type { Given } from "./cases.ts";
import { type Outcome, readCast } from "./outcome.ts";

const RecordedSchema = v.object({
  volume: v.nullable(
    v.object({
      status: v.string(),
      bootable: v.boolean(),
      host: v.nullable(v.string()),
      launched_at_set: v.boolean(),
      scheduled_at_set: v.boolean(),
      provider_location: v.nullable(v.string()),
      migration_status: v.optional(v.nullable(v.string()), null),
      deleted: v.optional(v.boolean(), false),
    }),
  ),
  source_volume: v.optional(v.nullable(v.object({ status: v.string(), deleted: v.boolean() })), null),
  volume_glance_metadata: v.record(v.string(), v.string()),
  notifications: v.array(
    v.object({
      event: v.string(),
      payload_status: v.string(),
      publisher_host: v.string(),
      has_glance_metadata: v.boolean(),
      raised: v.optional(v.string()),
    }),
  ),
  scheduler_casts: v.array(
    v.looseObject({
      row_at_cast: v.object({
        status: v.string(),
        host: v.nullable(v.string()),
        scheduled_at_set: v.optional(v.boolean()),
      }),
      raised: v.optional(v.string()),
    }),
  ),
  driver_calls: v.array(v.string()),
  exception: v.object({ raised: v.boolean(), type: v.optional(v.string()) }),
  not_comparable: v.optional(v.string()),
});

/**
 * The recording of a case. Undefined when nothing was, or when the recording itself says that it did something else than the case asks for.
 *
 * The seed publishes `create.start` as the service's own host, which is an assignment in memory and no property of the flow
 * (`volume_ref['host'] = self.host`); its publisher is read as the row's host, as it is in Zed.
 *
 * @throws Error when the recording has another form.
 */
export function recordedOutcome(
  recorded: Record<string, unknown> | null,
  flow: "cinder" | "seed",
  given: Given,
): Outcome | undefined {
  if (recorded === null || recorded["not_comparable"] !== undefined) {
    return undefined;
  }
  const { volume, source_volume, notifications, scheduler_casts, ...rest } = v.parse(RecordedSchema, recorded);
  const { deleted = true, ...row } = volume ?? {};
  return {
    volume: deleted || volume === null ? null : (row as NonNullable<Outcome["volume"]>),
    source_status: source_volume === null || source_volume.deleted ? null : source_volume.status,
    glance_metadata: rest.volume_glance_metadata,
    notifications: notifications.map(({ raised, ...notification }) => ({
      ...notification,
      ...(flow === "seed" && { publisher_host: given.volume_row.host }),
      ...(raised !== undefined && { raised }),
    })),
    casts: scheduler_casts.map((cast) => {
      const { status, host, scheduled_at_set } = cast.row_at_cast;
      return {
        ...readCast(cast, { status, host, scheduled_at_set }),
        ...(cast.raised !== undefined && { raised: cast.raised }),
      };
    }),
    driver_calls: rest.driver_calls,
    error: rest.exception.type ?? null,
  };
}
