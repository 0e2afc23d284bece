import type { VolumeRecord, VolumeSummary } from "../../records.ts";
import type { Call } from "../http.ts";
import { apiTime, linksOf } from "../links.ts";
import { attachmentsOfVolume } from "./attachments.ts";

/** Data that a view of volumes needs in addition to the records. */
export type VolumeViewContext = {
  /** Name of each type by its id; the default type's for null. */
  typeName: (volumeTypeId: string | null) => string;
  /** Id of the default type, for volumes without a type of their own. */
  defaultTypeId: string;
  /** Zone that a volume shows before it is placed. */
  defaultZone: string;
};

/** A volume as an answer has it. */
export type VolumeView = Record<string, unknown> & { id: string };

/** A volume in a list without details. */
export function volumeSummary(call: Call, { id, display_name: name }: VolumeSummary): VolumeView {
  return { id, name, links: linksOf(call, "volumes", id) };
}

/** First microversion of each field that came later, in the order in which Cinder adds them (cinder/api/v3/views/volumes.py). */
const GROUP = 13;
const PROVIDER_ID = 21;
const SHARED_TARGETS = 48;
const CLUSTER_NAME = 61;
const TYPE_ID = 63;
const CONSUMES_QUOTA = 65;

/** A volume with details, as the answer to a create or an update has it. */
export function volumeDetail(call: Call, volume: VolumeRecord, context: VolumeViewContext): VolumeView {
  const { version } = call;
  const { isAdmin } = call.caller;
  return {
    id: volume.id,
    status: shownStatus(volume),
    size: volume.size,
    availability_zone: volume.availability_zone ?? context.defaultZone,
    created_at: apiTime(volume.created_at),
    updated_at: volume.updated_at === volume.created_at ? null : apiTime(volume.updated_at),
    name: volume.display_name,
    description: volume.display_description,
    volume_type: context.typeName(volume.volume_type_id),
    snapshot_id: volume.snapshot_id,
    source_volid: volume.source_volid,
    metadata: volume.metadata,
    links: linksOf(call, "volumes", volume.id),
    user_id: volume.user_id,
    bootable: String(volume.bootable),
    encrypted: false,
    replication_status: null,
    consistencygroup_id: null,
    multiattach: false,
    attachments: attachmentsOfVolume(call.caller, volume),
    ...(isAdmin && { migration_status: volume.migration_status }),
    ...(version >= GROUP && { group_id: null }),
    ...(version >= PROVIDER_ID && isAdmin && { provider_id: null }),
    ...(version >= SHARED_TARGETS && { shared_targets: false, service_uuid: null }),
    ...(version >= CLUSTER_NAME && isAdmin && { cluster_name: null }),
    ...(version >= TYPE_ID && { volume_type_id: volume.volume_type_id ?? context.defaultTypeId }),
    ...(version >= CONSUMES_QUOTA && { consumes_quota: volume.use_quota }),
  };
}

/** A volume as show and the detailed list have it, with what Cinder's extensions add. */
export function volumeWithExtensions(call: Call, volume: VolumeRecord, context: VolumeViewContext): VolumeView {
  return {
    ...volumeDetail(call, volume, context),
    metadata: { ...volume.metadata, ...visibleAdminMetadata(volume) },
    "os-vol-tenant-attr:tenant_id": volume.project_id,
    ...(call.caller.isAdmin && {
      "os-vol-mig-status-attr:migstat": volume.migration_status,
      "os-vol-mig-status-attr:name_id": null,
      "os-vol-host-attr:host": volume.host,
    }),
    ...(Object.keys(volume.glance_metadata).length > 0 && { volume_image_metadata: volume.glance_metadata }),
  };
}

/** A volume whose deletion was asked for while it was created keeps its status until the flow ends; the caller sees the wish. */
function shownStatus({ delete_requested_at: asked, status }: VolumeRecord): string {
  return asked !== null && status !== "error_deleting" ? "deleting" : status;
}

/** Administrators' metadata of a volume that every caller sees (`add_visible_admin_metadata` of cinder/utils.py). */
function visibleAdminMetadata({ readonly, attached_mode }: VolumeRecord): Record<string, string> {
  return {
    ...(readonly !== undefined && { readonly: readonly ? "True" : "False" }),
    ...(attached_mode !== undefined && { attached_mode }),
  };
}
