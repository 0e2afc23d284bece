import { S3Client } from "@aws-sdk/client-s3";
import { checkImageFile } from "../../../adapters/file/check-image.ts";
import { FileDriver } from "../../../adapters/file/driver.ts";
import { S3ImageService } from "../../../adapters/s3/image-service.ts";
import { describeError } from "../../../core/errors.ts";
import type { CopyProgress, VolumeRecord } from "../../../core/records.ts";
import { peakKibibytes } from "../../../local/peak-memory.ts";

/**
 * One image in a process of its own, whose memory and time are its own too: as a file, and from the bucket into a volume.
 * The order comes as an argument, in JSON; the answer leaves in JSON too.
 */

/** The order. */
export type ChildOrder = {
  what: "file" | "volume";
  /** The image's file, for `file`. */
  file: string;
  diskFormat: string;
  allowExtendedL2: boolean;
  /** For `volume`. */
  bucket: string;
  imageId: string;
  directory: string;
  volumeId: string;
  volumeGib: number;
};

/** How it went. */
export type ChildAnswer = {
  /** Name of the error; null when the image was taken. */
  error: string | null;
  message: string;
  /** Processor time, so that a busy machine makes no image slow. */
  milliseconds: number;
  peakMebibytes: number;
};

const order = JSON.parse(process.argv[2] ?? "{}") as ChildOrder;
const start = process.cpuUsage();
const outcome = await (order.what === "file" ? checkFile(order) : fillVolume(order));
const answer: ChildAnswer = {
  ...outcome,
  milliseconds: processorMilliseconds(start),
  peakMebibytes: Math.round(peakKibibytes() / 1024),
};
process.stdout.write(JSON.stringify(answer));

function processorMilliseconds(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return Math.round((user + system) / 1000);
}

async function checkFile({
  file,
  diskFormat,
  allowExtendedL2,
}: ChildOrder): Promise<{ error: string | null; message: string }> {
  const { error } = await checkImageFile(file, diskFormat, { isConversionDisabled: false, allowExtendedL2 });
  return { error: error?.name ?? null, message: error?.message ?? "" };
}

async function fillVolume(work: ChildOrder): Promise<{ error: string | null; message: string }> {
  const service = new S3ImageService(new S3Client({ forcePathStyle: true }), work.bucket);
  const driver = new FileDriver("conformance@images", {
    directory: work.directory,
    image_allow_extended_l2: work.allowExtendedL2,
  });
  // The only fields of the record that the driver reads; without a fence it is the first attempt.
  const volume = { id: work.volumeId, size: work.volumeGib, fence: null } as VolumeRecord;
  const administrator = { request_id: "", user_id: null, project_id: null, is_admin: true, roles: [] };
  const remainingTimeMs = () => 900_000;
  let progress: CopyProgress | null = null;
  try {
    await driver.createVolume(volume, { checkpoint: null, remainingTimeMs });
    const meta = await service.show(administrator, work.imageId);
    const source = { service, imageId: work.imageId, meta };
    const save = async (saved: Omit<CopyProgress, "updated_at">): Promise<void> => {
      progress = { ...saved, updated_at: new Date().toISOString() };
    };
    while (!(await driver.copyImageToVolume(volume, source, { progress, remainingTimeMs, save })).done) {
      // Its time is never short, so it is done at once; were it not, it is called again as by the workflow.
    }
    return { error: null, message: "" };
  } catch (error) {
    const { name, message } = describeError(error);
    return { error: name, message };
  }
}
