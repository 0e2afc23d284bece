import { execFile, spawn } from "node:child_process";
import { createHash, randomFillSync, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { open, rm, stat, truncate } from "node:fs/promises";
import path from "node:path";
import { createInterface } from "node:readline";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type NewImage, putImage } from "../adapters/s3/put-image.ts";
import { DEFAULT_PROJECT_ID } from "../core/create-request.ts";
import type { ServedImage } from "./glance-server.ts";
import { percentile, ROOM_FOR_ALL, type Rig, startRig } from "./rig.ts";

/** One way to fill a volume, or a part of one, on the same file in the same run. */
export type ImageRow = { what: string; seconds: number; mib_per_second: number };

/** Volumes of an image of 1 GiB with 40 % data, and what the machine does with plain tools. */
export type ImageResult = {
  mebibytes: number;
  data_share: number;
  rows: ImageRow[];
  /** How many times as fast as Cinder's way a volume from Glance is; undefined where a tool is missing. */
  raw_against_cinder: number | undefined;
  qcow2_against_cinder: number | undefined;
  allocated_mebibytes: number;
};

const MEBIBYTE = 2 ** 20;
const IMAGE_MEBIBYTES = 1024;

/** Of every ten runs of four MiB, four hold data. */
const RUN_MEBIBYTES = 4;
const DATA_RUNS_OF_TEN = 4;

const RAW = "volume, raw from Glance, verified";
const QCOW2 = "volume, qcow2 from Glance, verified";
const CINDER_RAW = "Cinder's way, raw: curl, sha512sum, qemu-img convert";
const CINDER_QCOW2 = "Cinder's way, qcow2: curl, sha512sum, qemu-img convert";

const run = promisify(execFile);

/**
 * Measures in one run, warm: volumes from the bucket and from Glance, Cinder's way, `cp --sparse=always` and `sha512sum`. From Glance
 * it is the median of five, each beside Cinder's way.
 */
export async function benchImages(): Promise<ImageResult> {
  const bucketRig = await startRig();
  try {
    const directory = bucketRig.directory;
    const raw = path.join(directory, "image.raw");
    await writeSparseImage(raw);
    const rows: ImageRow[] = [];
    const measure = async (what: string, work: () => Promise<unknown>): Promise<void> => {
      rows.push(rowOf(what, await secondsOf(work)));
    };
    const imageId = randomUUID();
    const bucket = bucketRig.cloud.outputs["ImagesBucketName"] ?? "";
    await putImage(bucketRig.s3, bucket, imageOf(imageId), createReadStream(raw, { highWaterMark: MEBIBYTE }));
    let location = "";
    await measure("volume, raw from the bucket, verified", async () => {
      location = await createFrom(bucketRig, imageId);
    });
    const copy = path.join(directory, "copy.raw");
    await measure("cp --sparse=always", () => run("cp", ["--sparse=always", raw, copy]));
    await rm(copy);
    await measure("sha512sum", () => run("sha512sum", [raw]));
    await measureGlance(directory, raw, rows);
    const ratio = (cinder: string, ours: string): number | undefined => {
      const [cinderRow, ourRow] = [cinder, ours].map((wanted) => rows.find(({ what }) => what === wanted));
      return cinderRow === undefined || ourRow === undefined ? undefined : cinderRow.seconds / ourRow.seconds;
    };
    return {
      mebibytes: IMAGE_MEBIBYTES,
      data_share: DATA_RUNS_OF_TEN / 10,
      rows,
      raw_against_cinder: ratio(CINDER_RAW, RAW),
      qcow2_against_cinder: ratio(CINDER_QCOW2, QCOW2),
      allocated_mebibytes: ((await stat(location)).blocks * 512) / MEBIBYTE,
    };
  } finally {
    await bucketRig.stop();
  }
}

/** Median of so many. */
const REPETITIONS = 5;

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

function rowOf(what: string, seconds: number): ImageRow {
  return { what, seconds, mib_per_second: IMAGE_MEBIBYTES / seconds };
}

