import { describeError, ImageCopyFailure, InvalidInput, routeOf } from "../errors.ts";
import type { Drivers, ImageServices, ImageSource, VolumeRepository } from "../ports.ts";
import type { VolumeRecord } from "../records.ts";
import type { VolumeSpec, WorkStatus } from "../spec.ts";
import { type DeadlineDependencies, phaseDeadline } from "../time-bounds.ts";
import { readyDriver, type Turn } from "./create-on-backend.ts";
import { type OwnerInput, ownerOf } from "./input.ts";
import { requireInFlow } from "./require-in-flow.ts";

/** What CopyImageToVolume uses. */
export type CopyImageDependencies = DeadlineDependencies & {
  volumes: Pick<VolumeRepository, "get" | "saveProgress">;
  drivers: Drivers;
  images: ImageServices;
};

/** How often one turn goes on from the last checkpoint after an error that may pass (a dropped connection, mostly). */
const TRIES_IN_ONE_TURN = 3;

/**
 * CreateVolumeFromSpecTask._copy_image_to_volume, one turn of it. The record's progress, not the state document, says where to go
 * on, so a turn that died resumes at its last checkpoint.
 *
 * As in the seed, an error that is no image error of its own becomes ImageCopyFailure: the volume exists by now, so another
 * backend is no answer.
 *
 * @throws ImageCopyFailure, ImageUnacceptable, ImageTooBig and the other final image errors; FenceLost.
 */
export async function copyImageToVolume(
  deps: CopyImageDependencies,
  input: OwnerInput & { volume_spec: VolumeSpec },
  turn: Turn,
): Promise<WorkStatus> {
  for (let tries = 1; ; tries += 1) {
    const volume = await ownedVolume(deps.volumes, input);
    try {
      const { done } = await copyOneTurn(deps, input, volume, turn);
      return { done, wait_seconds: 0, checkpoint: null };
    } catch (error) {
      const { name, message } = describeError(error);
      if (routeOf(name) === "final") {
        throw error;
      }
      if (tries === TRIES_IN_ONE_TURN) {
        throw new ImageCopyFailure(`${name}: ${message}`);
      }
    }
  }
}

async function copyOneTurn(
  deps: CopyImageDependencies,
  input: OwnerInput & { volume_spec: VolumeSpec },
  volume: VolumeRecord,
  turn: Turn,
): Promise<{ done: boolean }> {
  const owner = ownerOf(input);
  const driver = await readyDriver(deps.drivers, input.host);
  return driver.copyImageToVolume(volume, imageOf(deps.images, input), {
    progress: volume.progress,
    remainingTimeMs: () => turn.remainingTimeMs(),
    save: async (progress) => {
      const updatedAt = deps.clock.now().toISOString();
      await deps.volumes.saveProgress(owner, { ...progress, updated_at: updatedAt }, phaseDeadline(deps, "copying"));
    },
  });
}

/** The record, while it is this attempt's and in the flow. Reading it again costs one read a turn and stops a late turn early. */
async function ownedVolume(volumes: Pick<VolumeRepository, "get">, input: OwnerInput): Promise<VolumeRecord> {
  const volume = await volumes.get(input.volume_id);
  requireInFlow(volume, ownerOf(input));
  return volume;
}

/**
 * The spec's image with the service that holds it. The service is found anew by the image's reference, because a live client
 * cannot travel between states.
 */
export function imageOf(
  images: ImageServices,
  input: { context: OwnerInput["context"]; volume_spec: VolumeSpec },
): ImageSource {
  const { image_href: href, image_meta: meta } = input.volume_spec;
  if (href === undefined || meta === undefined) {
    throw new InvalidInput("volume_spec has no image");
  }
  return { ...images.forHref(input.context, href), meta };
}
