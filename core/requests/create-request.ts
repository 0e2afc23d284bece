import { bytesOf, messageText, recordBytes, requireWithinBudget } from "./byte-budget.ts";
import { InvalidInput } from "../errors.ts";
import { canonicalImageReference, IMAGE_REFERENCE_RULE, isImageReference, lowerCaseUuid } from "./identifiers.ts";
import { requireMetadata } from "./storable.ts";
import type { CreateVolumeMessage } from "./messages.ts";
import type { MapChange, VolumeDetails, VolumeRepository } from "../ports.ts";
import { positionOfVolume, type ProjectRepository } from "../projects.ts";
import { volumeRefOf } from "../workflow/extract-volume-ref.ts";
import { type CreateRequestMemo, newVolume, type VolumeRecord, type VolumeTypeRecord } from "../records.ts";
import { deadlineAfter, PHASE_BOUND_SECONDS } from "../settings/time-bounds.ts";

/**
 * The work of Cinder's API between a caller's request and the cast to the scheduler (`cinder/volume/flows/api/create_volume.py`,
 * EntryCreateTask and VolumeCastTask): the record and the message of one new volume. Every client that requests volumes builds both here.
 */

/** Largest size that Cinder's API takes, in GiB (`cinder.db.constants.MAX_INT`). */
export const MAX_VOLUME_SIZE_GIB = 0x7f_ff_ff_ff;

/** Default project when none is given. Real projects have UUIDs; a word cannot be one of them. */
export const DEFAULT_PROJECT_ID = "admin";
/** Default user when none is given. */
export const DEFAULT_USER_ID = "admin";

/** The request. At most one of image, snapshot and source volume. */
export type CreateRequestInput = {
  sizeGib: number;
  displayName?: string | null;
  displayDescription?: string | null;
  availabilityZone?: string | null;
  metadata?: Record<string, string>;
  volumeType?: VolumeTypeRecord | null;
  imageId?: string | null;
  snapshotId?: string | null;
  sourceVolumeId?: string | null;
  projectId?: string;
  userId?: string;
  roles?: readonly string[];
  /** Name of the secret that holds the caller's token for the image service; never the token. */
  authSecret?: string | null;
  /** Hints of the request for the scheduler, as `--hint` of openstackclient. */
  schedulerHints?: Readonly<Record<string, string>>;
  /** Bound of the phase `queued` in this deployment, when it is not the default. */
  queuedSeconds?: number;
  /** Whether the volume counts in its project's quota. */
  useQuota?: boolean;
  /** See `request_digest` of the record. */
  requestDigest?: string;
};

/** Ids of the new volume and of the request; the request's is `req-` and a UUID in OpenStack. */
export type CreateRequestIds = { volumeId: string; requestId: string };

/** The record to put first, and the message to send after it. */
export type CreateRequest = { record: VolumeRecord; message: CreateVolumeMessage };

/**
 * Builds the record of a new volume and its cast. Put the record before the message leaves: a message that overtakes its record
 * names a volume that does not exist. A record whose message was not sent stays in the flow until its deadline, unless it is
 * marked unschedulable.
 *
 * UUIDs may be given in any case; record and message have them in lower case.
 *
 * @throws InvalidInput when the size is not a positive integer, two sources are named, or the image's address may hold a secret.
 */
export function buildCreateRequest(input: CreateRequestInput, now: Date, ids: CreateRequestIds): CreateRequest {
  checkSize(input.sizeGib);
  requireMetadata(input.metadata ?? {});
  const sources = sourcesOf(input);
  checkOneSource(sources);
  if (sources.image_id !== null && !isImageReference(sources.image_id)) {
    throw new InvalidInput(`the image ${IMAGE_REFERENCE_RULE}`);
  }
  const record = recordOf(input, sources, now, { ...ids, volumeId: lowerCaseUuid(ids.volumeId) });
  const message = createMessage(record, input.volumeType ?? null);
  requireRequestRoom(record, message);
  return { record, message };
}

