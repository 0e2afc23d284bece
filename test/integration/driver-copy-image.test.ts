import { writeFileSync } from "node:fs";
import { lstat, open, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import { FileDriver } from "../../adapters/file/driver.ts";
import type { ImageMeta } from "../../core/drivers/driver-ports.ts";
import { FenceLost } from "../../core/errors.ts";
import type { CopyProgress } from "../../core/records.ts";
import {
  aVolume,
  finishedIn,
  GIB,
  imageSource,
  KeptProgress,
  MemoryImages,
  MIB,
  sparseContent,
  temporaryDirectory,
  unfinishedData,
  unhurried,
  uuid,
} from "../support/drivers.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const SHORT = () => 1_000;

async function setUp(content: Uint8Array, overrides: Partial<ImageMeta> = {}) {
  const directory = await temporaryDirectory();
  const driver = new FileDriver("node@file", { directory });
  const volume = aVolume();
  await driver.createVolume(volume, unhurried());
  const kept = new KeptProgress();
  const image = imageSource(content, overrides);
  const path = join(directory, `volume-${volume.id}`);
  /** Calls the driver as the workflow does: again until done, each time with the progress that is kept. */
  const copy = async (remainingTimeMs?: () => number): Promise<number> => {
    for (let turns = 1; ; turns += 1) {
      if ((await driver.copyImageToVolume(volume, image, kept.work(remainingTimeMs))).done) {
        return turns;
      }
    }
  };
  const holds = async (expected: Uint8Array): Promise<boolean> => {
    const file = await open(path, "r");
    const { buffer } = await file.read(Buffer.alloc(expected.length), 0, expected.length, 0);
    const { blocks, size } = await file.stat();
    await file.close();
    return buffer.equals(expected) && size === GIB && blocks * 512 <= expected.length + 4096;
  };
  return { directory, driver, volume, kept, image, path, copy, holds };
}

test("a slow copy keeps its progress about every second, however few bytes have come", async () => {
  const content = sparseContent(8 * MIB, 1);
  const { copy, kept } = await setUp(content);
  const real = Date.now();
  let calls = 0;
  // Each look at the clock is 0.4 s later than the one before.
  vi.spyOn(Date, "now").mockImplementation(() => real + (calls += 1) * 400);
  await copy();
  expect(kept.saved.length).toBeGreaterThan(3);
});

describe("turns", () => {
  test("a turn whose time is short stops at a checkpoint, and the next continues there", async () => {
    const content = sparseContent(6 * MIB + 1, 1);
    const { copy, holds, image, kept } = await setUp(content);
    expect(await copy(SHORT)).toBeGreaterThan(2);
    expect(await holds(content)).toBe(true);
    expect(image.service.opened.map(({ from }) => from)).toEqual([0, 1, 2, 3, 4, 5, 6].map((mib) => mib * MIB));
    expect(image.service.opened.slice(1).every(({ tag }) => tag === "tag-1")).toBe(true);
    expect(kept.saved.map(({ bytes_done: done }) => done)).toEqual(
      kept.saved.map(({ bytes_done: done }) => done).toSorted((a, b) => a - b),
    );
  });

  test("an image that fits one turn is read once", async () => {
    const { copy, image } = await setUp(sparseContent(5 * MIB, 2));
    expect(await copy()).toBe(1);
    expect(image.service.opened).toHaveLength(1);
  });

  test("bytes are durable before the progress that speaks of them is kept", async () => {
    const { driver, volume, image, kept, directory } = await setUp(sparseContent(3 * MIB, 3));
    const order: string[] = [];
    const probe = await open(join(directory, "probe"), "w");
    const prototype: { datasync(): Promise<void> } = Object.getPrototypeOf(probe);
    await probe.close();
    vi.spyOn(prototype, "datasync").mockImplementation(async () => {
      order.push("datasync");
    });
    await driver.copyImageToVolume(
      volume,
      image,
      kept.work(SHORT, () => order.push("save")),
    );
    expect(order).toEqual(["save", "datasync", "save"]);
  });

  test("a disk that fails after the writes fails the checkpoint, and no progress is saved", async () => {
    const content = sparseContent(40 * MIB, 3);
    const { driver, volume, image, kept, copy, holds, directory } = await setUp(content);
    const probe = await open(join(directory, "probe"), "w");
    const prototype: { datasync(): Promise<void> } = Object.getPrototypeOf(probe);
    await probe.close();
    // The kernel reports it once, to the first sync.
    const datasync = vi.spyOn(prototype, "datasync").mockRejectedValueOnce(new Error("EIO: i/o error, fdatasync"));
    await expect(driver.copyImageToVolume(volume, image, kept.work())).rejects.toThrow("EIO");
    expect(datasync).toHaveBeenCalled();
    expect(kept.saved.map(({ bytes_done: done }) => done)).toEqual([0]);
    await copy();
    expect(await holds(content)).toBe(true);
  });

  test("a broken stream leaves the progress, and the next call continues", async () => {
    const content = sparseContent(9 * MIB, 4);
    const { driver, volume, image, kept, copy, holds } = await setUp(content);
    await driver.copyImageToVolume(volume, image, kept.work(SHORT));
    image.service.breakAfter = 3 * MIB;
    await expect(copy()).rejects.toThrow("socket hang up");
    expect(await driver.findVolume(volume.id, null)).toBe("present");
    image.service.breakAfter = Number.POSITIVE_INFINITY;
    await copy();
    expect(await holds(content)).toBe(true);
    expect(image.service.opened.at(-1)?.from).toBe(MIB);
  });

  test("bytes that changed on the volume between two turns do not pass for the image's", async () => {
    const { driver, volume, image, kept, copy, directory } = await setUp(sparseContent(4 * MIB, 5, 1));
    await driver.copyImageToVolume(volume, image, kept.work(SHORT));
    const file = await open(await unfinishedData(directory, volume.id), "r+");
    await file.write(Buffer.from("somebody else's bytes"), 0, undefined, 4096);
    await file.close();
    await expect(copy()).rejects.toMatchObject({ name: "ImageCopyFailure" });
    expect(await driver.findVolume(volume.id, null)).toBe("absent");
  });

  test("any content, in pieces of any size, cut anywhere, arrives whole and with its holes", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 * MIB }),
        fc.nat(1000),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.integer({ min: 1000, max: 2 * MIB }),
        fc.array(fc.boolean(), { minLength: 1, maxLength: 8 }),
        async (bytes, seed, share, pieceBytes, cuts) => {
          const content = sparseContent(bytes, seed, share);
          const { copy, holds, image, directory } = await setUp(content);
          image.service.pieceBytes = pieceBytes;
          let look = 0;
          await copy(() => (cuts[look++ % cuts.length] === true ? 1_000 : 900_000));
          expect(await holds(content)).toBe(true);
          await rm(directory, { recursive: true });
        },
      ),
      { numRuns: 25 },
    );
  });

  test.each([
    ["sha256", "sha256"],
    ["md5", "blake2b"],
  ])("the copy can be checked and cut with %s", async (_used, os_hash_algo) => {
    const content = sparseContent(3 * MIB, 5);
    const { createHash } = await import("node:crypto");
    const os_hash_value = createHash("sha256").update(content).digest("hex");
    const { copy, holds } = await setUp(content, { os_hash_algo, os_hash_value });
    expect(await copy(SHORT)).toBe(3);
    expect(await holds(content)).toBe(true);
  });
});

