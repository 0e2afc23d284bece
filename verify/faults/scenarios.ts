import type { ImageMeta } from "../../core/ports.ts";
import { IMAGE_CACHE_PROJECT_ID, type ImageCacheEntry, imageCacheId } from "../../core/image-cache.ts";
import { type Attempt, fenceOf, type VolumeRecord } from "../../core/records.ts";
import { deadlineAfter, PHASE_BOUND_SECONDS } from "../../core/time-bounds.ts";
import { beginningSnapshot, plainVolumeType, queuedVolume } from "../../test/support/records.ts";
import { type Account, SECRET, START } from "./account.ts";
import type { Fault } from "./faults.ts";

/**
 * What is going on while a fault strikes: creates of every kind, and what the nets do when a create has failed. Together they
 * have to reach every state, every function and every call of a port, or the run fails.
 */

/** How a scenario may end for a volume: its status, or `gone`. */
export type End = "available" | "migration_target" | "error" | "gone";

export type Scenario = {
  name: string;
  /** What the scenario's own run, with no fault of a cell, ends with. */
  end: End;
  /** The longest until its own run rests, in seconds: what a net mends later than that was meant to be mended before it. */
  withinSeconds?: number;
  /** Ends that no fault may lead to: what a project must not get. */
  never?: readonly End[];
  /** Faults that make the scenario what it is. */
  faults?: readonly Fault[];
  /** Puts records, backends and images there, and sends what begins it. Returns the volumes that were asked for. */
  begin(account: Account): string[];
};

export const FIRST_HOST = "node@first#pool";
export const SECOND_HOST = "node@second#pool";

/** A valid UUID of that number. */
export function uuidOf(number: number): string {
  return `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`;
}

const VOLUME = uuidOf(1);
const OTHER_VOLUME = uuidOf(2);
const SOURCE = uuidOf(3);
const SNAPSHOT = uuidOf(4);
const IMAGE = uuidOf(5);
const TYPE = uuidOf(6);

const CONTEXT = { request_id: "req-1", user_id: "user", project_id: "project", is_admin: false, roles: ["member"] };

/** Two backends, of which the first is preferred, and a volume that waits for its message. */
function arrange(account: Account, columns: Partial<VolumeRecord> = {}): void {
  account.stores.addBackend(FIRST_HOST, START);
  account.stores.addBackend(SECOND_HOST, START, 20);
  addQueued(account, columns);
  account.subject = VOLUME;
}

function addQueued(account: Account, columns: Partial<VolumeRecord> = {}): void {
  const deadline = deadlineAfter(account.now(), PHASE_BOUND_SECONDS.queued).toISOString();
  const volume = queuedVolume({ id: VOLUME, project_id: "project", size: 2, created_at: START, deadline, ...columns });
  account.stores.volumes.records.set(volume.id, volume);
}