/**
 * Refuses a volume whose request takes more than its share of the byte budget, as a message or as a state document: nothing of it could
 * be scheduled, and its record would leave no room for a failure.
 *
 * @throws InvalidInput
 */
function requireRequestRoom(record: VolumeRecord, message: CreateVolumeMessage): void {
  requireWithinBudget(bytesOf(messageText(message)), "the request with the metadata of its volume");
  const once = { ...message, request_spec: { ...message.request_spec, volume_properties: {} } };
  const bytes = bytesOf(JSON.stringify(once)) + bytesOf(JSON.stringify(volumeRefOf(record)));
  requireWithinBudget(bytes, "the request with the columns of its volume");
}

/**
 * Refuses a change of a volume's user-editable fields when its record would take more than its share of the byte budget, or a key or value
 * is not allowed. Two changes at once are each measured against the record that they have read.
 *
 * @throws InvalidInput
 */
function requireRoomForDetails(volume: VolumeRecord, change: VolumeDetails): void {
  const { displayName, displayDescription, metadata = {}, glanceMetadata = {} } = change;
  requireMetadata({ ...metadata.set, ...glanceMetadata.set });
  const changedMap = (map: Readonly<Record<string, string>>, { set = {}, unset = [] }: MapChange) =>
    Object.fromEntries(Object.entries({ ...map, ...set }).filter(([key]) => !unset.includes(key)));
  const changed = {
    ...volume,
    display_name: displayName === undefined ? volume.display_name : displayName,
    display_description: displayDescription === undefined ? volume.display_description : displayDescription,
    metadata: changedMap(volume.metadata, metadata),
    glance_metadata: changedMap(volume.glance_metadata, glanceMetadata),
  };
  // A change that makes a record smaller is always allowed.
  if (recordBytes(changed) > recordBytes(volume)) {
    requireRequestRoom(changed, createMessage(changed, null));
  }
}

/**
 * Changes a volume's user-editable fields. The entry in the project's list gets a new name before the record, so that the volume is found by
 * it at once.
 *
 * Repeated: nothing changes.
 * Interrupted in between: the next change of the name completes it, or the audit writes the record's name into the entry.
 *
 * @throws as {@link requireRoomForDetails}; VolumeNotFound
 */
export async function changeVolumeDetails(
  {
    volumes,
    projects,
  }: { volumes: Pick<VolumeRepository, "changeDetails">; projects: Pick<ProjectRepository, "rename"> },
  volume: VolumeRecord,
  change: VolumeDetails,
): Promise<VolumeRecord> {
  requireRoomForDetails(volume, change);
  if (change.displayName !== undefined) {
    await projects.rename(positionOfVolume(volume), change.displayName);
  }
  return volumes.changeDetails(volume.id, change);
}

/**
 * The cast of a volume's first attempt, from its record alone: the same for a create as for one that is asked for again.
 *
 * @param volumeType the type of the record
 */
export function createMessage(
  record: VolumeRecord,
  volumeType: Pick<VolumeTypeRecord, "id" | "name" | "extra_specs"> | null,
): CreateVolumeMessage {
  const { id: volume_id, snapshot_id, source_volid, request } = record;
  const image_id = request?.image_id ?? null;
  const properties = propertiesOf(record);
  const hints = request?.scheduler_hints;
  return {
    context: {
      request_id: request?.request_id ?? "",
      user_id: record.user_id,
      project_id: record.project_id,
      is_admin: request?.roles.includes("admin") ?? false,
      roles: [...(request?.roles ?? DEFAULT_ROLES)],
      ...(request?.auth_secret === undefined ? {} : { auth_secret: request.auth_secret }),
    },
    volume_id,
    image_id,
    snapshot_id,
    source_volid,
    request_spec: {
      volume_id,
      // Cinder's twin `resource_properties` is made of these where a filter reads it.
      volume_properties: properties,
      volume_type: typeOf(volumeType),
      image_id,
      snapshot_id,
      source_volid,
      ...(hints === undefined ? {} : { scheduler_hints: hints }),
    },
    filter_properties: hints === undefined ? {} : { scheduler_hints: hints },
  };
}

