import { mkdir, open, readdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { FileDriver } from "../../adapters/file/driver.ts";
import { fenceOf } from "../../core/records.ts";
import {
  aSnapshot,
  aVolume,
  finishedIn,
  imageSource,
  KeptProgress,
  MIB,
  sparseContent,
  temporaryDirectory,
  unfinishedData,
  unhurried,
  uuid,
  workingIn,
} from "../support/drivers.ts";

// Other files in the same process share their modules, which have the real file system.
vi.hoisted(() => vi.resetModules());
// A call that is stopped at one operation would do others when the timer of its turn fires.
beforeAll(() => void vi.useFakeTimers({ toFake: ["setInterval"] }));
afterAll(() => {
  vi.useRealTimers();
  vi.resetModules();
});

/** Lets a call stop before one of its operations on the file system, until something else has happened. */
const { stoppers, step } = vi.hoisted(() => {
  const { AsyncLocalStorage } = process.getBuiltinModule("node:async_hooks");
  const storage = new AsyncLocalStorage<{ before(name: string): Promise<void> }>();
  return {
    stoppers: storage,
    step: async <Result>(name: string, operate: () => Result): Promise<Awaited<Result>> => {
      await storage.getStore()?.before(name);
      return await operate();
    },
  };
});

vi.mock("node:fs/promises", async (importOriginal) => {
  const original = await importOriginal<typeof import("node:fs/promises")>();
  const stepped = Object.entries(original).map(([name, member]) => [
    name,
    typeof member === "function"
      ? (...parameters: never[]) => step(name, () => Reflect.apply(member, original, parameters) as unknown)
      : (member as unknown),
  ]);
  return {
    ...(Object.fromEntries(stepped) as object),
    // As a file system that shares blocks: a copy takes one operation.
    copyFile: (from: string, to: string) =>
      step("copyFile", async () => {
        const { size } = await original.stat(from);
        if (size <= 16 * 2 ** 20) {
          return original.copyFile(from, to, original.constants.COPYFILE_EXCL);
        }
        const file = await original.open(to, "wx", 0o600);
        await file.truncate(size);
        return file.close();
      }),
  };
});

const CONTENT = sparseContent(3 * MIB, 4);

/** Runs a call until its operation number `stopAt`, runs something else, and lets the call continue. */
async function interrupted(stopAt: number, call: () => Promise<unknown>, meanwhile: () => Promise<void>) {
  let operations = 0;
  let wasStopped = false;
  const { promise: stopped, resolve: stop } = Promise.withResolvers<void>();
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const stopper = {
    before: async () => {
      operations += 1;
      if (operations === stopAt) {
        wasStopped = true;
        stop();
        await released;
      }
    },
  };
  const outcome = stoppers.run(stopper, () =>
    call().then(
      (value) => ({ value, error: undefined }),
      (error: unknown) => ({ value: undefined, error }),
    ),
  );
  await Promise.race([stopped, outcome]);
  await meanwhile();
  release();
  return { ...(await outcome), wasStopped };
}

type Scene = Awaited<ReturnType<typeof scene>>;

async function scene() {
  const base = await temporaryDirectory();
  const directory = join(base, "volumes");
  const images = join(base, "images");
  await mkdir(images);
  await writeFile(join(images, "disk.raw"), CONTENT);
  const driver = new FileDriver("node@file", { directory, image_directory: images });
  await driver.createVolume(aVolume({ id: uuid(9) }), unhurried());
  const kept = new KeptProgress();
  const location = { direct_url: pathToFileURL(join(images, "disk.raw")).href, locations: [] };
  return { directory, driver, kept, image: imageSource(CONTENT), location };
}

/** The finished objects on the backend, to the last write. */
async function finished({ directory }: Scene): Promise<string[]> {
  const names = await finishedIn(directory);
  const described = names.map(async (name) => {
    await using file = await open(join(directory, name));
    const { ino, size, mtimeNs, blocks } = await file.stat({ bigint: true });
    return `${name} ${ino} ${size} ${mtimeNs} ${blocks}`;
  });
  return Promise.all(described);
}

/** Every operation that carries a fence: what comes before it, and the call of attempt 2 that may be late. */
const OPERATIONS: Record<
  string,
  { before?: (scene: Scene) => Promise<unknown>; late: (scene: Scene) => Promise<unknown> }
> = {
  createVolume: { late: ({ driver }) => driver.createVolume(ofAttempt(2), unhurried()) },
  createClonedVolume: {
    late: ({ driver }) => driver.createClonedVolume(ofAttempt(2), aVolume({ id: uuid(9) }), unhurried()),
  },
  createVolumeFromSnapshot: {
    before: ({ driver }) => driver.createSnapshot(aSnapshot({ id: uuid(901) }), aVolume({ id: uuid(9) })),
    late: ({ driver }) => driver.createVolumeFromSnapshot(ofAttempt(2), aSnapshot({ id: uuid(901) }), unhurried()),
  },
  cloneImage: {
    late: ({ driver, image, location }) => driver.cloneImage(ofAttempt(2), location, image, unhurried()),
  },
  "copyImageToVolume in one turn": {
    before: ({ driver }) => driver.createVolume(ofAttempt(2), unhurried()),
    late: ({ driver, image, kept }) => driver.copyImageToVolume(ofAttempt(2), image, kept.work()),
  },
  "copyImageToVolume from a checkpoint": {
    before: async ({ driver, image, kept }) => {
      await driver.createVolume(ofAttempt(2), unhurried());
      await driver.copyImageToVolume(
        ofAttempt(2),
        image,
        kept.work(() => 1_000),
      );
    },
    late: ({ driver, image, kept }) => driver.copyImageToVolume(ofAttempt(2), image, kept.work()),
  },
  "a repeated createVolume": {
    before: ({ driver }) => driver.createVolume(ofAttempt(2), unhurried()),
    late: ({ driver }) => driver.createVolume(ofAttempt(2), unhurried()),
  },
};

function ofAttempt(attempt: number) {
  return aVolume({ fence: fenceOf(uuid(1), attempt) });
}

describe.each(Object.entries(OPERATIONS))("%s", (_name, { before, late }) => {
  // The last round lets the call end before the close.
  test("has no effect once its attempt, or a later one, is closed, wherever the close comes", async () => {
    for (let stopAt = 1, wasStopped = true; wasStopped; stopAt += 1) {
      const closed = 2 + (stopAt % 2);
      const here = await scene();
      await before?.(here);
      let then: string[] = [];
      const outcome = await interrupted(
        stopAt,
        () => late(here),
        async () => {
          await here.driver.closeAttempt(uuid(1), fenceOf(uuid(1), closed));
          then = await finished(here);
        },
      );
      ({ wasStopped } = outcome);
      expect(await finished(here), `stopped before operation ${stopAt}`).toEqual(then);
      expect(await workingIn(here.directory)).toEqual([]);
      if (outcome.error !== undefined) {
        expect(outcome.error, `stopped before operation ${stopAt}`).toMatchObject({ name: "AttemptClosed" });
      }
      await here.driver.deleteVolume(uuid(1), fenceOf(uuid(1), closed));
      expect(await here.driver.findVolume(uuid(1), fenceOf(uuid(1), closed))).toBe("absent");
      await expect(late(here)).rejects.toMatchObject({
        name: expect.stringMatching(/^(AttemptClosed|ImageCopyFailure)$/),
      });
      expect(await here.driver.findVolume(uuid(1), fenceOf(uuid(1), closed))).toBe("absent");
    }
  });

  test("has no effect after a close that it interrupts, wherever it comes", async () => {
    for (let stopAt = 1, wasStopped = true; wasStopped; stopAt += 1) {
      const here = await scene();
      await before?.(here);
      const close = await interrupted(
        stopAt,
        () => here.driver.closeAttempt(uuid(1), fenceOf(uuid(1), 2)),
        async () => void (await late(here).catch(() => {})),
      );
      ({ wasStopped } = close);
      expect(close.error, `stopped before operation ${stopAt}`).toBeUndefined();
      await here.driver.deleteVolume(uuid(1), fenceOf(uuid(1), 2));
      await expect(late(here)).rejects.toMatchObject({
        name: expect.stringMatching(/^(AttemptClosed|ImageCopyFailure)$/),
      });
      expect(await here.driver.findVolume(uuid(1), fenceOf(uuid(1), 2))).toBe("absent");
    }
  });

  test("has its effect when only an earlier attempt is closed, wherever the close and the deletion come", async () => {
    for (let stopAt = 1, wasStopped = true; wasStopped; stopAt += 1) {
      const here = await scene();
      await before?.(here);
      const outcome = await interrupted(
        stopAt,
        () => late(here),
        async () => {
          await here.driver.closeAttempt(uuid(1), fenceOf(uuid(1), 1));
          await here.driver.deleteVolume(uuid(1), fenceOf(uuid(1), 1));
        },
      );
      ({ wasStopped } = outcome);
      expect(outcome.error, `stopped before operation ${stopAt}`).toBeUndefined();
      expect(await here.driver.findVolume(uuid(1), fenceOf(uuid(1), 1))).toBe("absent");
      expect(await here.driver.findVolume(uuid(1), fenceOf(uuid(1), 2))).toBe("present");
    }
  });

  test("has its whole effect once, however another call of the attempt interrupts it", async () => {
    for (let stopAt = 1, wasStopped = true; wasStopped; stopAt += 1) {
      const here = await scene();
      await before?.(here);
      let answered: unknown;
      const outcome = await interrupted(
        stopAt,
        () => late(here),
        async () => {
          answered = await late(here);
        },
      );
      ({ wasStopped } = outcome);
      expect(answered, `stopped before operation ${stopAt}`).toMatchObject({ done: true });
      const names = await finishedIn(here.directory);
      expect(names.filter((name) => name.includes(uuid(1)))).toEqual([`volume-${uuid(1)}-a2`]);
    }
  });
});

describe("createSnapshot", () => {
  const late = ({ driver }: Scene) => driver.createSnapshot(aSnapshot(), aVolume({ id: uuid(9) }));

  test("has no effect once the snapshot is closed, wherever the close comes", async () => {
    for (let stopAt = 1, wasStopped = true; wasStopped; stopAt += 1) {
      const here = await scene();
      let then: string[] = [];
      const outcome = await interrupted(
        stopAt,
        () => late(here),
        async () => {
          await here.driver.closeSnapshot(uuid(900));
          then = await finished(here);
        },
      );
      ({ wasStopped } = outcome);
      expect(await finished(here), `stopped before operation ${stopAt}`).toEqual(then);
      await here.driver.deleteSnapshot(uuid(900));
      await expect(late(here)).rejects.toMatchObject({ name: "AttemptClosed" });
      expect(await here.driver.findSnapshot(uuid(900))).toBe("absent");
    }
  });
});

describe("closing", () => {
  test("twice, at once and of a volume that never was, succeeds, and closes every earlier attempt by name", async () => {
    const here = await scene();
    await Promise.all([1, 2, 3].map(() => here.driver.closeAttempt(uuid(1), fenceOf(uuid(1), 3))));
    await here.driver.closeAttempt(uuid(1), fenceOf(uuid(1), 3));
    const names = (await readdir(join(here.directory, "attempts"))).filter((name) => name.includes(uuid(1)));
    expect(names.toSorted()).toEqual([1, 2, 3].map((attempt) => `volume-${uuid(1)}-a${attempt}`));
    for (const attempt of [1, 2, 3]) {
      await expect(here.driver.createVolume(ofAttempt(attempt), unhurried())).rejects.toMatchObject({
        name: "AttemptClosed",
      });
    }
    expect(await here.driver.createVolume(ofAttempt(4), unhurried())).toMatchObject({ done: true });
  });

  test("refuses an attempt beyond the bound, which would make an entry for each one before it", async () => {
    const here = await scene();
    await expect(here.driver.closeAttempt(uuid(1), fenceOf(uuid(1), 2 ** 40))).rejects.toMatchObject({
      name: "InvalidInput",
    });
  });

  test("leaves a write through an open file in what is not the volume's any more", async () => {
    const here = await scene();
    const volume = { id: uuid(3), fence: fenceOf(uuid(3), 1) };
    await here.driver.createVolume(aVolume(volume), unhurried());
    await here.driver.copyImageToVolume(
      aVolume(volume),
      here.image,
      new KeptProgress().work(() => 1_000),
    );
    await using late = await open(await unfinishedData(here.directory, uuid(3)), "r+");
    await here.driver.closeAttempt(uuid(3), volume.fence);
    await here.driver.deleteVolume(uuid(3), volume.fence);
    await late.write(Buffer.from("late"), 0, 4, 0);
    expect(await here.driver.findVolume(uuid(3), volume.fence)).toBe("absent");
    expect((await finishedIn(here.directory)).map((name) => basename(name))).not.toContain(`volume-${uuid(3)}`);
  });

  test("is forgotten when it is old enough, and no directory that works is", async () => {
    const earlier = new Date(Date.now() - 60_000);
    const there = await scene();
    await there.driver.closeAttempt(uuid(1), fenceOf(uuid(1), 2));
    await there.driver.createVolume(aVolume({ id: uuid(2) }), unhurried());
    await there.driver.copyImageToVolume(
      aVolume({ id: uuid(2) }),
      there.image,
      there.kept.work(() => 1_000),
    );
    await there.driver.forgetClosedAttempts(earlier);
    expect(await readdir(join(there.directory, "attempts"))).toHaveLength(3);
    await there.driver.forgetClosedAttempts(new Date(Date.now() + 60_000));
    expect(await readdir(join(there.directory, "attempts"))).toEqual([`volume-${uuid(2)}-a1`]);
  });

  test.each([
    ["nothing", []],
    ["a blank file", ["blank-1"]],
  ])(
    "forgets a directory in which a call that came late and died left %s, when it is old enough",
    async (_what, left) => {
      const earlier = new Date(Date.now() - 60_000);
      const { directory, driver } = await scene();
      const volume = aVolume({ id: uuid(2) });
      await driver.createVolume(volume, unhurried());
      const work = join(directory, "attempts", `volume-${volume.id}-a1`);
      await mkdir(work);
      await Promise.all(left.map((name) => writeFile(join(work, name), "")));
      await driver.forgetClosedAttempts(earlier);
      expect(await readdir(work)).toEqual(left);
      await driver.forgetClosedAttempts(new Date(Date.now() + 60_000));
      expect(await readdir(join(directory, "attempts"))).toEqual([]);
      expect(await driver.findVolume(volume.id, fenceOf(volume.id, 1))).toBe("present");
    },
  );
});

describe("a leftover does not count as a result", () => {
  test("an empty volume of the attempt does not count as a clone of an image, which replaces it", async () => {
    const { directory, driver, image, location } = await scene();
    await driver.createVolume(ofAttempt(1), unhurried());
    const none = { direct_url: null, locations: [] };
    expect(await driver.cloneImage(ofAttempt(1), none, image, unhurried())).toMatchObject({ cloned: false });
    expect(await driver.cloneImage(ofAttempt(1), location, image, unhurried())).toMatchObject({ cloned: true });
    await using file = await open(join(directory, `volume-${uuid(1)}`));
    const { buffer } = await file.read(Buffer.alloc(CONTENT.length), 0, CONTENT.length, 0);
    expect(buffer.equals(CONTENT)).toBe(true);
  });

  test("an empty volume of the attempt does not count as a clone of a volume, which replaces it", async () => {
    const { directory, driver, image, kept } = await scene();
    const source = aVolume({ id: uuid(5) });
    await driver.createVolume(source, unhurried());
    await driver.copyImageToVolume(source, image, kept.work());
    await using file = await open(join(directory, `volume-${source.id}`), "r+");
    await file.truncate(CONTENT.length);
    await driver.createVolume(ofAttempt(1), unhurried());
    const before = await finishedIn(directory);
    await file.truncate(2 ** 30);
    expect(await driver.createClonedVolume(ofAttempt(1), source, unhurried())).toMatchObject({ done: true });
    expect(await finishedIn(directory)).toEqual(before);
    await driver.createSnapshot(aSnapshot(), ofAttempt(1));
  });

  test("a finished volume of an earlier attempt is not the result of a later one", async () => {
    const { directory, driver, image } = await scene();
    await driver.createVolume(ofAttempt(1), unhurried());
    const none = { direct_url: null, locations: [] };
    expect(await driver.cloneImage(ofAttempt(2), none, image, unhurried())).toMatchObject({ cloned: false });
    expect(await finishedIn(directory)).not.toContain(`volume-${uuid(1)}-a2`);
  });
});
