import { LARGEST_RECORD_BYTES, recordBytes } from "../../../core/byte-budget.ts";
import { requireItemSize } from "./item-size.ts";
import { cutForAttempt, cutForWrite, type Expendable, type RecordCut } from "../../../core/record-room.ts";
import {
  FenceLost,
  InvalidInput,
  InvalidVolume,
  UnreadableRecord,
  VolumeDeleteRequested,
  VolumeNotFound,
} from "../../../core/errors.ts";
import type {
  AttachmentChange,
  AttemptClose,
  Clock,
  ExtensionEnd,
  Found,
  Lock,
  MapChange,
  Owner,
  Page,
  RemovalOptions,
  Unreadable,
  VolumeDetails,
  VolumeFilter,
  VolumeRepository,
} from "../../../core/ports.ts";
import { countedWhileExtending } from "../../../core/projects.ts";
import {
  isInFlow,
  SNAPSHOT_LOCK,
  isUntouched,
  type Attempt,
  type CopyProgress,
  type Fault,
  type ModelUpdate,
  type VolumeExtension,
  type VolumePhase,
  type VolumeRecord,
  type VolumeStatus,
} from "../../../core/records.ts";

type Change = Partial<VolumeRecord>;

const UNREADABLE = "size must be a number, not a text";

/** Volumes in memory, under the contract of the port: records are copied in and out, and every write is fenced. */
export class VolumesFake implements VolumeRepository {
  readonly records = new Map<string, VolumeRecord>();
  /** Ids of records that are there and cannot be read. */
  readonly unreadable = new Set<string>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async get(volumeId: string): Promise<VolumeRecord> {
    const record = this.records.get(volumeId);
    if (this.unreadable.has(volumeId)) {
      throw new UnreadableRecord("volume", volumeId, UNREADABLE);
    }
    if (record === undefined) {
      throw new VolumeNotFound(volumeId);
    }
    return structuredClone(record);
  }

  async getMany(volumeIds: readonly string[]): Promise<Found<VolumeRecord>> {
    const stored = [...new Set(volumeIds)].flatMap((id) => this.records.get(id) ?? []);
    const { items, unreadable } = this.#readable(stored);
    const found = new Map(items.map((record) => [record.id, structuredClone(record)]));
    return unreadable.length === 0 ? found : Object.assign(found, { unreadable });
  }

