import * as v from "valibot";
import { InvalidVolume, VolumeNotFound } from "../errors.ts";
import type { Clock, Drivers, SnapshotRepository, VolumeRepository } from "../ports.ts";
import type { SnapshotRecord, VolumeRecord } from "../records.ts";
import { readyDriver } from "./create-on-backend.ts";

/** What taking a snapshot uses. */
export type CreateSnapshotDependencies = {
  volumes: Pick<VolumeRepository, "get">;
  snapshots: SnapshotRepository;
  drivers: Drivers;
  clock: Clock;
};

const uuid = (what: string) => v.pipe(v.string(), v.uuid(`${what} must be a UUID`));

/** The request for a snapshot. The caller chooses its id, so that a repeated request makes one snapshot. */
export const CreateSnapshotInputSchema = v.object({
  snapshot_id: uuid("snapshot_id"),
  volume_id: uuid("volume_id"),
  name: v.optional(v.nullable(v.string()), null),
  project_id: v.string(),
  user_id: v.string(),
});

/** See {@link CreateSnapshotInputSchema}. */
export type CreateSnapshotInput = v.InferOutput<typeof CreateSnapshotInputSchema>;

/** Statuses of a volume of which a snapshot may be taken (Cinder without `--force`, and with it `in-use`). */
const SNAPSHOT_STATUSES: readonly string[] = ["available", "in-use"];

/**
 * Takes a snapshot of a volume (`cinder/volume/manager.py`, create_snapshot). Its image metadata is copied then, as in Cinder.
 *
 * Twice: the second call finds the record, and drivers create snapshots by id. Dead half-way: the record says `creating`, and the
 * next call with the same id finishes it.
 *
 * @throws VolumeNotFound also for another project's volume; InvalidVolume, VolumeBackendAPIException, DriverNotInitialized.
 */
export async function createSnapshot(
  deps: CreateSnapshotDependencies,
  input: CreateSnapshotInput,
): Promise<SnapshotRecord> {
  const volume = await deps.volumes.get(input.volume_id);
  if (volume.project_id !== input.project_id) {
    throw new VolumeNotFound(input.volume_id);
  }
  if (!SNAPSHOT_STATUSES.includes(volume.status) || volume.host === null) {
    throw new InvalidVolume(`volume ${volume.id} is ${volume.status}; a snapshot needs it available or in-use`);
  }
  const snapshot = snapshotOf(volume, volume.host, input, deps.clock.now());
  await deps.snapshots.create(snapshot);
  try {
    const driver = await readyDriver(deps.drivers, volume.host);
    const update = await driver.createSnapshot(snapshot, volume);
    return await deps.snapshots.markAvailable(snapshot.id, update?.provider_location ?? null);
  } catch (error) {
    // The caller learns the first error; a record that stays `creating` is finished by the next request of its id.
    await deps.snapshots.markError(snapshot.id).catch(() => {});
    throw error;
  }
}

function snapshotOf(volume: VolumeRecord, host: string, input: CreateSnapshotInput, now: Date): SnapshotRecord {
  return {
    id: input.snapshot_id,
    volume_id: volume.id,
    project_id: volume.project_id,
    user_id: input.user_id,
    status: "creating",
    display_name: input.name,
    volume_size: volume.size,
    host,
    provider_location: null,
    glance_metadata: volume.glance_metadata,
    created_at: now.toISOString(),
    locks: {},
  };
}