describe("beginning again", () => {
  test("from zero when the progress is of another image: nothing of that one stays", async () => {
    const first = Buffer.alloc(4 * MIB, 1);
    const { driver, volume, image, kept, path } = await setUp(first);
    await driver.copyImageToVolume(volume, image, kept.work(SHORT));
    const second = sparseContent(4 * MIB, 6);
    const other = imageSource(second);
    await driver.copyImageToVolume(volume, other, kept.work());
    const file = await open(path);
    const { buffer } = await file.read(Buffer.alloc(second.length), 0, second.length, 0);
    await file.close();
    expect(buffer.equals(second)).toBe(true);
    expect(other.service.opened[0]?.from).toBe(0);
  });

  test("from zero when the volume was created again since", async () => {
    const content = sparseContent(4 * MIB, 7);
    const { driver, volume, image, kept, copy, holds } = await setUp(content);
    await driver.copyImageToVolume(volume, image, kept.work(SHORT));
    await driver.deleteVolume(volume.id, null);
    await driver.createVolume(volume, unhurried());
    await copy();
    expect(await holds(content)).toBe(true);
  });

  test("after the end, when the answer was lost", async () => {
    const content = sparseContent(2 * MIB, 8);
    const { copy, holds } = await setUp(content);
    await copy();
    await copy();
    expect(await holds(content)).toBe(true);
  });

  test.each([
    ["a hash state that cannot be read", { hash_state: `${uuid(1)} AAAA` }],
    ["no hash state", { hash_state: "" }],
    ["an invalid id", { hash_state: "../../../../etc/passwd AAAA" }],
    ["more bytes than the image has", { bytes_done: 2 ** 40 }],
    ["a negative offset", { bytes_done: -4096 }],
  ])("from zero when the progress has %s", async (_what, damage) => {
    const content = sparseContent(3 * MIB, 9);
    const { driver, volume, image, kept, copy, holds } = await setUp(content);
    await driver.copyImageToVolume(volume, image, kept.work(SHORT));
    kept.damage(damage);
    await copy();
    expect(image.service.opened.at(-1)?.from).toBe(0);
    expect(await holds(content)).toBe(true);
  });

  test("not at all when the image changed in between", async () => {
    const { driver, volume, image, kept, copy } = await setUp(sparseContent(3 * MIB, 10));
    await driver.copyImageToVolume(volume, image, kept.work(SHORT));
    image.service.tag = "tag-2";
    await expect(copy()).rejects.toMatchObject({ name: "ImageCopyFailure" });
  });
});

