import { ImageUnacceptable, InvalidInput } from "../errors.ts";
import type { RequestContext } from "../requests/messages.ts";
import type { ImageMeta, ImageServices } from "../drivers/driver-ports.ts";
import type { LockRepository, SnapshotRepository, VolumeRepository } from "../ports.ts";
import { volumeName, type VolumeRef } from "../records.ts";
import type { VolumeSpec } from "../spec.ts";
import { lockSnapshot, lockSourceVolume } from "../attempt/source-locks.ts";

/** Possible sources of the request; a snapshot takes precedence over a source volume, and that over an image, as in Cinder. */
export type SpecInput = {
  context: RequestContext;
  fence: string;
  volume_ref: VolumeRef;
  snapshot_id: string | null;
  source_volid: string | null;
  image_id: string | null;
};

/** Dependencies of ExtractVolumeSpec. */
export type SpecDependencies = {
  volumes: Pick<VolumeRepository, "get" | "countLock">;
  snapshots: Pick<SnapshotRepository, "get" | "countLock">;
  locks: Pick<LockRepository, "put" | "withdraw">;
  images: ImageServices;
};

const BYTES_PER_GIB = 1024 ** 3;

/**
 * ExtractVolumeSpecTask: describes the volume to create, as one structure with which the following states need no record. All errors that
 * can be known are refused here, before any backend is asked, so that nothing is left on one.
 *
 * Its one write is the lock on a source, which cannot be deleted from then on until the create has ended; the write takes the place of a
 * read, and may be repeated.
 * Late: see `keepLockOfOurs`, which is called next.
 *
 * @throws InvalidInput for a size that does not fit; VolumeNotFound, SnapshotNotFound or ImageNotFound that name the source,
 *   also when it belongs to another project; InvalidSnapshot, InvalidVolume, ImageUnacceptable.
 */
export async function extractVolumeSpec(deps: SpecDependencies, input: SpecInput): Promise<VolumeSpec> {
  const { context, volume_ref: volume } = input;
  requireWholeSize(volume);
  const base = {
    status: volume.status,
    volume_id: volume.id,
    volume_name: volumeName(volume.id),
    volume_size: volume.size,
  };
  const lock = { holder: volume.id, value: input.fence };
  if (input.snapshot_id !== null) {
    requireRecorded("snapshot", input.snapshot_id, volume.id, volume.snapshot_id);
    const snapshot = await lockSnapshot(deps, context, input.snapshot_id, lock);
    requireSize(volume, snapshot.volume_size, `snapshot ${snapshot.id}`);
    return { ...base, type: "snap", snapshot_id: snapshot.id };
  }
  if (input.source_volid !== null) {
    requireRecorded("source volume", input.source_volid, volume.id, volume.source_volid);
    const source = await lockSourceVolume(deps, context, input.source_volid, lock);
    requireSize(volume, source.size, `source volume ${source.id}`);
    return { ...base, type: "source_vol", source_volid: source.id, source_volstatus: source.status };
  }
  if (input.image_id !== null && input.image_id !== "") {
    const { service, imageId } = deps.images.forHref(context, input.image_id);
    const meta = await service.show(context, imageId);
    requireImageFits(volume, meta);
    const location = await service.getLocation(context, imageId);
    return {
      ...base,
      type: "image",
      image_id: imageId,
      image_href: input.image_id,
      image_location: location,
      image_meta: meta,
    };
  }
  return { ...base, type: "raw" };
}

/** @throws InvalidInput when the volume's size is not a positive integer of GiB */
export function requireWholeSize(volume: Pick<VolumeRef, "id" | "size">): void {
  if (!Number.isSafeInteger(volume.size) || volume.size < 1) {
    throw new InvalidInput(`volume ${volume.id} has size ${volume.size}, which is not a positive whole number of GiB`);
  }
}

/**
 * The record shows the end of the create which source is locked. Cinder's API puts the source on the record before it sends the request, so
 * a request that names another one is not of this volume.
 *
 * @throws InvalidInput
 */
function requireRecorded(what: string, named: string, volumeId: string, recorded: string | null): void {
  if (named !== recorded) {
    throw new InvalidInput(
      `the request names ${what} ${named}, and the record of volume ${volumeId} names ${recorded ?? "none"}`,
    );
  }
}

function requireSize(volume: VolumeRef, sourceSize: number, what: string): void {
  if (volume.size < sourceSize) {
    throw new InvalidInput(`volume ${volume.id} of ${volume.size} GiB is smaller than ${what} of ${sourceSize} GiB`);
  }
}

/**
 * The tests that Cinder's API makes (`check_image_metadata` of cinder/volume/volume_utils.py: size and min_disk) and Zed's flow
 * (virtual_size). The size is that of the image's bytes, whatever its format: a full qcow2 image is a little larger than its disk, and
 * so needs a volume of a GiB more, there as here.
 */
function requireImageFits(volume: VolumeRef, meta: ImageMeta): void {
  if (meta.status !== "active") {
    throw new InvalidInput(`image ${meta.id} is ${meta.status}, not active`);
  }
  if (meta.min_disk > volume.size) {
    throw new InvalidInput(
      `volume ${volume.id} of ${volume.size} GiB is smaller than min_disk ${meta.min_disk} of image ${meta.id}`,
    );
  }
  if (meta.size !== null && Math.ceil(meta.size / BYTES_PER_GIB) > volume.size) {
    throw new InvalidInput(
      `volume ${volume.id} of ${volume.size} GiB is smaller than image ${meta.id} of ${meta.size} bytes`,
    );
  }
  const virtualSize = meta.virtual_size ?? null;
  if (virtualSize !== null && Math.ceil(virtualSize / BYTES_PER_GIB) > volume.size) {
    throw new ImageUnacceptable(
      meta.id,
      `its virtual size of ${virtualSize} bytes is larger than the volume of ${volume.size} GiB`,
    );
  }
}
