import { unmarshall } from "@aws-sdk/util-dynamodb";
import { DynamoDbLockRepository, lockItem } from "../../adapters/dynamodb/lock-repository.ts";
import { DynamoDbSnapshotRepository, snapshotItem } from "../../adapters/dynamodb/snapshot-repository.ts";
import { volumeItem } from "../../adapters/dynamodb/volume-item.ts";
import { DynamoDbVolumeRepository } from "../../adapters/dynamodb/volume-repository.ts";
import { holderOf, lockVolume } from "../../core/attempt/source-locks.ts";
import type { Lock, LockedSource } from "../../core/ports.ts";
import { fenceOf, SNAPSHOT_LOCK, type SnapshotRecord, type VolumeRecord } from "../../core/records.ts";
import { buildCreateRequest } from "../../core/requests/create-request.ts";
import { newId, type Store } from "./store.ts";

/** Units of locks on one volume that has so many, of creates or of snapshots. */
export type LockScale = {
  holders: "clones" | "snapshots";
  held: number;
  /** Write units of one more lock. */
  lock: number;
  /** Read units of a delete that finds it in use. */
  refuse: number;
  /** Read units of an extension's look for clones. */
  extend: number;
  /** Write units for each lock when all of them are taken off at once. */
  unlock: number;
  /** Read and write units of beginning to delete the volume after that. */
  delete: number;
  source_item_bytes: number;
};

/** Locks that are taken off at the same time. */
const IN_FLIGHT = 50;

/** Holders whose records exist: more than one page, and the last ones by name, which a look reads first. */
const RECORDED = 150;

const GIB = { sizeGib: 1 };

type Ports = {
  locks: DynamoDbLockRepository;
  volumes: DynamoDbVolumeRepository;
  snapshots: DynamoDbSnapshotRepository;
};

/** Measures a volume with each number of locks: of clones of it that are being made, and of its snapshots. */
export async function locksAtScale(store: Store, counts: readonly number[]): Promise<LockScale[]> {
  const clock = { now: () => new Date() };
  const ports: Ports = {
    locks: new DynamoDbLockRepository({ client: store.client, tableName: store.tableName("LocksTableName") }),
    snapshots: new DynamoDbSnapshotRepository({
      client: store.client,
      tableName: store.tableName("SnapshotsTableName"),
    }),
    volumes: new DynamoDbVolumeRepository({
      client: store.client,
      tableName: store.tableName("VolumesTableName"),
      clock,
    }),
  };
  const results: LockScale[] = [];
  for (const holders of ["clones", "snapshots"] as const) {
    for (const held of counts) {
      results.push(await measure(store, ports, holders, held));
    }
  }
  return results;
}

async function measure(store: Store, ports: Ports, holders: LockScale["holders"], held: number): Promise<LockScale> {
  const source = await usedVolume(store, holders, held - 1);
  const { id } = source;
  const record = () => ports.volumes.get(id);
  const extra = lockOf(holders, await holder(store, holders));
  const lock = await store.measure(() => lockVolume(ports, id, extra, ["available"], null));
  const locked = await record();
  const refuse = await store.measure(async () => {
    if ((await holderOf(ports, "volume", locked)) === undefined) {
      throw new Error("a volume in use counts as unused");
    }
  });
  const extend = await store.measure(() => holderOf(ports, "volume", locked, true));
  const bytes = await store.itemBytes(store.tableName("VolumesTableName"), { id });
  const unlock = await store.measure(() => unlockAll(ports, source));
  const rested = await record();
  const begin = await store.measure(async () => {
    await holderOf(ports, "volume", rested);
    await ports.volumes.beginDelete(rested, new Date());
  });
  return {
    holders,
    held,
    lock: lock.write,
    refuse: refuse.read,
    extend: extend.read,
    unlock: unlock.write / held,
    delete: begin.read + begin.write,
    source_item_bytes: bytes,
  };
}

/** A volume at rest that was locked so many times. */
async function usedVolume(store: Store, holders: LockScale["holders"], count: number): Promise<LockedSource> {
  const source: LockedSource = { what: "volume", id: newId() };
  const ids = Array.from({ length: count }, () => newId()).toSorted();
  const last = ids.slice(-RECORDED);
  await store.fill(
    store.tableName(holders === "clones" ? "VolumesTableName" : "SnapshotsTableName"),
    last.map((id) => unmarshall(holders === "clones" ? volumeItem(clone(id)) : snapshotItem(snapshot(id)))),
  );
  const atRest: VolumeRecord = { ...clone(source.id), status: "available", deadline: null, times_locked: count };
  await store.fill(store.tableName("VolumesTableName"), [unmarshall(volumeItem(atRest))]);
  const locks = ids.map((id) => lockOf(holders, id));
  await store.fill(
    store.tableName("LocksTableName"),
    locks.map((lock) => unmarshall(lockItem(source, lock))),
  );
  return source;
}

/** Takes all locks of a source off, many at a time. */
async function unlockAll({ locks }: Ports, source: LockedSource): Promise<void> {
  let from: string | undefined;
  const held: Lock[] = [];
  do {
    const page = await locks.of(source, false, 1_000, from);
    held.push(...page.items);
    from = page.next;
  } while (from !== undefined);
  for (let start = 0; start < held.length; start += IN_FLIGHT) {
    const now = held.slice(start, start + IN_FLIGHT);
    await Promise.all(now.map(({ holder: id, value }) => locks.remove(source, id, [value])));
  }
}

async function holder(store: Store, holders: LockScale["holders"]): Promise<string> {
  const id = newId();
  await (holders === "clones"
    ? store.fill(store.tableName("VolumesTableName"), [unmarshall(volumeItem(clone(id)))])
    : store.fill(store.tableName("SnapshotsTableName"), [unmarshall(snapshotItem(snapshot(id)))]));
  return id;
}

function lockOf(holders: LockScale["holders"], id: string): Lock {
  return { holder: id, value: holders === "clones" ? fenceOf(id, 1) : SNAPSHOT_LOCK };
}

/** A volume that is being created. */
function clone(id: string): VolumeRecord {
  return buildCreateRequest(GIB, new Date(0), { volumeId: id, requestId: `req-${newId()}` }).record;
}

function snapshot(id: string): SnapshotRecord {
  return {
    id,
    volume_id: newId(),
    project_id: "project",
    user_id: "user",
    status: "available",
    display_name: null,
    volume_size: 1,
    host: "host@backend#pool",
    provider_location: null,
    glance_metadata: {},
    created_at: new Date(0).toISOString(),
  };
}
