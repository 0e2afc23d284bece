import { describe, expect, it } from "vitest";
import { auditBackends } from "../../core/audit/audit-backends.ts";
import { claimFate } from "../../core/claims.ts";
import { InvalidVolume } from "../../core/errors.ts";
import { createVolumeForImage } from "../../core/workflow/create-volume-for-image.ts";
import { deleteVolume } from "../../core/volumes/delete-volume.ts";
import { evictCachedImage } from "../../core/image-cache/evict-cached-image.ts";
import { anImage, aWorld, driverOf, FIRST_HOST, IMAGE_ID, UNHURRIED } from "../support/builders.ts";
import { uuid } from "../support/drivers.ts";
import { expectSameAfterAnyDeath } from "../support/fakes/crashes.ts";
import {
  SHA512,
  ENTRY_ID,
  aCreate,
  volumeOf,
  clone,
  copy,
  createFrom,
  finish,
  sweep,
  after,
  entryOf,
  aWorldWithCachedImage,
} from "../support/image-cache.ts";

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

  it("whose claim was left open is settled, without a notification", async () => {
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
        world.fakes.volumes.records.setAll(before.fakes.volumes.records);
        world.fakes.imageCache.records.setAll(before.fakes.imageCache.records);
        world.fakes.backends.records.set(FIRST_HOST, before.fakes.backends.seen(FIRST_HOST));
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
    expect(world.fakes.backends.seen(FIRST_HOST)).toMatchObject({ allocated_capacity_gb: 1 });
  });

  it("removes the cached volumes of a backend whose cache was switched off", async () => {
    const { world } = await aWorldWithCachedImage();
    expect(await sweep(world, world.imageCache({}, [FIRST_HOST]))).toBe(1);
    expect(world.fakes.imageCache.records.size).toBe(0);
  });
});