describe("fencing", () => {
  test("a call whose record belongs to another attempt changes not one byte", async () => {
    const { driver, volume, image, kept, path } = await setUp(Buffer.alloc(2 * MIB, 1));
    const file = await open(path, "r+");
    await file.write(Buffer.from("in use"), 0, 6, 0);
    await file.close();
    const lost = () => {
      throw new FenceLost(volume.id, "a1", "a2 owns it");
    };
    await expect(driver.copyImageToVolume(volume, image, kept.work(undefined, lost))).rejects.toMatchObject({
      name: "FenceLost",
    });
    const after = await open(path);
    expect(String((await after.read(Buffer.alloc(6), 0, 6, 0)).buffer)).toBe("in use");
    await after.close();
  });

  test("a copy stops at the checkpoint that is refused", async () => {
    const { driver, volume, image, kept } = await setUp(Buffer.alloc(4 * MIB, 1));
    let saves = 0;
    const losing = () => {
      saves += 1;
      if (saves === 2) {
        throw new FenceLost(volume.id, "a1", "a2 owns it");
      }
    };
    await expect(driver.copyImageToVolume(volume, image, kept.work(SHORT, losing))).rejects.toMatchObject({
      name: "FenceLost",
    });
    expect(saves).toBe(2);
    expect(await driver.findVolume(volume.id, null)).toBe("present");
  });

  test("two calls at once: one of them completes the volume", async () => {
    const content = sparseContent(40 * MIB, 11);
    const { driver, volume, image, kept, holds } = await setUp(content);
    const both = await Promise.allSettled([
      driver.copyImageToVolume(volume, image, kept.work()),
      driver.copyImageToVolume(volume, image, kept.work()),
    ]);
    expect(both).toContainEqual({ status: "fulfilled", value: { done: true } });
    expect(await holds(content)).toBe(true);
  });

  test("a call that begins late, after a newer one has begun, takes nothing from it", async () => {
    const content = sparseContent(48 * MIB, 12, 1);
    const { driver, volume, image, kept, holds } = await setUp(content);
    const newerWrites = Promise.withResolvers<void>();
    const olderWaits = Promise.withResolvers<void>();
    const older = { ...image, service: new MemoryImages(content) };
    vi.spyOn(older.service, "openRange").mockImplementationOnce(async (...range) => {
      olderWaits.resolve();
      await newerWrites.promise;
      return older.service.openRange(...range);
    });
    const olderEnds = driver.copyImageToVolume(volume, older, kept.work());
    await olderWaits.promise;
    const newer = kept.work();
    let looks = 0;
    const result = driver.copyImageToVolume(volume, image, {
      ...newer,
      remainingTimeMs: () => {
        looks += 1;
        if (looks === 24) {
          newerWrites.resolve();
        }
        return 900_000;
      },
      save: async (progress) => {
        // The last write before the volume gets its bytes.
        await (progress.bytes_done === content.length ? olderEnds : undefined);
        await newer.save(progress);
      },
    });
    expect(await result).toEqual({ done: true });
    expect(await olderEnds).toEqual({ done: false });
    expect(await holds(content)).toBe(true);
  });

  test("a call whose work was taken over refuses nothing any more: the volume may be in use", async () => {
    const { directory, driver, volume, image, kept, copy, holds } = await setUp(sparseContent(3 * MIB, 13));
    image.service.endAfter = 2 * MIB;
    let looks = 0;
    const overtaken = () => {
      looks += 1;
      if (looks === 1) {
        writeFileSync(join(directory, "attempts", `volume-${volume.id}-a1`, "holder"), "a later call");
      }
      return 900_000;
    };
    expect(await driver.copyImageToVolume(volume, image, kept.work(overtaken))).toEqual({ done: false });
    expect(await driver.findVolume(volume.id, null)).toBe("present");
    image.service.endAfter = Number.POSITIVE_INFINITY;
    await copy();
    expect(await holds(image.service.content)).toBe(true);
  });

  test("a call that runs while the volume is deleted makes no volume of it", async () => {
    const { driver, volume, image, kept } = await setUp(Buffer.alloc(64 * MIB, 3));
    const work = kept.work();
    const save = async (progress: CopyProgress): Promise<void> => {
      await work.save(progress);
      await driver.closeAttempt(volume.id, null);
      await driver.deleteVolume(volume.id, null);
    };
    const copied = driver.copyImageToVolume(volume, image, { ...work, save });
    expect(await copied.catch((error: unknown) => error)).not.toMatchObject({ done: true });
    expect(kept.saved).not.toHaveLength(0);
    expect(await driver.findVolume(volume.id, null)).toBe("absent");
  });
});