/** The cast as Cinder's API makes it, with a token that must go no further. */
function castOf(keys: Record<string, unknown> = {}): string {
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

function send(account: Account, keys: Record<string, unknown> = {}): string[] {
  account.queues.sendTogether([castOf(keys)]);
  return [VOLUME];
}

/** An available volume on the first backend. */
const LOST = { status: "available", host: FIRST_HOST, phase: null, deadline: null, launched_at: START } as const;

/** A source volume, on the first backend. */
function addSource(account: Account, columns: Partial<VolumeRecord> = {}): void {
  const source = queuedVolume({
    id: SOURCE,
    project_id: "project",
    size: 1,
    ...LOST,
    ...columns,
  });
  account.stores.volumes.records.set(SOURCE, source);
  driverOf(account, FIRST_HOST).volumes.set(SOURCE, { from: "nothing" });
  const backend = account.stores.backends.records.get(FIRST_HOST);
  if (backend !== undefined) {
    backend.allocated_capacity_gb += 1;
    backend.provisioned_capacity_gb += 1;
    backend.free_capacity_gb = Number(backend.free_capacity_gb) - 1;
  }
}

function addSnapshot(account: Account): void {
  const snapshot = beginningSnapshot({
    id: SNAPSHOT,
    volume_id: SOURCE,
    project_id: "project",
    status: "available",
    volume_size: 1,
    host: FIRST_HOST,
    glance_metadata: { image_name: "cirros" },
  });
  account.stores.snapshots.records.set(SNAPSHOT, snapshot);
  driverOf(account, FIRST_HOST).snapshots.add(SNAPSHOT);
}

function addImage(account: Account, attributes: Partial<ImageMeta> = {}): void {
  account.stores.imageMetas.set(IMAGE, {
    id: IMAGE,
    name: "cirros",
    status: "active",
    disk_format: "raw",
    container_format: "bare",
    size: 1024,
    virtual_size: null,
    min_disk: 0,
    min_ram: 0,
    checksum: "d41d8cd98f00b204e9800998ecf8427e",
    os_hash_algo: null,
    os_hash_value: null,
    owner: "project",
    visibility: "public",
    properties: { os_distro: "cirros" },
    ...attributes,
  });
}

/** What the cache can tell an image's content by. */
const STRONG_HASH = { os_hash_algo: "sha512", os_hash_value: "ab".repeat(64) };

function metaOf(account: Account): ImageMeta {
  const meta = account.stores.imageMetas.get(IMAGE);
  if (meta === undefined) {
    throw new Error("the scenario has no image");
  }
  return meta;
}

/** A cached volume on the first backend: by its number, of another image than the scenario's unless the entry's id is given. */
function addCached(account: Account, number: number, columns: Partial<VolumeRecord> = {}, entryId?: string): void {
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
  const backend = account.stores.backends.records.get(FIRST_HOST);
  if (backend !== undefined) {
    backend.allocated_capacity_gb += 2;
    backend.provisioned_capacity_gb += 2;
    backend.free_capacity_gb = Number(backend.free_capacity_gb) - 2;
  }
}

function entryOf(account: Account, number: number): ImageCacheEntry {
  const found = account.stores.imageCacheEntries.records.get(uuidOf(50 + number));
  if (found === undefined) {
    throw new Error("the scenario has no such entry");
  }
  return found;
}

function driverOf(account: Account, host: string) {
  const driver = account.stores.drivers.get(host);
  if (driver === undefined) {
    throw new Error(`the scenario has no backend ${host}`);
  }
  return driver;
}

/** Every backend of the account. */
function drivers(account: Account) {
  return [...account.stores.drivers.values()];
}

/** Faults of the volume's first create, however often it is tried. */
function failing(fault: Fault["fault"], visit = "CreateRawVolume#1"): Fault {
  return { visit, call: "driver.createVolume#1", fault };
}

const CREATES: Scenario[] = [
  {
    name: "raw",
    withinSeconds: 30,
    end: "available",
    begin: (account) => {
      arrange(account);
      return send(account);
    },
  },
  {
    name: "raw, slow backend",
    end: "available",
    begin: (account) => {
      arrange(account);
      drivers(account).forEach((driver) => (driver.turns = 3));
      return send(account);
    },
  },
  {
    name: "raw, of a type",
    end: "available",
    begin: (account) => {
      arrange(account, { volume_type_id: TYPE });
      account.stores.volumeTypes.records.set(TYPE, plainVolumeType({ id: TYPE, name: "plain" }));
      drivers(account).forEach((driver) => (driver.modelUpdate = { provider_location: "there" }));
      return send(account);
    },
  },
  {
    name: "migration target",
    end: "migration_target",
    begin: (account) => {
      arrange(account, { status: "migration_target_creating", migration_status: "target:x" });
      return send(account);
    },
  },
  {
    name: "snapshot",
    end: "available",
    begin: (account) => {
      arrange(account, { snapshot_id: SNAPSHOT });
      addSource(account);
      addSnapshot(account);
      return send(account, { snapshot_id: SNAPSHOT });
    },
  },
  {
    name: "snapshot of a bootable volume, slow backend",
    end: "available",
    begin: (account) => {
      arrange(account, { snapshot_id: SNAPSHOT });
      addSource(account, { bootable: true, glance_metadata: { image_name: "cirros" } });
      addSnapshot(account);
      drivers(account).forEach((driver) => (driver.turns = 2));
      return send(account, { snapshot_id: SNAPSHOT });
    },
  },
  {
    name: "clone",
    end: "available",
    begin: (account) => {
      arrange(account, { source_volid: SOURCE });
      addSource(account);
      return send(account, { source_volid: SOURCE });
    },
  },
  {
    name: "clone of a bootable volume, slow backend",
    end: "available",
    begin: (account) => {
      arrange(account, { source_volid: SOURCE });
      addSource(account, { bootable: true, glance_metadata: { image_name: "cirros" } });
      drivers(account).forEach((driver) => (driver.turns = 2));
      return send(account, { source_volid: SOURCE });
    },
  },
  {
    name: "image, downloaded",
    withinSeconds: 30,
    end: "available",
    begin: (account) => {
      arrange(account);
      addImage(account);
      drivers(account).forEach((driver) => (driver.chunks = 2));
      return send(account, { image_id: IMAGE });
    },
  },
  {
    name: "image, downloaded, slow backend",
    end: "available",
    begin: (account) => {
      arrange(account);
      addImage(account);
      drivers(account).forEach((driver) => (driver.turns = 2));
      return send(account, { image_id: IMAGE });
    },
  },
  {
    name: "image, cloned",
    end: "available",
    begin: (account) => {
      arrange(account);
      addImage(account);
      drivers(account).forEach((driver) => (driver.clonesImages = true));
      return send(account, { image_id: IMAGE });
    },
  },
  {
    name: "image, cloned, slow backend",
    end: "available",
    begin: (account) => {
      arrange(account);
      addImage(account);
      drivers(account).forEach((driver) => {
        driver.clonesImages = true;
        driver.turns = 2;
      });
      return send(account, { image_id: IMAGE });
    },
  },
  {
    name: "image, downloaded and cached in another one's place",
    end: "available",
    begin: (account) => {
      arrange(account);
      addImage(account, STRONG_HASH);
      account.stores.imageCacheSettings = { maxCount: 1, maxSizeGib: 0 };
      // The least recently used one, with a lock of a create that has left no record, and one of which only a claim was made.
      addCached(account, 20, { locks: { [uuidOf(21)]: "stale" } });
      return send(account, { image_id: IMAGE });
    },
  },
  {
    name: "image, cloned from the cache, slow backend",
    end: "available",
    begin: (account) => {
      arrange(account);
      addImage(account, STRONG_HASH);
      account.stores.imageCacheSettings = { maxCount: 0, maxSizeGib: 0 };
      addCached(account, 20, {}, imageCacheId(FIRST_HOST, IMAGE, metaOf(account)) ?? "");
      drivers(account).forEach((driver) => (driver.turns = 2));
      return send(account, { image_id: IMAGE });
    },
  },
  {
    name: "image, two at once, with a cache",
    end: "available",
    begin: (account) => {
      arrange(account);
      addImage(account, STRONG_HASH);
      account.stores.imageCacheSettings = { maxCount: 0, maxSizeGib: 0 };
      addQueued(account, { id: OTHER_VOLUME });
      const other = {
        volume_id: OTHER_VOLUME,
        request_spec: { volume_id: OTHER_VOLUME, volume_properties: { size: 2 } },
      };
      account.queues.sendTogether([castOf({ image_id: IMAGE }), castOf({ ...other, image_id: IMAGE })]);
      return [VOLUME, OTHER_VOLUME];
    },
  },
  {
    name: "what dead fills of the image cache have left",
    end: "available",
    begin: (account) => {
      arrange(account);
      account.stores.imageCacheSettings = { maxCount: 0, maxSizeGib: 0 };
      addCached(account, 20, { status: "creating", launched_at: null });
      Object.assign(entryOf(account, 20), { state: "copying", lease_until: START });
      addCached(account, 22);
      Object.assign(entryOf(account, 22), { state: "evicting" });
      account.stores.volumes.records.delete(uuidOf(22));
      driverOf(account, FIRST_HOST).volumes.delete(uuidOf(22));
      const backend = account.stores.backends.records.get(FIRST_HOST);
      Object.assign(backend?.claims ?? {}, { [uuidOf(22)]: { attempt: 1, size: 2, claimed_at: START } });
      return send(account);
    },
  },
  {
    name: "two in a batch",
    end: "available",
    begin: (account) => {
      arrange(account);
      addQueued(account, { id: OTHER_VOLUME });
      const other = { volume_id: OTHER_VOLUME, request_spec: { volume_id: OTHER_VOLUME, volume_properties: {} } };
      account.queues.sendTogether([castOf(), castOf(other)]);
      return [VOLUME, OTHER_VOLUME];
    },
  },
];

const FAILURES: Scenario[] = [
  {
    name: "rescheduled",
    withinSeconds: 30,
    end: "available",
    begin: (account) => {
      arrange(account);
      driverOf(account, FIRST_HOST).refuses = true;
      return send(account);
    },
  },
  {
    name: "beside one whose status somebody else has set",
    end: "available",
    begin: (account) => {
      arrange(account);
      addQueued(account, { id: OTHER_VOLUME, status: "error", fence: fenceOf(OTHER_VOLUME, 1) });
      return send(account);
    },
  },
  {
    name: "rescheduled after an uncertain failure",
    withinSeconds: 30,
    end: "available",
    faults: [failing("answer lost, each time")],
    begin: (account) => {
      arrange(account);
      return send(account);
    },
  },
  {
    name: "image, rescheduled",
    end: "available",
    begin: (account) => {
      arrange(account);
      addImage(account);
      driverOf(account, FIRST_HOST).refuses = true;
      return send(account, { image_id: IMAGE });
    },
  },
  {
    name: "refused by every backend",
    withinSeconds: 30,
    end: "error",
    begin: (account) => {
      arrange(account);
      drivers(account).forEach((driver) => (driver.refuses = true));
      return send(account);
    },
  },
  {
    name: "no backend is large enough",
    end: "error",
    begin: (account) => {
      arrange(account, { size: 1000 });
      return send(account);
    },
  },
  {
    name: "no driver is initialized",
    end: "error",
    begin: (account) => {
      arrange(account);
      drivers(account).forEach((driver) => (driver.isInitialized = false));
      return send(account);
    },
  },
  {
    name: "aborted while the backend creates",
    withinSeconds: 30,
    end: "error",
    faults: [failing("aborted")],
    begin: (account) => {
      arrange(account);
      return send(account);
    },
  },
  {
    name: "aborted, and the rule does not hear of it",
    end: "error",
    faults: [failing("aborted, event lost")],
    begin: (account) => {
      arrange(account);
      return send(account);
    },
  },
  {
    name: "the answer of the finish travels no more",
    end: "available",
    faults: [{ visit: "CreateVolumeOnFinish#1", call: "volumes.markAvailable#1", fault: "aborted, event lost" }],
    begin: (account) => {
      arrange(account);
      return send(account);
    },
  },
  {
    name: "the message is lost",
    end: "error",
    faults: [{ visit: "ScheduleVolume#1", call: null, fault: "never delivered" }],
    begin: (account) => {
      arrange(account);
      return send(account);
    },
  },
  {
    name: "the message cannot be read",
    withinSeconds: 30,
    end: "error",
    begin: (account) => {
      arrange(account);
      account.queues.sendTogether([JSON.stringify({ volume_id: VOLUME, context: {}, snapshot_id: "not a UUID" })]);
      return [VOLUME];
    },
  },
  {
    name: "the message names no volume",
    end: "gone",
    begin: (account) => {
      arrange(account);
      account.stores.volumes.records.clear();
      return send(account);
    },
  },
];

/** What a project must not get, and what users do beside a create. */
const OTHERS: Scenario[] = [
  {
    name: "clone of another project's volume",
    end: "error",
    never: ["available"],
    begin: (account) => {
      arrange(account, { source_volid: SOURCE });
      addSource(account, { project_id: "another project" });
      return send(account, { source_volid: SOURCE });
    },
  },
  {
    name: "another project's private image",
    end: "error",
    never: ["available"],
    begin: (account) => {
      arrange(account);
      addImage(account, { owner: "another project", visibility: "private" });
      return send(account, { image_id: IMAGE });
    },
  },
  {
    name: "deleted when available",
    end: "gone",
    begin: (account) => {
      arrange(account);
      account.time.after(60_000, () => account.request("DeleteVolume", { volume_id: VOLUME }));
      return send(account);
    },
  },
  {
    name: "deleted while its backend creates",
    withinSeconds: 30,
    end: "gone",
    begin: (account) => {
      arrange(account);
      drivers(account).forEach((driver) => (driver.turns = 6));
      account.time.after(6000, () => account.request("DeleteVolume", { volume_id: VOLUME }));
      return send(account);
    },
  },
  {
    name: "deleted before it is scheduled",
    end: "gone",
    faults: [{ visit: "ScheduleVolume#1", call: "volumes.assignHost#1", fault: "unknown error" }],
    begin: (account) => {
      arrange(account);
      account.time.after(30_000, () => account.request("DeleteVolume", { volume_id: VOLUME }));
      return send(account);
    },
  },
  {
    name: "source deleted during the clone",
    end: "available",
    begin: (account) => {
      arrange(account, { source_volid: SOURCE });
      addSource(account);
      drivers(account).forEach((driver) => (driver.turns = 5));
      account.time.after(6000, () => account.request("DeleteVolume", { volume_id: SOURCE }));
      return send(account, { source_volid: SOURCE });
    },
  },
  {
    name: "snapshot deleted while it is read",
    end: "available",
    begin: (account) => {
      arrange(account, { snapshot_id: SNAPSHOT });
      addSource(account);
      addSnapshot(account);
      drivers(account).forEach((driver) => (driver.turns = 5));
      account.time.after(6000, () => account.request("DeleteSnapshot", { snapshot_id: SNAPSHOT }));
      return send(account, { snapshot_id: SNAPSHOT });
    },
  },
  {
    name: "audited",
    end: "available",
    begin: (account) => {
      arrange(account);
      addSource(account);
      addSnapshot(account);
      driverOf(account, SECOND_HOST).volumes.set(uuidOf(9), { from: "nothing" });
      driverOf(account, SECOND_HOST).snapshots.add(uuidOf(8));
      // Until the schedule of the audit has come round.
      account.time.after(3_700_000, () => {});
      return send(account);
    },
  },
  {
    name: "audited, and what nobody claims is reaped",
    end: "available",
    begin: (account) => {
      arrange(account);
      addSource(account);
      addSnapshot(account);
      const second = driverOf(account, SECOND_HOST);
      second.volumes.set(uuidOf(9), { from: "nothing" });
      second.snapshots.add(uuidOf(8));
      // Two records of what a backend does not have.
      const { volumes, snapshots } = account.stores;
      volumes.records.set(uuidOf(10), queuedVolume({ ...LOST, id: uuidOf(10), size: 0 }));
      snapshots.records.set(uuidOf(11), beginningSnapshot({ id: uuidOf(11), status: "available", host: FIRST_HOST }));
      account.time.after(4_000_000, () => account.request("AuditBackends", { reap: true, older_than_hours: 1 }));
      return send(account);
    },
  },
  {
    name: "snapshot taken and deleted",
    end: "available",
    begin: (account) => {
      arrange(account);
      const keys = { snapshot_id: SNAPSHOT, volume_id: VOLUME, project_id: "project", user_id: "user" };
      account.time.after(60_000, () => account.request("CreateSnapshot", keys));
      account.time.after(300_000, () => account.request("DeleteSnapshot", { snapshot_id: SNAPSHOT }));
      return send(account);
    },
  },
];

/** In the order of the matrix. */
export const SCENARIOS: readonly Scenario[] = [...CREATES, ...FAILURES, ...OTHERS];
