import { open, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createDrivers } from "../../adapters/drivers.ts";
import { writeSparse } from "../../adapters/file/sparse.ts";
import { parseBackends } from "../../core/backends/backends.ts";
import type { CreateOutcome, Driver } from "../../core/drivers/driver-ports.ts";
import { SourceDamaged } from "../../core/errors.ts";
import {
  aSnapshot,
  aVolume,
  finishedIn,
  GIB,
  imageSource,
  KeptProgress,
  MIB,
  sparseContent,
  temporaryDirectory,
  unhurried,
  uuid,
  workingIn,
} from "../support/drivers.ts";

/** The contract of every driver. A driver enters it with a maker, and a way to put bytes into a volume and to read them. */
const makers = {
  file: (directory: string) => ({
    driver: "file",
    options: { directory: join(directory, "volumes") },
  }),
  "fault without faults": (directory: string) => ({
    driver: "fault",
    options: {
      driver: "file",
      options: { directory: join(directory, "volumes") },
      faults: [],
      state_directory: join(directory, "state"),
    },
  }),
};

describe.each(Object.entries(makers))("the %s driver", (_name, configure) => {
  async function setUp() {
    const directory = await temporaryDirectory();
    const driver = createDrivers(parseBackends([{ host: "node@file", ...configure(directory) }])).forHost(
      "node@file#pool",
    );
    const path = (kind: "volume" | "snapshot", id: string) => join(directory, "volumes", `${kind}-${id}`);
    const names = async () => [
      ...(await finishedIn(join(directory, "volumes"))),
      ...(await workingIn(join(directory, "volumes"))),
    ];
    /** The time of a write that is made now, by the file system's clock, which is not the process's. */
    const writtenNow = async (): Promise<number> => {
      await writeFile(join(directory, "written"), "now");
      return (await stat(join(directory, "written"))).mtime.getTime();
    };
    return { driver, path, names, writtenNow };
  }

  async function fill(path: string, content: Uint8Array): Promise<void> {
    const file = await open(path, "r+");
    await writeSparse(file, Buffer.from(content), 0);
    await file.close();
  }

  async function firstBytes(path: string, length: number): Promise<Buffer> {
    const file = await open(path, "r");
    const { buffer } = await file.read(Buffer.alloc(length), 0, length, 0);
    await file.close();
    return buffer;
  }

  async function finish(
    turn: (checkpoint: CreateOutcome["checkpoint"]) => Promise<CreateOutcome>,
  ): Promise<CreateOutcome> {
    let outcome = await turn(null);
    while (!outcome.done) {
      outcome = await turn(outcome.checkpoint);
    }
    return outcome;
  }

  async function withVolume(content: Uint8Array) {
    const all = await setUp();
    const source = aVolume({ id: uuid(1), size: 1 });
    await all.driver.createVolume(source, unhurried());
    await fill(all.path("volume", source.id), content);
    return { ...all, source };
  }

  test("is initialized", async () => {
    const { driver } = await setUp();
    expect(await driver.initialized()).toBe(true);
  });

  test("creates a volume of exactly its size, without taking space", async () => {
    const { driver, path } = await setUp();
    const outcome = await driver.createVolume(aVolume({ size: 3 }), unhurried());
    const stats = await stat(path("volume", uuid(1)));
    expect(outcome).toMatchObject({
      done: true,
      model_update: { provider_location: path("volume", uuid(1)) },
    });
    expect(stats.size).toBe(3 * GIB);
    expect(stats.blocks * 512).toBeLessThan(MIB);
  });

  test("a repeated create finds the volume and leaves its bytes", async () => {
    const { driver, path, source } = await withVolume(Buffer.from("kept"));
    expect(await driver.createVolume(source, unhurried())).toMatchObject({ done: true });
    expect(String(await firstBytes(path("volume", source.id), 4))).toBe("kept");
  });

  test("concurrent creates of one volume all succeed", async () => {
    const { driver, names } = await setUp();
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => driver.createVolume(aVolume(), unhurried())));
    expect(outcomes.every(({ done }) => done)).toBe(true);
    expect(await names()).toEqual([`volume-${uuid(1)}`]);
  });

  test("a volume of another size under the id is an error of the backend", async () => {
    const { driver } = await withVolume(Buffer.from("x"));
    await expect(driver.createVolume(aVolume({ size: 2 }), unhurried())).rejects.toMatchObject({
      name: "VolumeBackendAPIException",
    });
  });

  test.each([0, -1, 1.5, Number.NaN, 2 ** 40])("refuses a size of %s GiB", async (size) => {
    const { driver } = await setUp();
    await expect(driver.createVolume(aVolume({ size }), unhurried())).rejects.toMatchObject({
      name: "InvalidInput",
    });
    expect(await driver.findVolume(uuid(1), null)).toBe("absent");
  });

  test("finds what it created, and nothing else", async () => {
    const { driver } = await setUp();
    await driver.createVolume(aVolume(), unhurried());
    expect(await driver.findVolume(uuid(1), null)).toBe("present");
    expect(await driver.findVolume(uuid(2), null)).toBe("absent");
  });

  test("lists what it holds, and nothing that it deleted", async () => {
    const { driver } = await setUp();
    const contents = async () => {
      const listed: string[] = [];
      for await (const { kind, id, partial, size_bytes: bytes } of driver.listContents()) {
        listed.push(`${kind} ${id} ${partial ? "partial" : "whole"} ${bytes}`);
      }
      return listed.toSorted();
    };
    await driver.createVolume(aVolume(), unhurried());
    await driver.createVolume(aVolume({ id: uuid(2) }), unhurried());
    await driver.createSnapshot(aSnapshot(), aVolume());
    expect(await driver.findSnapshot(uuid(900))).toBe("present");
    await driver.deleteVolume(uuid(2), null);
    expect(await contents()).toEqual([`snapshot ${uuid(900)} whole ${GIB}`, `volume ${uuid(1)} whole ${GIB}`]);
    await driver.deleteSnapshot(uuid(900));
    expect(await driver.findSnapshot(uuid(900))).toBe("absent");
    expect(await contents()).toEqual([`volume ${uuid(1)} whole ${GIB}`]);
  });

  test("dates what it holds by its last write", async () => {
    const { driver, writtenNow } = await setUp();
    const before = await writtenNow();
    await driver.createVolume(aVolume(), unhurried());
    const after = await writtenNow();
    const dates: number[] = [];
    for await (const { modified_at: modifiedAt } of driver.listContents()) {
      dates.push(modifiedAt.getTime());
    }
    expect(dates).toHaveLength(1);
    expect(dates[0]).toBeGreaterThanOrEqual(before);
    expect(dates[0]).toBeLessThanOrEqual(after);
  });

  test("extends a volume with a hole behind its bytes, and finds it extended when it is asked again", async () => {
    const content = sparseContent(3 * MIB + 5, 1);
    const { driver, path, source } = await withVolume(content);
    await driver.extendVolume(source, 3);
    await driver.extendVolume(source, 3);
    const { size, blocks } = await stat(path("volume", source.id));
    expect(size).toBe(3 * GIB);
    expect(blocks * 512).toBeLessThan(8 * MIB);
    expect((await firstBytes(path("volume", source.id), content.length)).equals(content)).toBe(true);
  });

  test("never makes a volume smaller when an older extension is asked for again", async () => {
    const { driver, path, source } = await withVolume(Buffer.from("x"));
    await driver.extendVolume(source, 3);
    await driver.extendVolume(source, 2);
    expect((await stat(path("volume", source.id))).size).toBe(3 * GIB);
  });

  test("refuses to extend a volume that it does not hold", async () => {
    const { driver, names } = await setUp();
    await driver.createVolume(aVolume(), unhurried());
    await expect(driver.extendVolume(aVolume({ id: uuid(2) }), 3)).rejects.toMatchObject({
      name: "VolumeBackendAPIException",
    });
    expect(await names()).toEqual([`volume-${uuid(1)}`]);
  });

  test("deletes a volume, and succeeds when there is none", async () => {
    const { driver, names } = await setUp();
    await driver.createVolume(aVolume(), unhurried());
    await driver.deleteVolume(uuid(1), null);
    await driver.deleteVolume(uuid(1), null);
    expect(await driver.findVolume(uuid(1), null)).toBe("absent");
    expect(await names()).toEqual([]);
  });

  test("a volume from a snapshot has the bytes of the time of the snapshot", async () => {
    const content = sparseContent(3 * MIB + 5, 1);
    const { driver, path, source, names } = await withVolume(content);
    await driver.createSnapshot(aSnapshot(), source);
    await fill(path("volume", source.id), Buffer.alloc(content.length, 7));
    const volume = aVolume({ id: uuid(2), size: 2 });
    await finish((checkpoint) => driver.createVolumeFromSnapshot(volume, aSnapshot(), unhurried(checkpoint)));
    expect((await firstBytes(path("volume", volume.id), content.length)).equals(content)).toBe(true);
    expect((await stat(path("volume", volume.id))).size).toBe(2 * GIB);
    expect(await names()).toEqual([`snapshot-${uuid(900)}`, `volume-${uuid(1)}`, `volume-${uuid(2)}`]);
  });

  test("a repeated snapshot keeps the first one", async () => {
    const { driver, path, source } = await withVolume(Buffer.from("first"));
    await driver.createSnapshot(aSnapshot(), source);
    await fill(path("volume", source.id), Buffer.from("later"));
    await driver.createSnapshot(aSnapshot(), source);
    expect(String(await firstBytes(path("snapshot", uuid(900)), 5))).toBe("first");
  });

  test("deletes a snapshot, and succeeds when there is none", async () => {
    const { driver, source, names } = await withVolume(Buffer.from("x"));
    await driver.createSnapshot(aSnapshot(), source);
    await driver.deleteSnapshot(uuid(900));
    await driver.deleteSnapshot(uuid(900));
    expect(await names()).toEqual([`volume-${uuid(1)}`]);
  });

  test("a clone has its source's bytes and its own size, and holes where the source has them", async () => {
    const content = sparseContent(8 * MIB, 2);
    const { driver, path, source } = await withVolume(content);
    const volume = aVolume({ id: uuid(2), size: 2 });
    await finish((checkpoint) => driver.createClonedVolume(volume, source, unhurried(checkpoint)));
    const stats = await stat(path("volume", volume.id));
    expect((await firstBytes(path("volume", volume.id), content.length)).equals(content)).toBe(true);
    expect(stats.size).toBe(2 * GIB);
    expect(stats.blocks * 512).toBeLessThan(content.length);
  });

  test("of a source that is longer than its record, a clone has the recorded bytes", async () => {
    const { driver, path, source } = await withVolume(Buffer.from("kept"));
    await truncate(path("volume", source.id), 2 * GIB);
    const file = await open(path("volume", source.id), "r+");
    await file.write("behind", GIB);
    await file.close();
    const volume = aVolume({ id: uuid(2), size: 3 });
    await finish((checkpoint) => driver.createClonedVolume(volume, source, unhurried(checkpoint)));
    expect((await stat(path("volume", volume.id))).size).toBe(3 * GIB);
    expect(String(await firstBytes(path("volume", volume.id), 4))).toBe("kept");
    const clone = await open(path("volume", volume.id), "r");
    const { buffer } = await clone.read(Buffer.alloc(6), 0, 6, GIB);
    await clone.close();
    expect(buffer.equals(Buffer.alloc(6))).toBe(true);
  });

  test("writing to a clone does not reach its source", async () => {
    const { driver, path, source } = await withVolume(Buffer.from("source"));
    await finish((checkpoint) => driver.createClonedVolume(aVolume({ id: uuid(2) }), source, unhurried(checkpoint)));
    await fill(path("volume", uuid(2)), Buffer.from("clone!"));
    expect(String(await firstBytes(path("volume", source.id), 6))).toBe("source");
  });

  test("refuses a clone smaller than its source", async () => {
    const { driver } = await setUp();
    const source = aVolume({ size: 2 });
    await driver.createVolume(source, unhurried());
    await expect(
      driver.createClonedVolume(aVolume({ id: uuid(2), size: 1 }), source, unhurried()),
    ).rejects.toMatchObject({
      name: "InvalidInput",
    });
    expect(await driver.findVolume(uuid(2), null)).toBe("absent");
  });

  describe.each([
    ["half of its bytes", GIB],
    ["1,000 bytes", 1000],
    ["no byte", 0],
  ])("a source that has lost bytes (%s of 2 GiB)", (_what, bytes) => {
    async function withDamaged() {
      const all = await setUp();
      const source = aVolume({ id: uuid(1), size: 2 });
      await all.driver.createVolume(source, unhurried());
      const snapshot = aSnapshot({ volume_size: 2 });
      await all.driver.createSnapshot(snapshot, source);
      return { ...all, source, snapshot };
    }

    test("makes no clone", async () => {
      const { driver, path, source } = await withDamaged();
      await truncate(path("volume", source.id), bytes);
      const clone = aVolume({ id: uuid(2), size: 3 });
      await expect(driver.createClonedVolume(clone, source, unhurried())).rejects.toMatchObject({
        name: "VolumeBackendAPIException",
        message: expect.stringContaining(`volume ${source.id} has ${bytes} bytes`),
      });
      expect(await driver.findVolume(clone.id, null)).toBe("absent");
    });

    test("makes no volume of a snapshot", async () => {
      const { driver, path, snapshot } = await withDamaged();
      await truncate(path("snapshot", snapshot.id), bytes);
      const volume = aVolume({ id: uuid(2), size: 3 });
      const made = driver.createVolumeFromSnapshot(volume, snapshot, unhurried());
      await expect(made).rejects.toBeInstanceOf(SourceDamaged);
      expect(await driver.findVolume(volume.id, null)).toBe("absent");
    });

    test("is not extended", async () => {
      const { driver, path, source } = await withDamaged();
      await truncate(path("volume", source.id), bytes);
      await expect(driver.extendVolume(source, 3)).rejects.toBeInstanceOf(SourceDamaged);
      expect((await stat(path("volume", source.id))).size).toBe(bytes);
    });

    test("makes no snapshot", async () => {
      const { driver, path, source } = await withDamaged();
      await truncate(path("volume", source.id), bytes);
      const made = driver.createSnapshot(aSnapshot({ id: uuid(901), volume_size: 2 }), source);
      await expect(made).rejects.toBeInstanceOf(SourceDamaged);
      expect(await driver.findSnapshot(uuid(901))).toBe("absent");
    });
  });

  test.each([
    ["missing here", "node@file#pool", "SnapshotNotFound"],
    ["on another backend", "node@other#pool", "VolumeBackendAPIException"],
  ])("a snapshot that is %s is reported by name", async (_where, host, name) => {
    const { driver } = await setUp();
    await expect(driver.createVolumeFromSnapshot(aVolume(), aSnapshot({ host }), unhurried())).rejects.toMatchObject({
      name,
    });
    expect(await driver.findVolume(uuid(1), null)).toBe("absent");
  });

  test.each([
    ["missing here", "node@file#pool", "VolumeNotFound"],
    ["on another backend", "node@other#pool", "VolumeBackendAPIException"],
    ["on no host", null, "VolumeBackendAPIException"],
  ])("a source volume that is %s is reported by name", async (_where, host, name) => {
    const { driver } = await setUp();
    await expect(
      driver.createClonedVolume(aVolume(), aVolume({ id: uuid(2), host }), unhurried()),
    ).rejects.toMatchObject({
      name,
      message: expect.stringContaining(uuid(2)),
    });
  });

  test("an image of the bucket is not cloned, and leaves nothing", async () => {
    const { driver } = await setUp();
    const url = `s3://images/${uuid(500)}`;
    const location = { direct_url: url, locations: [{ url, metadata: {} }] };
    const outcome = await driver.cloneImage(aVolume(), location, imageSource(Buffer.from("x")), unhurried());
    expect(outcome).toMatchObject({ cloned: false, done: true });
    expect(await driver.findVolume(uuid(1), null)).toBe("absent");
  });

  test("copies an image into a volume", async () => {
    const { driver, path, names } = await setUp();
    const content = sparseContent(5 * MIB + 777, 3);
    await driver.createVolume(aVolume(), unhurried());
    const kept = new KeptProgress();
    const { done } = await driver.copyImageToVolume(aVolume(), imageSource(content), kept.work());
    const stats = await stat(path("volume", uuid(1)));
    expect(done).toBe(true);
    expect((await firstBytes(path("volume", uuid(1)), content.length)).equals(content)).toBe(true);
    expect(stats.size).toBe(GIB);
    expect(stats.blocks * 512).toBeLessThan(content.length);
    expect(kept.progress).toMatchObject({
      bytes_done: content.length,
      bytes_total: content.length,
    });
    expect(await names()).toEqual([`volume-${uuid(1)}`]);
  });

  test("reports its capacity in GiB of two decimals", async () => {
    const { driver } = await setUp();
    const stats = await driver.getVolumeStats();
    const { total_capacity_gb: total, free_capacity_gb: free } = stats;
    expect(stats).toMatchObject({
      thin_provisioning_support: true,
      thick_provisioning_support: false,
    });
    expect(Number(total)).toBeGreaterThanOrEqual(Number(free));
    expect(Number(free)).toBeGreaterThan(0);
    expect(Number(total)).toBe(Math.round(Number(total) * 100) / 100);
  });

  test.each([
    ["../../etc/passwd"],
    [`${uuid(1)}/../x`],
    [`${uuid(1)}\0`],
    [uuid(1).toUpperCase()],
    [`${uuid(1)}\n`],
    [""],
    ["*"],
  ])("the id %j names no file", async (id) => {
    const { driver, names, source } = await withVolume(Buffer.from("x"));
    const before = await names();
    const calls: ((driver: Driver) => Promise<unknown>)[] = [
      (it) => it.createVolume(aVolume({ id }), unhurried()),
      (it) => it.createClonedVolume(aVolume({ id }), source, unhurried()),
      (it) => it.createClonedVolume(aVolume({ id: uuid(2) }), aVolume({ id }), unhurried()),
      (it) => it.createVolumeFromSnapshot(aVolume({ id: uuid(2) }), aSnapshot({ id }), unhurried()),
      (it) => it.createSnapshot(aSnapshot({ id }), source),
      (it) => it.copyImageToVolume(aVolume({ id }), imageSource(Buffer.from("x")), new KeptProgress().work()),
      (it) => it.deleteVolume(id, null),
      (it) => it.deleteSnapshot(id),
      (it) => it.findVolume(id, null),
    ];
    for (const call of calls) {
      await expect(call(driver)).rejects.toMatchObject({
        name: "InvalidInput",
        message: expect.stringContaining("UUID"),
      });
    }
    expect(await names()).toEqual(before);
  });
});