  #readable(stored: readonly VolumeRecord[]): { items: VolumeRecord[]; unreadable: Unreadable[] } {
    const items = stored.filter(({ id }) => !this.unreadable.has(id));
    const bad = stored.filter(({ id }) => this.unreadable.has(id));
    return { items, unreadable: bad.map(({ id, host }) => ({ id, host, reason: UNREADABLE })) };
  }

  async list(filter: VolumeFilter, limit: number, from?: string): Promise<Page<VolumeRecord>> {
    const matching = [...this.records.values()].filter(
      ({ status, host, display_name, project_id }) =>
        (filter.status ?? status) === status &&
        (filter.host === undefined || [host, host?.split("#")[0]].includes(filter.host)) &&
        (filter.name ?? display_name) === display_name &&
        (filter.projectId ?? project_id) === project_id,
    );
    const page = pageOf(structuredClone(matching), limit, from);
    const { items, unreadable } = this.#readable(page.items);
    return { ...page, items, ...(unreadable.length > 0 && { unreadable }) };
  }

  async create(record: VolumeRecord): Promise<void> {
    if (this.records.has(record.id)) {
      throw new InvalidInput(`volume ${record.id} exists already`);
    }
    requireItemSize(record);
    this.records.set(record.id, structuredClone(record));
  }

  async assignHost(
    owner: Owner,
    host: string,
    availabilityZone: string,
    attempt: Attempt,
    deadline: Date,
  ): Promise<VolumeRecord> {
    const found = await this.get(owner.volumeId);
    const stray = found.status === "error" && isUntouched(found);
    if (!stray && !isFreeInFlow(found, owner.fence)) {
      return found.fence === owner.fence && found.host !== null ? found : refuse(owner.fence, found);
    }
    return this.#roomy(opened(found, owner), "history", (room) => ({
      ...(stray && { status: "creating" }),
      host,
      availability_zone: availabilityZone,
      scheduled_at: attempt.started_at,
      fence: owner.fence,
      attempts: { ...room.attempts, [owner.attempt]: attempt },
      phase: "scheduled",
      deadline: deadline.toISOString(),
    }));
  }

  async beginCreate(owner: Owner, deadline: Date): Promise<VolumeRecord> {
    return this.#put(await this.#owned(owner), { phase: "creating", deadline: deadline.toISOString() });
  }

  async persistModelUpdate(
    owner: Owner,
    update: ModelUpdate,
    phase: VolumePhase,
    status?: VolumeStatus,
  ): Promise<void> {
    this.#put(await this.#owned(owner), { ...update, phase, ...(status !== undefined && { status }) });
  }

  async saveProgress(owner: Owner, progress: CopyProgress, deadline: Date): Promise<void> {
    const found = await this.#owned(owner);
    const { progress: saved } = found;
    const newer = saved === null || saved.image_tag !== progress.image_tag || saved.bytes_done <= progress.bytes_done;
    if (newer) {
      this.#put(found, { progress, phase: "copying", deadline: deadline.toISOString() });
    }
  }

  async markBootable(owner: Owner, glanceMetadata: Record<string, string>): Promise<void> {
    this.#put(await this.#owned(owner), { bootable: true, glance_metadata: glanceMetadata });
  }

  async markAvailable(
    owner: Owner,
    status: VolumeStatus,
    launchedAt: Date,
    update: ModelUpdate,
  ): Promise<VolumeRecord> {
    const found = await this.get(owner.volumeId);
    if (found.fence === owner.fence && found.launched_at !== null && found.fault === null) {
      return found;
    }
    requireOwned(owner, found);
    const at = launchedAt.toISOString();
    return this.#end(opened(found, owner), (room) => ({
      ...update,
      status,
      launched_at: at,
      attempts: closed(room, owner, { outcome: "created", ended_at: at }),
      deadline: null,
      phase: null,
      progress: null,
      fault: null,
    }));
  }

  async markError(owner: Owner, fault: Fault): Promise<VolumeRecord> {
    const found = await this.get(owner.volumeId);
    if (found.fence === owner.fence && found.status === "error") {
      return found;
    }
    requireOwned(owner, found);
    return this.#end(opened(found, owner), (room) => ({
      status: "error",
      fault,
      attempts: closed(room, owner, {
        outcome: "error",
        ended_at: fault.at,
        error: fault.error,
        cause: fault.cause,
      }),
      deadline: null,
      progress: null,
    }));
  }

  async releaseForReschedule(owner: Owner, next: Owner, close: AttemptClose, deadline: Date): Promise<VolumeRecord> {
    const found = await this.get(owner.volumeId);
    if (found.fence === next.fence) {
      return found;
    }
    requireOwned(owner, found);
    if ((close.clearedPhase ?? found.phase) !== found.phase) {
      throw new Error("it has moved on");
    }
    const at = close.at.toISOString();
    return this.#roomy(opened(found, owner), "history", (room) => ({
      status: found.status === "downloading" ? "creating" : found.status,
      fence: next.fence,
      host: null,
      phase: "queued",
      bootable: false,
      glance_metadata: {},
      provider_location: null,
      progress: null,
      scheduled_at: at,
      deadline: deadline.toISOString(),
      attempts: closed(room, owner, {
        outcome: close.outcome,
        ended_at: at,
        error: close.error,
        cause: close.cause,
        ...(close.suspectedOrphan && { suspected_orphan: true }),
      }),
    }));
  }

  async markUnschedulable(volumeId: string, expectedFence: string | null, fault: Fault): Promise<VolumeRecord> {
    const found = await this.get(volumeId);
    const free = isFreeInFlow(found, expectedFence);
    if (free) {
      return this.#end(found, () => ({ status: "error", fault, deadline: null, progress: null }));
    }
    const repeated =
      (found.fence === null || found.fence === expectedFence) &&
      found.status === "error" &&
      found.fault?.error === fault.error;
    return repeated ? found : refuse(expectedFence ?? "nobody", found);
  }

  async requeue(volume: VolumeRecord, next: Owner, deadline: Date): Promise<VolumeRecord> {
    const found = await this.get(volume.id);
    if (found.fence === next.fence && isInFlow(found)) {
      return found;
    }
    const { fence, host, phase, status } = found;
    const asRead = fence === volume.fence && host === volume.host && phase === volume.phase && status === volume.status;
    if (!asRead || found.delete_requested_at !== null) {
      throw new InvalidVolume(`volume ${found.id} is ${status}: it has changed since it was read`);
    }
    return this.#put(found, {
      status: "creating",
      fence: next.fence,
      host: null,
      phase: "queued",
      bootable: false,
      glance_metadata: {},
      provider_location: null,
      progress: null,
      fault: null,
      deadline: deadline.toISOString(),
    });
  }

  async listOverdue(now: Date, limit: number, from?: string): Promise<Page<{ id: string; deadline: string }>> {
    const overdue = [...this.records.values()].flatMap(({ id, deadline }) =>
      deadline !== null && deadline < now.toISOString() ? [{ id, deadline }] : [],
    );
    return pageOf(
      overdue.toSorted((a, b) => (a.deadline < b.deadline ? -1 : 1)),
      limit,
      from,
    );
  }

  async forgetDeadline(volumeId: string, deadline: string): Promise<void> {
    const found = this.records.get(volumeId);
    const isWanted =
      found?.delete_requested_at === null || !["deleting", "error_deleting"].includes(found?.status ?? "");
    if (found?.deadline === deadline && isWanted && !isInFlow(found)) {
      this.#put(found, { deadline: null, delete_requested_at: null });
    }
  }

  async beginDelete(volumeId: string, deadline: Date, options: RemovalOptions = {}): Promise<VolumeRecord> {
    const { force = false, snapshots = [] } = options;
    const found = await this.get(volumeId);
    const deletable =
      force ||
      [
        "available",
        "error",
        "error_deleting",
        "error_extending",
        "error_restoring",
        "error_managing",
        "migration_target",
        "deleting",
      ].includes(found.status);
    const isBegun =
      found.delete_requested_at !== null &&
      found.deadline !== null &&
      ["deleting", "error_deleting"].includes(found.status);
    const isLocked =
      Object.keys(found.locks).length !== snapshots.length ||
      snapshots.some((snapshotId) => found.locks[snapshotId] !== SNAPSHOT_LOCK);
    const isUsed = found.attach_status === "attached" || isLocked;
    if (!isBegun && (found.deadline !== null || !deletable || isUsed)) {
      throw new InvalidVolume(`volume ${volumeId} is ${found.status}`);
    }
    return this.#end(found, (room) => ({
      status: "deleting",
      delete_requested_at: room.delete_requested_at ?? this.#clock.now().toISOString(),
      deadline: deadline.toISOString(),
    }));
  }

  async resetStatus(volumeId: string, status: VolumeStatus): Promise<VolumeRecord> {
    const found = await this.get(volumeId);
    if (found.status === "deleting" && found.deadline !== null && found.delete_requested_at !== null) {
      throw new InvalidVolume(`volume ${volumeId} is being removed: wait until it is gone or in error_deleting`);
    }
    const at = this.#clock.now().toISOString();
    return this.#end(found, () => ({
      status,
      reset_at: at,
      deadline: null,
      delete_requested_at: null,
      progress: null,
    }));
  }

  async finishDelete(volumeId: string): Promise<void> {
    const found = this.records.get(volumeId);
    if (found !== undefined && (found.status !== "deleting" || found.deadline === null)) {
      throw new InvalidVolume(`volume ${volumeId} is ${found.status}, and its removal was taken back`);
    }
    this.records.delete(volumeId);
  }

  async requestDelete(volumeId: string, deadline: Date): Promise<VolumeRecord> {
    const found = await this.get(volumeId);
    if (!isInFlow(found)) {
      throw new InvalidVolume(`volume ${volumeId} is ${found.status}, not being created`);
    }
    return this.#end(found, (room) => ({
      delete_requested_at: room.delete_requested_at ?? this.#clock.now().toISOString(),
      deadline: room.deadline ?? deadline.toISOString(),
    }));
  }

  async beginRequestedDelete(volumeId: string, fence: string | null, deadline: Date): Promise<VolumeRecord> {
    const found = await this.get(volumeId);
    const removable = isInFlow(found) || found.status === "deleting" || found.status === "error_deleting";
    if (found.fence !== fence || found.delete_requested_at === null || !removable) {
      refuseAsForeign(fence, found);
    }
    return this.#end(found, () => ({ status: "deleting", deadline: deadline.toISOString(), progress: null }));
  }

  async markErrorDeleting(volumeId: string, fence: string | null, fault: Fault): Promise<void> {
    const found = await this.get(volumeId);
    if (found.fence !== fence || found.delete_requested_at === null || found.status !== "deleting") {
      refuseAsForeign(fence, found);
    }
    this.#end(found, () => ({ status: "error_deleting", fault }));
  }

  async changeDetails(volumeId: string, change: VolumeDetails): Promise<VolumeRecord> {
    const found = await this.get(volumeId);
    const { displayName, displayDescription, bootable, metadata, glanceMetadata, messageDeleted } = change;
    return this.#put(found, {
      ...(displayName !== undefined && { display_name: displayName }),
      ...(displayDescription !== undefined && { display_description: displayDescription }),
      ...(bootable !== undefined && { bootable }),
      ...(messageDeleted !== undefined && { message_deleted: messageDeleted }),
      metadata: changedMap(found.metadata, metadata),
      glance_metadata: changedMap(found.glance_metadata, glanceMetadata),
    });
  }

  async changeType(volume: VolumeRecord, volumeTypeId: string | null): Promise<VolumeRecord | undefined> {
    const found = this.records.get(volume.id);
    const isUnchanged = found?.status === "available" && isAsRead(found, volume);
    return isUnchanged ? this.#put(found, { volume_type_id: volumeTypeId }) : undefined;
  }

  async beginExtend(volume: VolumeRecord, extension: VolumeExtension, deadline: Date): Promise<VolumeRecord> {
    const found = await this.get(volume.id);
    if (found.extension?.id === extension.id) {
      return found;
    }
    const isUnchanged = found.status === volume.status && found.size === volume.size && isAsRead(found, volume);
    if (!isUnchanged || found.deadline !== null) {
      throw new InvalidVolume(`volume ${found.id} is ${found.status}: it has changed since it was read`);
    }
    const counted = extension.counted === true ? { quota_size: countedWhileExtending(volume, extension.size) } : {};
    return this.#put(found, { status: "extending", extension, deadline: deadline.toISOString(), ...counted });
  }

  async keepExtensionClaim(volumeId: string, number: number, claimedAt: string): Promise<VolumeRecord> {
    const found = await this.get(volumeId);
    const { extension } = found;
    const isMine = found.status === "extending" && found.deadline !== null && extension?.number === number;
    if (!isMine || (extension.claimed_at ?? claimedAt) !== claimedAt) {
      throw new FenceLost(volumeId, `extension ${number}`, `it is ${found.status}`);
    }
    return this.#put(found, { extension: { ...extension, claimed_at: claimedAt } });
  }

  async endExtend(volumeId: string, number: number, end: ExtensionEnd): Promise<VolumeRecord> {
    const found = await this.get(volumeId);
    const { extension } = found;
    if (found.status === "extending" && found.deadline !== null && extension?.number === number) {
      const { outcome } = end;
      const failure = end.outcome === "failed" ? { error: end.error, cause: end.cause } : {};
      return this.#end(found, () => ({
        status: end.status,
        size: end.outcome === "extended" ? end.size : found.size,
        extension: { ...extension, outcome, ended_at: end.at.toISOString(), ...failure },
        ...(end.outcome === "failed" && end.quotaSize !== undefined && { quota_size: end.quotaSize }),
        deadline: null,
      }));
    }
    if (extension?.number === number && extension.outcome !== undefined) {
      return found;
    }
    throw new FenceLost(volumeId, `extension ${number}`, `it is ${found.status}`);
  }

  async changeAttachments(volume: VolumeRecord, change: AttachmentChange): Promise<VolumeRecord | undefined> {
    const found = this.records.get(volume.id);
    if (found === undefined) {
      throw new VolumeNotFound(volume.id);
    }
    if (found.status !== volume.status || found.attach_revision !== volume.attach_revision) {
      return undefined;
    }
    const { attachments, attachStatus, attachedMode, readonly, status = found.status } = change;
    const columns = {
      attach_status: attachStatus === "detached" ? null : attachStatus,
      attachments: attachments !== undefined && Object.keys(attachments).length === 0 ? null : attachments,
      attached_mode: attachedMode,
      readonly,
    };
    const removed = Object.entries(columns).flatMap(([name, value]) => (value === null ? [name] : []));
    const set = Object.fromEntries(
      Object.entries(columns).filter(([, value]) => value !== undefined && value !== null),
    ) as Change;
    const kept = Object.fromEntries(Object.entries(found).filter(([name]) => !removed.includes(name))) as VolumeRecord;
    return this.#put(kept, { ...set, status, attach_revision: (found.attach_revision ?? 0) + 1 });
  }

  async lock(
    volumeId: string,
    lock: Lock,
    statuses: readonly VolumeStatus[],
    projectId: string | null,
  ): Promise<VolumeRecord | undefined> {
    const found = this.records.get(volumeId);
    if (found === undefined || !statuses.includes(found.status)) {
      return undefined;
    }
    if (projectId !== null && found.project_id !== projectId) {
      return undefined;
    }
    const locked = { ...found, locks: { ...found.locks, [lock.holder]: lock.value } };
    requireItemSize(locked);
    this.records.set(volumeId, locked);
    return structuredClone(locked);
  }

  async unlock(volumeId: string, holder: string, values: readonly string[]): Promise<void> {
    const found = this.records.get(volumeId);
    const lock = found?.locks[holder];
    if (found !== undefined && lock !== undefined && values.includes(lock)) {
      const { [holder]: _, ...locks } = found.locks;
      this.records.set(volumeId, { ...found, locks });
    }
  }

  async #owned(owner: Owner): Promise<VolumeRecord> {
    const found = await this.get(owner.volumeId);
    requireOwned(owner, found);
    return found;
  }

  /** @throws InvalidInput when the record would be too large */
  #put(found: VolumeRecord, change: Change): VolumeRecord {
    const record = structuredClone({ ...found, ...change, updated_at: this.#clock.now().toISOString() });
    if (change.deadline !== undefined) {
      delete record.in_flow;
    }
    if (recordBytes(record) > LARGEST_RECORD_BYTES) {
      throw new InvalidInput(`the record of volume ${record.id} has no room left`);
    }
    this.records.set(record.id, record);
    return structuredClone(record);
  }

  /** As {@link VolumesFake.#put}, by which a volume ends: a record that is too full gives up what the end does not need. */
  #end(found: VolumeRecord, changeOf: (found: VolumeRecord) => Change): VolumeRecord {
    return this.#roomy(found, "anything", changeOf);
  }

  #roomy(found: VolumeRecord, expendable: Expendable, changeOf: (found: VolumeRecord) => Change): VolumeRecord {
    const changed = { ...found, ...changeOf(found), updated_at: this.#clock.now().toISOString() };
    const isFull = recordBytes(changed) > LARGEST_RECORD_BYTES;
    const cut = isFull ? cutForWrite(found, recordBytes(found), expendable) : undefined;
    const roomy = without(found, cut);
    return this.#put(roomy, changeOf(roomy));
  }
}

