import { SnapshotNotFound, VolumeNotFound } from "./errors.ts";

/** The result of a call; undefined when the volume or snapshot that it names has no record. Any other error passes through. */
export async function ifThere<Value>(call: Promise<Value>): Promise<Value | undefined> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof VolumeNotFound || error instanceof SnapshotNotFound) {
      return undefined;
    }
    throw error;
  }
}
