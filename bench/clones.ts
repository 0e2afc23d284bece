import { constants, copyFile, open, rm } from "node:fs/promises";
import path from "node:path";
import { startRig, type Rig, percentile } from "./rig.ts";
import { writeData } from "./served-images.ts";

/** A clone of a volume with 40 % data, from message to available: the median of a few. */
export type CloneRow = { gibibytes: number; seconds: number };

/** `by_reflink` is true if the temporary directory's file system shares blocks. */
export type CloneResult = { by_reflink: boolean; rows: CloneRow[] };

const SIZES_GIB = [1, 4];
const REPETITIONS = 5;

/** Measures clones of volumes of several sizes: by reflink they take the same time. */
export async function benchClones(): Promise<CloneResult> {
  const rig = await startRig();
  try {
    const rows: CloneRow[] = [];
    let location = "";
    for (const gibibytes of SIZES_GIB) {
      const source = await rig.putRecord({ sizeGib: gibibytes });
      await rig.create(source);
      location = (await rig.volumes.get(source.volume_id)).provider_location ?? "";
      await fill(location, gibibytes * 2 ** 30);
      rows.push({ gibibytes, seconds: await medianClone(rig, source.volume_id, gibibytes) });
    }
    return { by_reflink: await sharesBlocks(location), rows };
  } finally {
    await rig.stop();
  }
}

async function medianClone(rig: Rig, sourceVolumeId: string, sizeGib: number): Promise<number> {
  const milliseconds: number[] = [];
  for (let repetition = 0; repetition < REPETITIONS; repetition += 1) {
    const clone = await rig.putRecord({ sizeGib, sourceVolumeId });
    milliseconds.push(await rig.create(clone));
    const { status, provider_location: location } = await rig.volumes.get(clone.volume_id);
    if (status !== "available" || location === null) {
      throw new Error(`the clone is ${status}`);
    }
  }
  return percentile(milliseconds, 0.5) / 1000;
}

async function fill(file: string, bytes: number): Promise<void> {
  const handle = await open(file, "r+");
  try {
    await writeData(handle, bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function sharesBlocks(file: string): Promise<boolean> {
  const copy = path.join(path.dirname(file), "reflink-probe");
  try {
    await copyFile(file, copy, constants.COPYFILE_FICLONE_FORCE);
    return true;
  } catch {
    return false;
  } finally {
    await rm(copy, { force: true });
  }
}