/** The record without the parts that go. */
function without(record: VolumeRecord, cut: RecordCut | undefined): VolumeRecord {
  if (cut === undefined) {
    return record;
  }
  const result = { ...structuredClone(record), dropped: cut.dropped } as Record<string, unknown>;
  for (const [column, key] of cut.paths) {
    if (key !== undefined) {
      Reflect.deleteProperty(result[column] as object, key);
    } else if (column === "request") {
      Reflect.deleteProperty(result, column);
    } else {
      result[column] = column === "metadata" || column === "glance_metadata" ? {} : null;
    }
  }
  return result as VolumeRecord;
}

/** A map with entries set and removed. */
export function changedMap(
  map: Readonly<Record<string, string>>,
  { set = {}, unset = [] }: MapChange = {},
): Record<string, string> {
  return Object.fromEntries(Object.entries({ ...map, ...set }).filter(([key]) => !unset.includes(key)));
}

function isFreeInFlow(found: VolumeRecord, fence: string | null): boolean {
  const wanted = found.delete_requested_at === null;
  return isInFlow(found) && wanted && (found.fence === null || (found.fence === fence && found.host === null));
}

function requireOwned(owner: Owner, found: VolumeRecord): void {
  if (found.fence !== owner.fence || !isInFlow(found) || found.delete_requested_at !== null) {
    refuse(owner.fence, found);
  }
}

