import { attachmentsOf } from "../../volumes/attachments.ts";
import type { VolumeRecord } from "../../records.ts";
import type { ApiDependencies } from "../dependencies.ts";
import { notFound } from "../errors.ts";
import type { Answer, Call } from "../http.ts";
import { booleanParameter, paginationOf, sortOf } from "../parameters.ts";
import { attachmentDetail, attachmentSummary } from "../views/attachments.ts";
import { visibleVolume } from "../volumes/show.ts";
import { attachmentNotFound, type FoundAttachment } from "./find.ts";

/** Sort keys of Cinder's table, with the text by which each orders. */
const SORT_KEYS: Readonly<Record<string, (found: FoundAttachment) => string>> = {
  id: ({ id }) => id,
  created_at: ({ attachment }) => attachment.created_at,
  volume_id: ({ volume }) => volume.id,
  attach_status: ({ attachment }) => attachment.attach_status,
  instance_uuid: ({ attachment }) => attachment.instance_uuid ?? "",
};

/**
 * `GET /attachments` and `GET /attachments/detail`, newest first. Attachments are parts of volumes, so the project's volumes are read; with
 * `volume_id` that volume alone.
 */
export async function listAttachments(deps: ApiDependencies, call: Call, isDetail: boolean): Promise<Answer> {
  const { query } = call;
  const { limit, marker, offset } = paginationOf(query);
  const [order] = sortOf(query, Object.fromEntries(Object.keys(SORT_KEYS).map((key) => [key, key])));
  const column = SORT_KEYS[order?.key ?? ""] ?? (({ attachment }: FoundAttachment) => attachment.created_at);
  const rank = (found: FoundAttachment): string => `${column(found)} ${found.id}`;
  const sign = order?.descending === false ? 1 : -1;
  const status = query.get("status") ?? query.get("attach_status");
  const instance = query.get("instance_id");
  const all = (await volumesOf(deps, call))
    .flatMap((volume) =>
      Object.entries(attachmentsOf(volume)).map(([id, attachment]): FoundAttachment => ({ id, attachment, volume })),
    )
    .filter(({ attachment }) => status === null || attachment.attach_status === status)
    .filter(({ attachment }) => instance === null || attachment.instance_uuid === instance)
    .toSorted((one, other) => (rank(one) < rank(other) ? -sign : sign));
  const begin = marker === null ? 0 : all.findIndex(({ id }) => id === marker) + 1;
  if (marker !== null && begin === 0) {
    throw attachmentNotFound(marker);
  }
  const page = all.slice(begin + offset, begin + offset + limit);
  return { status: 200, body: { attachments: page.map(isDetail ? attachmentDetail : attachmentSummary) } };
}

async function volumesOf(deps: ApiDependencies, { caller, query }: Call): Promise<VolumeRecord[]> {
  const volumeId = query.get("volume_id");
  if (volumeId !== null) {
    return visibleVolume(deps, caller, volumeId).then(
      (volume) => [volume],
      (error: unknown) => {
        if (error instanceof Error && error.message === notFoundText(volumeId)) {
          return [];
        }
        throw error;
      },
    );
  }
  const everyProject = caller.isAdmin && booleanParameter(query, "all_tenants");
  const entries = everyProject
    ? await deps.projects.listAll("volume")
    : await deps.projects.list(caller.projectId, "volume", { limit: Infinity });
  return [...(await deps.volumes.getMany(entries.map(({ id }) => id))).values()];
}

function notFoundText(id: string): string {
  return notFound(`Volume ${id.slice(0, 255)} could not be found.`).message;
}