describe("refusals leave nothing", () => {
  test.each<[string, Partial<ImageMeta>, string]>([
    ["a format that is not read", { disk_format: "vmdk" }, "vmdk"],
    ["a compressed container", { container_format: "compressed" }, "compressed"],
    ["a size beyond the volume", { size: GIB + 1 }, "do not fit"],
    ["no data", { size: 0 }, "no data"],
    ["no hash", { os_hash_algo: null, checksum: null }, "no hash"],
  ])("%s", async (_what, overrides, reason) => {
    const { copy, directory, image } = await setUp(Buffer.alloc(MIB, 1), overrides);
    await expect(copy()).rejects.toMatchObject({ name: "ImageUnacceptable", message: expect.stringContaining(reason) });
    expect(await finishedIn(directory)).toEqual([]);
    expect(image.service.opened).toEqual([]);
  });

  test("content of another format than declared", async () => {
    const content = Buffer.alloc(2 * MIB, 1);
    content.write("QFI\xfb", 0, "latin1");
    const { copy, directory } = await setUp(content);
    await expect(copy()).rejects.toMatchObject({
      name: "ImageUnacceptable",
      message: expect.stringContaining("qcow2"),
    });
    expect(await finishedIn(directory)).toEqual([]);
  });

  test("bytes that have not the image's hash", async () => {
    const content = sparseContent(2 * MIB, 12);
    const { copy, directory, image } = await setUp(content);
    image.service.content = Buffer.from(content).fill(9, MIB, MIB + 1);
    await expect(copy()).rejects.toMatchObject({
      name: "ImageCopyFailure",
      message: expect.stringContaining("sha512"),
    });
    expect(await finishedIn(directory)).toEqual([]);
  });

  test("a stream that ends early as if it were whole", async () => {
    const { copy, directory, image } = await setUp(Buffer.alloc(3 * MIB, 1));
    image.service.endAfter = 2 * MIB;
    await expect(copy()).rejects.toMatchObject({
      name: "ImageCopyFailure",
      message: expect.stringContaining("ended after"),
    });
    expect(await finishedIn(directory)).toEqual([]);
  });

  test("another size than the metadata says", async () => {
    const content = Buffer.alloc(2 * MIB, 1);
    const { copy, directory } = await setUp(content, { size: MIB });
    await expect(copy()).rejects.toMatchObject({ name: "ImageCopyFailure" });
    expect(await finishedIn(directory)).toEqual([]);
  });

  test.each(["ENOSPC", "EDQUOT"])("no room (%s)", async (code) => {
    const { copy, directory } = await setUp(Buffer.alloc(2 * MIB, 1));
    const probe = await open(join(directory, "probe"), "w");
    const prototype: { write(): Promise<unknown> } = Object.getPrototypeOf(probe);
    await probe.close();
    await rm(join(directory, "probe"));
    vi.spyOn(prototype, "write").mockRejectedValue(Object.assign(new Error("write"), { code, syscall: "write" }));
    await expect(copy()).rejects.toMatchObject({ name: "ImageTooBig" });
    vi.restoreAllMocks();
    expect(await finishedIn(directory)).toEqual([]);
  });

  test("a link in the place of the volume is not written through", async () => {
    const { copy, path, directory } = await setUp(Buffer.alloc(MIB, 1));
    const { symlink, writeFile } = await import("node:fs/promises");
    await writeFile(join(directory, "victim"), "precious");
    await rm(path);
    await symlink(join(directory, "victim"), path);
    await expect(copy()).rejects.toMatchObject({ name: "VolumeBackendAPIException" });
    expect((await lstat(path)).isSymbolicLink()).toBe(true);
    expect((await stat(join(directory, "victim"))).size).toBe(8);
  });
});
