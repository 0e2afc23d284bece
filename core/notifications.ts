import { v5 as uuidv5 } from "uuid";
import type { RequestContext } from "./messages.ts";
import type { Fault, VolumeRecord } from "./records.ts";

/** What a notification tells of a volume. */
type Notified = Omit<VolumeRecord, "attempts" | "deadline" | "fault" | "phase" | "progress">;

/**
 * Notifications with Cinder's envelope (`oslo_messaging/notify/notifier.py`) and payload (`cinder/volume/volume_utils.py`,
 * `_usage_from_volume`). No token enters one: only the named fields of the context are flattened into `_context_*`.
 */

/** Events of this flow. `volume.create.error` is an addition of this project; Cinder has no event for a failed create. */
export type EventType = "volume.create.start" | "volume.create.end" | "volume.create.error";

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

/** Namespace of the message ids, so that they cannot meet those of another producer. */
const MESSAGE_NAMESPACE = "5ad2cf0e-4b0d-4a1c-9c58-6d2bb3b9a0f6";

/**
 * Builds the notification of one event of one attempt. Its `message_id` is a name-based UUID (RFC 9562, version 5) of exactly
 * that, so a repeat carries the same id and consumers can drop it.
 */
export function buildNotification(
  eventType: EventType,
  volume: Notified,
  attempt: number,
  context: RequestContext,
  now: Date,
  fault?: Fault,
): Notification {
  return {
    message_id: uuidv5(`${volume.id}/${attempt}/${eventType}`, MESSAGE_NAMESPACE),
    publisher_id: `volume.${volume.host ?? ""}`,
    event_type: eventType,
    priority: eventType === "volume.create.error" ? "ERROR" : "INFO",
    payload: fault === undefined ? usageOf(volume, now) : { ...usageOf(volume, now), fault },
    timestamp: oslotime(now),
    _context_request_id: context.request_id,
    _context_user_id: context.user_id,
    _context_project_id: context.project_id,
    _context_roles: context.roles,
    _context_is_admin: context.is_admin,
  };
}

/** `_usage_from_volume` of Cinder's master branch. */
function usageOf(volume: Notified, now: Date): Record<string, unknown> {
  const usage: Record<string, unknown> = {
    tenant_id: volume.project_id,
    host: volume.host,
    user_id: volume.user_id,
    availability_zone: volume.availability_zone,
    volume_id: volume.id,
    volume_type: volume.volume_type_id,
    display_name: volume.display_name,
    launched_at: isotime(volume.launched_at ?? now.toISOString()),
    created_at: isotime(volume.created_at),
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

/** `datetime.isoformat()` of a naive UTC datetime: no zone, microseconds. */
function isotime(timestamp: string): string {
  return new Date(timestamp).toISOString().replace("Z", "000");
}

/** `str(datetime)`: a space between date and time, no zone, microseconds. */
function oslotime(timestamp: Date): string {
  return isotime(timestamp.toISOString()).replace("T", " ");
}
