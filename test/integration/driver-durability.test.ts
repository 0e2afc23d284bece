import { open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test, vi } from "vitest";
import { FileDriver } from "../../adapters/file/driver.ts";
import type { CopyWork, ImageSource, Work } from "../../core/drivers/driver-ports.ts";
import type { VolumeRecord } from "../../core/records.ts";
import {
  aSnapshot,
  aVolume,
  imageSource,
  KeptProgress,
  MIB,
  sparseContent,
  temporaryDirectory,
  unhurried,
  uuid,
} from "../support/drivers.ts";
import { aQcow2Image } from "../support/qcow2-writer.ts";
import { Recorder, recording } from "../support/recording-fs.ts";

// Other files in the same process share their modules, which have the real file system.
vi.hoisted(() => vi.resetModules());
afterAll(() => vi.resetModules());

/** Order of durability: bytes before a name, a name before an answer, bytes before saved progress. */

vi.mock("node:fs/promises", async (importOriginal) =>
  (await import("../support/recording-fs.ts")).recordedPromises(await importOriginal()),
);
vi.mock("node:fs", async (importOriginal) =>
  (await import("../support/recording-fs.ts")).recordedFs(await importOriginal()),
);
const isFinal = (name: string): boolean => /^(?:volume|snapshot)-/.test(name);
const isData = (name: string): boolean => /\.(?:data|stage)$/.test(name);

let recorder: Recorder;

beforeEach(() => {
  recording.sharesBlocks = true;
  recorder = recording.current = new Recorder();
});

async function setUp(options: object = {}) {
  const directory = await temporaryDirectory();
  const driver = new FileDriver("node@file", { directory, ...options });
  const create = async (volume: VolumeRecord) => driver.createVolume(volume, unhurried());
  return { directory, driver, create };
}

/** Files that got their name too early, and answered results that a power cut would lose. */
function atRisk(): string[] {
  return [...recorder.violations, ...recorder.undurable(isFinal)];
}

/** The events from the last one of that kind before the name on. */
function expectOrder(...expected: RegExp[]): void {
  let from = 0;
  for (const event of expected) {
    const index = recorder.events.findIndex((one, at) => at >= from && event.test(one));
    expect({ event: String(event), index, after: recorder.events.slice(from) }).not.toMatchObject({ index: -1 });
    from = index + 1;
  }
}

test("an empty volume: its size is on the disk before it has its name, and its name before the answer", async () => {
  const { create } = await setUp();
  await create(aVolume());
  expect(atRisk()).toEqual([]);
  expectOrder(/^truncate blank-/, /^sync blank-/, /^link blank-\S+ volume-ID$/, /^sync cinderless/);
});

describe.each(["clone", "snapshot", "volume of a snapshot"])("a %s", (what) => {
  const make = async (driver: FileDriver, work: Work) => {
    switch (what) {
      case "clone":
        return driver.createClonedVolume(aVolume({ id: uuid(2), size: 2 }), aVolume(), work);
      case "snapshot":
        return driver.createSnapshot(aSnapshot({ id: uuid(901) }), aVolume());
      default:
        return driver.createVolumeFromSnapshot(aVolume({ id: uuid(2), size: 2 }), aSnapshot(), work);
    }
  };

  async function withSource() {
    const all = await setUp();
    await all.create(aVolume());
    await all.driver.createSnapshot(aSnapshot(), aVolume());
    recorder = recording.current = new Recorder();
    return all;
  }

  test("has its bytes on the disk before its name, and its name before the answer", async () => {
    const { driver } = await withSource();
    await make(driver, unhurried());
    expect(atRisk()).toEqual([]);
    expectOrder(/\.data$/, /^sync ID\.data$/, /^rename ID\.data (?:volume|snapshot)-ID$/, /^sync cinderless/);
    // The mark of the attempt's end is as durable as its result.
    expectOrder(/^write seal-ID$/, /^sync seal-ID$/, /^link seal-ID (?:volume|snapshot)-ID-a1$/, /^sync attempts\/$/);
  });
});

