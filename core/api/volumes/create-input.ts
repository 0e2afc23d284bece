import type { CreateRequestInput } from "../../requests/create-request.ts";
import type { SnapshotRecord, VolumeRecord, VolumeTypeRecord } from "../../records.ts";
import { backendHost } from "../../backends/backends.ts";
import type { ApiDependencies } from "../dependencies.ts";
import { badRequest, invalidInput, notFound } from "../errors.ts";
import type { Call } from "../http.ts";
import { findImage, requireFittingImage, type SourceImage, volumeTypeOfImage } from "../images.ts";
import { visibleSnapshot } from "../snapshots/find.ts";
import { DEFAULT_TYPE_ID, defaultType, findType, recordedType } from "../types/default-type.ts";
import { findVisibleType, visibleTypeById } from "../types/visible.ts";
import { visibleVolume } from "./show.ts";

/** The request of a create through the API: its volume always has a type. */
export type ApiCreateInput = CreateRequestInput & { volumeType: VolumeTypeRecord };

/** Body of a create, as its schema has let it through. */
export type CreateVolumeBody = {
  volume: {
    name?: string | null;
    description?: string | null;
    display_name?: string | null;
    display_description?: string | null;
    volume_type?: string | null;
    metadata?: Record<string, string> | null;
    snapshot_id?: string | null;
    source_volid?: string | null;
    consistencygroup_id?: string | null;
    group_id?: string | null;
    backup_id?: string | null;
    size?: number | string | null;
    availability_zone?: string | null;
    multiattach?: unknown;
    image_id?: string | null;
    imageRef?: string | null;
  };
};

const MULTIATTACH_REMOVED =
  "multiattach parameter has been removed. The default behavior is to use multiattach enabled volume types. " +
  "Contact your administrator to create a multiattach enabled volume type and use it to create multiattach volumes.";

/** Cinder's answer to a create without a size, in the words of its own error. */
const MALFORMED = "The server could not comply with the request since it is either malformed or otherwise incorrect.";

/** Statuses of a source (cinder/volume/flows/api/create_volume.py, SNAPSHOT_PROCEED_STATUS and SRC_VOL_PROCEED_STATUS). */
const SNAPSHOT_STATUSES: readonly string[] = ["available"];
const VOLUME_STATUSES: readonly string[] = ["available", "in-use"];

/**
 * The request of a create, checked against type, source, image and zone in the order of Cinder's `create` and ExtractVolumeRequestTask.
 *
 * @throws ApiError with Cinder's status and words
 */
export async function readCreateRequest(
  deps: ApiDependencies,
  call: Call,
  { volume: body }: CreateVolumeBody,
): Promise<ApiCreateInput> {
  const { caller } = call;
  const asked = optional(body.volume_type);
  const namedType = asked === undefined ? null : await findVisibleType(deps.volumeTypes, caller, asked);
  const snapshot = body.snapshot_id == null ? null : await visibleSnapshot(deps, caller, body.snapshot_id);
  const source = body.source_volid == null ? null : await visibleVolume(deps, caller, body.source_volid);
  requireNoGroupAndBackup(body);
  const imageId = optional(body.imageRef ?? body.image_id);
  if (body.multiattach != null && body.multiattach !== "") {
    throw badRequest(MULTIATTACH_REMOVED);
  }
  if (body.size == null && snapshot === null && source === null) {
    throw badRequest(MALFORMED);
  }
  await requireCompatibleType(deps, namedType, source, "either match source volume, or omit type argument");
  await requireCompatibleType(deps, namedType, snapshot, "recommend omitting the type argument");
  requireOneSource({ snapshot, imageRef: imageId, "source volume": source });
  requireSourceStatus(snapshot, source);
  const sizeGib = sizeOf(body.size ?? null, snapshot, source);
  requireZone(deps, optional(body.availability_zone));
  const image = imageId === undefined ? undefined : await findImage(deps, call, imageId);
  if (image !== undefined) {
    requireFittingImage(image, sizeGib);
  }
  const volumeType = namedType ?? (await typeOfSource(deps, call, source ?? snapshot, image));
  if (volumeType.encryption !== undefined) {
    throw badRequest(`Volume type ${volumeType.name} asks for encryption, which no backend here offers.`);
  }
  return {
    sizeGib,
    displayName: nameOf(body.name, body.display_name),
    displayDescription: nameOf(body.description, body.display_description),
    availabilityZone: optional(body.availability_zone) ?? null,
    metadata: body.metadata ?? {},
    volumeType: await recordedType(deps.volumeTypes, volumeType),
    imageId: image?.reference ?? null,
    snapshotId: snapshot?.id ?? null,
    sourceVolumeId: source?.id ?? null,
    projectId: caller.projectId,
    userId: caller.userId,
    roles: caller.roles,
    useQuota: true,
    ...(deps.phaseBounds !== undefined && { queuedSeconds: deps.phaseBounds.queued }),
  };
}

