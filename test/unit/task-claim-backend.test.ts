import { describe, expect, it } from "vitest";
import { NoValidBackend } from "../../core/errors.ts";
import type { BackendRepository } from "../../core/ports.ts";
import { backendView } from "../../core/scheduling/backend-view.ts";
import { claimBackend } from "../../core/scheduling/claim-backend.ts";
import { aWorld, FIRST_HOST, SECOND_HOST, VOLUME_ID } from "../support/builders.ts";
import { START, type World } from "../support/fakes/world.ts";
import { ownerOf } from "../support/records.ts";

type Candidates = Pick<BackendRepository, "list" | "claim">;

function claim(world: World, volumeId: string = VOLUME_ID, size = 10, candidates: Candidates = world.deps.candidates) {
  return claimBackend({ ...world.deps, candidates }, ownerOf(volumeId), size, { size });
}

const allocated = (world: World, host: string) => world.fakes.backends.records.get(host)?.allocated_capacity_gb;

describe("claiming", () => {
  it("takes the best backend and counts the claim", async () => {
    const world = aWorld();
    world.addBackend(SECOND_HOST, { total: 200 });
    expect(await claim(world)).toEqual({
      host: SECOND_HOST,
      availabilityZone: "nova",
      claimedAt: START,
    });
    expect(allocated(world, SECOND_HOST)).toBe(10);
  });

  it("finds what an earlier delivery of the attempt claimed, although another backend weighs more by now", async () => {
    const world = aWorld();
    const first = await claim(world);
    world.addBackend(SECOND_HOST, { total: 1000 });
    expect(await claim(world)).toEqual(first);
    expect(world.faults.count("backends.claim")).toBe(1);
  });

  it("takes what is left when another request was faster on the best", async () => {
    const world = aWorld();
    world.addBackend(FIRST_HOST, { total: 15 });
    world.addBackend(SECOND_HOST, { total: 12 });
    const stale = await world.fakes.backends.list();
    await claim(world, "other");
    expect(allocated(world, FIRST_HOST)).toBe(10);
    let reads = 0;
    const candidates: Candidates = {
      list: async () => ((reads += 1) === 1 ? stale : world.fakes.backends.list()),
      claim: (...parameters) => world.deps.candidates.claim(...parameters),
    };
    expect((await claim(world, VOLUME_ID, 10, candidates)).host).toBe(SECOND_HOST);
    expect(reads).toBe(2);
  });

  it("never holds more than there is, however many claim at once", async () => {
    const world = aWorld();
    const results = await Promise.allSettled(Array.from({ length: 30 }, (_, index) => claim(world, `volume-${index}`)));
    const refused = results.flatMap((result) => (result.status === "rejected" ? [result.reason as Error] : []));
    expect([allocated(world, FIRST_HOST), allocated(world, SECOND_HOST)]).toEqual([100, 100]);
    expect(refused).toHaveLength(10);
    expect(refused.every((reason) => reason instanceof NoValidBackend)).toBe(true);
  });

  it("does not say that there is no room by a view in which room was not free yet", async () => {
    const world = aWorld();
    const full = (await world.fakes.backends.list()).map((backend) => ({ ...backend, free_capacity_gb: 0 }));
    const candidates: Candidates = {
      list: async () => full,
      claim: (...parameters) => world.deps.candidates.claim(...parameters),
    };
    expect(await claim(world, VOLUME_ID, 10, candidates)).toMatchObject({ host: FIRST_HOST });
  });

  it("gives up for now, not for good, when others are always faster", async () => {
    const world = aWorld();
    const candidates: Candidates = { list: () => world.fakes.backends.list(), claim: async () => undefined };
    const thrown = claim(world, VOLUME_ID, 10, candidates);
    await expect(thrown).rejects.toThrow("other requests were faster");
    await expect(thrown).rejects.not.toThrow(NoValidBackend);
  });
});

describe("the view of the backends", () => {
  it("is read once and has its own claims worked in", async () => {
    const world = aWorld();
    const view = backendView(world.deps.backends, world.clock);
    for (let volume = 0; volume < 6; volume += 1) {
      await claim(world, `volume-${volume}`, 10, view);
    }
    expect(world.faults.count("backends.list")).toBe(1);
    expect([allocated(world, FIRST_HOST), allocated(world, SECOND_HOST)]).toEqual([30, 30]);
  });

  it("is read again after a second", async () => {
    const world = aWorld();
    const view = backendView(world.deps.backends, world.clock);
    await view.list();
    world.now = new Date(world.now.getTime() + 1000);
    await view.list();
    expect(world.faults.count("backends.list")).toBe(2);
  });

  it("is read again after a refused claim", async () => {
    const world = aWorld();
    const view = backendView(world.deps.backends, world.clock);
    await view.list();
    for (const [host, backend] of world.fakes.backends.records) {
      world.fakes.backends.records.set(host, { ...backend, reported_at: "2026-01-01T01:00:01.000Z" });
    }
    await claim(world, VOLUME_ID, 10, view);
    expect(world.faults.count("backends.list")).toBe(2);
  });

  it("is read again after a failed read", async () => {
    const world = aWorld();
    const view = backendView(world.deps.backends, world.clock);
    world.faults.fail("backends.list", new Error("throttled"));
    await expect(view.list()).rejects.toThrow("throttled");
    expect(await view.list()).toHaveLength(2);
  });
});
