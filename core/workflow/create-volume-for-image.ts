import type { Creation } from "../spec.ts";
import { type CreateDependencies, createOnBackend, type Turn } from "../attempt/create-on-backend.ts";
import type { OwnerInput } from "./input.ts";

/**
 * Second half of CreateVolumeFromSpecTask._create_from_image: creates the volume that the image is then copied into, and sets
 * its status to `downloading` in the write that keeps the model update.
 *
 * See {@link createOnBackend} for repeats, crashes and errors.
 */
export function createVolumeForImage(deps: CreateDependencies, input: OwnerInput, turn: Turn): Promise<Creation> {
  const follow = { next: "copy_image", phase: "copying", status: "downloading" } as const;
  return createOnBackend(deps, input, turn, follow, (driver, volume, work) => driver.createVolume(volume, work));
}