/**
 * The type of a create that names none (`_get_volume_type` of ExtractVolumeRequestTask): its source's, or the image's, or the default type.
 *
 * @throws VolumeTypeNotFound, VolumeTypeNotFoundByName also when it is the image that names it, as in Cinder
 */
async function typeOfSource(
  deps: ApiDependencies,
  { caller }: Call,
  source: Pick<VolumeRecord | SnapshotRecord, "volume_type_id"> | null,
  image: SourceImage | undefined,
): Promise<VolumeTypeRecord> {
  if (source !== null) {
    return visibleTypeById(deps.volumeTypes, source.volume_type_id ?? DEFAULT_TYPE_ID);
  }
  const named = image === undefined ? undefined : volumeTypeOfImage(image);
  return named === undefined ? defaultType(deps) : findVisibleType(deps.volumeTypes, caller, named);
}

function optional(text: string | null | undefined): string | undefined {
  return text === null || text === undefined || text === "" ? undefined : text;
}

/** Names lose the spaces around them. */
function nameOf(name: string | null | undefined, displayName: string | null | undefined): string | null {
  return (name === undefined ? displayName : name)?.trim() ?? null;
}

function requireNoGroupAndBackup(body: CreateVolumeBody["volume"]): void {
  const group = optional(body.consistencygroup_id) ?? body.group_id ?? undefined;
  if (group !== undefined) {
    throw notFound(`Group ${group} could not be found.`);
  }
  if (optional(body.backup_id) !== undefined) {
    throw notFound(`Backup ${body.backup_id} could not be found.`);
  }
}

/**
 * A named type that is not the source's must have its backend's name, unless there is one backend only (`_retype_is_possible` of
 * cinder/volume/api.py).
 *
 * @throws ApiError 400
 */
async function requireCompatibleType(
  deps: ApiDependencies,
  type: VolumeTypeRecord | null,
  source: Pick<VolumeRecord | SnapshotRecord, "volume_type_id"> | null,
  advice: string,
): Promise<void> {
  const sourceId = source?.volume_type_id ?? DEFAULT_TYPE_ID;
  if (type === null || source === null || type.id === sourceId) {
    return;
  }
  const nameOfBackend = (specs: Readonly<Record<string, string>> = {}): string => specs["volume_backend_name"] ?? "";
  const sourceName = nameOfBackend((await findType(deps.volumeTypes, sourceId))?.extra_specs);
  const isSame = sourceName !== "" && sourceName === nameOfBackend(type.extra_specs);
  if (!isSame && new Set((await deps.backends.list()).map(({ host }) => backendHost(host))).size !== 1) {
    throw invalidInput(`Invalid volume_type provided: ${type.id} (requested type is not compatible; ${advice}).`);
  }
}

function requireOneSource(sources: Readonly<Record<string, unknown>>): void {
  if (Object.values(sources).filter((source) => source !== null && source !== undefined).length > 1) {
    throw invalidInput("May specify only one of backup, imageRef, snapshot, source volume");
  }
}

function requireSourceStatus(snapshot: SnapshotRecord | null, source: VolumeRecord | null): void {
  if (snapshot !== null && !SNAPSHOT_STATUSES.includes(snapshot.status)) {
    throw badRequest(
      `Invalid snapshot: Originating snapshot status must be one of '${SNAPSHOT_STATUSES.join(", ")}' values`,
    );
  }
  if (source !== null && !VOLUME_STATUSES.includes(source.status)) {
    throw badRequest(
      `Invalid volume: Originating source volume status must be one of '${VOLUME_STATUSES.join(", ")}' values`,
    );
  }
}

function sizeOf(asked: number | string | null, snapshot: SnapshotRecord | null, source: VolumeRecord | null): number {
  const size = asked === null ? (source?.size ?? snapshot?.volume_size ?? 0) : Number(asked);
  if (source !== null && size < source.size) {
    throw invalidInput(
      `Volume size '${size}'GB cannot be smaller than original volume size  ${source.size}GB. ` +
        "They must be >= original volume size.",
    );
  }
  if (snapshot !== null && size < snapshot.volume_size) {
    throw invalidInput(
      `Volume size '${size}'GB cannot be smaller than the snapshot size ${snapshot.volume_size}GB. ` +
        "They must be >= original snapshot size.",
    );
  }
  return size;
}

function requireZone({ zones }: ApiDependencies, zone: string | undefined): void {
  if (zone !== undefined && !zones.includes(zone)) {
    throw badRequest(`Availability zone '${zone}' is invalid.`);
  }
}
