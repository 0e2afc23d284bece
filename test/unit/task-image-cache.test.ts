import { describe, expect, it } from "vitest";
import { auditBackends } from "../../core/tasks/audit-backends.ts";
import { claimFate } from "../../core/claims.ts";
import {
  ImageCopyFailure,
  ImageUnacceptable,
  InvalidVolume,
  VolumeBackendAPIException,
  VolumeNotFound,
} from "../../core/errors.ts";
import { cachedVolumeId, type ImageCache, imageCacheId, type ImageCacheSettings } from "../../core/image-cache.ts";
import type { ImageMeta } from "../../core/ports.ts";
import { fenceOf, type VolumeRecord } from "../../core/records.ts";
import type { WorkCheckpoint } from "../../core/spec.ts";
import { checkBackend } from "../../core/tasks/check-backend.ts";
import { cloneImage } from "../../core/tasks/clone-image.ts";
import { copyImageToVolume } from "../../core/tasks/copy-image-to-volume.ts";
import { createVolumeForImage } from "../../core/tasks/create-volume-for-image.ts";
import { deleteVolume } from "../../core/tasks/delete-volume.ts";
import { evictCachedImage } from "../../core/tasks/image-cache/evict-cached-image.ts";
import { sweepImageCache } from "../../core/tasks/image-cache/sweep-image-cache.ts";
import type { OwnerInput } from "../../core/tasks/input.ts";
import {
  anImage,
  anImageSpec,
  aVolumeInFlow,
  aWorld,
  driverOf,
  FIRST_HOST,
  IMAGE_ID,
  taskInput,
  UNHURRIED,
} from "../support/builders.ts";
import { uuid } from "../support/drivers.ts";
import { expectSameAfterAnyDeath } from "../support/fakes/crashes.ts";
import type { World } from "../support/fakes/world.ts";

const SHA512 = { os_hash_algo: "sha512", os_hash_value: "ab".repeat(64) };
const IMAGE = anImage(SHA512);
const ENTRY_ID = imageCacheId(FIRST_HOST, IMAGE_ID, IMAGE) ?? "";

type Create = { id: string; input: OwnerInput; meta: ImageMeta };

/** A create of an image, by a number; each has its own volume. */
function aCreate(number: number, meta: ImageMeta = IMAGE): Create {
  const id = uuid(100 + number);
  return { id, input: { ...taskInput(), volume_id: id, fence: fenceOf(id, 1) }, meta };
}

function volumeOf({ id, input }: Create, columns: Partial<VolumeRecord> = {}): VolumeRecord {
  const attempts = { 1: { host: FIRST_HOST, execution: input.fence, started_at: "then", outcome: "running" } } as const;
  return aVolumeInFlow({ id, fence: input.fence, attempts, ...columns });
}

function specOf(create: Create) {
  return { ...anImageSpec(create.meta), volume_id: create.id, image_id: create.meta.id, image_href: create.meta.id };
}

function clone(world: World, create: Create, cache?: ImageCache, checkpoint: WorkCheckpoint | null = null) {
  const input = { ...create.input, volume_spec: specOf(create) };
  return cloneImage({ ...world.deps, imageCache: cache }, input, { ...UNHURRIED, checkpoint });
}

function copy(world: World, create: Create, cache?: ImageCache) {
  const fill = cache && { ...world.deps, cache };
  return copyImageToVolume({ ...world.deps, fill }, { ...create.input, volume_spec: specOf(create) }, UNHURRIED);
}

async function download(world: World, create: Create, cache?: ImageCache): Promise<void> {
  await createVolumeForImage(world.deps, create.input, UNHURRIED);
  for (let done = false; !done;) {
    ({ done } = await copy(world, create, cache));
  }
}

/** The whole of a create as far as the cache is concerned; true when it was cloned. */
async function createFrom(world: World, create: Create, cache?: ImageCache): Promise<boolean> {
  const { cloned, done } = await clone(world, create, cache);
  expect(done || !cloned).toBe(true);
  if (!cloned) {
    await download(world, create, cache);
  }
  return cloned;
}

