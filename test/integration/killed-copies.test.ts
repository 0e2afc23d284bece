import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { expect, test } from "vitest";
import { FileDriver } from "../../adapters/file/driver.ts";
import type { ImageMeta } from "../../core/drivers/driver-ports.ts";
import type { CopyProgress } from "../../core/records.ts";
import { anImage, aVolume, finishedIn, MIB, temporaryDirectory, unhurried, uuid } from "../support/drivers.ts";
import type { CopyOrder } from "../support/killed-copy.ts";
import { writeQcow2 } from "../support/qcow2-writer.ts";

/** Runs of each format; twenty in all. */
const KILLS = 10;

/** Bytes that are copied twice after one kill, at most. */
const MOST_COPIED_TWICE = 256 * MIB;

/** More than that, all of it data: who keeps no progress on the way copies more than that a second time. */
const CLUSTER_BITS = 21;
const CLUSTERS = 144;
const BLOCK_BYTES = 4096;

const PROGRAM = join(import.meta.dirname, "../support/killed-copy.ts");

/** Both formats of one disk. */
function images(): { disk: Buffer; files: Record<"raw" | "qcow2", Buffer> } {
  const { file, disk } = writeQcow2({
    version: 3,
    clusterBits: CLUSTER_BITS,
    compression: "zlib",
    virtualBytes: CLUSTERS * 2 ** CLUSTER_BITS,
    clusters: Array.from({ length: CLUSTERS }, (_, index) => ({ kind: "data", seed: index })),
    content: (bytes, seed) => Buffer.alloc(bytes, `cluster ${seed} `),
    tablesLast: false,
  });
  return { disk, files: { raw: disk, qcow2: file } };
}

/** One run of the process: the blocks of the volume that it wrote, and the bytes that no saved progress covers. */
async function runOnce(order: CopyOrder): Promise<{ killed: boolean; blocks: number[]; unkeptBytes: number }> {
  await writeFile(order.log, "");
  const child = spawn(process.execPath, [PROGRAM, JSON.stringify(order)], { stdio: ["ignore", "ignore", "inherit"] });
  const [status, signal] = (await once(child, "exit")) as [number | null, string | null];
  expect([status, signal]).toEqual(order.killAfterBytes === null ? [0, null] : [null, "SIGKILL"]);
  const blocks: number[] = [];
  let unkeptBytes = 0;
  for (const line of (await readFile(order.log, "utf8")).trimEnd().split("\n")) {
    const [position, length] = line.split(" ").map(Number);
    if (line === "save") {
      unkeptBytes = 0;
    } else if (position !== undefined && length !== undefined) {
      unkeptBytes += length;
      for (let at = position; at < position + length; at += BLOCK_BYTES) {
        blocks.push(Math.floor(at / BLOCK_BYTES));
      }
    }
  }
  return { killed: signal !== null, blocks, unkeptBytes };
}

async function bytesKept(record: string): Promise<number> {
  const line = (await readFile(record, "utf8")).split("\n").at(-2);
  return line === undefined ? 0 : (JSON.parse(line) as CopyProgress).bytes_done;
}

async function sha256(path: string, bytes: number): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path, { end: bytes - 1 }), hash);
  return hash.digest("hex");
}

async function orderOf(content: Buffer, diskFormat: string): Promise<CopyOrder> {
  const root = await temporaryDirectory();
  const meta: ImageMeta = anImage(content, { disk_format: diskFormat });
  const order = {
    directory: join(root, "volumes"),
    record: join(root, "record"),
    log: join(root, "log"),
    image: { file: join(root, "image"), id: meta.id, meta },
    killAfterBytes: null,
  };
  await Promise.all([writeFile(order.image.file, content), writeFile(order.record, "")]);
  await new FileDriver("node@file", { directory: order.directory }).createVolume(aVolume(), unhurried());
  return order;
}

test.each(["raw", "qcow2"] as const)(
  `a %s copy that is killed ${KILLS} times ends with the image, and copies at most 256 MiB twice for each`,
  async (diskFormat) => {
    const { disk, files } = images();
    const order = await orderOf(files[diskFormat], diskFormat);
    const everWritten = new Set<number>();
    const copiedTwice: number[] = [];
    const unkept: number[] = [];
    const keep = ({ blocks, unkeptBytes }: Awaited<ReturnType<typeof runOnce>>): void => {
      copiedTwice.push(blocks.filter((block) => everWritten.has(block)).length * BLOCK_BYTES);
      unkept.push(unkeptBytes);
      blocks.forEach((block) => everWritten.add(block));
    };
    for (let kill = 0; kill < KILLS; kill += 1) {
      // The first one near the end, where most is lost; the others anywhere in what is left.
      const share = kill === 0 ? 0.99 : Math.random();
      const left = disk.length - (await bytesKept(order.record));
      keep(await runOnce({ ...order, killAfterBytes: Math.max(1, Math.floor(left * share * 0.99)) }));
    }
    keep(await runOnce(order));
    const path = join(order.directory, `volume-${uuid(1)}`);
    expect(await sha256(path, disk.length)).toBe(createHash("sha256").update(disk).digest("hex"));
    expect(await finishedIn(order.directory)).toEqual([`volume-${uuid(1)}`]);
    expect(everWritten.size * BLOCK_BYTES).toBe(disk.length);
    expect(Math.max(...copiedTwice)).toBeLessThanOrEqual(MOST_COPIED_TWICE);
    expect(Math.max(...unkept)).toBeLessThanOrEqual(MOST_COPIED_TWICE);
    // The first kill comes when bytes are written that no progress covers.
    expect(Math.max(...copiedTwice)).toBeGreaterThan(0);
  },
);
