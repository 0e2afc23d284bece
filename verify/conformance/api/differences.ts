import { MAXIMUM_MICROVERSION } from "../../../core/api/microversions.ts";
import { type Exchange, nameOf } from "./exchanges.ts";

/** One row of the closed list: the exchanges that it is about, and why they differ, or why they are not replayed. */
export type Row = {
  pattern: RegExp;
  reason: string;
  isSkipped?: true;
  /** The lines that may differ. */
  lines: RegExp;
};

/** For exchanges that are not replayed. */
const NOTHING = /^\b$/;

/** A request that names what an exchange made which is not replayed, or is explained by another row. */
const UNSENT = / stands for nothing in this run$/;

/** The answer where no resource is: it has neither the version nor the id of the request, as in Cinder. */
const NO_RESOURCE =
  /^status: recorded \d+, here 404$|^header (?:openstack-api-version|vary|x-compute-request-id): missing, |^[\w-]+: missing, recorded |^message: not recorded, here "The resource could not be found\.|^code: not recorded, here "404 Not Found"$|^title: not recorded, here "Not Found"$|^: recorded null, here \{"message":"The resource could not be found\.| stands for nothing in this run$/;

/** A resource that came with a microversion which the API does not have; without its route there is no 406. */
const DEFAULT_TYPES: Row = {
  pattern: /^30-types: default-types (?:set|get|delete)$/,
  reason: "Default types of projects (3.62) are not there",
  lines: NO_RESOURCE,
};

