import type { Answer, Call } from "./http.ts";

/** Filters of lists that members may use, with Cinder's defaults (etc/cinder/resource_filters.json). */
export const RESOURCE_FILTERS = {
  volume: [
    "name",
    "status",
    "metadata",
    "bootable",
    "migration_status",
    "availability_zone",
    "group_id",
    "size",
    "created_at",
    "updated_at",
    "consumes_quota",
  ],
  backup: ["name", "status", "volume_id"],
  snapshot: ["name", "status", "volume_id", "metadata", "availability_zone", "consumes_quota"],
  group: ["name"],
  group_snapshot: ["name", "status", "group_id"],
  attachment: ["volume_id", "status", "instance_id", "attach_status"],
  message: ["resource_uuid", "resource_type", "event_id", "request_id", "message_level"],
  pool: ["name", "volume_type"],
  volume_type: ["is_public", "extra_specs"],
} as const satisfies Readonly<Record<string, readonly string[]>>;

/** `GET /resource_filters`, of one `resource` or of all: what Cinder says by default, also of resources that it has and this API has not. */
export function listResourceFilters({ query }: Call): Answer {
  const resource = query.get("resource");
  const filters = Object.entries(RESOURCE_FILTERS)
    .filter(([name]) => resource === null || name === resource)
    .map(([name, each]) => ({ resource: name, filters: each }));
  return { status: 200, body: { resource_filters: filters } };
}
