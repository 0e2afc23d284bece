import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { MIB } from "../support/drivers.ts";
import { copyQcow2 } from "../support/image-copies.ts";
import { type ClusterKind, type Qcow2Plan, writeQcow2 } from "../support/qcow2-writer.ts";

vi.setConfig({ testTimeout: 60_000 });

const KINDS: ClusterKind[] = ["data", "compressed", "zero", "zero allocated", "absent", "shared"];

const plans = fc
  .record({
    clusterBits: fc.constantFrom(9, 10, 12, 16, 16, 21),
    zstd: fc.boolean(),
    version: fc.constantFrom<2 | 3>(2, 3, 3),
    clusters: fc.array(fc.record({ kind: fc.constantFrom(...KINDS), seed: fc.nat(100_000) }), { maxLength: 200 }),
    cut: fc.nat(2 ** 21),
    tablesLast: fc.boolean(),
  })
  .map(({ clusterBits, zstd, version, clusters, cut, tablesLast }): Qcow2Plan => {
    const kept = clusters.slice(0, clusterBits === 21 ? 4 : 200);
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
    { numRuns: 40 },
  );
});

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

  test("goes on where it was cut, from a service with ranges", async () => {
    const { content, turns, service } = await copyQcow2(file, disk.length, { remainingTimeMs: () => 1_000 });
    expect(content.equals(disk)).toBe(true);
    expect(turns).toBeGreaterThan(3);
    const streams = service.opened.filter(({ to }) => to === undefined).map(({ from }) => from);
    expect(streams.length).toBeGreaterThan(3);
    expect(streams).toEqual(streams.toSorted((a, b) => a - b));
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
