import { attachmentsOf } from "../../volumes/attachments.ts";
import type { ConnectionInfo, VolumeAttachment, VolumeRecord } from "../../records.ts";
import type { Caller } from "../http.ts";
import { apiTime } from "../links.ts";

type Shown = { id: string; attachment: VolumeAttachment; volume: Pick<VolumeRecord, "id"> };

/** An attachment in a list without details (cinder/api/v3/views/attachments.py). */
export function attachmentSummary({ id, attachment, volume }: Shown): Record<string, unknown> {
  return { id, status: attachment.attach_status, instance: attachment.instance_uuid, volume_id: volume.id };
}

/** An attachment with its connection. Times and modes that are not known are texts, as in Cinder. */
export function attachmentDetail(shown: Shown): Record<string, unknown> {
  const { id, attachment } = shown;
  const { attached_at: at, attach_mode: mode, connection_info: info } = attachment;
  return {
    ...attachmentSummary(shown),
    attached_at: at === null ? "" : apiTime(at),
    detached_at: "",
    attach_mode: mode ?? "null",
    connection_info: info === null ? {} : flat(id, info),
  };
}

function flat(attachmentId: string, { driver_volume_type, data, mount_point_base }: ConnectionInfo): unknown {
  return {
    ...data,
    driver_volume_type,
    ...(mount_point_base !== undefined && { mount_point_base }),
    attachment_id: attachmentId,
  };
}

/** Attachments as a volume shows them: those that are complete. Hosts are for administrators. */
export function attachmentsOfVolume({ isAdmin }: Caller, volume: VolumeRecord): unknown[] {
  return Object.entries(attachmentsOf(volume)).flatMap(([id, attachment]) =>
    attachment.attach_status === "attached"
      ? [
          {
            id: volume.id,
            attachment_id: id,
            volume_id: volume.id,
            server_id: attachment.instance_uuid,
            host_name: isAdmin ? attachment.attached_host : null,
            device: attachment.mountpoint,
            attached_at: attachment.attached_at === null ? null : apiTime(attachment.attached_at),
          },
        ]
      : [],
  );
}
