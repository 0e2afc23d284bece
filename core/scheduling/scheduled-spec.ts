import type { CreateVolumeMessage } from "../requests/messages.ts";
import type { SnapshotRepository, VolumeRepository, VolumeTypeRepository } from "../ports.ts";
import type { VolumeRecord } from "../records.ts";
import {
  type FilterProperties,
  givenRequestSpec,
  populateFilterProperties,
  type RequestSpec,
  type VolumeType,
} from "./request.ts";
import type { Pin } from "./schedule.ts";
import { requireWholeSize } from "../workflow/extract-volume-spec.ts";
import { readSnapshot, readSourceVolume } from "../attempt/sources.ts";

/** Dependencies of completing a request. */
export type SpecReaders = {
  volumes: Pick<VolumeRepository, "get">;
  snapshots: Pick<SnapshotRepository, "get">;
  volumeTypes: Pick<VolumeTypeRepository, "get">;
};

/** A request as the filters see it, and what binds it to one backend, if anything does. */
export type ScheduledSpec = { spec: RequestSpec; properties: FilterProperties; pin: Pin | undefined };

/**
 * The request spec and filter properties that the filters see. The record's size and type are the truth, and a request without a spec
 * takes its zone from the record as well (`_populate_request_spec` of `cinder/scheduler/flows/create_volume.py`). A volume from a
 * snapshot or a source volume is bound to the backend that holds it (`snapshot_same_host` in Cinder, on by default).
 *
 * A create takes the volume's whole size, wherever it is said to be: `new_size` and `vol_exists_on`, by which the capacity filter asks
 * for less in an extend and for nothing in a retype, are left out, because the claim would never hold what such a filter lets pass.
 *
 * @throws InvalidInput, VolumeTypeNotFound, SnapshotNotFound, VolumeNotFound
 */
export async function scheduledSpec(
  deps: SpecReaders,
  message: CreateVolumeMessage,
  volume: VolumeRecord,
  filterProperties: FilterProperties,
): Promise<ScheduledSpec> {
  requireWholeSize(volume);
  const given = givenRequestSpec(message, volume);
  const volumeType = await volumeTypeOf(deps, given, volume);
  const source = await sourceOf(deps, message, volume);
  const spec: RequestSpec = {
    ...given,
    volume_id: volume.id,
    volume_properties: {
      metadata: volume.metadata,
      ...(given.volume_properties ?? given.resource_properties),
      size: volume.size,
    },
    ...(volumeType === null ? {} : { volume_type: volumeType }),
    ...(source === undefined ? {} : { resource_backend: source.backend }),
  };
  const { new_size: _newSize, vol_exists_on: _existsOn, ...others } = filterProperties;
  const bound = given.resource_backend;
  const pin = source ?? (bound ? { backend: bound, because: "the request" } : undefined);
  return { spec, properties: populateFilterProperties(others, spec), pin };
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

/** The backend of the volume's source. A source without a host cannot be used. */
async function sourceOf(
  deps: SpecReaders,
  message: CreateVolumeMessage,
  volume: VolumeRecord,
): Promise<Pin | undefined> {
  if (message.snapshot_id !== null) {
    const { host, id } = await readSnapshot(deps.snapshots, message.context, message.snapshot_id);
    return { backend: host, because: `snapshot ${id}` };
  }
  const sourceVolumeId = message.source_volid ?? volume.source_volid;
  if (sourceVolumeId === null) {
    return undefined;
  }
  const { host, id } = await readSourceVolume(deps.volumes, message.context, sourceVolumeId);
  return host === null ? undefined : { backend: host, because: `source volume ${id}` };
}
