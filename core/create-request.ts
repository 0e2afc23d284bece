import { InvalidInput } from "./errors.ts";
import { canonicalImageReference, IMAGE_REFERENCE_RULE, isImageReference, lowerCaseUuid } from "./identifiers.ts";
import type { CreateVolumeMessage } from "./messages.ts";
import type { VolumeRecord, VolumeTypeRecord } from "./records.ts";
import { deadlineAfter, PHASE_BOUND_SECONDS } from "./time-bounds.ts";

/**
 * What Cinder's API does between a caller's wish and the cast to the scheduler (`cinder/volume/flows/api/create_volume.py`,
 * EntryCreateTask and VolumeCastTask): the record and the message of one new volume. Whoever asks for volumes builds both here.
 */

/** Largest size that Cinder's API takes, in GiB (`cinder.db.constants.MAX_INT`). */
export const MAX_VOLUME_SIZE_GIB = 0x7f_ff_ff_ff;

/** Owner of what nobody else is named for. Real projects have UUIDs; a word cannot be one of them. */
export const DEFAULT_PROJECT_ID = "admin";
/** User of what nobody else is named for. */
export const DEFAULT_USER_ID = "admin";

/** What is asked for. At most one of image, snapshot and source volume. */
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
  /** Bound of the phase `queued` in this deployment, when it is not the default. */
  queuedSeconds?: number;
};

/** Ids of the new volume and of the request; the request's is `req-` and a UUID in OpenStack. */
export type CreateRequestIds = { volumeId: string; requestId: string };

/** The record to put first, and the message to send when it stands. */
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
  const sources = sourcesOf(input);
  checkOneSource(sources);
  const { image_id, snapshot_id, source_volid } = sources;
  if (image_id !== null && !isImageReference(image_id)) {
    throw new InvalidInput(`the image ${IMAGE_REFERENCE_RULE}`);
  }
  const record = recordOf(input, sources, now, lowerCaseUuid(ids.volumeId));
  const properties = propertiesOf(record);
  const message: CreateVolumeMessage = {
    context: {
      request_id: ids.requestId,
      user_id: record.user_id,
      project_id: record.project_id,
      is_admin: false,
      // As Keystone has it, where a member is a reader too.
      roles: [...(input.roles ?? ["member", "reader"])],
      ...((input.authSecret ?? null) === null ? {} : { auth_secret: input.authSecret }),
    },
    volume_id: record.id,
    image_id,
    snapshot_id,
    source_volid,
    request_spec: {
      volume_id: record.id,
      // Cinder's twin `resource_properties` is made of these where a filter reads it.
      volume_properties: properties,
      volume_type: typeOf(input.volumeType ?? null),
      image_id,
      snapshot_id,
      source_volid,
    },
    filter_properties: {},
  };
  return { record, message };
}

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

function recordOf(input: CreateRequestInput, sources: Sources, now: Date, volumeId: string): VolumeRecord {
  const createdAt = now.toISOString();
  return {
    id: volumeId,
    project_id: input.projectId ?? DEFAULT_PROJECT_ID,
    user_id: input.userId ?? DEFAULT_USER_ID,
    size: input.sizeGib,
    status: "creating",
    display_name: input.displayName ?? null,
    display_description: input.displayDescription ?? null,
    availability_zone: input.availabilityZone ?? null,
    host: null,
    volume_type_id: input.volumeType?.id ?? null,
    snapshot_id: sources.snapshot_id,
    source_volid: sources.source_volid,
    bootable: false,
    migration_status: null,
    provider_location: null,
    created_at: createdAt,
    updated_at: createdAt,
    scheduled_at: null,
    launched_at: null,
    metadata: { ...input.metadata },
    glance_metadata: {},
    fence: null,
    attempts: {},
    phase: "queued",
    progress: null,
    deadline: deadlineAfter(now, input.queuedSeconds ?? PHASE_BOUND_SECONDS.queued).toISOString(),
    fault: null,
    delete_requested_at: null,
    locks: {},
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
    availability_zone: record.availability_zone,
    display_name: record.display_name,
    display_description: record.display_description,
    metadata: record.metadata,
    snapshot_id: record.snapshot_id,
    source_volid: record.source_volid,
    volume_type_id: record.volume_type_id,
  };
}

function typeOf(volumeType: VolumeTypeRecord | null): Record<string, unknown> | null {
  return volumeType === null ? null : { id: volumeType.id, name: volumeType.name, extra_specs: volumeType.extra_specs };
}
