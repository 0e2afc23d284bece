import { v5 as uuidv5 } from "uuid";
import { InvalidInput, routeOf } from "../errors.ts";
import type { CreateVolumeMessage, RequestContext } from "../requests/messages.ts";
import type { Fault, VolumeRef } from "../records.ts";
import { givenRequestSpec, type RequestSpec } from "../scheduling/request.ts";
import { maskSecrets, maskSecretText } from "../text/secrets.ts";

/**
 * Notifications with Cinder's envelope (`oslo_messaging/notify/notifier.py`) and payloads (`cinder/volume/volume_utils.py`,
 * `_usage_from_volume`; `cinder/scheduler/flows/create_volume.py`, `_notify_failure`). No token enters one: only the named fields
 * of the context are flattened into `_context_*`, and a request spec is passed on with its secrets masked.
 */

/**
 * Whose payload is sent: consumers are written against one or the other.
 *
 * - `icehouse`: eleven keys, times as `str(datetime)`, no pool in the publisher's host.
 * - `zed`: what Cinder sends since, up to its master branch.
 */
export const NOTIFICATION_ERAS = ["icehouse", "zed"] as const;

/** See {@link NOTIFICATION_ERAS}. */
export type NotificationEra = (typeof NOTIFICATION_ERAS)[number];

/** The era where none is chosen. */
export const DEFAULT_NOTIFICATION_ERA: NotificationEra = "zed";

/** Reads an era. @throws InvalidInput */
export function notificationEra(value: unknown): NotificationEra {
  const era = NOTIFICATION_ERAS.find((known) => known === value);
  if (era === undefined) {
    throw new InvalidInput(`notification_era must be ${NOTIFICATION_ERAS.join(" or ")}, not ${JSON.stringify(value)}`);
  }
  return era;
}

/** Events of a volume. `volume.create.error` is an addition of this project; Cinder's volume manager has none for a failed create. */
export type VolumeEventType = "volume.create.start" | "volume.create.end" | "volume.create.error";

/** Events of this flow. */
export type EventType = VolumeEventType | "scheduler.create_volume";

/** The message as consumers of Cinder know it. */
export type Notification = {
  message_id: string;
  publisher_id: string;
  event_type: EventType;
  priority: "INFO" | "ERROR";
  payload: Record<string, unknown>;
  timestamp: string;
  _context_request_id: string;
  _context_user_id: string | null;
  _context_project_id: string | null;
  _context_roles: string[];
  _context_is_admin: boolean;
};

/** `era` is that of the notifier; `fault` says why the create failed, for `volume.create.error`. */
export type NotificationOptions = { era?: NotificationEra | undefined; fault?: Fault | undefined };

/** Namespace of the message ids, so that they cannot meet those of another producer. */
const MESSAGE_NAMESPACE = "5ad2cf0e-4b0d-4a1c-9c58-6d2bb3b9a0f6";

/** `scheduler.<host>`: schedulings run in no host of their own, so all of them have the name of the service. */
const SCHEDULER_PUBLISHER = "scheduler.cinderless";

/**
 * Builds the notification of one event of one attempt. Its `message_id` is a name-based UUID (RFC 9562, version 5) of exactly
 * that, so a repeat carries the same id and consumers can drop it.
 */
export function buildNotification(
  eventType: VolumeEventType,
  volume: VolumeRef,
  attempt: number,
  context: RequestContext,
  now: Date,
  { era = DEFAULT_NOTIFICATION_ERA, fault }: NotificationOptions = {},
): Notification {
  const usage = era === "icehouse" ? icehouseUsageOf(volume) : zedUsageOf(volume, now);
  return {
    message_id: messageIdOf(volume.id, attempt, eventType),
    publisher_id: `volume.${publisherHost(volume.host ?? "", era)}`,
    event_type: eventType,
    priority: eventType === "volume.create.error" ? "ERROR" : "INFO",
    payload: fault === undefined ? usage : { ...usage, fault: faultOf(fault) },
    timestamp: strTime(now),
    ...contextOf(context),
  };
}

/**
 * `scheduler.create_volume` as Cinder's scheduler sends it when a request cannot be scheduled (`_notify_failure`). A cast without
 * a request spec has the one that Cinder's ExtractSchedulerSpecTask makes of the volume.
 *
 * @param reason why it could not be scheduled
 */
