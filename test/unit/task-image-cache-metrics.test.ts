import { describe, expect, it } from "vitest";
import { anImage, aWorld, driverOf, FIRST_HOST } from "../support/builders.ts";
import { uuid } from "../support/drivers.ts";
import type { World } from "../support/fakes/world.ts";
import {
  aCreate,
  aWorldWithCachedImage,
  clone,
  type Create,
  copy,
  download,
  finish,
  SHA512,
  volumeOf,
} from "../support/image-cache.ts";

/** CloneImage's cache metrics in one turn. */
async function usesOf(world: World, create: Create, cache = world.imageCache()): Promise<string[]> {
  const uses: string[] = [];
  await clone(world, create, cache, null, { onImageCacheUse: (use) => uses.push(use) });
  return uses;
}

describe("the use of the image-volume cache", () => {
  it("is a miss where the image is to be downloaded, and a hit where it is cloned", async () => {
    const create = aCreate(3, anImage({ ...SHA512, id: uuid(203) }));
    const { world, cache, second } = await aWorldWithCachedImage({}, create);
    expect(await usesOf(world, second, cache)).toEqual(["hit"]);
    expect(await usesOf(world, create, cache)).toEqual(["miss"]);
  });

  it("is not counted before the cache has decided", async () => {
    const { world, cache, second } = await aWorldWithCachedImage();
    driverOf(world).turns = 2;
    expect(await usesOf(world, second, cache)).toEqual([]);
    const [first, waiting] = [aCreate(1), aCreate(2)];
    const empty = aWorld(volumeOf(first), volumeOf(waiting));
    expect(await usesOf(empty, first)).toEqual(["miss"]);
    expect(await usesOf(empty, waiting)).toEqual([]);
  });

  it("is not counted if the backend has no cache, nor for an image that the cache does not accept", async () => {
    const [create, weak] = [aCreate(1), aCreate(2, anImage())];
    const world = aWorld(volumeOf(create), volumeOf(weak));
    expect(await usesOf(world, create, world.imageCache({}, [FIRST_HOST]))).toEqual([]);
    expect(await usesOf(world, weak)).toEqual([]);
  });
});

it("an eviction is counted once for each cached image that made room", async () => {
  const creates = [3, 4].map((number) => aCreate(number, anImage({ ...SHA512, id: uuid(200 + number) })));
  const { world, cache } = await aWorldWithCachedImage({ maxCount: 1 }, ...creates);
  let evicted = 0;
  for (const create of creates) {
    await clone(world, create, cache);
    await download(world, create);
    await copy(world, create, cache, () => (evicted += 1));
    finish(world, create);
  }
  expect(evicted).toBe(2);
});
