import { describeError, InvalidInput, MetadataUpdateFailure, routeOf } from "../errors.ts";
import type { SnapshotRepository, VolumeRepository } from "../ports.ts";
import type { SnapshotRecord } from "../records.ts";
import type { Creation, VolumeSpec } from "../spec.ts";
import { type CreateDependencies, createOnBackend, type Turn } from "../attempt/create-on-backend.ts";
import { readSnapshot } from "../attempt/sources.ts";
import type { OwnerInput } from "./input.ts";

/** CreateVolumeFromSnapshot also reads the snapshot. */
export type CreateFromSnapshotDependencies = CreateDependencies & {
  volumes: Pick<VolumeRepository, "get">;
  snapshots: Pick<SnapshotRepository, "get">;
};

/**
 * CreateVolumeFromSpecTask._create_from_snapshot. The originating volume's bootable flag is read before the backend is asked,
 * not after as in the seed, so that a flag that cannot be read leaves nothing on the backend.
 *
 * @throws SnapshotNotFound, InvalidSnapshot, MetadataUpdateFailure; otherwise as {@link createOnBackend}.
 */
export async function createVolumeFromSnapshot(
  deps: CreateFromSnapshotDependencies,
  input: OwnerInput & { volume_spec: VolumeSpec },
  turn: Turn,
): Promise<Creation> {
  const { snapshot_id: snapshotId } = input.volume_spec;
  if (snapshotId === undefined) {
    throw new InvalidInput("volume_spec has no snapshot_id");
  }
  const snapshot = await readSnapshot(deps.snapshots, input.context, snapshotId);
  const next = (await isOriginBootable(deps.volumes, snapshot)) ? "bootable" : "finish";
  return createOnBackend(deps, input, turn, { next, phase: "created" }, (driver, volume, work) =>
    driver.createVolumeFromSnapshot(volume, snapshot, work),
  );
}

async function isOriginBootable(volumes: Pick<VolumeRepository, "get">, snapshot: SnapshotRecord): Promise<boolean> {
  try {
    return (await volumes.get(snapshot.volume_id)).bootable;
  } catch (error) {
    const { name, message } = describeError(error);
    // A read that may succeed the next time is tried again: nothing is on a backend yet.
    throw routeOf(name) === "final"
      ? new MetadataUpdateFailure(`the bootable flag of volume ${snapshot.volume_id} could not be read: ${message}`)
      : error;
  }
}
