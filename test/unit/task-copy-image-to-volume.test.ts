import { describe, expect, it, vi } from "vitest";
import {
  DriverNotInitialized,
  FenceLost,
  ImageCopyFailure,
  ImageTooBig,
  ImageUnacceptable,
  InvalidInput,
  VolumeBackendAPIException,
  VolumeNotFound,
} from "../../core/errors.ts";
import type { CopyWork } from "../../core/drivers/driver-ports.ts";
import { copyImageToVolume } from "../../core/workflow/copy-image-to-volume.ts";
import {
  anImageSpec,
  aSpec,
  aVolumeInFlow,
  aWorld,
  driverOf,
  IMAGE_ID,
  taskInput,
  UNHURRIED,
  VOLUME_ID,
} from "../support/builders.ts";
import { expectSameAfterAnyDeath } from "../support/fakes/crashes.ts";
import { START, type World } from "../support/fakes/world.ts";

const INPUT = { ...taskInput(), volume_spec: anImageSpec() };
const CALL = "driver.copyImageToVolume";

/** Progress that a driver saves. */
type CopyWorkProgress = Parameters<CopyWork["save"]>[0];
const downloading = { status: "downloading", phase: "copying" } as const;

function world(chunks = 1): World {
  const made = aWorld(aVolumeInFlow(downloading));
  driverOf(made).chunks = chunks;
  driverOf(made).volumes.set(VOLUME_ID, { from: "nothing" });
  return made;
}

const turn = (here: World) => copyImageToVolume(here.deps, INPUT, UNHURRIED);

async function untilDone(here: World): Promise<number> {
  let turns = 1;
  while (!(await turn(here)).done) {
    turns += 1;
  }
  return turns;
}

describe("CopyImageToVolume", () => {
  it("fills the volume with the image", async () => {
    const here = world();
    expect(await turn(here)).toEqual({ done: true, wait_seconds: 0, checkpoint: null });
    expect(driverOf(here).volumes.get(VOLUME_ID)).toEqual({ from: "image", source: IMAGE_ID, bytes: 1 });
  });

  it("keeps its progress and a new deadline on the record, not in the state document", async () => {
    const here = world(3);
    expect(await turn(here)).toEqual({ done: false, wait_seconds: 0, checkpoint: null });
    expect(await here.fakes.volumes.get(VOLUME_ID)).toMatchObject({
      status: "downloading",
      progress: { bytes_done: 1, bytes_total: 3, image_tag: "tag", updated_at: START },
      deadline: "2026-01-01T02:00:00.000Z",
    });
  });

  it("continues from the record's progress until it is done", async () => {
    const here = world(3);
    expect(await untilDone(here)).toBe(3);
    expect(driverOf(here).volumes.get(VOLUME_ID)?.bytes).toBe(3);
  });

  it("dead at any call and run again, copies the whole image", async () => {
    expect(await expectSameAfterAnyDeath(() => world(3), untilDone)).toBeGreaterThan(9);
  });
});

describe("the rate on the record", () => {
  /** Saves what a driver would, second by second, and returns the rates that the record had then. */
  async function ratesOf(here: World, saved: readonly CopyWorkProgress[]): Promise<(number | undefined)[]> {
    const rates: (number | undefined)[] = [];
    vi.spyOn(driverOf(here), "copyImageToVolume").mockImplementation(async (_volume, _image, work) => {
      for (const progress of saved) {
        await work.save(progress);
        rates.push((await here.fakes.volumes.get(VOLUME_ID)).progress?.bytes_per_second);
        here.now = new Date(here.now.getTime() + 1000);
      }
      return { done: true };
    });
    await turn(here);
    return rates;
  }
  const progress = { bytes_total: 1000, image_tag: "tag" };

  it("is that of the turn's last seconds", async () => {
    const saved = [0, 100, 300].map((bytes) => ({ ...progress, bytes_done: bytes }));
    expect(await ratesOf(world(), saved)).toEqual([undefined, 100, 150]);
  });

  it("does not come from an earlier turn, nor from its bytes", async () => {
    const saved = [500, 510].map((bytes) => ({ ...progress, bytes_done: bytes, bytes_per_second: 7777 }));
    expect(await ratesOf(world(), saved)).toEqual([undefined, 10]);
  });

  it("begins again with a copy that does", async () => {
    const saved = [
      { ...progress, bytes_done: 500 },
      ...[0, 20].map((bytes) => ({ bytes_total: 1000, bytes_done: bytes })),
    ];
    expect(
      await ratesOf(
        world(),
        saved.map((each, index) => ({ ...each, image_tag: index === 0 ? "a" : "b" })),
      ),
    ).toEqual([undefined, undefined, 20]);
  });
});

describe("an error", () => {
  it.each([
    new ImageUnacceptable(IMAGE_ID, "no"),
    new ImageTooBig(IMAGE_ID, "no"),
    new ImageCopyFailure("no"),
    new FenceLost(VOLUME_ID, "a", "b"),
  ])("$name of the driver comes out as it is, at once", async (error) => {
    const here = world();
    here.faults.fail(CALL, error);
    await expect(turn(here)).rejects.toBe(error);
    expect(here.faults.count(CALL)).toBe(1);
  });

  it.each([new Error("connection reset"), new VolumeBackendAPIException("busy")])(
    "that may pass is tried three times in the turn, then is ImageCopyFailure: $name",
    async (error) => {
      const here = world();
      here.faults.fail(CALL, error, { times: 3 });
      const thrown = turn(here);
      await expect(thrown).rejects.toThrow(ImageCopyFailure);
      await expect(thrown).rejects.toThrow(`${error.name}: ${error.message}`);
      expect(here.faults.count(CALL)).toBe(3);
    },
  );

  it("that has passed is forgotten", async () => {
    const here = world();
    here.faults.fail(CALL, new Error("connection reset"), { times: 2 });
    expect((await turn(here)).done).toBe(true);
  });

  it("of a driver that is not initialized never leads to another backend: the volume exists", async () => {
    const here = world();
    driverOf(here).isInitialized = false;
    await expect(turn(here)).rejects.toThrow(ImageCopyFailure);
    await expect(turn(here)).rejects.toThrow(DriverNotInitialized.name);
  });
});

describe("a turn that comes late", () => {
  it.each([
    ["of an earlier attempt", aVolumeInFlow(downloading, 2)],
    ["after the volume went to error", aVolumeInFlow({ status: "error", deadline: null })],
    ["after the volume became available", aVolumeInFlow({ status: "available", deadline: null })],
  ])("%s is refused before a byte moves", async (_which, volume) => {
    const here = aWorld(volume);
    await expect(turn(here)).rejects.toThrow(FenceLost);
    expect(here.faults.count(CALL)).toBe(0);
  });

  it("stops at its next checkpoint when it lost the volume in between", async () => {
    const here = world();
    vi.spyOn(driverOf(here), "copyImageToVolume").mockImplementation(async (_volume, _image, work) => {
      here.fakes.volumes.records.set(VOLUME_ID, aVolumeInFlow(downloading, 2));
      await work.save({ bytes_done: 1, bytes_total: 2 });
      return { done: false };
    });
    await expect(turn(here)).rejects.toThrow(FenceLost);
  });

  it("for a volume that was deleted says VolumeNotFound", async () => {
    await expect(turn(aWorld())).rejects.toThrow(VolumeNotFound);
  });
});

it("refuses a spec without an image", async () => {
  const input = { ...INPUT, volume_spec: aSpec({ type: "image" }) };
  await expect(copyImageToVolume(world().deps, input, UNHURRIED)).rejects.toThrow(InvalidInput);
});
