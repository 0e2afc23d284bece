import type { SnapshotRecord } from "../../records.ts";
import type { Call } from "../http.ts";
import { apiTime } from "../links.ts";

/** First microversions of fields (cinder/api/v3/views/snapshots.py). */
const GROUP = 14;
const USER_ID = 41;
const CONSUMES_QUOTA = 65;

/** A snapshot in the short list. */
export function snapshotBrief(snapshot: SnapshotRecord): Record<string, unknown> {
  return {
    id: snapshot.id,
    created_at: apiTime(snapshot.created_at),
    updated_at: snapshot.updated_at === undefined ? null : apiTime(snapshot.updated_at),
    name: snapshot.display_name,
    description: snapshot.display_description ?? null,
    volume_id: snapshot.volume_id,
    status: snapshot.status,
    size: snapshot.volume_size,
    metadata: snapshot.metadata ?? {},
  };
}

/** A snapshot as the answer to a create or an update has it. */
export function snapshotSummary({ version }: Call, snapshot: SnapshotRecord): Record<string, unknown> {
  return {
    ...snapshotBrief(snapshot),
    ...(version >= GROUP && { group_snapshot_id: null }),
    ...(version >= USER_ID && { user_id: snapshot.user_id }),
    ...(version >= CONSUMES_QUOTA && { consumes_quota: snapshot.use_quota === true }),
  };
}

/** A snapshot as show and the detailed list have it. */
export function snapshotDetail(call: Call, snapshot: SnapshotRecord): Record<string, unknown> {
  return {
    ...snapshotSummary(call, snapshot),
    "os-extended-snapshot-attributes:project_id": snapshot.project_id,
    "os-extended-snapshot-attributes:progress": snapshot.progress ?? (snapshot.status === "available" ? "100%" : "0%"),
  };
}