export function buildSchedulerNotification(
  message: CreateVolumeMessage,
  volume: VolumeRef,
  attempt: number,
  reason: string,
  now: Date,
): Notification {
  const requestSpec = maskSecrets(requestSpecOf(message, volume)) as Record<string, unknown>;
  return {
    message_id: messageIdOf(volume.id, attempt, "scheduler.create_volume"),
    publisher_id: SCHEDULER_PUBLISHER,
    event_type: "scheduler.create_volume",
    priority: "ERROR",
    payload: {
      request_spec: requestSpec,
      volume_properties: requestSpec["volume_properties"] ?? {},
      volume_id: volume.id,
      state: "error",
      method: "create_volume",
      reason: maskSecretText(reason),
    },
    timestamp: strTime(now),
    ...contextOf(message.context),
  };
}

function messageIdOf(volumeId: string, attempt: number, eventType: EventType): string {
  return uuidv5(`${volumeId}/${attempt}/${eventType}`, MESSAGE_NAMESPACE);
}

type ContextKeys = Extract<keyof Notification, `_context_${string}`>;

/** `pack_context`, for the fields that the boundary keeps. */
function contextOf(context: RequestContext): Pick<Notification, ContextKeys> {
  return {
    _context_request_id: context.request_id,
    _context_user_id: context.user_id,
    _context_project_id: context.project_id,
    _context_roles: context.roles,
    _context_is_admin: context.is_admin,
  };
}

/** Pools came with Juno: a host of Icehouse ends before its `#`. */
function publisherHost(host: string, era: NotificationEra): string {
  return era === "icehouse" ? host.replace(/#.*$/s, "") : host;
}

/** `class` is the route of the error, which says whether another backend was worth a try. */
function faultOf({ error, cause, attempt, attempts }: Fault): Record<string, unknown> {
  return { error, cause, class: routeOf(error), attempt, attempts };
}

/** The metadata of the volume travels once, on its record, so a request that comes again does not repeat it. */
function requestSpecOf(message: CreateVolumeMessage, volume: VolumeRef): RequestSpec {
  const spec = { ...givenRequestSpec(message, volume), volume_id: volume.id };
  const { volume_properties: properties } = spec;
  const isRepeated = properties && !("metadata" in properties) && Object.keys(volume.metadata).length > 0;
  return isRepeated ? { ...spec, volume_properties: { ...properties, metadata: volume.metadata } } : spec;
}

/** `_usage_from_volume` of Cinder's Icehouse release. */
function icehouseUsageOf(volume: VolumeRef): Record<string, unknown> {
  return {
    tenant_id: volume.project_id,
    user_id: volume.user_id,
    availability_zone: volume.availability_zone,
    volume_id: volume.id,
    volume_type: volume.volume_type_id,
    display_name: volume.display_name,
    launched_at: strTimeOrEmpty(volume.launched_at),
    created_at: strTimeOrEmpty(volume.created_at),
    status: volume.status,
    snapshot_id: volume.snapshot_id,
    size: volume.size,
  };
}

/** `_usage_from_volume` of Cinder's master branch. A time that is not set is now. */
function zedUsageOf(volume: VolumeRef, now: Date): Record<string, unknown> {
  const usage: Record<string, unknown> = {
    tenant_id: volume.project_id,
    host: volume.host,
    user_id: volume.user_id,
    availability_zone: volume.availability_zone,
    volume_id: volume.id,
    volume_type: volume.volume_type_id,
    display_name: volume.display_name,
    launched_at: isoTime(readTime(volume.launched_at) ?? now),
    created_at: isoTime(readTime(volume.created_at) ?? now),
    status: volume.status,
    snapshot_id: volume.snapshot_id,
    size: volume.size,
    replication_status: null,
    replication_extended_status: null,
    replication_driver_data: null,
    metadata: Object.entries(volume.metadata).map(([key, value]) => ({ key, value })),
    volume_attachment: [],
  };
  const glanceMetadata = Object.entries(volume.glance_metadata).map(([key, value]) => ({ key, value }));
  return glanceMetadata.length === 0 ? usage : { ...usage, glance_metadata: glanceMetadata };
}

/** A stored time; undefined where there is none, or none that can be read, because a notification never fails a create. */
function readTime(timestamp: string | null): Date | undefined {
  const time = new Date(timestamp ?? "");
  return Number.isNaN(time.getTime()) ? undefined : time;
}

function strTimeOrEmpty(timestamp: string | null): string {
  const time = readTime(timestamp);
  return time === undefined ? "" : strTime(time);
}

/** `datetime.isoformat()` of a naive UTC datetime: no zone, and six digits of a second, or none where they are zero. */
function isoTime(time: Date): string {
  return time
    .toISOString()
    .replace("Z", "000")
    .replace(/\.000000$/, "");
}

/** `str(datetime)`: the same with a space between date and time. */
function strTime(time: Date): string {
  return isoTime(time).replace("T", " ");
}