/** As Keystone has it, where a member is a reader too. */
const DEFAULT_ROLES = ["member", "reader"];

function checkSize(sizeGib: number): void {
  if (!Number.isInteger(sizeGib) || sizeGib < 1 || sizeGib > MAX_VOLUME_SIZE_GIB) {
    throw new InvalidInput(`Volume size '${sizeGib}' must be an integer and greater than 0`);
  }
}

function checkOneSource(sources: Sources): void {
  const named = Object.entries(sources).flatMap(([key, value]) => (value === null ? [] : [key]));
  if (named.length > 1) {
    throw new InvalidInput(`${named.join(" and ")} are given, but a volume has one source`);
  }
}

type Sources = Pick<CreateVolumeMessage, "image_id" | "snapshot_id" | "source_volid">;

function sourcesOf(input: CreateRequestInput): Sources {
  const lowerCase = (id: string | null | undefined): string | null => (id ? lowerCaseUuid(id) : null);
  return {
    image_id: input.imageId ? canonicalImageReference(input.imageId) : null,
    snapshot_id: lowerCase(input.snapshotId),
    source_volid: lowerCase(input.sourceVolumeId),
  };
}

function recordOf(input: CreateRequestInput, sources: Sources, now: Date, ids: CreateRequestIds): VolumeRecord {
  return newVolume({
    id: ids.volumeId,
    project_id: input.projectId ?? DEFAULT_PROJECT_ID,
    user_id: input.userId ?? DEFAULT_USER_ID,
    size: input.sizeGib,
    display_name: input.displayName ?? null,
    display_description: input.displayDescription ?? null,
    availability_zone: input.availabilityZone ?? null,
    volume_type_id: input.volumeType?.id ?? null,
    snapshot_id: sources.snapshot_id,
    source_volid: sources.source_volid,
    created_at: now.toISOString(),
    metadata: { ...input.metadata },
    phase: "queued",
    deadline: deadlineAfter(now, input.queuedSeconds ?? PHASE_BOUND_SECONDS.queued).toISOString(),
    request: memoOf(input, sources, ids.requestId),
    ...(input.useQuota === true && { use_quota: true, quota_size: input.sizeGib }),
    ...(input.requestDigest !== undefined && { request_digest: input.requestDigest }),
  });
}

function memoOf(input: CreateRequestInput, { image_id }: Sources, requestId: string): CreateRequestMemo {
  const { authSecret = null, availabilityZone = null, schedulerHints } = input;
  return {
    request_id: requestId,
    roles: [...(input.roles ?? DEFAULT_ROLES)],
    ...(image_id === null ? {} : { image_id }),
    ...(authSecret === null ? {} : { auth_secret: authSecret }),
    ...(availabilityZone === null ? {} : { availability_zone: availabilityZone }),
    ...(schedulerHints === undefined ? {} : { scheduler_hints: { ...schedulerHints } }),
  };
}

/** `volume_properties` of the request spec: the columns that scheduling and the drivers read. */
function propertiesOf(record: VolumeRecord): Record<string, unknown> {
  return {
    size: record.size,
    user_id: record.user_id,
    project_id: record.project_id,
    status: record.status,
    attach_status: "detached",
    // The column has the zone of the backend once there is one.
    availability_zone:
      record.request === undefined ? record.availability_zone : (record.request.availability_zone ?? null),
    display_name: record.display_name,
    display_description: record.display_description,
    metadata: record.metadata,
    snapshot_id: record.snapshot_id,
    source_volid: record.source_volid,
    volume_type_id: record.volume_type_id,
  };
}

function typeOf(
  volumeType: Pick<VolumeTypeRecord, "id" | "name" | "extra_specs"> | null,
): Record<string, unknown> | null {
  return volumeType === null ? null : { id: volumeType.id, name: volumeType.name, extra_specs: volumeType.extra_specs };
}
