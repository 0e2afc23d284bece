import { imageCacheId, type ImageCacheSettings } from "../../core/image-cache/image-cache.ts";
import type { ImageMeta } from "../../core/drivers/driver-ports.ts";
import { fenceOf, type VolumeRecord } from "../../core/records.ts";
import type { WorkCheckpoint } from "../../core/spec.ts";
import { BackendWork } from "../../core/nets/backend-work.ts";
import { cloneImage, type CloneImageDependencies } from "../../core/workflow/clone-image.ts";
import { copyImageToVolume } from "../../core/workflow/copy-image-to-volume.ts";
import { createVolumeForImage } from "../../core/workflow/create-volume-for-image.ts";
import { sweepImageCache } from "../../core/image-cache/sweep-image-cache.ts";
import type { OwnerInput } from "../../core/workflow/input.ts";
import { anImage, anImageSpec, aVolumeInFlow, aWorld, FIRST_HOST, IMAGE_ID, taskInput, UNHURRIED } from "./builders.ts";
import { uuid } from "./drivers.ts";
import type { World, WorldCache } from "./fakes/world.ts";

/** Creates of images, as far as the image-volume cache is concerned. */

/** Properties by which the cache identifies an image's content. */
export const SHA512 = { os_hash_algo: "sha512", os_hash_value: "ab".repeat(64) };
/** An image that can be cached. */
export const IMAGE = anImage(SHA512);
/** The id of its entry on the first backend. */
export const ENTRY_ID = imageCacheId(FIRST_HOST, IMAGE_ID, IMAGE) ?? "";

/** A create of an image. */
export type Create = { id: string; input: OwnerInput; meta: ImageMeta };

/** A create of an image, by a number; each has its own volume. */
export function aCreate(number: number, meta: ImageMeta = IMAGE): Create {
  const id = uuid(100 + number);
  return { id, input: { ...taskInput(), volume_id: id, fence: fenceOf(id, 1) }, meta };
}

/** The record of a create's volume. */
export function volumeOf({ id, input }: Create, columns: Partial<VolumeRecord> = {}): VolumeRecord {
  const attempts = { 1: { host: FIRST_HOST, execution: input.fence, started_at: "then", outcome: "running" } } as const;
  return aVolumeInFlow({ id, fence: input.fence, attempts, ...columns });
}

/** The spec of a create. */
export function specOf(create: Create) {
  return { ...anImageSpec(create.meta), volume_id: create.id, image_id: create.meta.id, image_href: create.meta.id };
}

/** CloneImage of a create. */
export function clone(
  world: World,
  create: Create,
  cache?: WorldCache,
  checkpoint: WorkCheckpoint | null = null,
  told: Pick<CloneImageDependencies, "onImageCacheUse"> = {},
) {
  const input = { ...create.input, volume_spec: specOf(create) };
  return cloneImage({ ...world.deps, imageCache: cache, ...told }, input, { ...UNHURRIED, checkpoint });
}

/** One turn of CopyImageToVolume. */
export function copy(world: World, create: Create, cache?: WorldCache, onImageEvicted: () => void = () => {}) {
  const fill = cache && { ...world.deps, cache, onImageEvicted };
  return copyImageToVolume({ ...world.deps, fill }, { ...create.input, volume_spec: specOf(create) }, UNHURRIED);
}

/** The image's download from its first state to its end. */
export async function download(world: World, create: Create, cache?: WorldCache): Promise<void> {
  await createVolumeForImage(world.deps, create.input, UNHURRIED);
  for (let done = false; !done;) {
    ({ done } = await copy(world, create, cache));
  }
}

/** The whole of a create as far as the cache is concerned; true when it was cloned. */
export async function createFrom(world: World, create: Create, cache?: WorldCache): Promise<boolean> {
  const { cloned, done } = await clone(world, create, cache);
  if (cloned && !done) {
    throw new Error("the create waits, or its clone takes another turn");
  }
  if (!cloned) {
    await download(world, create, cache);
  }
  return cloned;
}

/** After the create: it has left the flow. */
export function finish(world: World, { id }: Create): void {
  const found = world.fakes.volumes.records.get(id);
  if (found !== undefined) {
    world.fakes.volumes.records.set(id, { ...found, status: "available", deadline: null, phase: null });
  }
}

/** One sweep of the cache; returns how many cached volumes it removed. */
export async function sweep(world: World, cache: WorldCache): Promise<number> {
  const turn = { failures: [], hasTime: () => true };
  const later = new BackendWork();
  let evicted = 0;
  await sweepImageCache({ ...world.deps, cache }, turn, later, () => (evicted += 1));
  await later.run(turn, { isSilent: () => false });
  return evicted;
}

/** Moves the clock on. */
export const after = (world: World, seconds: number) => (world.now = new Date(world.now.getTime() + seconds * 1000));

/** The entry of {@link IMAGE}, or another one. */
export function entryOf(world: World, id = ENTRY_ID) {
  const entry = world.fakes.imageCache.records.get(id);
  if (entry === undefined) {
    throw new Error("there is no entry");
  }
  return entry;
}

/** The state for a second create: the first has cached the image. */
export async function aWorldWithCachedImage(settings: Partial<ImageCacheSettings> = {}, ...more: Create[]) {
  const first = aCreate(1);
  const second = aCreate(2);
  const world = aWorld(volumeOf(first), volumeOf(second), ...more.map((each) => volumeOf(each)));
  const cache = world.imageCache(settings);
  await createFrom(world, first, cache);
  finish(world, first);
  return { world, cache, first, second };
}
