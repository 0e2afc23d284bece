import { describe, expect, it } from "vitest";
import {
  ImageCopyFailure,
  ImageUnacceptable,
  SourceDamaged,
  VolumeBackendAPIException,
  VolumeNotFound,
} from "../../core/errors.ts";
import { cachedVolumeId, imageCacheId } from "../../core/image-cache/image-cache.ts";
import { checkBackend } from "../../core/workflow/check-backend.ts";
import { COPY_LEASE_SECONDS } from "../../core/image-cache/fill-image-cache.ts";
import { createVolumeForImage } from "../../core/workflow/create-volume-for-image.ts";
import { anImage, aWorld, driverOf, FIRST_HOST, IMAGE_ID, UNHURRIED } from "../support/builders.ts";
import { uuid } from "../support/drivers.ts";
import { expectSameAfterAnyDeath } from "../support/fakes/crashes.ts";
import type { World, WorldCache } from "../support/fakes/world.ts";
import {
  SHA512,
  IMAGE,
  ENTRY_ID,
  type Create,
  aCreate,
  volumeOf,
  clone,
  specOf,
  copy,
  download,
  createFrom,
  finish,
  sweep,
  after,
  entryOf,
  aWorldWithCachedImage,
} from "../support/image-cache.ts";

describe("an image-volume cache that is off", () => {
  it("is asked nothing, and makes no other call", async () => {
    const create = aCreate(1);
    const world = aWorld(volumeOf(create));
    await createFrom(world, create);
    expect(world.faults.calls).toEqual([
      "driver.initialized",
      "volumes.beginCreate",
      "driver.cloneImage",
      "driver.initialized",
      "volumes.beginCreate",
      "driver.createVolume",
      "volumes.persistModelUpdate",
      "volumes.get",
      "driver.initialized",
      "driver.copyImageToVolume",
      "volumes.saveProgress",
    ]);
    expect(world.fakes.imageCache.records.size).toBe(0);
  });

  it("is off for a backend that does not have it, and for an image without a strong hash", async () => {
    for (const [meta, off] of [
      [IMAGE, [FIRST_HOST]],
      [anImage(), []],
      [anImage({ ...SHA512, os_hash_algo: "md5" }), []],
    ] as const) {
      const create = aCreate(1, meta);
      const world = aWorld(volumeOf(create));
      expect(await createFrom(world, create, world.imageCache({}, off))).toBe(false);
      expect(world.faults.calls.filter((call) => call.startsWith("imageCache"))).toEqual([]);
    }
  });
});