function refuse(fence: string, found: VolumeRecord): never {
  if (found.delete_requested_at !== null && (found.fence === null || found.fence === fence)) {
    throw new VolumeDeleteRequested(found.id);
  }
  return refuseAsForeign(fence, found);
}

function refuseAsForeign(fence: string | null, found: VolumeRecord): never {
  throw new FenceLost(
    found.id,
    fence ?? "nobody",
    `it is ${found.status} and belongs to ${found.fence ?? "no attempt"}`,
  );
}

/** The record with room in its ledger for the owner's line. */
function opened(found: VolumeRecord, owner: Owner): VolumeRecord {
  return without(found, cutForAttempt(found, owner.attempt));
}

/** The ledger with the owner's line closed; an attempt that never had a host gets its line here. */
function closed(found: VolumeRecord, owner: Owner, close: Partial<Attempt>): Record<string, Attempt> {
  const line: Attempt = found.attempts[owner.attempt] ?? {
    host: null,
    execution: owner.fence,
    started_at: close.ended_at ?? "",
    outcome: "running",
  };
  return { ...found.attempts, [owner.attempt]: { ...line, ...close } };
}

/** A page whose `next` is the position of what follows. */
export function pageOf<Item>(items: Item[], limit: number, from = "0"): Page<Item> {
  const start = Number(from);
  const end = start + limit;
  return { items: items.slice(start, end), ...(end < items.length && { next: String(end) }) };
}

/** Type and last extension are those that were read. */
function isAsRead(found: VolumeRecord, read: VolumeRecord): boolean {
  return found.volume_type_id === read.volume_type_id && found.extension?.number === read.extension?.number;
}
