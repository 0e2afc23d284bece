import type { VolumeRecord } from "../../core/records.ts";
import type { CastEvent, Plan, PlanEvent } from "./inject/plan.ts";

/** The end of a case, in the words of the recording. Ids are VOL, SRC, SNAP and IMG. */
export type Outcome = {
  /** Null when there is no row. */
  volume: VolumeOutcome | null;
  /** Status of the source volume, or of the snapshot's origin; null when the case has none, or it is gone. */
  source_status: string | null;
  glance_metadata: Record<string, string>;
  notifications: NotificationOutcome[];
  casts: CastOutcome[];
  driver_calls: string[];
  /**
   * The error that the engine raised. Here: the one that the execution failed with, or, where the request went back to the
   * scheduler and the execution ended well, the failure that led there.
   */
  error: string | null;
};

/** The row. */
export type VolumeOutcome = {
  status: string;
  bootable: boolean;
  host: string | null;
  launched_at_set: boolean;
  scheduled_at_set: boolean;
  provider_location: string | null;
  migration_status: string | null;
};

/** A notification as it was given to its transport; `raised` when that refused it. */
export type NotificationOutcome = {
  event: string;
  payload_status: string;
  publisher_host: string;
  has_glance_metadata: boolean;
  raised?: string;
};

/** A cast to the scheduler; fields that a recording lacks are undefined. */
export type CastOutcome = {
  volume: string | undefined;
  image_id: string | null | undefined;
  snapshot_id: string | null | undefined;
  size: unknown;
  retry: { num_attempts: unknown; backends: unknown; hosts: unknown };
  /** Name of the error at the end of `retry.exc`; null when that is not a list of text. */
  exc_names: string | null;
  row_at_cast: { status: string; host: string | null; scheduled_at_set: boolean | undefined };
  raised?: string;
};

/** The final state of one case's run. */
export type Traces = {
  volume: VolumeRecord | undefined;
  source: VolumeRecord | undefined;
  events: readonly PlanEvent[];
  execution: { status: string; error: string | undefined; output: string | undefined };
};

/** The end of a case here. */
export function outcomeOf(plan: Plan, { volume, source, events, execution }: Traces): Outcome {
  const names: Record<string, string> = {
    [plan.volumeId]: "VOL",
    [plan.sourceId]: "SRC",
    [plan.snapshotId]: "SNAP",
    [plan.imageId]: "IMG",
  };
  return {
    volume: volume === undefined ? null : rowOf(volume),
    source_status: hasSource(plan) ? (source?.status ?? null) : null,
    glance_metadata: renamed(volume?.glance_metadata ?? {}, names),
    notifications: events.flatMap((event) => (event.event === "notification" ? [notificationOf(event)] : [])),
    casts: events.flatMap((event) => (event.event === "cast" ? [castOf(event, names)] : [])),
    driver_calls: events.flatMap((event) => (event.event === "driver" ? [event.call] : [])),
    error: errorOf(execution),
  };
}

function hasSource({ given }: Plan): boolean {
  return given.type === "snap" || given.type === "source_vol";
}

function rowOf(volume: VolumeRecord): VolumeOutcome {
  return {
    status: volume.status,
    bootable: volume.bootable,
    host: volume.host,
    launched_at_set: volume.launched_at !== null,
    scheduled_at_set: volume.scheduled_at !== null,
    provider_location: volume.provider_location,
    migration_status: volume.migration_status,
  };
}

function renamed(values: Record<string, string>, names: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, names[value] ?? value]));
}

function notificationOf({
  notification: { event_type, publisher_id, payload },
  raised,
}: Extract<PlanEvent, { event: "notification" }>): NotificationOutcome {
  return {
    event: event_type,
    payload_status: String(payload["status"]),
    publisher_host: publisher_id.replace(/^volume\./, ""),
    has_glance_metadata: payload["glance_metadata"] !== undefined,
    ...(raised !== undefined && { raised }),
  };
}

function castOf({ message, row, raised }: CastEvent, names: Record<string, string>): CastOutcome {
  return {
    ...readCast(
      {
        ...message,
        volume: named(message["volume_id"], names),
        image_id: named(message["image_id"], names),
        snapshot_id: named(message["snapshot_id"], names),
      },
      { status: row.status, host: row.host, scheduled_at_set: row.scheduled_at !== null },
    ),
    ...(raised !== undefined && { raised }),
  };
}

/**
 * Reads a cast. Zed's cast names the image in its request_spec, the seed's next to it: both are accepted.
 */
export function readCast(cast: Record<string, unknown>, row: CastOutcome["row_at_cast"]): CastOutcome {
  const spec = cast["request_spec"] as Record<string, unknown> | undefined;
  const properties = (cast["filter_properties"] ?? {}) as Record<string, unknown>;
  const retry = (properties["retry"] ?? {}) as Record<string, unknown>;
  const id = (key: "image_id" | "snapshot_id"): string | null | undefined =>
    key in cast || spec !== undefined ? ((cast[key] ?? spec?.[key] ?? null) as string | null) : undefined;
  return {
    volume: cast["volume"] as string | undefined,
    image_id: id("image_id"),
    snapshot_id: id("snapshot_id"),
    size: properties["size"],
    retry: { num_attempts: retry["num_attempts"], backends: retry["backends"], hosts: retry["hosts"] },
    exc_names: excNames(retry["exc"]),
    row_at_cast: row,
  };
}

/** `exc` is a list of text whose last line names the error, as Python's tracebacks end; a recording keeps the last line only. */
function excNames(exc: unknown): string | null {
  const last: unknown = Array.isArray(exc) ? exc.at(-1) : (exc as { last?: unknown } | undefined)?.last;
  return typeof last === "string" ? (/^(?:\w+\.)*(\w+):/.exec(last)?.[1] ?? null) : null;
}

function named(id: unknown, names: Record<string, string>): unknown {
  return typeof id === "string" ? (names[id] ?? id) : id;
}

function errorOf({ status, error, output }: Traces["execution"]): string | null {
  if (status !== "SUCCEEDED") {
    return error ?? status;
  }
  const { failure } = JSON.parse(output ?? "{}") as { failure?: { Error?: string } };
  return failure?.Error ?? null;
}