describe("the first volume of an image", () => {
  it("is downloaded, and leaves a cached volume with a record and its capacity counted", async () => {
    const { world, first } = await aWorldWithCachedImage();
    const { volume_id: cachedId, ...entry } = entryOf(world);
    expect(entry).toMatchObject({ state: "available", host: FIRST_HOST, image_id: IMAGE_ID, size: 1 });
    expect(driverOf(world).volumes.get(cachedId)).toEqual({ from: "volume", source: first.id });
    expect(world.fakes.volumes.records.get(cachedId)).toMatchObject({
      status: "available",
      host: FIRST_HOST,
      display_name: `image-${IMAGE_ID}`,
      deadline: null,
    });
    expect(world.fakes.backends.seen(FIRST_HOST)).toMatchObject({ allocated_capacity_gb: 3 });
    expect(world.fakes.backends.seen(FIRST_HOST).claims[cachedId]).toBeUndefined();
  });

  it("is cached the same after any death of its copy", async () => {
    const create = aCreate(1);
    const deaths = await expectSameAfterAnyDeath(
      () => {
        const world = aWorld(volumeOf(create, { status: "downloading", phase: "copying" }));
        driverOf(world).volumes.set(create.id, { from: "nothing" });
        const begun = { id: ENTRY_ID, host: FIRST_HOST, image_id: IMAGE_ID, size: 1 };
        const until = new Date(world.now.getTime() + 300_000);
        const lease = { fence: create.input.fence, now: world.now, until };
        void world.fakes.imageCache.beginFill({ ...begun, volume_id: cachedVolumeId(ENTRY_ID, lease.fence) }, lease);
        return world;
      },
      async (world) => {
        while (!(await copy(world, create, world.imageCache({ maxCount: 1 }))).done) {
          // Again.
        }
      },
    );
    expect(deaths).toBeGreaterThan(30);
  });

  it("copies into the cache in turns, each from where the last one stopped", async () => {
    const create = aCreate(1);
    const world = aWorld(volumeOf(create));
    const cache = world.imageCache();
    driverOf(world).waitSeconds = 0;
    await clone(world, create, cache);
    await createVolumeForImage(world.deps, create.input, UNHURRIED);
    driverOf(world).turns = 3;
    const turns = [
      await copy(world, create, cache),
      await copy(world, create, cache),
      await copy(world, create, cache),
    ];
    expect(turns.map(({ done }) => done)).toEqual([false, false, true]);
    expect(world.faults.count("driver.copyImageToVolume")).toBe(1);
    expect(entryOf(world)).toMatchObject({ state: "available", checkpoint: null, lease_until: null });
  });

  it("is created all the same when the cache cannot be filled, and the sweep removes what was made", async () => {
    const create = aCreate(1);
    const world = aWorld(volumeOf(create));
    const cache = world.imageCache();
    world.faults.fail("driver.createClonedVolume", new Error("anything"));
    expect(await createFrom(world, create, cache)).toBe(false);
    expect(entryOf(world).state).toBe("evicting");
    expect(await sweep(world, cache)).toBe(1);
    expect(world.fakes.imageCache.records.size).toBe(0);
    expect([...world.fakes.volumes.records.keys()]).toEqual([create.id]);
    expect(world.fakes.backends.seen(FIRST_HOST)).toMatchObject({ allocated_capacity_gb: 1 });
  });

  it("leaves the entry to its lease when it is unknown whether the cached volume's record was written", async () => {
    const create = aCreate(1);
    const world = aWorld(volumeOf(create));
    const cache = world.imageCache();
    world.faults.fail("volumes.create", new Error("no answer"));
    expect(await createFrom(world, create, cache)).toBe(false);
    expect(entryOf(world).state).toBe("copying");
    expect(await sweep(world, cache)).toBe(0);
    after(world, COPY_LEASE_SECONDS + 1);
    expect(await sweep(world, cache)).toBe(1);
    expect(world.fakes.imageCache.records.size).toBe(0);
    expect(world.fakes.backends.seen(FIRST_HOST)).toMatchObject({ allocated_capacity_gb: 1 });
  });

  it("gives the entry up as soon as its image is refused", async () => {
    const create = aCreate(1);
    const world = aWorld(volumeOf(create));
    const cache = world.imageCache();
    world.faults.fail("driver.copyImageToVolume", new ImageUnacceptable(IMAGE_ID, "bad"));
    await expect(createFrom(world, create, cache)).rejects.toThrow(ImageUnacceptable);
    expect(world.fakes.imageCache.records.size).toBe(0);
  });

  it("is not cached where there is no room for a second one", async () => {
    const create = aCreate(1);
    const world = aWorld(volumeOf(create));
    world.fakes.backends.records.change(FIRST_HOST, { free_capacity_gb: 0.5 });
    await createFrom(world, create, world.imageCache());
    expect(driverOf(world).volumes.size).toBe(1);
    expect(entryOf(world).state).toBe("evicting");
  });
});

