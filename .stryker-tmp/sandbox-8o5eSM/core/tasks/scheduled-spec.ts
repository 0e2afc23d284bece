// @ts-nocheck
import type { CreateVolumeMessage } from "../messages.ts";
import type { SnapshotRepository, VolumeRepository, VolumeTypeRepository } from "../ports.ts";
import type { VolumeRecord } from "../records.ts";
import {
  type FilterProperties,
  populateFilterProperties,
  type RequestSpec,
  type VolumeType,
} from "../scheduling/request.ts";
import { requireWholeSize } from "./extract-volume-spec.ts";
import { readSnapshot, readSourceVolume } from "./sources.ts";

/** What completing a request reads. */
export type SpecReaders = {
  volumes: Pick<VolumeRepository, "get">;
  snapshots: Pick<SnapshotRepository, "get">;
  volumeTypes: Pick<VolumeTypeRepository, "get">;
};

/**
 * The request spec and filter properties that the filters see. The record's size and type are the truth; a volume from a snapshot
 * or a source volume is bound to the backend that holds it (`snapshot_same_host` in Cinder, on by default).
 *
 * @throws InvalidInput, VolumeTypeNotFound, SnapshotNotFound, VolumeNotFound
 */
export async function scheduledSpec(
  deps: SpecReaders,
  message: CreateVolumeMessage,
  volume: VolumeRecord,
  filterProperties: FilterProperties,
): Promise<{ spec: RequestSpec; properties: FilterProperties }> {
  requireWholeSize(volume);
  const given = (message.request_spec ?? {}) as RequestSpec;
  const volumeType = await volumeTypeOf(deps, given, volume);
  const sourceHost = await hostOfSource(deps, message, volume);
  const spec: RequestSpec = {
    ...given,
    volume_id: volume.id,
    volume_properties: { ...given.volume_properties, size: volume.size },
    ...(volumeType === null ? {} : { volume_type: volumeType }),
    ...(sourceHost === null ? {} : { resource_backend: sourceHost }),
  };
  return { spec, properties: populateFilterProperties(filterProperties, spec) };
}

async function volumeTypeOf(deps: SpecReaders, spec: RequestSpec, volume: VolumeRecord): Promise<VolumeType | null> {
  if (volume.volume_type_id === null) {
    return spec.volume_type ?? null;
  }
  if (spec.volume_type?.id === volume.volume_type_id && spec.volume_type.extra_specs !== undefined) {
    return spec.volume_type;
  }
  const { id, name, extra_specs: extraSpecs } = await deps.volumeTypes.get(volume.volume_type_id);
  return { id, name, extra_specs: extraSpecs };
}

async function hostOfSource(
  deps: SpecReaders,
  message: CreateVolumeMessage,
  volume: VolumeRecord,
): Promise<string | null> {
  if (message.snapshot_id !== null) {
    return (await readSnapshot(deps.snapshots, message.context, message.snapshot_id)).host;
  }
  const sourceVolumeId = message.source_volid ?? volume.source_volid;
  if (sourceVolumeId !== null) {
    return (await readSourceVolume(deps.volumes, message.context, sourceVolumeId)).host;
  }
  return null;
}
