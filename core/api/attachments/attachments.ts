import {
  attachmentsOf,
  changeAttachments,
  completeAttachment,
  connectAttachment,
  createAttachment,
  detach,
} from "../../volumes/attachments.ts";
import { attachmentPosition } from "../../projects.ts";
import type { VolumeAttachment, VolumeRecord } from "../../records.ts";
import { readAction } from "../actions.ts";
import type { ApiDependencies } from "../dependencies.ts";
import type { Answer, Call } from "../http.ts";
import { authorize } from "../policies.ts";
import { attachmentDetail, attachmentSummary } from "../views/attachments.ts";
import { visibleVolume } from "../volumes/show.ts";
import { type Connector, connectionOf } from "./connect.ts";
import { attachmentNotFound, leaveAttachments, visibleAttachment } from "./find.ts";

/** First microversion in which a create names a mode. */
export const CREATE_MODE = 54;

type CreateBody = {
  attachment: {
    volume_uuid: string;
    instance_uuid?: string | null;
    connector?: Connector | null;
    mode?: string;
  };
};

/**
 * `POST /attachments`: reserves the volume, and connects it where the body has a connector. The entry that leads from the attachment's id to
 * the volume comes first, then one write of the volume.
 *
 * Interrupted after the entry: it leads nowhere.
 * Repeated: reserved already, 400, unless it is of the same instance.
 */
export async function createVolumeAttachment(deps: ApiDependencies, call: Call): Promise<Answer> {
  const { attachment: body } = call.body as CreateBody;
  const volume = await visibleVolume(deps, call.caller, body.volume_uuid);
  const attachmentId = deps.newId();
  const at = deps.clock.now();
  const mode = (call.version >= CREATE_MODE ? body.mode : undefined) ?? null;
  const request = { attachmentId, instanceUuid: body.instance_uuid ?? null, mode, connection: null, at };
  // Refused before the driver is asked for anything.
  createAttachment(request)(volume);
  const hasConnector = Object.keys(body.connector ?? {}).length > 0;
  const connection = hasConnector ? await connectionOf(deps, volume, body.connector ?? {}, mode) : null;
  await deps.projects.enter({ ...attachmentPosition(attachmentId, at.toISOString()), name: volume.id });
  const changed = await changeAttachments(deps.volumes, volume, createAttachment({ ...request, connection }));
  const attachment = attachmentIn(changed, attachmentId);
  return answer(attachmentId, changed, asReserved(attachment, "reserved", mode));
}

/** Cinder answers with the attachment as it was read before its connection was written, and with the connection. */
function asReserved(
  attachment: VolumeAttachment,
  status: VolumeAttachment["attach_status"],
  mode: string | null,
): VolumeAttachment {
  return { ...attachment, attach_status: status, attach_mode: mode, attached_at: null };
}

function answer(id: string, volume: VolumeRecord, attachment: VolumeAttachment): Answer {
  return { status: 200, body: { attachment: attachmentDetail({ id, volume, attachment }) } };
}

/** @throws ApiError 404 when another request has removed it in the meantime */
function attachmentIn(volume: VolumeRecord, id: string): VolumeAttachment {
  const attachment = attachmentsOf(volume)[id];
  if (attachment === undefined) {
    throw attachmentNotFound(id);
  }
  return attachment;
}

/** `GET /attachments/{id}` */
export async function showAttachment(deps: ApiDependencies, call: Call): Promise<Answer> {
  const found = await visibleAttachment(deps, call.caller, call.params["id"] ?? "");
  return { status: 200, body: { attachment: attachmentDetail(found) } };
}

/** `PUT /attachments/{id}`: the host's connector, and with it the connection. Repeated: the last connector holds. */
export async function updateAttachment(deps: ApiDependencies, call: Call): Promise<Answer> {
  const { id, volume, attachment } = await visibleAttachment(deps, call.caller, call.params["id"] ?? "");
  const { connector } = (call.body as { attachment: { connector: Connector } }).attachment;
  const connection = await connectionOf(deps, volume, connector, attachment.attach_mode);
  const changed = await changeAttachments(deps.volumes, volume, connectAttachment(id, connection, deps.clock.now()));
  const { connection_info } = attachmentIn(changed, id);
  return answer(id, changed, { ...attachment, connection_info });
}

/** `POST /attachments/{id}/action` with `os-complete`: the volume is in use. Repeated: nothing changes. */
export async function actOnAttachment(deps: ApiDependencies, call: Call): Promise<Answer> {
  readAction(call, { "os-complete": { type: ["object", "null"] } });
  const { id, volume } = await visibleAttachment(deps, call.caller, call.params["id"] ?? "");
  authorize(call.caller, "volume:attachment_complete");
  attachmentIn(await changeAttachments(deps.volumes, volume, completeAttachment(id)), id);
  return { status: 204 };
}

/**
 * `DELETE /attachments/{id}`: answers with the attachments that the volume still has.
 * Interrupted after the write: the entry leads nowhere.
 * Repeated: 404.
 */
export async function deleteAttachment(deps: ApiDependencies, call: Call): Promise<Answer> {
  const { id, volume } = await visibleAttachment(deps, call.caller, call.params["id"] ?? "");
  const changed = await changeAttachments(deps.volumes, volume, detach(id));
  await leaveAttachments(deps, volume, changed);
  const attachments = Object.entries(attachmentsOf(changed)).map(([each, attachment]) =>
    attachmentSummary({ id: each, volume: changed, attachment }),
  );
  return { status: 200, body: { attachments } };
}
