import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, rm, stat, truncate } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { type NewImage, putImage } from "../adapters/s3/put-image.ts";
import { DEFAULT_PROJECT_ID } from "../core/requests/create-request.ts";
import { percentile, ROOM_FOR_ALL, type Rig, startRig } from "./rig.ts";
import { convertToQcow2, DATA_SHARE, imageServed, withGlance, writeData } from "./served-images.ts";

/** One way to fill a volume, or a part of that way, with the same file in the same run. */
export type ImageRow = { what: string; seconds: number; mib_per_second: number };

/** Volumes of an image of 1 GiB with 40 % data, and the speed of plain tools on the machine. */
export type ImageResult = {
  mebibytes: number;
  data_share: number;
  rows: ImageRow[];
  /** Speed of a volume from Glance relative to Cinder's way; undefined if a tool is missing. */
  raw_against_cinder: number | undefined;
  qcow2_against_cinder: number | undefined;
  allocated_mebibytes: number;
};

const MEBIBYTE = 2 ** 20;
const IMAGE_MEBIBYTES = 1024;

const RAW = "volume, raw from Glance, verified";
const QCOW2 = "volume, qcow2 from Glance, verified";
const CINDER_RAW = "Cinder's way, raw: curl, sha512sum, qemu-img convert";
const CINDER_QCOW2 = "Cinder's way, qcow2: curl, sha512sum, qemu-img convert";

const run = promisify(execFile);

/**
 * Measures in one run, warm: volumes from the bucket and from Glance, Cinder's way, `cp --sparse=always` and `sha512sum`. From Glance it is
 * the median of five, each paired with Cinder's way.
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
      data_share: DATA_SHARE,
      rows,
      raw_against_cinder: ratio(CINDER_RAW, RAW),
      qcow2_against_cinder: ratio(CINDER_QCOW2, QCOW2),
      allocated_mebibytes: ((await stat(location)).blocks * 512) / MEBIBYTE,
    };
  } finally {
    await bucketRig.stop();
  }
}

/** Number of runs of which the median is taken. */
const REPETITIONS = 5;

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

function rowOf(what: string, seconds: number): ImageRow {
  return { what, seconds, mib_per_second: IMAGE_MEBIBYTES / seconds };
}

/** From Glance, paired with Cinder's sequence of curl, sha512sum and qemu-img; qcow2 only if qemu-img is installed. */
async function measureGlance(directory: string, raw: string, rows: ImageRow[]): Promise<void> {
  const qcow2 = path.join(directory, "image.qcow2");
  const hasTools = await convertToQcow2(raw, qcow2);
  const virtualBytes = IMAGE_MEBIBYTES * MEBIBYTE;
  const served = [
    await imageServed(raw, "raw", virtualBytes),
    ...(hasTools ? [await imageServed(qcow2, "qcow2", virtualBytes)] : []),
  ];
  await withGlance(served, async (url) => {
    const image_services = { glance: { api_servers: [url], auth: { type: "none" } } };
    const rig = await startRig({ context: { ...ROOM_FOR_ALL, image_services } });
    try {
      for (const { document, file } of served) {
        const isRaw = file === raw;
        // The functions start with their first create, which is not measured.
        await createFrom(rig, document.id);
        const ours: number[] = [];
        const cinders: number[] = [];
        // In turn, because the machine's speed varies from second to second.
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
  });
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

/** Creates a volume from the image and returns the path of its file. */
async function createFrom(rig: Rig, imageId: string): Promise<string> {
  const message = await rig.putRecord({ sizeGib: 1, imageId });
  await rig.create(message);
  const { status, provider_location: location } = await rig.volumes.get(message.volume_id);
  if (status !== "available" || location === null) {
    throw new Error(`the volume is ${status}`);
  }
  return location;
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
    await writeData(handle, IMAGE_MEBIBYTES * MEBIBYTE);
  } finally {
    await handle.close();
  }
}