/** From Glance, beside what Cinder does with curl, sha512sum and qemu-img one after the other; qcow2 only where qemu-img is. */
async function measureGlance(directory: string, raw: string, rows: ImageRow[]): Promise<void> {
  const qcow2 = path.join(directory, "image.qcow2");
  const hasTools = await run("qemu-img", ["convert", "-f", "raw", "-O", "qcow2", raw, qcow2]).then(
    () => true,
    () => false,
  );
  const served = [await servedImage(raw, "raw"), ...(hasTools ? [await servedImage(qcow2, "qcow2")] : [])];
  const glance = spawn(
    process.execPath,
    [fileURLToPath(new URL("glance-server.ts", import.meta.url)), JSON.stringify(served)],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  try {
    const [url] = (await once(createInterface(glance.stdout), "line")) as [string];
    const image_services = { glance: { api_servers: [url], auth: { type: "none" } } };
    const rig = await startRig({ context: { ...ROOM_FOR_ALL, image_services } });
    try {
      for (const { document, file } of served) {
        const isRaw = file === raw;
        // The functions start with their first create, which is not what is measured.
        await createFrom(rig, document.id);
        const ours: number[] = [];
        const cinders: number[] = [];
        // In turn, because the machine's speed is not the same from one second to the next.
        for (let repetition = 0; repetition < REPETITIONS; repetition += 1) {
          ours.push(await secondsOf(() => createFrom(rig, document.id)));
          if (hasTools) {
            const image = `${url}/v2/images/${document.id}/file`;
            cinders.push(await secondsOf(() => cindersWay(image, isRaw ? "raw" : "qcow2", directory)));
          }
        }
        rows.push(rowOf(isRaw ? RAW : QCOW2, percentile(ours, 0.5)));
        if (hasTools) {
          rows.push(rowOf(isRaw ? CINDER_RAW : CINDER_QCOW2, percentile(cinders, 0.5)));
        }
      }
    } finally {
      await rig.stop();
    }
  } finally {
    glance.kill();
  }
}

/** `fetch_to_volume_format` of cinder/image/image_utils.py: to a temporary file, verified, then converted into the volume. */
async function cindersWay(url: string, format: string, directory: string): Promise<void> {
  const temporary = path.join(directory, "temporary");
  const volume = path.join(directory, "volume");
  await run("curl", ["--silent", "--fail", "--output", temporary, url]);
  await run("sha512sum", [temporary]);
  await (await open(volume, "w")).close();
  await truncate(volume, IMAGE_MEBIBYTES * MEBIBYTE);
  await run("qemu-img", ["convert", "-n", "-f", format, "-O", "raw", temporary, volume]);
  await run("sync", ["--data", volume]);
  await Promise.all([rm(temporary), rm(volume)]);
}

/** Creates a volume from the image and returns where its file is. */
async function createFrom(rig: Rig, imageId: string): Promise<string> {
  const message = await rig.putRecord({ sizeGib: 1, imageId });
  await rig.create(message);
  const { status, provider_location: location } = await rig.volumes.get(message.volume_id);
  if (status !== "available" || location === null) {
    throw new Error(`the volume is ${status}`);
  }
  return location;
}

async function servedImage(file: string, diskFormat: "raw" | "qcow2"): Promise<ServedImage> {
  const hash = createHash("sha512");
  await pipeline(createReadStream(file), hash);
  const document = {
    id: randomUUID(),
    name: "bench",
    status: "active",
    visibility: "public",
    disk_format: diskFormat,
    container_format: "bare",
    size: (await stat(file)).size,
    virtual_size: IMAGE_MEBIBYTES * MEBIBYTE,
    min_disk: 0,
    min_ram: 0,
    checksum: null,
    os_hash_algo: "sha512",
    os_hash_value: hash.digest("hex"),
    owner: DEFAULT_PROJECT_ID,
  };
  return { document, file };
}

function imageOf(id: string): NewImage {
  return {
    id,
    name: "bench",
    disk_format: "raw",
    container_format: "bare",
    min_disk: 0,
    min_ram: 0,
    owner: DEFAULT_PROJECT_ID,
    visibility: "private",
    properties: {},
  };
}

async function writeSparseImage(file: string): Promise<void> {
  const handle = await open(file, "wx");
  try {
    await handle.truncate(IMAGE_MEBIBYTES * MEBIBYTE);
    const data = Buffer.alloc(RUN_MEBIBYTES * MEBIBYTE);
    for (let index = 0; index * RUN_MEBIBYTES < IMAGE_MEBIBYTES; index += 1) {
      if (index % 10 < DATA_RUNS_OF_TEN) {
        randomFillSync(data);
        await handle.write(data, 0, data.length, index * RUN_MEBIBYTES * MEBIBYTE);
      }
    }
  } finally {
    await handle.close();
  }
}
