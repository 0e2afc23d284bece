import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { ImageCopyFailure, ImageTooBig } from "../../core/errors.ts";
import type { ImagePolicy } from "../../core/images/acceptance.ts";
import type { Qcow2Rules } from "../../core/images/qcow2/header.ts";
import type { CopyWork, ImageSource } from "../../core/drivers/driver-ports.ts";
import type { Content, Cursor } from "./image-progress.ts";
import type { TurnWatch } from "./turn-watch.ts";
import type { Place } from "./paths.ts";
import type { WorkArea } from "./work-area.ts";

/** Data and checks of one turn of an image copy. */

/** One turn's order. */
export type CopyImageRequest = {
  /** The volume's file, which exists and is empty, and the attempt's directory. */
  place: Place;
  volumeBytes: number;
  image: ImageSource;
  work: CopyWork;
  policy: ImagePolicy;
};

/** Data of one turn. */
export type Job = CopyImageRequest & Content;

/** A turn under way: `area` is the attempt's directory, `watch` ends it on time. */
export type Run = { job: Job; area: WorkArea; watch: TurnWatch };

/** As Cinder's check_available_space. How much of a raw image are holes is not known before it has passed. */
export async function requireFreeSpace({ place: { path }, size, image }: Job): Promise<void> {
  const { bavail, bsize } = await statfs(dirname(path));
  if (bavail * bsize <= size) {
    throw new ImageTooBig(image.imageId, `${bavail * bsize} bytes are free, and the image has ${size}`);
  }
}

export function requireSameSize({ image, size }: Job, found: number): void {
  if (found !== size) {
    throw new ImageCopyFailure(`image ${image.imageId} has ${found} bytes, not ${size}`);
  }
}

/** The values with which the bytes of an image are compared when all have passed. */
type Documented = Pick<Job, "size" | "expected"> & { image: Pick<Job["image"], "imageId"> };

/** Progress of a pass, and the hash of its bytes; null if they were checked before. */
type Passed = Pick<Cursor, "offset"> & { hasher: Pick<NonNullable<Cursor["hasher"]>, "digest"> | null };

/** @throws ImageCopyFailure when the bytes that have passed are not those of the image's document */
export function requireHash({ image: { imageId }, size, expected }: Documented, cursor: Passed): void {
  if (cursor.offset !== size) {
    throw new ImageCopyFailure(`image ${imageId} ended after ${cursor.offset} of ${size} bytes`);
  }
  const found = cursor.hasher?.digest();
  if (found !== undefined && found !== expected.value) {
    throw new ImageCopyFailure(`image ${imageId} has ${expected.algorithm} ${found}, not ${expected.value}`);
  }
}

export function rulesOf({ image, size, volumeBytes, policy }: Job): Qcow2Rules {
  return { imageId: image.imageId, fileBytes: size, volumeBytes, allowExtendedL2: policy.allowExtendedL2 };
}

export function stageName(copyId: string): string {
  return `${copyId}.stage`;
}
