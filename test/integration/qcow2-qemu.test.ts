import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import fc from "fast-check";
import { expect, test } from "vitest";
import { checkImageFile } from "../../adapters/file/check-image.ts";
import { temporaryDirectory } from "../support/drivers.ts";
import { copyQcow2 } from "../support/image-copies.ts";
import { hasTool } from "../support/tools.ts";

/** Images that QEMU itself made, read back equal to what QEMU reads of them. */

const run = promisify(execFile);

const hasQemu = hasTool("qemu-img") && hasTool("qemu-io");

const KIB = 1024;
const DISK_KIB = 3 * 1024;

const writes = fc.array(
  fc.record({
    how: fc.constantFrom("write -P", "write -P", "write -c -P", "write -z", "write -z -u", "discard"),
    pattern: fc.integer({ min: 1, max: 255 }),
    atKib: fc.integer({ min: 0, max: DISK_KIB - 1 }),
    lengthKib: fc.integer({ min: 1, max: 900 }),
    aligned: fc.boolean(),
  }),
  { maxLength: 8 },
);

const options = fc.oneof(
  fc.constantFrom("compat=0.10", "compat=0.10,cluster_size=512"),
  fc
    .record({
      cluster: fc.constantFrom(512, 4 * KIB, 64 * KIB, 64 * KIB, 1024 * KIB, 2048 * KIB),
      zstd: fc.boolean(),
      more: fc.constantFrom("", ",lazy_refcounts=on", ",refcount_bits=64", ",preallocation=metadata"),
    })
    .map(
      ({ cluster, zstd, more }) => `compat=1.1,cluster_size=${cluster}${zstd ? ",compression_type=zstd" : ""}${more}`,
    ),
  fc.constantFrom("compat=1.1,extended_l2=on,cluster_size=128k", "compat=1.1,extended_l2=on,cluster_size=16k"),
);

/** QEMU's findings on an image. */
async function about(path: string) {
  const { stdout } = await run("qemu-img", ["info", "--output=json", path]);
  return JSON.parse(stdout) as { "cluster-size": number; "format-specific": { data: { corrupt?: boolean } } };
}

/** Makes an image by QEMU's tools, with snapshots in between; returns its file and its raw content. */
async function makeImage(
  directory: string,
  imageOptions: string,
  steps: readonly { how: string; pattern: number; atKib: number; lengthKib: number; aligned: boolean }[],
  extraBytes: number,
): Promise<{ file: Buffer; raw: Buffer; path: string }> {
  const path = join(directory, "image.qcow2");
  await run("qemu-img", ["create", "-q", "-f", "qcow2", "-o", imageOptions, path, String(DISK_KIB * KIB + extraBytes)]);
  const { "cluster-size": clusterBytes } = await about(path);
  const commands = steps.flatMap(({ how, pattern, atKib, lengthKib, aligned }) => {
    // A compressed write is of one cluster.
    const isCompressed = how.includes("-c");
    const unit = isCompressed || aligned ? clusterBytes : KIB;
    const at = Math.floor((atKib * KIB) / unit) * unit;
    const length = isCompressed ? clusterBytes : Math.max(unit, Math.floor((lengthKib * KIB) / unit) * unit);
    const fits = at + length <= DISK_KIB * KIB;
    return fits ? ["-c", how.includes("-P") ? `${how} ${pattern} ${at} ${length}` : `${how} ${at} ${length}`] : [];
  });
  if (commands.length > 0) {
    // It continues after an impossible write, such as a compressed one over other data, and reports it in its exit status.
    await run("qemu-io", ["-f", "qcow2", ...commands, path]).catch(() => undefined);
    // Rarely, after such a write, it says of its own image that it is corrupt: then there is nothing to compare with.
    fc.pre((await about(path))["format-specific"].data.corrupt !== true);
  }
  if (steps.length % 3 === 1) {
    await run("qemu-img", ["snapshot", "-c", "before", path]);
    await run("qemu-io", ["-f", "qcow2", "-c", "write -P 77 64k 200k", path]);
  }
  const raw = join(directory, "image.raw");
  await run("qemu-img", ["convert", "-f", "qcow2", "-O", "raw", path, raw]);
  if (steps.length % 3 !== 2) {
    return { file: await readFile(path), raw: await readFile(raw), path };
  }
  // As images are usually published: rewritten, with contiguous compressed clusters.
  const packed = join(directory, "packed.qcow2");
  const packedOptions = imageOptions.replace(/,(lazy_refcounts=on|preallocation=metadata)/, "");
  await run("qemu-img", ["convert", "-c", "-f", "raw", "-O", "qcow2", "-o", packedOptions, raw, packed]);
  return { file: await readFile(packed), raw: await readFile(raw), path: packed };
}

test.runIf(hasQemu)("random images of QEMU become what QEMU reads of them", async () => {
  await fc.assert(
    fc.asyncProperty(
      options,
      writes,
      fc.constantFrom(0, 512, 66_048),
      fc.boolean(),
      fc.boolean(),
      async (imageOptions, steps, extraBytes, ranged, hurried) => {
        const { file, raw, path } = await makeImage(await temporaryDirectory(), imageOptions, steps, extraBytes);
        const remainingTimeMs = () => (hurried ? 1_000 : 900_000);
        const copied = await copyQcow2(file, raw.length, { ranged, remainingTimeMs, allowExtendedL2: true });
        expect(copied.content.equals(raw)).toBe(true);
        const report = await checkImageFile(path, undefined, { isConversionDisabled: false, allowExtendedL2: true });
        expect(report).toMatchObject({ acceptable: true, virtual_size: DISK_KIB * KIB + extraBytes });
      },
    ),
    // Ends before the test's time-out, so that the findings so far are reported.
    { numRuns: 12, interruptAfterTimeLimit: 90_000, markInterruptAsFailure: true },
  );
});
