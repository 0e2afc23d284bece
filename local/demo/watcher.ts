import { setTimeout as delay } from "node:timers/promises";
import type { VolumeRepository } from "../../core/ports.ts";
import type { VolumeRecord } from "../../core/records.ts";
import { isInFlow } from "../../core/volume-lifecycle.ts";

const PAUSE_MILLISECONDS = 60;

/** Reads the records of volumes repeatedly, as any client can. */
export type Watcher = {
  /** The records of the last read, by id. */
  readonly records: ReadonlyMap<string, VolumeRecord>;
  /** Waits until the volume has left the flow, and returns its record. Its message was sent before. */
  settled(volumeId: string): Promise<VolumeRecord>;
  stop(): Promise<void>;
};

/**
 * Starts reading.
 *
 * @param onLook is called after each read
 * @param signal ends it early: waiting callers then get its reason
 */
export function watchVolumes(
  volumes: Pick<VolumeRepository, "getMany">,
  onLook: (records: ReadonlyMap<string, VolumeRecord>) => void,
  signal: AbortSignal,
): Watcher {
  const records = new Map<string, VolumeRecord>();
  const open = new Map<string, PromiseWithResolvers<VolumeRecord>>();
  const ended = new AbortController();
  const either = AbortSignal.any([signal, ended.signal]);

  const look = async (): Promise<void> => {
    for (const [id, record] of await volumes.getMany([...open.keys()])) {
      records.set(id, record);
      if (!isInFlow(record)) {
        open.get(id)?.resolve(record);
        open.delete(id);
      }
    }
    onLook(records);
  };
  const run = async (): Promise<void> => {
    while (!either.aborted) {
      if (open.size > 0) {
        await look();
      }
      await delay(PAUSE_MILLISECONDS, undefined, { signal: either });
    }
  };
  const running = run().catch((error: unknown) => {
    const reason: unknown = either.aborted ? either.reason : error;
    for (const { reject } of open.values()) {
      reject(reason);
    }
    open.clear();
  });
  return {
    records,
    settled: (volumeId) => {
      if (either.aborted) {
        return Promise.reject(either.reason as Error);
      }
      const waiting = open.get(volumeId) ?? Promise.withResolvers<VolumeRecord>();
      open.set(volumeId, waiting);
      return waiting.promise;
    },
    stop: async () => {
      ended.abort();
      await running;
    },
  };
}
