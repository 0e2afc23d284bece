import type { ImageMeta } from "../../core/drivers/driver-ports.ts";
import { IMAGE_CACHE_PROJECT_ID, type ImageCacheEntry } from "../../core/image-cache/image-cache.ts";
import type { WorkflowInput } from "../../core/requests/messages.ts";
import {
  type BackendRecord,
  type Attempt,
  fenceOf,
  type SnapshotRecord,
  type VolumeRecord,
} from "../../core/records.ts";
import { deadlineAfter, PHASE_BOUND_SECONDS } from "../../core/settings/time-bounds.ts";
import { beginningSnapshot, queuedVolume } from "../../test/support/records.ts";
import { type Account, START } from "../../simulation/account.ts";
import { METADATA, type Made } from "./expected.ts";
import type { Fault } from "../../simulation/faults.ts";
import {
  FIRST_HOST,
  IMAGE,
  SECOND_HOST,
  SECRET,
  SNAPSHOT,
  SOURCE,
  uuidOf,
  VOLUME,
} from "../../simulation/identifiers.ts";
import { TRUNCATED_BYTES } from "../../simulation/stores.ts";
import { anImage } from "../../test/support/builders.ts";

/** The definition of a scenario, and the initial records, backends and images. */

/** How a scenario may end for a volume: its status, or `gone`. */
export type End = "available" | "migration_target" | "error" | "gone";

export type Scenario = {
  name: string;
  /** The end of the scenario's own run, without a cell's fault. */
  end: End;
  /** The longest until its own run has decided every volume, in seconds: a net that acts later than that replaces an earlier one. */
  withinSeconds?: number;
  /** Ends that no fault may lead to: what a project must not get. */
  never?: readonly End[];
  /** The content of its created volume, alone or under a fault. */
  makes?: Made;
  /** Within how many seconds each schedule ticks first, for a scenario that needs the audit. Absent: within its period. */
  firstTickWithinSeconds?: number;
  /** Alarms that must go off in its own run. */
  alarms?: readonly string[];
  /** For a scenario that does much alike: how many of its cells a run tries, another part of them for each seed. Absent: all. */
  mostCells?: number;
  /** Faults that make the scenario what it is. */
  faults?: readonly Fault[];
  /** Puts records, backends and images there, and sends what begins it. Returns the volumes that were asked for. */
  begin(account: Account): string[];
};

export const CONTEXT = {
  request_id: "req-1",
  user_id: "user",
  project_id: "project",
  is_admin: false,
  roles: ["member"],
};

/** Two backends, of which the first is preferred, and a volume that waits for its message. */
export function arrange(account: Account, columns: Partial<VolumeRecord> = {}): void {
  account.stores.addBackend(FIRST_HOST, START);
  account.stores.addBackend(SECOND_HOST, START, 20);
  addQueued(account, columns);
  account.subject = VOLUME;
}

export function addQueued(account: Account, columns: Partial<VolumeRecord> = {}): void {
  const deadline = deadlineAfter(account.now(), PHASE_BOUND_SECONDS.queued).toISOString();
  const volume = queuedVolume({
    id: VOLUME,
    project_id: "project",
    size: 2,
    created_at: START,
    deadline,
    metadata: METADATA,
    ...columns,
  });
  account.stores.volumes.records.set(volume.id, volume);
}

/** The cast as Cinder's API makes it, with a token that must go no further. */
export function castOf(keys: Record<string, unknown> = {}): string {
  return JSON.stringify({
    context: { ...CONTEXT, auth_token: SECRET },
    volume_id: VOLUME,
    image_id: null,
    snapshot_id: null,
    source_volid: null,
    request_spec: { volume_id: VOLUME, volume_properties: { size: 2 } },
    filter_properties: {},
    ...keys,
  });
}

export function send(account: Account, keys: Record<string, unknown> = {}): string[] {
  account.queues.sendTogether([castOf(keys)]);
  return [VOLUME];
}

/**
 * Begins with the volume on the first backend, claimed, and its execution started: what the scheduler has checked may have changed since.
 */
export function startScheduled(account: Account, keys: Partial<WorkflowInput>): string[] {
  const fence = fenceOf(VOLUME, 1);
  const record = account.stores.volumes.records.get(VOLUME);
  if (record === undefined) {
    throw new Error("the scenario has no volume");
  }
  const line: Attempt = { host: FIRST_HOST, execution: fence, started_at: START, outcome: "running" };
  account.stores.volumes.records.set(VOLUME, {
    ...record,
    host: FIRST_HOST,
    fence,
    phase: "scheduled",
    attempts: { 1: line },
  });
  countOn(account, FIRST_HOST, record.size, { [VOLUME]: { attempt: 1, size: record.size, claimed_at: START } });
  account.executions.start({
    context: CONTEXT,
    volume_id: VOLUME,
    attempt: 1,
    fence,
    host: FIRST_HOST,
    image_id: null,
    snapshot_id: null,
    source_volid: null,
    request_spec: { volume_id: VOLUME, volume_properties: { size: record.size } },
    filter_properties: {},
    allow_reschedule: false,
    reschedule_failure: null,
    ...keys,
  });
  return [VOLUME];
}