describe("a later volume of the image", () => {
  it("is a clone of the cached one, which is locked in the meantime", async () => {
    const { world, cache, second } = await aWorldWithCachedImage();
    driverOf(world).turns = 2;
    const cachedId = entryOf(world).volume_id;
    const turn = await clone(world, second, cache);
    expect(turn).toMatchObject({ cloned: true, done: false, next: "bootable" });
    expect(world.fakes.locks.on(cachedId)).toEqual({ [second.id]: second.input.fence });
    expect(await clone(world, second, cache, turn.checkpoint)).toMatchObject({ cloned: true, done: true });
    expect(driverOf(world).volumes.get(second.id)).toEqual({ from: "volume", source: cachedId });
    expect(world.fakes.locks.on(cachedId)).toEqual({});
    expect(world.faults.count("driver.cloneImage")).toBe(2);
  });

  it("is the same after any death", async () => {
    const { world: before } = await aWorldWithCachedImage();
    const second = aCreate(2);
    const deaths = await expectSameAfterAnyDeath(
      () => {
        const world = aWorld();
        world.fakes.volumes.records.setAll(before.fakes.volumes.records);
        world.fakes.imageCache.records.setAll(before.fakes.imageCache.records);
        Object.assign(driverOf(world), { volumes: structuredClone(driverOf(before).volumes) });
        return world;
      },
      async (world) => {
        await clone(world, second, world.imageCache());
        // The cache's errors fail nothing: a process that died in one is dead at its next call.
        await world.deps.volumes.get(second.id);
      },
    );
    expect(deaths).toBeGreaterThan(10);
  });

  it("keeps when the cached one was used, once a minute", async () => {
    const { world, cache, second } = await aWorldWithCachedImage();
    const filledAt = entryOf(world).last_used_at;
    await clone(world, second, cache);
    expect(entryOf(world).last_used_at).toBe(filledAt);
    after(world, 61);
    await clone(world, second, cache);
    expect(entryOf(world).last_used_at).toBe(world.now.toISOString());
  });

  it("is downloaded when the image has other content, and takes the old one's place", async () => {
    const changed = anImage({ ...SHA512, os_hash_value: "cd".repeat(64) });
    const later = aCreate(3, changed);
    const { world, cache } = await aWorldWithCachedImage({}, later);
    const old = entryOf(world).volume_id;
    expect(await createFrom(world, later, cache)).toBe(false);
    expect(world.fakes.imageCache.records.has(ENTRY_ID)).toBe(false);
    expect(driverOf(world).volumes.has(old)).toBe(false);
    expect(world.fakes.volumes.records.has(old)).toBe(false);
    expect(entryOf(world, imageCacheId(FIRST_HOST, IMAGE_ID, changed))).toMatchObject({ state: "available" });
  });

  it("is downloaded when the same bytes are to be read as another format", async () => {
    const later = aCreate(3, anImage({ ...SHA512, disk_format: "qcow2" }));
    const { world, cache } = await aWorldWithCachedImage({}, later);
    expect((await clone(world, later, cache)).cloned).toBe(false);
  });

  it.each([
    new VolumeNotFound("cached"),
    new SourceDamaged("volume cached", 0, 1),
    new VolumeBackendAPIException("no clone"),
  ])("is downloaded when the clone fails by %s", async (error) => {
    const { world, cache, second } = await aWorldWithCachedImage();
    world.faults.fail("driver.createClonedVolume", error);
    expect((await clone(world, second, cache)).cloned).toBe(false);
    expect(world.fakes.locks.on(entryOf(world).volume_id)).toEqual({});
    expect(entryOf(world).state).toBe(error.constructor === VolumeBackendAPIException ? "available" : "evicting");
  });

  it("is downloaded, in the clone's place, when the cached one went after a clone whose answer was lost", async () => {
    const { world, cache, second } = await aWorldWithCachedImage();
    await clone(world, second, cache);
    finish(world, second);
    await cache.entries.beginEvict(ENTRY_ID, { fence: null, now: world.now });
    world.fakes.volumes.records.set(second.id, volumeOf(second));
    expect((await clone(world, second, cache)).cloned).toBe(false);
    await download(world, second, cache);
    expect(driverOf(world).volumes.get(second.id)).toMatchObject({ from: "image" });
  });

  it("that is smaller is downloaded, and the larger cached one goes", async () => {
    const first = aCreate(1);
    const second = aCreate(2);
    const world = aWorld(volumeOf(first, { size: 5 }), volumeOf(second));
    const cache = world.imageCache();
    await createFrom(world, first, cache);
    expect(await createFrom(world, second, cache)).toBe(false);
    expect(entryOf(world).state).toBe("evicting");
  });
});

