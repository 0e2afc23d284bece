import type { RequestContext } from "../requests/messages.ts";
import type { VolumeRecord } from "../records.ts";

/** The request's context is not available in a net: the volume's own project and user replace it. */
export function ownContext(volume: Pick<VolumeRecord, "user_id" | "project_id">): RequestContext {
  return { request_id: "", user_id: volume.user_id, project_id: volume.project_id, is_admin: false, roles: [] };
}