/** After the create: it has left the flow. */
function finish(world: World, { id }: Create): void {
  const found = world.fakes.volumes.records.get(id);
  if (found !== undefined) {
    world.fakes.volumes.records.set(id, { ...found, status: "available", deadline: null, phase: null });
  }
}

const sweep = (world: World, cache: ImageCache) =>
  sweepImageCache({ ...world.deps, cache }, { failures: [], hasTime: () => true });

const after = (world: World, seconds: number) => (world.now = new Date(world.now.getTime() + seconds * 1000));

function entryOf(world: World, id = ENTRY_ID) {
  const entry = world.fakes.imageCache.records.get(id);
  if (entry === undefined) {
    throw new Error("there is no entry");
  }
  return entry;
}

/** What a second create finds: the image is cached by the first. */
async function aWorldWithCachedImage(settings: Partial<ImageCacheSettings> = {}, ...more: Create[]) {
  const first = aCreate(1);
  const second = aCreate(2);
  const world = aWorld(volumeOf(first), volumeOf(second), ...more.map((each) => volumeOf(each)));
  const cache = world.imageCache(settings);
  await createFrom(world, first, cache);
  finish(world, first);
  return { world, cache, first, second };
}

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
    expect(world.fakes.backends.records.get(FIRST_HOST)).toMatchObject({ allocated_capacity_gb: 3 });
    expect(world.fakes.backends.records.get(FIRST_HOST)?.claims[cachedId]).toBeUndefined();
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
    expect(world.fakes.backends.records.get(FIRST_HOST)).toMatchObject({ allocated_capacity_gb: 1 });
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
    const backend = world.fakes.backends.records.get(FIRST_HOST);
    Object.assign(backend ?? {}, { free_capacity_gb: 0.5 });
    await createFrom(world, create, world.imageCache());
    expect(driverOf(world).volumes.size).toBe(1);
    expect(entryOf(world).state).toBe("evicting");
  });
});

