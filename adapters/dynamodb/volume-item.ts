import type { VolumeRecord, VolumeSummary } from "../../core/records.ts";
import { lockColumns } from "./locks.ts";
import { IN_FLOW } from "./overdue.ts";
import { readerOf } from "./reading.ts";
import { toItem, type Item } from "./table.ts";

/** A stored volume: any column but the key may be absent, because other services write volumes too. */
type StoredVolume = { id: string; size: number; status: VolumeRecord["status"] } & {
  [Column in keyof VolumeRecord]?: VolumeRecord[Column] | null;
};

/** Reads volumes. */
export const VOLUMES = readerOf<VolumeRecord>(
  "volume",
  {
    id: "text!",
    project_id: "text",
    user_id: "text",
    size: "number!",
    status: "text!",
    host: "text",
    fence: "text",
    phase: "text",
    deadline: "text",
    reset_at: "text",
    delete_requested_at: "text",
    created_at: "text",
    updated_at: "text",
    launched_at: "text",
    metadata: "map",
    glance_metadata: "map",
    attempts: "maps",
    progress: "map",
    fault: "map",
    locks: "map",
    times_locked: "number",
    extension: "map",
    attachments: "maps",
    dropped: "map",
  },
  shapeOf,
);

/** The columns of a {@link VolumeSummary}. */
export const SUMMARY_COLUMNS = ["id", "display_name", "created_at"] as const satisfies (keyof VolumeSummary)[];

/** Reads items of {@link SUMMARY_COLUMNS}. */
export const SUMMARIES = readerOf<VolumeSummary>(
  "volume",
  { id: "text!", display_name: "text", created_at: "text" },
  ({ id, display_name: name, created_at: createdAt }: StoredVolume) => ({
    id,
    display_name: name ?? null,
    created_at: createdAt ?? "",
  }),
);

/** The record that an item holds. @throws UnreadableRecord */
export function readVolume(item: Item): VolumeRecord {
  return VOLUMES.read(item);
}

function shapeOf(stored: StoredVolume): VolumeRecord {
  const createdAt = stored.created_at ?? "";
  return {
    id: stored.id,
    project_id: stored.project_id ?? "",
    user_id: stored.user_id ?? "",
    size: stored.size,
    status: stored.status,
    display_name: stored.display_name ?? null,
    display_description: stored.display_description ?? null,
    availability_zone: stored.availability_zone ?? null,
    host: stored.host ?? null,
    volume_type_id: stored.volume_type_id ?? null,
    snapshot_id: stored.snapshot_id ?? null,
    source_volid: stored.source_volid ?? null,
    bootable: stored.bootable ?? false,
    migration_status: stored.migration_status ?? null,
    provider_location: stored.provider_location ?? null,
    created_at: createdAt,
    updated_at: stored.updated_at ?? createdAt,
    scheduled_at: stored.scheduled_at ?? null,
    launched_at: stored.launched_at ?? null,
    metadata: stored.metadata ?? {},
    glance_metadata: stored.glance_metadata ?? {},
    fence: stored.fence ?? null,
    attempts: stored.attempts ?? {},
    phase: stored.phase ?? null,
    progress: stored.progress ?? null,
    deadline: stored.deadline ?? null,
    fault: stored.fault ?? null,
    delete_requested_at: stored.delete_requested_at ?? null,
    ...lockColumns(stored),
    ...(stored.request_digest !== undefined &&
      stored.request_digest !== null && { request_digest: stored.request_digest }),
    ...(stored.request !== undefined && stored.request !== null && { request: stored.request }),
    ...(stored.dropped !== undefined && stored.dropped !== null && { dropped: stored.dropped }),
    ...(stored.extension !== undefined && stored.extension !== null && { extension: stored.extension }),
    ...(stored.use_quota === true && { use_quota: true }),
    ...(typeof stored.quota_size === "number" && { quota_size: stored.quota_size }),
    ...(typeof stored.message_deleted === "string" && { message_deleted: stored.message_deleted }),
    ...(stored.in_flow !== undefined && typeof stored.deadline !== "string" && { in_flow: true }),
    ...(typeof stored.reset_at === "string" && { reset_at: stored.reset_at }),
    ...(typeof stored.retype_id === "string" && { retype_id: stored.retype_id }),
    ...attachmentColumns(stored),
  };
}

function attachmentColumns(stored: StoredVolume): Partial<VolumeRecord> {
  const { attachments, attach_status: status, attached_mode: mode, readonly, attach_revision: revision } = stored;
  return {
    ...(attachments !== undefined && attachments !== null && Object.keys(attachments).length > 0 && { attachments }),
    ...(typeof status === "string" && status !== "detached" && { attach_status: status }),
    ...(typeof mode === "string" && { attached_mode: mode }),
    ...(typeof readonly === "boolean" && { readonly }),
    ...(typeof revision === "number" && { attach_revision: revision }),
  };
}

/** The item of a record; one with a deadline is owned, and in the index. */
export function volumeItem(record: VolumeRecord): Item {
  return toItem({ ...record, in_flow: record.deadline === null && record.in_flow !== true ? null : IN_FLOW });
}
