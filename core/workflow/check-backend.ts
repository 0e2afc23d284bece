import { VolumeTypeNotFound } from "../errors.ts";
import type { Creation, ImageCloning, VolumeSpec } from "../spec.ts";
import { cloneImage, type CloneImageDependencies } from "./clone-image.ts";
import { createClonedVolume } from "./create-cloned-volume.ts";
import type { Turn } from "../attempt/create-on-backend.ts";
import { createRawVolume } from "./create-raw-volume.ts";
import { createVolumeForImage } from "./create-volume-for-image.ts";
import { type CreateFromSnapshotDependencies, createVolumeFromSnapshot } from "./create-volume-from-snapshot.ts";
import type { OwnerInput } from "./input.ts";

/** CheckBackend may continue any of the creates. */
export type CheckBackendDependencies = CloneImageDependencies & CreateFromSnapshotDependencies;

/**
 * Continues a create that its backend had not finished: drivers create by volume id and take their checkpoint back, so asking
 * again is how one looks. Has no counterpart in Cinder, whose drivers block.
 *
 * @throws VolumeTypeNotFound for a spec of no known type; otherwise as the state that began the create.
 */
export function checkBackend(
  deps: CheckBackendDependencies,
  input: OwnerInput & { volume_spec: VolumeSpec; creation: Creation | ImageCloning },
  turn: Turn,
): Promise<Creation> {
  switch (input.volume_spec.type) {
    case "raw":
      return createRawVolume(deps, input, turn);
    case "snap":
      return createVolumeFromSnapshot(deps, input, turn);
    case "source_vol":
      return createClonedVolume(deps, input, turn);
    case "image":
      return continueImage(deps, input, turn);
    default:
      throw new VolumeTypeNotFound(String(input.volume_spec.type));
  }
}

/**
 * A clone that was begun and is given up, by the driver or the cache, is followed by the download: the workflow has passed that
 * choice, so the next turn makes the volume to be filled. Not this one: repeated, it could clone after all, and would find that empty
 * volume and take it for its finished clone.
 */
async function continueImage(
  deps: CheckBackendDependencies,
  input: OwnerInput & { volume_spec: VolumeSpec; creation: Creation | ImageCloning },
  turn: Turn,
): Promise<Creation> {
  if (input.creation.next === "copy_image") {
    return createVolumeForImage(deps, input, turn);
  }
  const cloning = await cloneImage(deps, input, turn);
  return cloning.cloned ? cloning : { ...cloning, next: "copy_image", wait_seconds: 0, checkpoint: null };
}