test("a clone that ends a turn has the bytes of its checkpoint on the disk", async () => {
  const { driver, directory, create } = await setUp();
  await create(aVolume());
  const source = await open(join(directory, `volume-${uuid(1)}`), "r+");
  for (let mib = 0; mib < 64; mib += 16) {
    await source.write(sparseContent(MIB, mib, 1), 0, MIB, mib * MIB);
  }
  await source.close();
  recorder = recording.current = new Recorder();
  recording.sharesBlocks = false;
  let checkpoint: Work["checkpoint"] = null;
  for (let turn = 0; turn < 3; turn += 1) {
    const work = { checkpoint, remainingTimeMs: () => 1_000 };
    const outcome = await driver.createClonedVolume(aVolume({ id: uuid(2) }), aVolume(), work);
    ({ checkpoint } = outcome);
    expect(outcome.done).toBe(false);
    expect(recorder.undurable(isData).filter((one) => one.startsWith("bytes"))).toEqual([]);
  }
  expect((await driver.createClonedVolume(aVolume({ id: uuid(2) }), aVolume(), unhurried(checkpoint))).done).toBe(true);
  expect(atRisk()).toEqual([]);
  expectOrder(
    /^write ID\.data$/,
    /^sync ID\.data$/,
    /^truncate ID\.data$/,
    /^sync ID\.data$/,
    /^rename ID\.data volume-ID$/,
  );
});

test("a volume that is extended has its new size on the disk before the answer", async () => {
  const { driver, create } = await setUp();
  await create(aVolume());
  await driver.extendVolume(aVolume(), 2);
  expect(atRisk()).toEqual([]);
  expectOrder(/^truncate volume-ID$/, /^sync volume-ID$/);
});

test("a volume that is deleted is gone from the disk before the answer", async () => {
  const { driver, create } = await setUp();
  await create(aVolume());
  await driver.deleteVolume(uuid(1));
  expectOrder(/^unlink volume-ID$/, /^sync cinderless/);
  expect(recorder.undurable((name) => name === `volume-${uuid(1)}`)).toEqual([]);
});

test("an image that is cloned has its bytes on the disk before its name", async () => {
  const images = await temporaryDirectory();
  const content = sparseContent(MIB, 1);
  await writeFile(join(images, "image"), content);
  const { driver } = await setUp({ image_directory: images });
  const url = `file://${join(images, "image")}`;
  const location = { direct_url: url, locations: [] };
  const outcome = await driver.cloneImage(aVolume(), location, imageSource(content), unhurried());
  expect(outcome.cloned).toBe(true);
  expect(atRisk()).toEqual([]);
  expectOrder(/^truncate ID\.data$/, /^sync ID\.data$/, /^rename ID\.data volume-ID$/, /^sync cinderless/);
});

describe("an image that is copied", () => {
  const { file: QCOW2 } = aQcow2Image(3 * MIB);
  const RAW = sparseContent(3 * MIB + 5, 1, 1);
  const IMAGES: [string, boolean, number, () => ImageSource & { service: { ranged: boolean } }][] = [
    ["raw, in turns", true, 1_000, () => imageSource(RAW)],
    ["qcow2 by ranges, in turns", true, 1_000, () => imageSource(QCOW2, { disk_format: "qcow2" })],
    ["qcow2 staged, in turns", false, 1_000, () => imageSource(QCOW2, { disk_format: "qcow2" })],
    ["qcow2 staged, in one turn", false, 900_000, () => imageSource(QCOW2, { disk_format: "qcow2" })],
  ];

  test.each(IMAGES)(
    "%s: progress covers only bytes on the disk, and the name comes last",
    async (_how, ranged, remainingMs, source) => {
      const { driver, create } = await setUp();
      await create(aVolume());
      const image = source();
      image.service.ranged = ranged;
      const kept = new KeptProgress();
      const lost: string[] = [];
      const work = (): CopyWork => {
        const inner = kept.work(() => remainingMs);
        return {
          ...inner,
          save: async (progress) => {
            recorder.note(`save ${progress.bytes_done}`);
            if (progress.bytes_done > (kept.progress?.bytes_done ?? 0)) {
              lost.push(...recorder.undurable(isData).filter((one) => one.startsWith("bytes")));
            }
            await inner.save(progress);
          },
        };
      };
      recorder = recording.current = new Recorder();
      let turns = 1;
      while (!(await driver.copyImageToVolume(aVolume(), image, work())).done) {
        turns += 1;
      }
      expect(turns > 1).toBe(remainingMs === 1_000);
      expect(lost).toEqual([]);
      expect(atRisk()).toEqual([]);
      const last = recorder.events.findLastIndex((event) => event.startsWith("save"));
      recorder.events.splice(0, last - 1);
      expectOrder(/^sync ID\.data$/, /^save/, /^rename ID\.data volume-ID$/, /^sync cinderless/);
    },
  );
});

test("an image that is refused leaves no name on the disk, and its attempt is over for good", async () => {
  const { driver, create } = await setUp();
  await create(aVolume());
  const image = imageSource(sparseContent(MIB, 1, 1), { os_hash_value: "00".repeat(64) });
  const refused = driver.copyImageToVolume(aVolume(), image, new KeptProgress().work());
  await expect(refused).rejects.toMatchObject({ name: "ImageCopyFailure" });
  expect(await driver.findVolume(uuid(1))).toBe("absent");
  expect(recorder.undurable(isFinal).filter((one) => one.startsWith("name"))).toEqual([]);
});

