import { describeError, InvalidInput, MetadataCopyFailure, routeOf } from "../errors.ts";
import type { ImageMeta } from "../drivers/driver-ports.ts";
import type { SnapshotRepository, VolumeRepository } from "../ports.ts";
import { pythonStr } from "../text/python-str.ts";
import type { VolumeSpec } from "../spec.ts";
import { isStorableKey } from "../requests/storable.ts";
import { type OwnerInput, ownerOf } from "./input.ts";

/** Dependencies of HandleBootableVolume. */
export type BootableDependencies = {
  volumes: Pick<VolumeRepository, "get" | "markBootable">;
  snapshots: Pick<SnapshotRepository, "get">;
};

/** Attributes of the image that are kept with the volume when they are there and not null (IMAGE_ATTRIBUTES in Cinder). */
const IMAGE_ATTRIBUTES = ["checksum", "container_format", "disk_format", "min_disk", "min_ram", "size"] as const;

/**
 * CreateVolumeFromSpecTask._handle_bootable_volume_glance_meta: marks the volume bootable and gives it its image metadata, in one
 * write, so a volume is never bootable with half its metadata. A source that has no metadata gives none (as in Zed).
 *
 * @throws MetadataCopyFailure when the source is gone by now; FenceLost.
 */
export async function handleBootableVolume(
  deps: BootableDependencies,
  input: OwnerInput & { volume_spec: VolumeSpec },
): Promise<void> {
  const metadata = await glanceMetadataOf(deps, input.volume_spec);
  await deps.volumes.markBootable(ownerOf(input), metadata);
}

async function glanceMetadataOf(deps: BootableDependencies, spec: VolumeSpec): Promise<Record<string, string>> {
  try {
    if (spec.snapshot_id !== undefined) {
      return (await deps.snapshots.get(spec.snapshot_id)).glance_metadata;
    }
    if (spec.source_volid !== undefined) {
      return (await deps.volumes.get(spec.source_volid)).glance_metadata;
    }
  } catch (error) {
    const { name, message } = describeError(error);
    throw routeOf(name) === "final" ? new MetadataCopyFailure(message) : error;
  }
  if (spec.image_id === undefined || spec.image_meta === undefined) {
    throw new InvalidInput("volume_spec has no snapshot, source volume or image");
  }
  return captureImageMetadata(spec.image_id, spec.image_meta);
}

/**
 * Whether an image property would state a check that was not made for this volume. Cinder writes `signature_verified` after it has
 * verified a signature, which this project does not do; Glance reserves `os_glance_` for its own tasks on the image.
 */
function isReserved(key: string): boolean {
  return key === "signature_verified" || key.startsWith("os_glance_");
}

/** Names of the image's unstorable properties, for the log: no property is dropped silently. */
export function unstorableProperties(meta: Pick<ImageMeta, "properties"> | undefined): string[] {
  return Object.keys(meta?.properties ?? {}).filter((key) => !isStorableKey(key));
}

/**
 * CreateVolumeFromSpecTask._capture_volume_image_metadata: base attributes win over properties of the same name; null is left
 * out, zero and empty text are kept; every value is stored as Python's `str()` of it. Reserved properties are not copied, and those that {@link unstorableProperties} names are left out.
 */
export function captureImageMetadata(imageId: string, meta: ImageMeta): Record<string, string> {
  const captured: Record<string, string> = {};
  for (const [key, value] of Object.entries(meta.properties)) {
    if (value !== null && value !== undefined && !isReserved(key) && isStorableKey(key)) {
      captured[key] = pythonStr(value);
    }
  }
  captured["image_id"] = imageId;
  if (meta.name !== null && meta.name !== "") {
    captured["image_name"] = meta.name;
  }
  for (const key of IMAGE_ATTRIBUTES) {
    const value = meta[key];
    if (value !== null && value !== undefined) {
      captured[key] = pythonStr(value);
    }
  }
  return captured;
}
