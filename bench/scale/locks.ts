import { volumeItem } from "../../adapters/dynamodb/volume-item.ts";
import { DynamoDbVolumeRepository } from "../../adapters/dynamodb/volume-repository.ts";
import { unmarshall } from "@aws-sdk/util-dynamodb";
import { buildCreateRequest } from "../../core/requests/create-request.ts";
import { SNAPSHOT_LOCK } from "../../core/records.ts";
import { newId, type Store } from "./store.ts";

/** Write units of a lock on one volume that has so many, and of taking it off. Infinity where they no longer fit its record. */
export type LockScale = { held: number; lock: number; unlock: number };

/** Measures a lock on a volume with each number of locks: clones of it under way, or its snapshots. */
export async function locksAtScale(store: Store, counts: readonly number[]): Promise<LockScale[]> {
  const tableName = store.tableName("VolumesTableName");
  const volumes = new DynamoDbVolumeRepository({ client: store.client, tableName, clock: { now: () => new Date() } });
  const results: LockScale[] = [];
  for (const held of counts) {
    const id = newId();
    try {
      await store.fill(tableName, [lockedVolume(id, held - 1)]);
      const holder = newId();
      const lock = await store.measure(() => volumes.lock(id, { holder, value: SNAPSHOT_LOCK }, ["available"], null));
      const unlock = await store.measure(() => volumes.unlock(id, holder, [SNAPSHOT_LOCK]));
      results.push({ held, lock: lock.write, unlock: unlock.write });
    } catch (error) {
      if (!(error instanceof Error) || error.name !== "ValidationException" || !/size/i.test(error.message)) {
        throw error;
      }
      results.push({ held, lock: Infinity, unlock: Infinity });
    }
  }
  return results;
}

function lockedVolume(id: string, held: number): Record<string, unknown> {
  const ids = { volumeId: id, requestId: `req-${newId()}` };
  const { record } = buildCreateRequest({ sizeGib: 1 }, new Date(0), ids);
  const locks = Object.fromEntries(Array.from({ length: held }, () => [newId(), SNAPSHOT_LOCK]));
  return unmarshall(volumeItem({ ...record, status: "available", deadline: null, locks }));
}