describe("a later volume of the image", () => {
  it("is a clone of the cached one, which is locked meanwhile", async () => {
    const { world, cache, second } = await aWorldWithCachedImage();
    driverOf(world).turns = 2;
    const cachedId = entryOf(world).volume_id;
    const turn = await clone(world, second, cache);
    expect(turn).toMatchObject({ cloned: true, done: false, next: "bootable" });
    expect(world.fakes.volumes.records.get(cachedId)?.locks).toEqual({ [second.id]: second.input.fence });
    expect(await clone(world, second, cache, turn.checkpoint)).toMatchObject({ cloned: true, done: true });
    expect(driverOf(world).volumes.get(second.id)).toEqual({ from: "volume", source: cachedId });
    expect(world.fakes.volumes.records.get(cachedId)?.locks).toEqual({});
    expect(world.faults.count("driver.cloneImage")).toBe(2);
  });

  it("is the same after any death", async () => {
    const { world: before } = await aWorldWithCachedImage();
    const second = aCreate(2);
    const deaths = await expectSameAfterAnyDeath(
      () => {
        const world = aWorld();
        Object.assign(world.fakes.volumes, { records: structuredClone(before.fakes.volumes.records) });
        Object.assign(world.fakes.imageCache, { records: structuredClone(before.fakes.imageCache.records) });
        Object.assign(driverOf(world), { volumes: structuredClone(driverOf(before).volumes) });
        return world;
      },
      (world) => clone(world, second, world.imageCache()),
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

  it.each([new VolumeNotFound("cached"), new VolumeBackendAPIException("no clone")])(
    "is downloaded when the clone fails by %s, into nothing",
    async (error) => {
      const { world, cache, second } = await aWorldWithCachedImage();
      driverOf(world).partials.add(second.id);
      world.faults.fail("driver.createClonedVolume", error);
      expect((await clone(world, second, cache)).cloned).toBe(false);
      expect(driverOf(world).partials.size).toBe(0);
      expect(world.fakes.volumes.records.get(entryOf(world).volume_id)?.locks).toEqual({});
      expect(entryOf(world).state).toBe(error instanceof VolumeNotFound ? "evicting" : "available");
    },
  );

  it("is downloaded into nothing when the cached one went after a clone whose answer was lost", async () => {
    const { world, cache, second } = await aWorldWithCachedImage();
    await clone(world, second, cache);
    finish(world, second);
    await cache.entries.beginEvict(ENTRY_ID, { fence: null, now: world.now });
    world.fakes.volumes.records.set(second.id, volumeOf(second));
    expect((await clone(world, second, cache)).cloned).toBe(false);
    expect(driverOf(world).volumes.has(second.id)).toBe(false);
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

describe("a call that comes late, when its retry has gone on to the download", () => {
  /** Looks at the cache, and goes on from what it saw when the retry has come so far. */
  async function late(retried: (world: World, create: Create, cache: ImageCache) => Promise<void>) {
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
    expect(answer).toMatchObject({ name: "FenceLost" });
    expect(driverOf(world).volumes.get(create.id)).toMatchObject({ from: "image" });
  });

  it("leaves a clone that another turn has made", async () => {
    const { world, create, answer } = await late(async (of, { id, input }) => {
      driverOf(of).volumes.set(id, { from: "volume", source: "cached" });
      await of.fakes.volumes.persistModelUpdate({ volumeId: id, fence: input.fence, attempt: 1 }, {}, "created");
    });
    expect(answer).toMatchObject({ message: expect.stringContaining("another turn") });
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

describe("the bounds of the cache", () => {
  const other = (number: number) => aCreate(number, anImage({ ...SHA512, id: uuid(200 + number) }));

  it("of its count put out the least recently used", async () => {
    const creates = [other(3), other(4)];
    const { world, cache, second } = await aWorldWithCachedImage({ maxCount: 2 }, ...creates);
    for (const create of creates) {
      after(world, 120);
      if (create === creates[1]) {
        await clone(world, second, cache);
        finish(world, second);
      }
      await createFrom(world, create, cache);
      finish(world, create);
    }
    const images = [...world.fakes.imageCache.records.values()].map(({ image_id: id }) => id);
    expect(images.toSorted()).toEqual([IMAGE_ID, uuid(204)]);
    expect(driverOf(world).volumes.size).toBe(4 + 2);
  });

  it("of its size put out as many as are needed", async () => {
    const create = other(3);
    const { world, cache } = await aWorldWithCachedImage({ maxSizeGib: 2 }, create);
    world.fakes.volumes.records.set(create.id, volumeOf(create, { size: 2 }));
    await createFrom(world, create, cache);
    expect([...world.fakes.imageCache.records.values()]).toMatchObject([{ image_id: uuid(203), size: 2 }]);
  });

  it("keep what never fits, and what is being cloned from, and then cache nothing new", async () => {
    const create = other(3);
    const { world, cache, second } = await aWorldWithCachedImage({ maxCount: 1, maxSizeGib: 3 }, create);
    driverOf(world).turns = 2;
    await clone(world, second, cache);
    driverOf(world).turns = 1;
    await createFrom(world, create, cache);
    const states = [...world.fakes.imageCache.records.values()].map(({ state }) => state);
    expect(states).toEqual(["evicting"]);
    expect(driverOf(world).volumes.has(entryOf(world).volume_id)).toBe(true);
    world.fakes.volumes.records.set(create.id, volumeOf(create, { size: 9 }));
    expect(await sweep(world, cache)).toBe(0);
    finish(world, second);
    expect(await sweep(world, cache)).toBe(1);
    expect(world.fakes.imageCache.records.size).toBe(0);
  });
});

describe("a cached volume", () => {
  it("cannot be deleted as a volume", async () => {
    const { world } = await aWorldWithCachedImage();
    await expect(deleteVolume(world.deps, entryOf(world).volume_id)).rejects.toThrow(InvalidVolume);
  });

  it("is nothing that the audit finds", async () => {
    const { world } = await aWorldWithCachedImage();
    world.drivers.set("node@first", driverOf(world));
    world.deps.drivers.hosts.splice(0, 2, "node@first");
    after(world, 48 * 3600);
    const timeLimit = <Value>(call: Promise<Value>) => call;
    const request = { host: null, older_than_hours: 24, reap: true, max_reap: 10, max_listed: 100 };
    const report = await auditBackends({ ...world.deps, timeLimit, remainingTimeMs: () => 900_000 }, request);
    const about = report.findings.filter(({ id }) => id === entryOf(world).volume_id || id === FIRST_HOST);
    expect(about).toEqual([]);
    expect(report.hosts["node@first"]?.volumes).toBe(2);
  });

  it("whose claim was left open is settled, and nobody is told of it", async () => {
    const { world } = await aWorldWithCachedImage();
    const volume = world.fakes.volumes.records.get(entryOf(world).volume_id);
    const claim = { attempt: 1, size: 1, claimed_at: volume?.attempts[1]?.started_at ?? "" };
    expect(claimFate({ host: FIRST_HOST, volumeId: volume?.id ?? "", claim }, volume)).toEqual({ action: "settle" });
  });

  it("is evicted the same after any death", async () => {
    const { world: before } = await aWorldWithCachedImage();
    const entry = entryOf(before);
    await before.fakes.imageCache.beginEvict(ENTRY_ID, { fence: null, now: before.now });
    await expectSameAfterAnyDeath(
      () => {
        const world = aWorld();
        Object.assign(world.fakes.volumes, { records: structuredClone(before.fakes.volumes.records) });
        Object.assign(world.fakes.imageCache, { records: structuredClone(before.fakes.imageCache.records) });
        Object.assign(world.fakes.backends, { records: structuredClone(before.fakes.backends.records) });
        Object.assign(driverOf(world), { volumes: structuredClone(driverOf(before).volumes) });
        return world;
      },
      (world) => evictCachedImage({ ...world.deps, entries: world.imageCache().entries }, entry),
      (world) => expect(world.fakes.imageCache.records.size).toBe(0),
    );
  });
});

describe("the sweep of the cache", () => {
  it("leaves what is in order, and what is under way", async () => {
    const { world, cache } = await aWorldWithCachedImage();
    const filling = aCreate(3, anImage({ ...SHA512, id: uuid(203) }));
    world.fakes.volumes.records.set(filling.id, volumeOf(filling));
    await clone(world, filling, cache);
    expect(await sweep(world, cache)).toBe(0);
    expect(world.fakes.imageCache.records.size).toBe(2);
    after(world, 301);
    expect(await sweep(world, cache)).toBe(0);
    expect([...world.fakes.imageCache.records.keys()]).toEqual([ENTRY_ID]);
  });

  it("removes what a fill has left that died for good", async () => {
    const create = aCreate(1);
    const world = aWorld(volumeOf(create));
    const cache = world.imageCache();
    await clone(world, create, cache);
    await createVolumeForImage(world.deps, create.input, UNHURRIED);
    driverOf(world).turns = 2;
    driverOf(world).waitSeconds = 0;
    expect((await copy(world, create, cache)).done).toBe(false);
    expect(await sweep(world, cache)).toBe(0);
    after(world, 1801);
    expect(await sweep(world, cache)).toBe(1);
    expect([...world.fakes.volumes.records.keys()]).toEqual([create.id]);
    expect(world.fakes.backends.records.get(FIRST_HOST)).toMatchObject({ allocated_capacity_gb: 1 });
  });

  it("removes the cached volumes of a backend whose cache was switched off", async () => {
    const { world } = await aWorldWithCachedImage();
    expect(await sweep(world, world.imageCache({}, [FIRST_HOST]))).toBe(1);
    expect(world.fakes.imageCache.records.size).toBe(0);
  });
});

it("an image copy's own errors are as without a cache", async () => {
  const create = aCreate(1);
  const world = aWorld(volumeOf(create));
  world.faults.fail("driver.copyImageToVolume", new Error("dropped"), { times: 3 });
  await expect(createFrom(world, create, world.imageCache())).rejects.toThrow(ImageCopyFailure);
});
