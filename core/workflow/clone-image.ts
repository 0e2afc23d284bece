import { VolumeTypeNotFound } from "../errors.ts";
import type { CreateOutcome, Driver, ImageServices, ImageSource, Work } from "../drivers/driver-ports.ts";
import type { VolumeRecord } from "../records.ts";
import type { ImageCloning, ImageLocation, VolumeSpec } from "../spec.ts";
import { imageOf } from "./copy-image-to-volume.ts";
import { type CreateDependencies, createOnBackend, type Turn } from "../attempt/create-on-backend.ts";
import { cloneFromImageCache, isInImageCache, type UseImageCacheDependencies } from "../image-cache/use-image-cache.ts";
import type { OwnerInput } from "./input.ts";

/** CloneImage also hands the driver the image's service, and may have a cache of image volumes. */
export type CloneImageDependencies = CreateDependencies & UseImageCacheDependencies & { images: ImageServices };

/**
 * First half of CreateVolumeFromSpecTask._create_from_image: the driver makes the volume from where the image is, or the cache has
 * a volume to clone; or neither can, and then nothing was made.
 *
 * See {@link createOnBackend} for repeats, crashes and errors.
 *
 * @throws VolumeTypeNotFound for a spec of no known type: the workflow's choice sends unknown types here.
 */
export async function cloneImage(
  deps: CloneImageDependencies,
  input: OwnerInput & { volume_spec: VolumeSpec },
  turn: Turn,
): Promise<ImageCloning> {
  if (input.volume_spec.type !== "image") {
    throw new VolumeTypeNotFound(input.volume_spec.type);
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
      const outcome = await cloneOrUseCache(deps, input, driver, volume, location, image, work);
      cloned = outcome.cloned;
      // Not cloned: nothing is there to be recorded as created.
      return cloned ? outcome : { ...outcome, done: false };
    },
  );
  return { ...creation, cloned };
}

/** The driver first, as in Cinder. A turn that continues in the cache does not ask it again. */
async function cloneOrUseCache(
  deps: CloneImageDependencies,
  input: OwnerInput,
  driver: Driver,
  volume: VolumeRecord,
  location: ImageLocation,
  image: ImageSource,
  work: Work,
): Promise<CreateOutcome & { cloned: boolean }> {
  if (!isInImageCache(work.checkpoint)) {
    const outcome = await driver.cloneImage(volume, location, image, work);
    if (outcome.cloned || deps.imageCache === undefined) {
      return outcome;
    }
  }
  return cloneFromImageCache(deps, input, driver, volume, image, work);
}
