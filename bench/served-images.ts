import { execFile, spawn } from "node:child_process";
import { createHash, randomFillSync, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { type FileHandle, stat } from "node:fs/promises";
import { createInterface } from "node:readline";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { blankImageMeta } from "../core/images/blank-image-meta.ts";
import { DEFAULT_PROJECT_ID } from "../core/requests/create-request.ts";
import type { ImageMeta } from "../core/drivers/driver-ports.ts";
import type { ServedImage } from "./glance-server.ts";

/** Images of the benchmarks, and the Glance that serves them. */

const MEBIBYTE = 2 ** 20;

/** Bytes of a run; four of every ten runs hold data. */
const RUN_BYTES = 4 * MEBIBYTE;
const DATA_RUNS_OF_TEN = 4;

/** The share of a file that {@link writeData} fills. */
export const DATA_SHARE = DATA_RUNS_OF_TEN / 10;

/** Fills the file with alternating data and holes, up to `bytes`. */
export async function writeData(file: FileHandle, bytes: number): Promise<void> {
  const data = Buffer.alloc(RUN_BYTES);
  for (let index = 0; index * RUN_BYTES < bytes; index += 1) {
    if (index % 10 < DATA_RUNS_OF_TEN) {
      await file.write(randomFillSync(data), 0, data.length, index * RUN_BYTES);
    }
  }
}

/** Makes a qcow2 image of a raw one; false without qemu-img. */
export async function convertToQcow2(raw: string, qcow2: string): Promise<boolean> {
  try {
    await promisify(execFile)("qemu-img", ["convert", "-f", "raw", "-O", "qcow2", raw, qcow2]);
    return true;
  } catch {
    return false;
  }
}

/** The image with its document. */
export async function imageServed(
  file: string,
  diskFormat: "raw" | "qcow2",
  virtualBytes: number,
): Promise<ServedImage & { document: ImageMeta & { size: number } }> {
  const hash = createHash("sha512");
  await pipeline(createReadStream(file, { highWaterMark: MEBIBYTE }), hash);
  const { size } = await stat(file);
  const document = {
    ...blankImageMeta(randomUUID(), "active"),
    name: "bench",
    disk_format: diskFormat,
    container_format: "bare",
    size,
    virtual_size: virtualBytes,
    os_hash_algo: "sha512",
    os_hash_value: hash.digest("hex"),
    owner: DEFAULT_PROJECT_ID,
    visibility: "public",
  };
  return { document, file };
}

/** Serves the images in a separate process while `work` runs. @param work receives the service's URL */
export async function withGlance<Result>(
  served: readonly ServedImage[],
  work: (url: string) => Promise<Result>,
): Promise<Result> {
  const program = fileURLToPath(new URL("glance-server.ts", import.meta.url));
  const glance = spawn(process.execPath, [program, JSON.stringify(served)], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    const [url] = (await once(createInterface(glance.stdout), "line")) as [string];
    return await work(url);
  } finally {
    glance.kill();
  }
}
