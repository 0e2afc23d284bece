import { open } from "node:fs/promises";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { FileDriver } from "../../adapters/file/driver.ts";
import {
  aVolume,
  finishedIn,
  imageSource,
  KeptProgress,
  MIB,
  temporaryDirectory,
  unhurried,
} from "../support/drivers.ts";
import { copyQcow2 } from "../support/image-copies.ts";
import { type ClusterKind, type Qcow2Plan, writeQcow2 } from "../support/qcow2-writer.ts";

const KINDS: ClusterKind[] = ["data", "compressed", "zero", "zero allocated", "absent", "shared"];

const plans = fc
  .record({
    clusterBits: fc.constantFrom(9, 10, 12, 16, 16, 21),
    zstd: fc.boolean(),
    version: fc.constantFrom<2 | 3>(2, 3, 3),
    clusters: fc.array(fc.record({ kind: fc.constantFrom(...KINDS), seed: fc.nat(100_000) }), { maxLength: 200 }),
    cut: fc.nat(2 ** 21),
    tablesLast: fc.boolean(),
    compress: fc.boolean(),
  })
  .map(({ clusterBits, zstd, version, clusters, cut, tablesLast, compress }): Qcow2Plan => {
    const kept = clusters
      .slice(0, clusterBits === 21 ? 4 : 200)
      .map(({ kind, seed }) => ({ kind: kind === "compressed" && !compress ? "data" : kind, seed }));
    // Ends somewhere in the last cluster, at a sector.
    const virtualBytes = Math.max(0, kept.length * 2 ** clusterBits - Math.floor((cut % 2 ** clusterBits) / 512) * 512);
    const compression = zstd && version === 3 ? "zstd" : "zlib";
    return { version, clusterBits, compression, virtualBytes, clusters: kept, tablesLast };
  });

test.each([true, false])("any image, cut anywhere, becomes the disk it holds (ranged: %s)", async (ranged) => {
  await fc.assert(
    fc.asyncProperty(
      plans,
      fc.array(fc.boolean(), { minLength: 1, maxLength: 5 }),
      fc.integer({ min: 100, max: 2 * MIB }),
      async (plan, cuts, pieceBytes) => {
        const { file, disk } = writeQcow2(plan);
        let look = 0;
        const remainingTimeMs = () => (cuts[look++ % cuts.length] === true ? 1_000 : 900_000);
        const { content } = await copyQcow2(file, disk.length + 4096, { ranged, remainingTimeMs, pieceBytes });
        expect(content.subarray(0, disk.length).equals(disk)).toBe(true);
        // Nothing of the last cluster stands behind the disk's end.
        expect(content.subarray(disk.length).every((byte) => byte === 0)).toBe(true);
      },
    ),
    {
      numRuns: 40,
      examples: [
        // The second one begins in the last sector of the first.
        [
          {
            version: 2,
            clusterBits: 21,
            compression: "zlib",
            virtualBytes: 4 * MIB,
            clusters: [
              { kind: "compressed", seed: 0 },
              { kind: "compressed", seed: 0 },
            ],
            tablesLast: false,
          },
          [true, false],
          100,
        ],
      ],
    },
  );
});

const dataClusters = (count: number): Qcow2Plan["clusters"] =>
  Array.from({ length: count }, (_, seed) => ({ kind: "data", seed }));

async function writeAt(path: string, bytes: Buffer, position: number): Promise<void> {
  const handle = await open(path, "r+");
  await handle.write(bytes, 0, bytes.length, position);
  await handle.close();
}

const PLAN: Qcow2Plan = {
  version: 3,
  clusterBits: 16,
  compression: "zlib",
  virtualBytes: 100 * 65_536,
  clusters: Array.from({ length: 100 }, (_, index) => ({
    kind: (["data", "compressed", "absent"] as const)[index % 3] ?? "absent",
    seed: index,
  })),
  tablesLast: false,
};

