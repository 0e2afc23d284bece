import type { ImageMeta } from "../../core/drivers/driver-ports.ts";
import { fenceOf, type SnapshotRecord, type VolumeRecord } from "../../core/records.ts";
import type { VolumeSpec } from "../../core/spec.ts";
import type { OwnerInput } from "../../core/workflow/input.ts";
import { uuid } from "./drivers.ts";
import { CONTEXT, START, World } from "./fakes/world.ts";
import { queuedVolume } from "./records.ts";

/** Builders of what the tasks work on: a volume at a place of its flow, the input of a task, an image, a message. */

export const FIRST_HOST = "node@first#pool";
export const SECOND_HOST = "node@second#pool";
export const VOLUME_ID = uuid(1);
export const SOURCE_ID = uuid(2);
export const SNAPSHOT_ID = uuid(3);
export const IMAGE_ID = uuid(4);

/** The input of a task of the volume's attempt. */
export function taskInput(attempt = 1, host: string = FIRST_HOST): OwnerInput {
  return { volume_id: VOLUME_ID, attempt, fence: fenceOf(VOLUME_ID, attempt), host, context: CONTEXT };
}

/** A volume that waits for the scheduler. */
export function aVolume(columns: Partial<VolumeRecord> = {}): VolumeRecord {
  return queuedVolume({ id: VOLUME_ID, ...columns });
}

/** A volume that an attempt owns, on its host, at a phase. */
export function aVolumeInFlow(
  columns: Partial<VolumeRecord> = {},
  attempt = 1,
  host: string = FIRST_HOST,
): VolumeRecord {
  const fence = fenceOf(VOLUME_ID, attempt);
  return aVolume({
    host,
    fence,
    availability_zone: "nova",
    phase: "scheduled",
    scheduled_at: START,
    deadline: "2026-01-01T01:10:00.000Z",
    attempts: { [attempt]: { host, execution: fence, started_at: START, outcome: "running" } },
    ...columns,
  });
}

/** A volume that may be a source. */
export function aSource(columns: Partial<VolumeRecord> = {}): VolumeRecord {
  return queuedVolume({
    id: SOURCE_ID,
    status: "available",
    host: FIRST_HOST,
    phase: null,
    deadline: null,
    launched_at: START,
    ...columns,
  });
}

/** A snapshot of {@link aSource}. */
export function aSnapshot(columns: Partial<SnapshotRecord> = {}): SnapshotRecord {
  return {
    id: SNAPSHOT_ID,
    volume_id: SOURCE_ID,
    project_id: "project",
    user_id: "user",
    status: "available",
    display_name: null,
    volume_size: 1,
    host: FIRST_HOST,
    provider_location: null,
    glance_metadata: {},
    created_at: START,
    ...columns,
  };
}

/** A small raw image that everybody may use. */
export function anImage(attributes: Partial<ImageMeta> = {}): ImageMeta {
  return {
    id: IMAGE_ID,
    name: "cirros",
    status: "active",
    disk_format: "raw",
    container_format: "bare",
    size: 1024,
    virtual_size: null,
    min_disk: 0,
    min_ram: 0,
    checksum: "d41d8cd98f00b204e9800998ecf8427e",
    os_hash_algo: null,
    os_hash_value: null,
    owner: "project",
    visibility: "public",
    properties: {},
    ...attributes,
  };
}

/** The spec from ExtractVolumeSpec. */
export function aSpec(spec: Partial<VolumeSpec> = {}): VolumeSpec {
  return {
    type: "raw",
    status: "creating",
    volume_id: VOLUME_ID,
    volume_name: `volume-${VOLUME_ID}`,
    volume_size: 1,
    ...spec,
  };
}

/** The spec of a volume from {@link anImage}. */
export function anImageSpec(meta: ImageMeta = anImage()): VolumeSpec {
  return aSpec({
    type: "image",
    image_id: IMAGE_ID,
    image_href: IMAGE_ID,
    image_location: { direct_url: null, locations: [] },
    image_meta: meta,
  });
}

/** A cast to the scheduler. */
export function aMessage(keys: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    context: { ...CONTEXT },
    volume_id: VOLUME_ID,
    image_id: null,
    snapshot_id: null,
    source_volid: null,
    request_spec: { volume_id: VOLUME_ID, volume_properties: { size: 1 } },
    filter_properties: {},
    ...keys,
  };
}

/** A world with two backends and these volumes; an owned one holds its claim. */
export function aWorld(...volumes: VolumeRecord[]): World {
  const world = new World();
  world.addBackend(FIRST_HOST);
  world.addBackend(SECOND_HOST);
  for (const volume of volumes) {
    world.fakes.volumes.records.set(volume.id, volume);
    const backend = world.fakes.backends.records.get(volume.host ?? "");
    if (backend !== undefined && volume.deadline !== null && volume.fence !== null) {
      const attempt = Number(volume.fence.slice(volume.fence.lastIndexOf("-a") + 2));
      world.fakes.backends.records.change(backend.host, {
        claims: { ...backend.claims, [volume.id]: { attempt, size: volume.size, claimed_at: START } },
        allocated_capacity_gb: backend.allocated_capacity_gb + volume.size,
        provisioned_capacity_gb: backend.provisioned_capacity_gb + volume.size,
        free_capacity_gb: Number(backend.free_capacity_gb) - volume.size,
      });
    }
  }
  return world;
}

/** The driver of a host of {@link aWorld}. */
export function driverOf(world: World, host: string = FIRST_HOST) {
  const driver = world.drivers.get(host);
  if (driver === undefined) {
    throw new Error(`no driver for ${host}`);
  }
  return driver;
}

/** All the time that a task wants. */
export const UNHURRIED = { checkpoint: null, remainingTimeMs: () => 900_000 };