describe("a late call, when its retry has continued with the download", () => {
  /** Reads the cache, and continues with that state when the retry has come this far. */
  async function late(retried: (world: World, create: Create, cache: WorldCache) => Promise<void>) {
    const create = aCreate(1);
    const world = aWorld(volumeOf(create));
    const cache = world.imageCache();
    const get = async (id: string) => {
      await clone(world, create, cache);
      const seen = await cache.entries.get(id);
      await retried(world, create, cache);
      return seen;
    };
    const entries = Object.assign(Object.create(cache.entries) as typeof cache.entries, { get });
    const answer = await clone(world, create, { ...cache, entries }).catch((error: unknown) => error);
    return { world, create, answer };
  }

  it("leaves the volume that is being filled", async () => {
    const { world, create, answer } = await late(download);
    expect(answer).toMatchObject({ cloned: false });
    expect(driverOf(world).volumes.get(create.id)).toMatchObject({ from: "image" });
  });

  it("leaves the volume that is in use by now", async () => {
    const { world, create, answer } = await late(async (...of) => {
      await download(...of);
      finish(of[0], of[1]);
    });
    expect(answer).toMatchObject({ cloned: false });
    expect(driverOf(world).volumes.get(create.id)).toMatchObject({ from: "image" });
  });

  it("leaves a clone that another turn has made", async () => {
    const { world, create, answer } = await late(async (of, { id, input }) => {
      driverOf(of).volumes.set(id, { from: "volume", source: "cached" });
      await of.fakes.volumes.persistModelUpdate({ volumeId: id, fence: input.fence, attempt: 1 }, {}, "created");
    });
    expect(answer).toMatchObject({ cloned: false });
    expect(driverOf(world).volumes.get(create.id)).toMatchObject({ from: "volume" });
  });
});

describe("a cache whose table does not answer", () => {
  const CALLS = ["get", "list", "beginFill", "renew", "beginCopy", "complete", "abandon", "touch", "beginEvict"];

  it.each(CALLS)("fails no create when %s fails: the image is downloaded, or cloned all the same", async (call) => {
    const { world, cache, second } = await aWorldWithCachedImage({ maxCount: 1 }, aCreate(3));
    const other = anImage({ ...SHA512, id: uuid(203) });
    world.faults.fail(`imageCache.${call}`, new Error("no answer"), { times: 99 });
    await createFrom(world, second, cache);
    await createFrom(world, aCreate(3, other), cache);
    expect(driverOf(world).volumes.has(second.id)).toBe(true);
    expect(driverOf(world).volumes.has(aCreate(3).id)).toBe(true);
  });

  it("fails no copy that takes longer than a lease", async () => {
    const create = aCreate(1);
    const world = aWorld(volumeOf(create));
    const cache = world.imageCache();
    await clone(world, create, cache);
    await createVolumeForImage(world.deps, create.input, UNHURRIED);
    world.faults.fail("imageCache.renew", new Error("no answer"), { times: 99 });
    driverOf(world).chunks = 3;
    for (const done of [false, false, true]) {
      after(world, 100);
      expect(await copy(world, create, cache)).toMatchObject({ done });
    }
  });
});

