import { requireAnswerWithinBudget } from "../drivers/driver-answers.ts";
import { describeError, ImageCopyFailure, InvalidInput, routeOf } from "../errors.ts";
import type { ImageCacheEntry } from "../image-cache/image-cache.ts";
import type { Drivers, ImageServices, ImageSource } from "../drivers/driver-ports.ts";
import type { VolumeRepository } from "../ports.ts";
import { createRateMeter, type RateMeter } from "../rate-meter.ts";
import type { VolumeRecord } from "../records.ts";
import type { VolumeSpec, WorkStatus } from "../spec.ts";
import { type DeadlineDependencies, phaseDeadline } from "../settings/time-bounds.ts";
import { readyDriver, type Turn } from "../attempt/create-on-backend.ts";
import {
  type FillDependencies,
  fillImageCache,
  findOwnFill,
  giveUpFill,
  leaseKeeper,
} from "../image-cache/fill-image-cache.ts";
import { type OwnerInput, ownerOf } from "./input.ts";
import { requireInFlow } from "../attempt/require-in-flow.ts";

/** Dependencies of CopyImageToVolume. */
export type CopyImageDependencies = DeadlineDependencies & {
  volumes: Pick<VolumeRepository, "get" | "saveProgress">;
  drivers: Drivers;
  images: ImageServices;
  /** Absent where no backend has a cache of image volumes: then nothing is asked of it. */
  fill?: FillDependencies | undefined;
};

/** Number of times that one turn continues from the last checkpoint after a transient error (mostly a dropped connection). */
const TRIES_IN_ONE_TURN = 3;

/**
 * CreateVolumeFromSpecTask._copy_image_to_volume, one turn of it. The record's progress, not the state document, has the position to
 * continue from, so a turn that died resumes at its last checkpoint.
 *
 * A copy that has ended is copied once more on its backend if the attempt fills the image-volume cache: before the volume becomes
 * available, because it is not written to until then.
 *
 * As in the seed, other errors than image errors become ImageCopyFailure: the volume already exists, so another backend cannot help.
 *
 * @throws ImageCopyFailure, ImageUnacceptable, ImageTooBig and the other final image errors; FenceLost.
 */
export async function copyImageToVolume(
  deps: CopyImageDependencies,
  input: OwnerInput & { volume_spec: VolumeSpec },
  turn: Turn,
): Promise<WorkStatus> {
  const { fill } = deps;
  const entry = fill && (await findOwnFill(fill.cache, input, imageOf(deps.images, input)));
  if (fill === undefined || entry === undefined) {
    return { ...(await copyOrFail(deps, input, turn)), wait_seconds: 0, checkpoint: null };
  }
  let done = entry.state === "copying" || (await copyForCache(deps, fill, entry, input, turn));
  if (done) {
    done = await fillImageCache(fill, input, await ownedVolume(deps.volumes, input), entry, turn);
  }
  return { done, wait_seconds: 0, checkpoint: null };
}

/** As {@link copyOrFail}. Creates that wait for this copy are released as soon as it has failed. */
async function copyForCache(
  deps: CopyImageDependencies,
  fill: FillDependencies,
  entry: ImageCacheEntry,
  input: OwnerInput & { volume_spec: VolumeSpec },
  turn: Turn,
): Promise<boolean> {
  try {
    return (await copyOrFail(deps, input, turn, leaseKeeper(fill, entry))).done;
  } catch (error) {
    await giveUpFill(fill, entry).catch(() => {});
    throw error;
  }
}

async function copyOrFail(
  deps: CopyImageDependencies,
  input: OwnerInput & { volume_spec: VolumeSpec },
  turn: Turn,
  onProgress?: () => Promise<void>,
): Promise<{ done: boolean }> {
  // Bytes copied before this turn say nothing about its speed: the length of the pause in between is unknown.
  const meter = createRateMeter();
  for (let tries = 1; ; tries += 1) {
    const volume = await ownedVolume(deps.volumes, input);
    try {
      return await copyOneTurn(deps, input, volume, turn, meter, onProgress);
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
  meter: RateMeter,
  onProgress?: () => Promise<void>,
): Promise<{ done: boolean }> {
  const owner = ownerOf(input);
  const driver = await readyDriver(deps.drivers, input.host);
  return driver.copyImageToVolume(volume, imageOf(deps.images, input), {
    progress: volume.progress,
    remainingTimeMs: () => turn.remainingTimeMs(),
    save: async (kept) => {
      requireAnswerWithinBudget("progress", kept);
      const now = deps.clock.now();
      const { bytes_per_second: _, ...progress } = kept;
      const rate = meter.read(progress.bytes_done, now.getTime());
      const figures = rate === undefined ? {} : { bytes_per_second: Math.round(rate) };
      const saved = { ...progress, ...figures, updated_at: now.toISOString() };
      await deps.volumes.saveProgress(owner, saved, phaseDeadline(deps, "copying"));
      await onProgress?.();
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
 * The spec's image with the service that holds it. The image's reference finds the service again, because a live client cannot travel
 * between states.
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
