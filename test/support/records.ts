import { randomUUID } from "node:crypto";
import { DEFAULT_TYPE_ID } from "../../core/api/types/default-type.ts";
import type { BackendReport, Owner } from "../../core/ports.ts";
import {
  type Attempt,
  fenceOf,
  newVolume,
  type SnapshotRecord,
  type VolumeRecord,
  type VolumeTypeRecord,
} from "../../core/records.ts";

/** A volume as it is when its request has been accepted: queued, owned by no attempt. */
export function queuedVolume(columns: Partial<VolumeRecord> = {}): VolumeRecord {
  return newVolume({
    id: randomUUID(),
    project_id: "project",
    user_id: "user",
    size: 1,
    created_at: "2026-01-01T00:00:00.000Z",
    phase: "queued",
    deadline: "2026-01-01T00:15:00.000Z",
    ...columns,
  });
}

/** The owner that an attempt of a volume is. */
export function ownerOf(volumeId: string, attempt = 1): Owner {
  return { volumeId, attempt, fence: fenceOf(volumeId, attempt) };
}

/** The ledger's line of an attempt that has begun. */
export function runningAttempt(owner: Owner, host: string): Attempt {
  return { host, execution: owner.fence, started_at: "2026-01-01T00:00:01.000Z", outcome: "running" };
}

/** A snapshot that is being taken. */
export function beginningSnapshot(columns: Partial<SnapshotRecord> = {}): SnapshotRecord {
  return {
    id: randomUUID(),
    volume_id: randomUUID(),
    project_id: "project",
    user_id: "user",
    status: "creating",
    display_name: null,
    volume_size: 1,
    host: "host@file#pool",
    provider_location: null,
    glance_metadata: {},
    created_at: "2026-01-01T00:00:00.000Z",
    ...columns,
  };
}

/** A volume type without extra specs. */
export function plainVolumeType(columns: Partial<VolumeTypeRecord> = {}): VolumeTypeRecord {
  const id = randomUUID();
  return {
    id,
    name: `type-${id}`,
    extra_specs: {},
    description: null,
    is_public: true,
    created_at: "2026-01-01T00:00:00.000Z",
    ...columns,
  };
}

/** A project's usage of its quota when all its volumes are of the type `__DEFAULT__`. */
export function usageOfDefaultType(volumes: number, gigabytes: number): Record<string, number> {
  return {
    volumes,
    gigabytes,
    [`volumes_${DEFAULT_TYPE_ID}`]: volumes,
    [`gigabytes_${DEFAULT_TYPE_ID}`]: gigabytes,
  };
}

/** The report of a thick backend with 10 GiB, all free. */
export function backendReport(columns: Partial<BackendReport> = {}): BackendReport {
  return {
    host: `${randomUUID()}@file#pool`,
    availability_zone: "nova",
    driver: "file",
    total_capacity_gb: 10,
    free_capacity_gb: 10,
    reserved_percentage: 0,
    max_over_subscription_ratio: null,
    thin_provisioning_support: false,
    thick_provisioning_support: true,
    capabilities: {},
    reported_at: "2026-01-01T00:00:00.000Z",
    ...columns,
  };
}