describe("a copy of qcow2", () => {
  const { file, disk } = writeQcow2(PLAN);

  test("reads the image once, and its tables once more", async () => {
    const { service, turns } = await copyQcow2(file, disk.length);
    expect(turns).toBe(1);
    expect(service.sent).toBeLessThan(file.length + 4 * 65_536);
  });

  test("leaves holes where the disk has zeros", async () => {
    const { allocatedBytes } = await copyQcow2(file, disk.length);
    expect(allocatedBytes).toBeLessThan((PLAN.virtualBytes * 2) / 3 + MIB);
  });

  test("continues where it was interrupted, from a service with ranges", async () => {
    const { content, turns, service } = await copyQcow2(file, disk.length, { remainingTimeMs: () => 1_000 });
    expect(content.equals(disk)).toBe(true);
    expect(turns).toBeGreaterThan(3);
    const streams = service.opened.filter(({ to }) => to === undefined).map(({ from }) => from);
    expect(streams.length).toBeGreaterThan(3);
    expect(streams).toEqual(streams.toSorted((a, b) => a - b));
  });

  test("without compression is hashed again from the volume where it was cut, and hardly sent again", async () => {
    const plan: Qcow2Plan = { ...PLAN, clusters: dataClusters(100) };
    const whole = writeQcow2(plan);
    const { content, turns, service, kept } = await copyQcow2(whole.file, whole.disk.length, {
      remainingTimeMs: () => 1_000,
    });
    expect(content.equals(whole.disk)).toBe(true);
    expect(kept.saved[1]?.hash_state).toMatch(/ =$/);
    // For each turn the tables, twice, and the chunks that contain them.
    expect(turns).toBeGreaterThan(3);
    expect(service.sent).toBeLessThan(whole.file.length + turns * 3 * MIB);
  });

  test("does not pass for the image when the volume's bytes change between two turns", async () => {
    const whole = writeQcow2({ ...PLAN, clusters: dataClusters(100) });
    let turn = 0;
    const changed = copyQcow2(whole.file, whole.disk.length, {
      remainingTimeMs: () => 1_000,
      betweenTurns: async (path) => {
        turn += 1;
        if (turn === 5) {
          await writeAt(path, Buffer.from("changed"), 2.5 * MIB);
        }
      },
    });
    await expect(changed).rejects.toMatchObject({ name: "ImageCopyFailure" });
  });

  test("from a service without ranges is staged, and counts both passes", async () => {
    const { content, kept } = await copyQcow2(file, disk.length, { ranged: false, remainingTimeMs: () => 1_000 });
    expect(content.equals(disk)).toBe(true);
    expect(kept.progress).toMatchObject({ bytes_done: 2 * file.length, bytes_total: 2 * file.length });
    const done = kept.saved.map(({ bytes_done: bytes }) => bytes);
    expect(done).toEqual(done.toSorted((a, b) => a - b));
  });

  test("whose hash differs is refused, and nothing stays", async () => {
    const meta = { os_hash_value: "ab".repeat(64) };
    for (const ranged of [true, false]) {
      await expect(copyQcow2(file, disk.length, { ranged, meta })).rejects.toMatchObject({ name: "ImageCopyFailure" });
    }
  });

  test("whose disk is larger than the volume is refused before any table is read", async () => {
    const large = Buffer.from(file);
    large.writeBigUInt64BE(2n ** 60n, 24);
    await expect(copyQcow2(large, 0)).rejects.toThrow(/virtual size of 1152921504606846976 bytes/);
  });
});

describe("between two checkpoints", () => {
  test("lie at most 256 MiB of a raw image", async () => {
    const content = Buffer.alloc(300 * MIB);
    const { kept } = await copyQcow2(content, 0, { meta: { disk_format: "raw" }, pieceBytes: MIB });
    const done = [0, ...kept.saved.map(({ bytes_done: bytes }) => bytes)];
    const steps = done.slice(1).map((bytes, index) => bytes - (done[index] ?? 0));
    expect(Math.max(...steps)).toBeLessThanOrEqual(256 * MIB);
    expect(done.at(-1)).toBe(300 * MIB);
  });

  test("lies a small part of a disk whose file is tiny: a turn can end inside of it", async () => {
    const clusters = Array.from({ length: 150 }, (_, seed) => ({ kind: "compressed" as const, seed }));
    const { file, disk } = writeQcow2({
      version: 3,
      clusterBits: 21,
      compression: "zstd",
      virtualBytes: 300 * MIB,
      clusters,
      tablesLast: true,
      content: (bytes, seed) => Buffer.alloc(bytes, 1 + seed),
    });
    // Without the tables behind them, the clusters are a few KiB.
    expect(file.length).toBeLessThanOrEqual(8 * MIB);
    const { content, turns } = await copyQcow2(file, disk.length, { remainingTimeMs: () => 1_000 });
    expect(turns).toBeGreaterThanOrEqual(300 / 64);
    expect(content.equals(disk)).toBe(true);
  });
});

test("tables that pass must be those that were read before", async () => {
  const { file } = writeQcow2(PLAN);
  const directory = await temporaryDirectory();
  const driver = new FileDriver("node@file", { directory });
  await driver.createVolume(aVolume(), unhurried());
  const image = imageSource(file, { disk_format: "qcow2" });
  const open = image.service.openRange.bind(image.service);
  // The ranged reads of the L2 table have one cluster less than the file.
  vi.spyOn(image.service, "openRange").mockImplementation(async (imageId, from, options = {}) => {
    const isTable = options.to !== undefined && from === 2 * 65_536;
    image.service.content = isTable ? Buffer.from(file).fill(0, from, from + 8) : file;
    return open(imageId, from, options);
  });
  await expect(driver.copyImageToVolume(aVolume(), image, new KeptProgress().work())).rejects.toMatchObject({
    name: "ImageCopyFailure",
    message: expect.stringContaining("not those that were read before"),
  });
  expect(await finishedIn(directory)).toEqual([]);
});

test("a read of a table that fails leaves what is there for the next call", async () => {
  const { file, disk } = writeQcow2({ ...PLAN, clusterBits: 12, virtualBytes: 100 * 4096 });
  const directory = await temporaryDirectory();
  const driver = new FileDriver("node@file", { directory });
  await driver.createVolume(aVolume(), unhurried());
  const image = imageSource(file, { disk_format: "qcow2" });
  const kept = new KeptProgress();
  image.service.breakAfter = 0;
  await expect(driver.copyImageToVolume(aVolume(), image, kept.work())).rejects.toThrow("socket hang up");
  expect(await driver.findVolume(aVolume().id, null)).toBe("present");
  image.service.breakAfter = Number.POSITIVE_INFINITY;
  expect(await driver.copyImageToVolume(aVolume(), image, kept.work())).toEqual({ done: true });
  expect(disk.length).toBe(100 * 4096);
});
