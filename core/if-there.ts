import { SnapshotNotFound, VolumeNotFound, VolumeTypeNotFound, VolumeTypeNotFoundByName } from "./errors.ts";

const NOT_THERE = [VolumeNotFound, SnapshotNotFound, VolumeTypeNotFound, VolumeTypeNotFoundByName];

/** The result of a call; undefined when the volume, snapshot or volume type that it names has no record. Any other error passes through. */
export async function ifThere<Value>(call: Promise<Value>): Promise<Value | undefined> {
  try {
    return await call;
  } catch (error) {
    if (NOT_THERE.some((kind) => error instanceof kind)) {
      return undefined;
    }
    throw error;
  }
}