/** An available volume on the first backend. */
export const LOST = { status: "available", host: FIRST_HOST, phase: null, deadline: null, launched_at: START } as const;

/** A source volume, on the first backend. */
export function addSource(account: Account, columns: Partial<VolumeRecord> = {}): void {
  const source = queuedVolume({
    id: SOURCE,
    project_id: "project",
    size: 1,
    ...LOST,
    ...columns,
  });
  account.stores.volumes.records.set(SOURCE, source);
  driverOf(account, FIRST_HOST).volumes.set(SOURCE, { from: "nothing" });
  countOn(account, FIRST_HOST, 1);
}

/** Counts GiB on a backend, as claims and reports have done, with the claims that are still open. */
export function countOn(account: Account, host: string, size: number, claims: BackendRecord["claims"] = {}): void {
  const { records } = account.stores.backends;
  const backend = records.get(host);
  if (backend === undefined) {
    throw new Error(`the scenario has no backend ${host}`);
  }
  records.change(host, {
    allocated_capacity_gb: backend.allocated_capacity_gb + size,
    provisioned_capacity_gb: backend.provisioned_capacity_gb + size,
    free_capacity_gb: Number(backend.free_capacity_gb) - size,
    claims: { ...backend.claims, ...claims },
  });
}

export function addSnapshot(account: Account, columns: Partial<SnapshotRecord> = {}): void {
  const snapshot = beginningSnapshot({
    id: SNAPSHOT,
    volume_id: SOURCE,
    project_id: "project",
    status: "available",
    volume_size: 1,
    host: FIRST_HOST,
    glance_metadata: { image_name: "cirros" },
    ...columns,
  });
  account.stores.snapshots.records.set(SNAPSHOT, snapshot);
  driverOf(account, FIRST_HOST).snapshots.add(SNAPSHOT);
}

export function addImage(account: Account, attributes: Partial<ImageMeta> = {}): void {
  const properties = { os_distro: "cirros" };
  account.stores.imageMetas.set(IMAGE, anImage({ id: IMAGE, properties, ...attributes }));
}

/** A lock that a scenario begins with: of a create that left no record, as they were before creates took theirs off. */
export const STALE_LOCK = "stale";

/** Properties by which the cache identifies an image's content. */
export const STRONG_HASH = { os_hash_algo: "sha512", os_hash_value: "ab".repeat(64) };

export function metaOf(account: Account): ImageMeta {
  const meta = account.stores.imageMetas.get(IMAGE);
  if (meta === undefined) {
    throw new Error("the scenario has no image");
  }
  return meta;
}

/** A cached volume on the first backend: by its number, of another image than the scenario's unless the entry's id is given. */
export function addCached(
  account: Account,
  number: number,
  columns: Partial<VolumeRecord> = {},
  entryId?: string,
): void {
  const id = uuidOf(number);
  const imageId = entryId === undefined ? uuidOf(30 + number) : IMAGE;
  const fence = fenceOf(id, 1);
  const line = { host: FIRST_HOST, execution: fence, started_at: START };
  const isMade = columns.status === undefined;
  const attempt: Attempt = isMade ? { ...line, outcome: "created", ended_at: START } : { ...line, outcome: "running" };
  const keys = { ...LOST, project_id: IMAGE_CACHE_PROJECT_ID, fence, attempts: { 1: attempt } };
  account.stores.volumes.records.set(id, queuedVolume({ id, size: 2, ...keys, ...columns }));
  account.stores.imageCacheEntries.addAvailable({
    id: entryId ?? uuidOf(50 + number),
    volume_id: id,
    host: FIRST_HOST,
    image_id: imageId,
    size: 2,
    at: START,
  });
  driverOf(account, FIRST_HOST).volumes.set(id, { from: "image", source: imageId });
  countOn(account, FIRST_HOST, 2);
}

export function entryOf(account: Account, number: number): ImageCacheEntry {
  const found = account.stores.imageCacheEntries.records.get(uuidOf(50 + number));
  if (found === undefined) {
    throw new Error("the scenario has no such entry");
  }
  return found;
}

export function driverOf(account: Account, host: string) {
  const driver = account.stores.drivers.get(host);
  if (driver === undefined) {
    throw new Error(`the scenario has no backend ${host}`);
  }
  return driver;
}

/** Lets a volume or snapshot on the first backend lose bytes behind the flow's back. */
export function truncate(account: Account, id: string): void {
  const driver = driverOf(account, FIRST_HOST);
  driver.truncated.add(id);
  driver.foundBytes.set(id, TRUNCATED_BYTES);
}

/** Lets every backend read other bytes of the image than its document says. */
export function damageImage(account: Account, damage: "shorter" | "other bytes"): void {
  drivers(account).forEach((driver) => driver.damagedImages.set(IMAGE, damage));
}

/** Every backend of the account. */
export function drivers(account: Account) {
  return [...account.stores.drivers.values()];
}

/** Faults of the volume's first create, however often it is tried. */
export function failing(fault: Fault["fault"], visit = "CreateRawVolume#1"): Fault {
  return { visit, call: "driver.createVolume#1", fault };
}
