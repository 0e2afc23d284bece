import { VolumeTypeNotFound } from "../errors.ts";
import type { ImageServices } from "../ports.ts";
import type { ImageCloning, VolumeSpec } from "../spec.ts";
import { imageOf } from "./copy-image-to-volume.ts";
import { type CreateDependencies, createOnBackend, type Turn } from "./create-on-backend.ts";
import type { OwnerInput } from "./input.ts";

/** CloneImage also hands the driver the image's service. */
export type CloneImageDependencies = CreateDependencies & { images: ImageServices };

/**
 * First half of CreateVolumeFromSpecTask._create_from_image: the driver makes the volume from where the image is, or says that
 * it cannot, and then nothing was made.
 *
 * See {@link createOnBackend} for repeats, crashes and errors.
 *
 * @throws VolumeTypeNotFound for a spec of no known type: the workflow's choice leads here what it does not know.
 */
export async function cloneImage(
  deps: CloneImageDependencies,
  input: OwnerInput & { volume_spec: VolumeSpec },
  turn: Turn,
): Promise<ImageCloning> {
  if (input.volume_spec.type !== "image") {
    throw new VolumeTypeNotFound(String(input.volume_spec.type));
  }
  const image = imageOf(deps.images, input);
  const location = input.volume_spec.image_location ?? { direct_url: null, locations: [] };
  let cloned = false;
  const creation = await createOnBackend(
    deps,
    input,
    turn,
    { next: "bootable", phase: "created" },
    async (driver, volume, work) => {
      const outcome = await driver.cloneImage(volume, location, image, work);
      cloned = outcome.cloned;
      // Not cloned: nothing is there to be recorded as created.
      return cloned ? outcome : { ...outcome, done: false };
    },
  );
  return { ...creation, cloned };
}
