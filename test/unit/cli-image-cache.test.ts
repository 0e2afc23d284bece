import { describe, expect, test } from "vitest";
import { aWorld, FIRST_HOST, IMAGE_ID } from "../support/builders.ts";
import { runCli } from "../support/cli-context.ts";
import { uuid } from "../support/drivers.ts";
import { START, type World } from "../support/fakes/world.ts";

const OTHER_IMAGE = uuid(201);

function worldWithCachedImages(): World {
  const world = aWorld();
  const { imageCache } = world.fakes;
  const entry = { host: FIRST_HOST, size: 2, at: START };
  imageCache.addAvailable({ ...entry, id: "first", volume_id: uuid(301), image_id: IMAGE_ID });
  imageCache.addAvailable({ ...entry, id: "second", volume_id: uuid(302), image_id: OTHER_IMAGE, at: "2026-01-02" });
  return world;
}

const cli = (world: World, ...argv: string[]) =>
  runCli(["image", "cache", ...argv], { imageCache: world.imageCache().entries });

const statesOf = (world: World) => [...world.fakes.imageCache.records.values()].map(({ state }) => state);

describe("image cache list", () => {
  test("shows the cached images, the last used first", async () => {
    const { status, stdout } = await cli(worldWithCachedImages(), "list");
    expect(status).toBe(0);
    expect(stdout).toMatch(/^Image +Host +Size +State +Last used\n/);
    expect(stdout.indexOf(OTHER_IMAGE)).toBeLessThan(stdout.indexOf(IMAGE_ID));
    expect(stdout).toMatch(new RegExp(`^${IMAGE_ID} +${FIRST_HOST} +2 +available +2026-01-01 01:00:00Z$`, "m"));
  });

  test("says that there are none", async () => {
    expect((await cli(aWorld(), "list")).stdout).toBe("no cached images\n");
  });

  test("answers with one document", async () => {
    const { stdout } = await cli(worldWithCachedImages(), "list", "--json");
    expect(JSON.parse(stdout)).toMatchObject({ image_cache: [{ image_id: OTHER_IMAGE }, { image_id: IMAGE_ID }] });
  });
});

describe("image cache evict", () => {
  test("has the named image's cached volume deleted, and no other", async () => {
    const world = worldWithCachedImages();
    const { status, stdout } = await cli(world, "evict", IMAGE_ID.toUpperCase());
    expect({ status, stdout }).toEqual({ status: 0, stdout: `evicted ${IMAGE_ID} on ${FIRST_HOST}\n` });
    expect(statesOf(world)).toEqual(["evicting", "available"]);
  });

  test("has all deleted but what is being filled", async () => {
    const world = worldWithCachedImages();
    const { records } = world.fakes.imageCache;
    records.setAll(
      [...records].map(([id, entry]) => [
        id,
        id === "first" ? { ...entry, state: "filling", lease_until: "9" } : entry,
      ]),
    );
    const { stdout } = await cli(world, "evict", "--all", "--json");
    expect(JSON.parse(stdout)).toMatchObject({ evicted: [{ id: "second" }], kept: [{ id: "first" }] });
    expect(statesOf(world)).toEqual(["filling", "evicting"]);
  });

  test.each([
    [["evict"], "error: name images, or --all"],
    [["evict", "--all", IMAGE_ID], "error: name images, or --all"],
    [["evict", uuid(999)], `error: image ${uuid(999)} is not cached`],
  ])("%j changes nothing", async (argv, message) => {
    const world = worldWithCachedImages();
    const { status, stderr } = await cli(world, ...argv);
    expect(status).not.toBe(0);
    expect(stderr).toContain(message);
    expect(statesOf(world)).toEqual(["available", "available"]);
  });
});