test("an attempt that is closed stays closed after a power cut", async () => {
  const { driver, create } = await setUp();
  await create(aVolume());
  recorder = recording.current = new Recorder();
  await driver.closeAttempt(uuid(1));
  expect(atRisk()).toEqual([]);
  expectOrder(/^sync attempts\/$/);
});

describe("a call whose work was taken over", () => {
  const RAW = sparseContent(2 * MIB, 1, 1);
  const { file: QCOW2 } = aQcow2Image(5 * MIB);
  const DAMAGED = Buffer.from(QCOW2).fill(0xff, 2 * MIB);
  const CASES: [string, string, ImageSource, Buffer][] = [
    ["sends more than its size", "ImageCopyFailure", imageSource(RAW), Buffer.concat([RAW, Buffer.alloc(1)])],
    ["has a damaged cluster", "ImageUnacceptable", imageSource(QCOW2, { disk_format: "qcow2" }), DAMAGED],
  ];

  test.each(CASES)("removes nothing when it then finds that the image %s", async (_what, name, image, sent) => {
    const { driver, directory, create } = await setUp();
    await create(aVolume());
    const work = join(directory, "attempts", `volume-${uuid(1)}-a1`);
    const { service } = image;
    const older: ImageSource = {
      ...image,
      service: {
        show: (context, imageId) => service.show(context, imageId),
        getLocation: (context, imageId) => service.getLocation(context, imageId),
        openRange: async (imageId, from, options) => {
          const range = await service.openRange(imageId, from, options);
          return options?.to === undefined ? { ...range, body: takenOver(sent.subarray(from), work) } : range;
        },
      },
    };
    await expect(driver.copyImageToVolume(aVolume(), older, new KeptProgress().work())).rejects.toMatchObject({ name });
    expect(await readFile(join(work, "holder"), "utf8")).toBe("a later call");
    expect(await driver.findVolume(uuid(1))).toBe("present");
    // The call that has taken over continues to the end.
    expect(await driver.copyImageToVolume(aVolume(), image, new KeptProgress().work())).toEqual({ done: true });
    expect(atRisk()).toEqual([]);
  });

  /** Another call takes the work over when the first MiB has passed. */
  async function* takenOver(content: Buffer, work: string): AsyncGenerator<Uint8Array> {
    yield content.subarray(0, MIB);
    await writeFile(join(work, "holder"), "a later call");
    yield content.subarray(MIB);
  }

  test("leaves a volume alone that the later call has finished", async () => {
    const { driver, create } = await setUp();
    await create(aVolume());
    const image = imageSource(RAW);
    const later = async function* () {
      yield RAW.subarray(0, MIB);
      const { done } = await driver.copyImageToVolume(aVolume(), image, new KeptProgress().work());
      expect(done).toBe(true);
      yield Buffer.concat([RAW.subarray(MIB), Buffer.alloc(1)]);
    };
    const service = Object.assign(Object.create(image.service) as typeof image.service, {
      openRange: async () => ({ body: later(), tag: "tag-1", totalSize: RAW.length, ranged: true }),
    });
    const outcome = driver.copyImageToVolume(aVolume(), { ...image, service }, new KeptProgress().work());
    await outcome.catch((error: Error) => expect(error.name).toBe("ImageCopyFailure"));
    expect(await driver.findVolume(uuid(1))).toBe("present");
    expect(atRisk()).toEqual([]);
  });
});

describe("the recorder itself", () => {
  test("sees a name that comes before the bytes, and one that is not on the disk", () => {
    const own = new Recorder();
    own.changed("/d/x.data", "write");
    own.moved("/d/x.data", `/d/volume-${uuid(1)}`, "rename");
    expect(own.violations).toHaveLength(1);
    expect(own.undurable(isFinal)).toEqual([`name volume-${uuid(1)}`, "bytes of volume-ID"]);
    own.syncedDirectory("/d");
    own.syncing(`/d/volume-${uuid(1)}`)();
    expect(own.undurable(isFinal)).toEqual([]);
  });

  test("does not take a sync that began before a write for one of that write", () => {
    const own = new Recorder();
    own.changed("/d/x.data", "write");
    const done = own.syncing("/d/x.data");
    own.changed("/d/x.data", "write");
    done();
    expect(own.undurable(isData)).toEqual(["bytes of x.data"]);
  });
});