describe("two creates of an image at once", () => {
  async function twoAtOnce() {
    const first = aCreate(1);
    const second = aCreate(2);
    const world = aWorld(volumeOf(first), volumeOf(second));
    const cache = world.imageCache();
    expect((await clone(world, first, cache)).cloned).toBe(false);
    return { world, cache, first, second, waiting: await clone(world, second, cache) };
  }

  it("download once: the other waits, and clones", async () => {
    const { world, cache, first, second, waiting } = await twoAtOnce();
    expect(waiting).toMatchObject({ cloned: true, done: false, wait_seconds: 1 });
    after(world, 10);
    const still = await clone(world, second, cache, waiting.checkpoint);
    expect(still).toMatchObject({ cloned: true, done: false, wait_seconds: 6 });
    await download(world, first, cache);
    expect(await clone(world, second, cache, still.checkpoint)).toMatchObject({ cloned: true, done: true });
    expect(world.faults.count("driver.copyImageToVolume")).toBe(1);
  });

  it("do not wait for a dead one: its lease passes to exactly one of those who wait", async () => {
    const { world, cache, second, waiting } = await twoAtOnce();
    const third = aCreate(3);
    world.fakes.volumes.records.set(third.id, volumeOf(third));
    after(world, 301);
    expect((await clone(world, second, cache, waiting.checkpoint)).cloned).toBe(false);
    expect(entryOf(world).fence).toBe(second.input.fence);
    expect(await clone(world, third, cache)).toMatchObject({ cloned: true, done: false });
    await download(world, second, cache);
    expect(entryOf(world).state).toBe("available");
  });

  it("end the wait for a slow one once: a repeat that finds the cached one clones it whole", async () => {
    const { world, cache, first, second, waiting } = await twoAtOnce();
    after(world, 901);
    await cache.entries.renew(ENTRY_ID, { fence: first.input.fence, now: world.now, until: new Date("2027-01-01") });
    const check = () => {
      const input = { ...second.input, volume_spec: specOf(second), creation: waiting };
      return checkBackend({ ...world.deps, imageCache: cache }, input, {
        ...UNHURRIED,
        checkpoint: waiting.checkpoint,
      });
    };
    expect(await check()).toMatchObject({ next: "copy_image" });
    await download(world, first, cache);
    finish(world, first);
    expect(await check()).toMatchObject({ next: "bootable", done: true });
    expect(driverOf(world).volumes.get(second.id)).toMatchObject({ from: "volume" });
  });

  it("do not wait for ever for a slow one, and cache nothing of their own then", async () => {
    const { world, cache, first, second, waiting } = await twoAtOnce();
    for (let minutes = 0; minutes < 15; minutes += 1) {
      after(world, 60);
      const until = new Date(world.now.getTime() + 300_000);
      await cache.entries.renew(ENTRY_ID, { fence: first.input.fence, now: world.now, until });
    }
    expect((await clone(world, second, cache, waiting.checkpoint)).cloned).toBe(false);
    await download(world, second, cache);
    expect(entryOf(world)).toMatchObject({ fence: first.input.fence, state: "filling" });
  });

  it("renew the lease while the copy moves", async () => {
    const { world, cache, first } = await twoAtOnce();
    await createVolumeForImage(world.deps, first.input, UNHURRIED);
    driverOf(world).chunks = 3;
    for (const seconds of [0, 200, 200]) {
      after(world, seconds);
      await copy(world, first, cache);
    }
    expect(entryOf(world).state).toBe("available");
  });

  it("let a late one of a lost lease do no harm", async () => {
    const { world, cache, first, second } = await twoAtOnce();
    after(world, 301);
    await createFrom(world, second, cache);
    await download(world, first, cache);
    expect(entryOf(world)).toMatchObject({ fence: second.input.fence, state: "available" });
    expect(driverOf(world).volumes.has(cachedVolumeId(ENTRY_ID, first.input.fence))).toBe(false);
  });
});

it("an image copy's own errors are as without a cache", async () => {
  const create = aCreate(1);
  const world = aWorld(volumeOf(create));
  world.faults.fail("driver.copyImageToVolume", new Error("dropped"), { times: 3 });
  await expect(createFrom(world, create, world.imageCache())).rejects.toThrow(ImageCopyFailure);
});
