import { execFile } from "node:child_process";
import { randomFillSync, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, rm, stat } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { type NewImage, putImage } from "../adapters/s3/put-image.ts";
import { DEFAULT_PROJECT_ID } from "../core/create-request.ts";
import { startRig } from "./rig.ts";

/** A raw image of 1 GiB from the bucket to a file volume, and what the machine does with plain tools. */
export type ImageResult = {
  mebibytes: number;
  data_share: number;
  volume_seconds: number;
  volume_mib_per_second: number;
  cp_sparse_seconds: number;
  cp_sparse_mib_per_second: number;
  sha512sum_seconds: number;
  sha512sum_mib_per_second: number;
  allocated_mebibytes: number;
};

const MEBIBYTE = 2 ** 20;
const IMAGE_MEBIBYTES = 1024;

/** Of every ten runs of four MiB, four hold data. */
const RUN_MEBIBYTES = 4;
const DATA_RUNS_OF_TEN = 4;

const run = promisify(execFile);

/** Measures in one run, on the same file, warm: the volume (verified), `cp --sparse=always`, and `sha512sum`. */
export async function benchImages(): Promise<ImageResult> {
  const rig = await startRig();
  try {
    const imagePath = path.join(rig.directory, "image.raw");
    await writeSparseImage(imagePath);
    const imageId = randomUUID();
    const bucket = rig.cloud.outputs["ImagesBucketName"] ?? "";
    await putImage(rig.s3, bucket, imageOf(imageId), createReadStream(imagePath, { highWaterMark: MEBIBYTE }));
    const message = await rig.putRecord({ sizeGib: 1, imageId });
    const volumeSeconds = (await rig.create(message)) / 1000;
    const volume = await rig.volumes.get(message.volume_id);
    if (volume.status !== "available" || volume.provider_location === null) {
      throw new Error(`the volume is ${volume.status}`);
    }
    const { blocks } = await stat(volume.provider_location);
    const copyPath = path.join(rig.directory, "copy.raw");
    const copySeconds = await secondsOf(() => run("cp", ["--sparse=always", imagePath, copyPath]));
    await rm(copyPath);
    const hashSeconds = await secondsOf(() => run("sha512sum", [imagePath]));
    return {
      mebibytes: IMAGE_MEBIBYTES,
      data_share: DATA_RUNS_OF_TEN / 10,
      volume_seconds: volumeSeconds,
      volume_mib_per_second: IMAGE_MEBIBYTES / volumeSeconds,
      cp_sparse_seconds: copySeconds,
      cp_sparse_mib_per_second: IMAGE_MEBIBYTES / copySeconds,
      sha512sum_seconds: hashSeconds,
      sha512sum_mib_per_second: IMAGE_MEBIBYTES / hashSeconds,
      allocated_mebibytes: (blocks * 512) / MEBIBYTE,
    };
  } finally {
    await rig.stop();
  }
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

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}
