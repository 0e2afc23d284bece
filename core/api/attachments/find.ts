import { attachmentsOf } from "../../volumes/attachments.ts";
import { attachmentPosition } from "../../projects.ts";
import type { VolumeAttachment, VolumeRecord } from "../../records.ts";
import type { ApiDependencies } from "../dependencies.ts";
import { notFound } from "../errors.ts";
import type { Caller } from "../http.ts";
import { isUuidLike } from "../schemas/types.ts";
import { findVolume } from "../volumes/show.ts";

/** An attachment with the volume that it is of. */
export type FoundAttachment = { id: string; attachment: VolumeAttachment; volume: VolumeRecord };

/**
 * The attachment of an id that the caller may see. Two reads: the entry that names its volume, and the volume.
 *
 * @throws ApiError 404, also for another project's
 */
export async function visibleAttachment(deps: ApiDependencies, caller: Caller, id: string): Promise<FoundAttachment> {
  const missing = attachmentNotFound(id);
  if (!isUuidLike(id)) {
    throw missing;
  }
  const entries = await deps.projects.list(attachmentPosition(id, "").projectId, "attachment", { limit: 1 });
  const volumeId = entries[0]?.name ?? null;
  const volume = volumeId === null ? undefined : await findVolume(deps, volumeId);
  const attachment = volume && attachmentsOf(volume)[id];
  if (volume === undefined || attachment === undefined || !isVisible(caller, volume)) {
    throw missing;
  }
  return { id, attachment, volume };
}

/** 404 in Cinder's words. */
export function attachmentNotFound(id: string): Error {
  return notFound(`Volume attachment could not be found with filter: attachment_id = ${id.slice(0, 255)}.`);
}

function isVisible({ isAdmin, projectId }: Caller, volume: VolumeRecord): boolean {
  return isAdmin || volume.project_id === projectId;
}

/** Removes the entries of the attachments that `before` had and `after` has not. Interrupted: an entry stays that leads nowhere. */
export async function leaveAttachments(
  { projects }: Pick<ApiDependencies, "projects">,
  before: VolumeRecord,
  after: VolumeRecord,
): Promise<void> {
  const kept = attachmentsOf(after);
  const gone = Object.entries(attachmentsOf(before)).filter(([id]) => !Object.hasOwn(kept, id));
  await Promise.all(gone.map(([id, { created_at: at }]) => projects.leave(attachmentPosition(id, at))));
}