/** Every deliberate difference of the API to recorded Cinder, by the names of the exchanges. The first row that fits counts. */
export const ROWS: readonly Row[] = [
  // Not replayed: the outcome depends on how long something takes.
  {
    pattern: /^14-volumes-delete: (?:show right after|delete again while deleting)|^20-snapshots: delete again/,
    reason: "A removal may be over before the next request",
    isSkipped: true,
    lines: NOTHING,
  },
  {
    pattern: /^10-volumes-create: (?:from image|bad: image)|^11-volumes-show-list: show, from an image/,
    reason: "The replay has no Glance; test:tempest and test:glance have one",
    isSkipped: true,
    lines: NOTHING,
  },
  // A missing value.
  {
    pattern: /^13-volumes-actions: os-volume_upload_image/,
    reason: "Uploads to an image are not there: there is no such action",
    lines:
      /^status: recorded 202, here 400$|^os-volume_upload_image: missing, |^badRequest(?:\.message)?: .*, here .*There is no such action: os-volume_upload_image\./,
  },
  { pattern: /^31-qos-specs: /, reason: "QoS specs of types are not there", lines: NO_RESOURCE },
  DEFAULT_TYPES,
  {
    pattern: /^30-types: types\/default of that project$/,
    reason: "Default types of projects (3.62) are not there",
    lines: /^volume_type\./,
  },
  { pattern: /^51-transfers: /, reason: "Transfers are not there", lines: NO_RESOURCE },
  {
    pattern:
      /^60-others-empty: (?:GET (?:backups|group_types|groups|group_snapshots|consistencygroups|cgsnapshots|clusters|os-volume-transfer|manageable_volumes|os-volume-manage)(?:\/detail)?(?:\?|$)|work cleanup)/,
    reason: "Backups, groups, clusters, transfers and managing are not there",
    lines: NO_RESOURCE,
  },
  {
    pattern: /^13-volumes-actions: os-extend to 1000000$/,
    reason: "The usage of this run is another one",
    lines: /^overLimit\.message: .*VolumeSizeExceedsAvailableQuota/,
  },
  // Deliberate.
  {
    pattern: /^03-auth: reader creates/,
    reason: "A reader reads: Cinder's new defaults, which Zed does not enforce",
    lines:
      /^status: recorded 202, here 403$|^volume: missing, |^forbidden: not recorded, .*"Policy doesn't allow volume:create to be performed\."/,
  },
  {
    pattern: /^02-microversions: header "volume "$/,
    reason: "A version header that cannot be read is 400; Cinder fails with 500",
    lines:
      /^status: recorded 500, here 400$|^computeFault: missing, |^badRequest: not recorded, .*"API Version String {2}is of invalid format\./,
  },
  {
    pattern: /^10-volumes-create: bad: empty body/,
    reason: "An empty body is 400; Cinder fails with 500",
    lines:
      /^status: recorded 500, here 400$|^computeFault: missing, |^badRequest: not recorded, .*"Malformed request body"/,
  },
  {
    pattern: /^50-attachments: delete$/,
    reason: "Deleting an attachment asks no Nova; Cinder asks one, and fails with 500 where there is none",
    lines: /^status: recorded 500, here 200$|^computeFault: missing, |^attachments: not recorded, here \[/,
  },
  {
    pattern: /^50-attachments: volume after$/,
    reason: "Follows from the deletion of the attachment, which Cinder refused",
    lines: /^volume\.status: recorded "in-use", here "reserved"$|^volume\.attachments\.length: recorded 1, here 0$/,
  },
  {
    pattern: /^13-volumes-actions: os-initialize_connection$|^50-attachments: (?:update with connector|show|detail)$/,
    reason: "The base of a mount is the directory of this run; a volume for reading only is not offered for writing",
    lines: /mount_point_base: |access_mode: /,
  },
  {
    pattern: /^12-volumes-update-metadata: metadata get, ETag at 3\.15$/,
    reason: "Answers have no ETag, and JSON has its own type",
    lines: /^header content-type: /,
  },
  {
    pattern: /^20-snapshots: show/,
    reason: "updated_at of a snapshot is null until somebody changes it",
    lines: /^snapshot\.updated_at: /,
  },
  {
    pattern: /^41-services-pools: pools by type, 3\.35/,
    reason: "A pool is listed whatever volume_type says; Cinder refuses the name",
    lines: /^status: recorded 400, here 200$|^badRequest: missing, |^pools: not recorded, here \[/,
  },
  {
    pattern: /^41-services-pools: services/,
    reason: "There is no cinder-backup, which comes first in Cinder's list and has no replication",
    lines: /^services\.0\.(?:replication_status|active_backend_id|frozen): not recorded, /,
  },
  {
    pattern: /^41-services-pools: capabilities/,
    reason: "The driver is another one: vendor, protocol, version and properties differ",
    lines: /^(?:vendor_name|driver_version|storage_protocol): |^properties\.[a-z_]+: missing, /,
  },
  // State of the recording that the replay does not have.
  {
    pattern:
      /^11-volumes-show-list: (?:detail, 2, newest first|detail, next page|list \?bootable=(?:true|maybe)|glance_metadata)/,
    reason: "The recording has volumes made of images",
    lines: /^volumes\.(?:length|\d+\.volume_image_metadata): /,
  },
  {
    pattern: /^11-volumes-show-list: show as admin$/,
    reason: "The scheduler chose the other backend",
    lines: /attr:host: /,
  },
  {
    pattern: /^11-volumes-show-list: summary/,
    reason: "The recording has more volumes",
    lines: /^volume-summary\.(?:total_|metadata\.)/,
  },
  {
    pattern: /^02-microversions: header "volume (?:latest|2\.1|4\.0)"$/,
    reason: "The maximum of the microversions is another one",
    lines: /maximum is 3\.|^header openstack-api-version: |^limits\.absolute\./,
  },
  {
    pattern: /^40-limits-quotas: quota update per type$/,
    reason: "About a type of the recording that the replay does not have",
    lines: /^quota_set\./,
  },
  {
    pattern: /^02-microversions: |^40-limits-quotas: /,
    reason: "Usage and limits are those of this run",
    lines: /^(?:limits\.absolute|quota_set|quota_class_set)\.|^badRequest\.message: .*Current usage is/,
  },
  { pattern: /^03-auth: reader lists/, reason: "The recording began with no volume", lines: /^volumes\.length: / },
  {
    pattern: /^14-volumes-delete: delete while creating|^20-snapshots: create of a volume that is creating/,
    reason: "About a volume of a step that is not replayed",
    lines: UNSENT,
  },
  { pattern: /^20-snapshots: os-force_delete/, reason: "About a snapshot made at 3.70", lines: UNSENT },
];

const NEWER: Row = {
  pattern: /./,
  reason: `Microversions above 3.${MAXIMUM_MICROVERSION} are refused with 406, so that clients adapt`,
  lines: new RegExp(
    [
      "^status: recorded \\d+, here 406$",
      "^[\\w-]+: missing, recorded ",
      '^: recorded null, here \\{"computeFault":\\{"code":406,',
      '^computeFault: not recorded, here \\{"code":406,',
      `^computeFault\\.message: .* and maximum is 3\\.70\\.", here .* and maximum is 3\\.${MAXIMUM_MICROVERSION}\\."$`,
      `^header openstack-api-version: recorded volume 3\\.\\d+, here volume 3\\.${MAXIMUM_MICROVERSION}$`,
      UNSENT.source,
    ].join("|"),
  ),
};

/** Whether a row explains everything that differs. */
export function explains({ lines }: Row, differences: readonly string[]): boolean {
  return differences.every((line) => lines.test(line));
}

/** The row of an exchange, if there is one. A microversion that the API does not have comes before the list. */
export function reasonOf(exchange: Exchange): Row | undefined {
  const name = nameOf(exchange);
  const asked = /^volume 3\.(\d+)$/.exec(exchange.request.headers["OpenStack-API-Version"] ?? "")?.[1];
  if (asked !== undefined && Number(asked) > MAXIMUM_MICROVERSION) {
    return DEFAULT_TYPES.pattern.test(name) ? DEFAULT_TYPES : NEWER;
  }
  return ROWS.find(({ pattern }) => pattern.test(name)) ?? newest(exchange);
}

/** The recordings of the version document and of `latest` name Cinder's own maximum. */
function newest({ case: name, file }: Exchange): Row | undefined {
  return file === "01-versions" && name.startsWith("root") ? NEWER : undefined;
}
