import type { OpenClaim } from "./claims.ts";
import type { DeadLetterRecord } from "./dead-letters/dead-letters.ts";
import type { WorkflowInput } from "./requests/messages.ts";
import type { Notification, NotificationEra } from "./notifications/notifications.ts";
import type {
  AttachStatus,
  Attempt,
  AttemptOutcome,
  BackendRecord,
  CapacityClaim,
  CopyProgress,
  Fault,
  ModelUpdate,
  SnapshotRecord,
  TypeEncryption,
  VolumeAttachment,
  VolumeExtension,
  VolumePhase,
  VolumeRecord,
  VolumeStatus,
  VolumeSummary,
  VolumeTypeRecord,
} from "./records.ts";

/** The outside world, as the tasks see it. Adapters implement these; tests fake them. */

/** The only clock of the core. */
export type Clock = { now(): Date };

/** The attempt that a write belongs to. */
export type Owner = { volumeId: string; fence: string; attempt: number };

/** One claim on a backend: its key (`claimKeyOf`), its attempt, and when it was made. */
export type ClaimRef = { key: string; attempt: number; claimedAt: string };

/** A record that is stored and cannot be read, by its key, with its host where that can be read. */
export type Unreadable = { id: string; host: string | null; reason: string };

/** A page of a listing; `next` is absent on the last one, `unreadable` where every record could be read. */
export type Page<Item> = { items: Item[]; next?: string; unreadable?: Unreadable[] };

/** A whole listing, with the unreadable records; `unreadable` is absent when every record could be read. */
export type Listed<Item> = Item[] & { unreadable?: readonly Unreadable[] };

/**
 * The found records, by id. One that is `unreadable` is there, and must not be taken for one that is not; absent where every record could
 * be read.
 */
export type Found<Item> = Map<string, Item> & { unreadable?: readonly Unreadable[] };

/** Filters of a listing of volumes. A host without its pool, `host@backend`, stands for all of its pools. */
export type VolumeFilter = { status?: string; host?: string; name?: string; projectId?: string };

/**
 * Volumes. Each method that writes is one conditional UpdateItem named for its transition: it succeeds again when its owner
 * repeats it, and throws FenceLost, changing nothing, when the record belongs to another attempt or has left the flow.
 * VolumeNotFound is thrown by all of them when there is no such record.
 */
export interface VolumeRepository {
  get(volumeId: string): Promise<VolumeRecord>;
  /** The records that exist among `volumeIds`, by id; consistent reads. */
  getMany(volumeIds: readonly string[]): Promise<Found<VolumeRecord>>;
  /** As {@link getMany}, without most columns: for a list of names. */
  listSummaries(volumeIds: readonly string[]): Promise<Found<VolumeSummary>>;
  list(filter: VolumeFilter, limit: number, from?: string): Promise<Page<VolumeRecord>>;

  /** Puts a new record. @throws InvalidInput when the id is taken. */
  create(record: VolumeRecord): Promise<void>;
  /** Scheduling's write: the attempt takes the record and its host. Allowed while no attempt, or this attempt, owns it. */
  assignHost(
    owner: Owner,
    host: string,
    availabilityZone: string,
    attempt: Attempt,
    deadline: Date,
  ): Promise<VolumeRecord>;
  /** The backend is about to be asked: from here on it may hold the volume. */
  beginCreate(owner: Owner, deadline: Date): Promise<VolumeRecord>;
  /** The backend holds the volume: stores the driver's result, with the following status and phase. */
  persistModelUpdate(owner: Owner, update: ModelUpdate, phase: VolumePhase, status?: VolumeStatus): Promise<void>;
  /** Progress of long work, and the deadline that follows from it. */
  saveProgress(owner: Owner, progress: CopyProgress, deadline: Date): Promise<void>;
  /** Sets the bootable flag and, in the same write, all of the image's metadata. */
  markBootable(owner: Owner, glanceMetadata: Record<string, string>): Promise<void>;
  /** The last write of a create, with the driver's `model_update`. Repeated it changes nothing and returns the record. */
  markAvailable(owner: Owner, status: VolumeStatus, launchedAt: Date, update: ModelUpdate): Promise<VolumeRecord>;
  /** Ends the flow in `error`. Repeated by the same attempt it returns the record as it is. */
  markError(owner: Owner, fault: Fault): Promise<VolumeRecord>;
  /**
   * Closes the attempt and hands the record to the next one, with no host.
   *
   * @throws Error when the attempt has moved on to another phase than the one in which its backend was cleared: to be tried again
   */
  releaseForReschedule(owner: Owner, next: Owner, close: AttemptClose, deadline: Date): Promise<VolumeRecord>;
  /**
   * Takes into the flow again, for the next attempt, a volume that came to rest in `error`, or waits for a scheduling without an
   * attempt. Its ledger stays. Repeated it changes nothing and returns the record.
   *
   * @param volume the record as it was read, known to have no data on a backend
   * @throws InvalidVolume when it has changed since.
   */
  requeue(volume: VolumeRecord, next: Owner, deadline: Date): Promise<VolumeRecord>;
  /** Ends in `error` a volume that no attempt owns yet: its message was unreadable or found no backend. */
  markUnschedulable(volumeId: string, expectedFence: string | null, fault: Fault): Promise<VolumeRecord>;

  /** Volumes whose deadline has passed, oldest first. Costs nothing when there are none. */
  listOverdue(now: Date, limit: number, from?: string): Promise<Page<{ id: string; deadline: string }>>;
  /**
   * Removes the deadline of a volume whose status does not belong to the flow, although the flow has not ended it: another writer set it.
   * Nothing happens when it has another deadline by now, is back in the flow, or is being deleted. A deletion that was asked for is void
   * when the status says otherwise.
   */
  forgetDeadline(volumeId: string, deadline: string): Promise<void>;

  /**
   * Begins the removal of a volume at rest, or begins it again.
   *
   * @param volume the record as it was before the caller looked for locks
   * @param deadline when the sweep begins it again
   * @param options `force`: any status; without it only an unused or failed volume
   * @throws InvalidVolume when the flow owns the volume, or it was locked since it was read.
   */
  beginDelete(volume: AsLocked, deadline: Date, options?: { force?: boolean }): Promise<VolumeRecord>;
  /**
   * Sets a status by an operator's word (`os-reset_status`). It takes the volume out of the flow or an extension: whatever
   * owned the record is refused at its next write. A deletion that was asked for is void. Repeated it changes nothing.
   *
   * @throws InvalidVolume while a removal is under way, in `deleting`
   */
  resetStatus(volumeId: string, status: VolumeStatus): Promise<VolumeRecord>;

  /** Removes the record of a volume in `deleting`; nothing happens when it is gone. @throws InvalidVolume */
  finishDelete(volumeId: string): Promise<void>;

  /**
   * Records that a volume in the flow is to be deleted. From then on every write of the flow is refused by VolumeDeleteRequested,
   * and what remains is to remove the volume. Repeated it changes nothing.
   *
   * @param deadline when the sweep takes the volume, should it have no deadline yet
   * @throws InvalidVolume when the volume is not in the flow.
   */
  requestDelete(volumeId: string, deadline: Date): Promise<VolumeRecord>;
  /**
   * Begins, or begins again, the removal of a volume whose deletion was requested, in the name of the fence that owns it.
   *
   * @param deadline when the sweep begins it again
   * @throws FenceLost when it belongs to another attempt, or was not asked for.
   */
  beginRequestedDelete(volumeId: string, fence: string | null, deadline: Date): Promise<VolumeRecord>;
  /** The removal did not get through: `error_deleting`, with the reason, until the deadline of {@link beginRequestedDelete}. */
  markErrorDeleting(volumeId: string, fence: string | null, fault: Fault): Promise<void>;

  /**
   * Changes a volume's user-editable fields, in any state: no step of the flow reads them. Keys of `metadata` that are not named stay.
   * Repeated it changes nothing.
   */
  changeDetails(volumeId: string, change: VolumeDetails): Promise<VolumeRecord>;

  /**
   * Gives an available volume another type. Undefined, and nothing changed, when status, type or last extension is not as it was read.
   * Repeated under the same id it returns the record.
   *
   * @param retypeId of the request
   */
  changeType(volume: VolumeRecord, volumeTypeId: string, retypeId: string): Promise<VolumeRecord | undefined>;

  /**
   * Takes a volume at rest into `extending`, if status, size and last extension are still as they were read, and it was not locked since.
   *
   * @param deadline when the sweep continues the extension
   * @throws InvalidVolume when the volume has changed since it was read.
   */
  beginExtend(volume: VolumeRecord, extension: VolumeExtension, deadline: Date): Promise<VolumeRecord>;
  /**
   * Keeps with the extension the claim that it uses. Repeated it changes nothing.
   *
   * @throws FenceLost when the extension uses another claim, or is over.
   */
  keepExtensionClaim(volumeId: string, number: number, claimedAt: string): Promise<VolumeRecord>;
  /**
   * The last write of an extension: the new size and `available`, or what it failed by. Repeated it returns the record as it is.
   *
   * @throws FenceLost when the volume was taken out of `extending` by another hand.
   */
  endExtend(volumeId: string, number: number, end: ExtensionEnd): Promise<VolumeRecord>;

  /**
   * Writes what follows of a volume's attachments, if status and attachments are still as they were read. Undefined, and nothing changed,
   * when they are not: the caller reads the volume again and decides again.
   *
   * @param volume the record by which the change was decided
   */
  changeAttachments(volume: VolumeRecord, change: AttachmentChange): Promise<VolumeRecord | undefined>;

  /**
   * Counts one more lock, which {@link LockRepository.put} has put before: a look for locks before this write no longer lets a removal or
   * an extension begin. Undefined, and nothing changed, when the volume's status is not one of `statuses`, it belongs to another project
   * than `projectId` (null: any), or it does not exist. Repeated it counts again, which does no harm.
   */
  countLock(
    volumeId: string,
    statuses: readonly VolumeStatus[],
    projectId: string | null,
  ): Promise<VolumeRecord | undefined>;
  /** Removes an entry of `locks` that an earlier release has left. Nothing happens when it is gone or has another value. */
  forgetLock(volumeId: string, lock: Lock): Promise<void>;
}

/** Columns of a volume that a change of its attachments sets; absent ones stay, and null removes a column. */
export type AttachmentChange = {
  status?: VolumeStatus;
  attachStatus?: AttachStatus;
  attachments?: Readonly<Record<string, VolumeAttachment>>;
  attachedMode?: string | null;
  readonly?: boolean;
};

/** Changes of a volume; absent fields stay. */
export type VolumeDetails = {
  displayName?: string | null;
  displayDescription?: string | null;
  bootable?: boolean;
  metadata?: MapChange;
  /** Changes of the image's metadata; never together with `metadata`. */
  glanceMetadata?: MapChange;
  /** Time of the fault whose message is to be hidden. */
  messageDeleted?: string;
};

/** Entries of a map to set, and keys to remove; a key is not in both. */
export type MapChange = { set?: Readonly<Record<string, string>>; unset?: readonly string[] };

/** Changes of a snapshot; absent fields stay. */
export type SnapshotDetails = {
  displayName?: string | null;
  displayDescription?: string | null;
  metadata?: MapChange;
  progress?: string;
  updatedAt: Date;
};

/** How an extension ended, and the status that follows. */
export type ExtensionEnd = { status: VolumeStatus; at: Date } & (
  | { outcome: "extended"; size: number }
  | {
      outcome: "failed";
      error: string;
      cause: string;
      /** The volume's new usage of its quota; absent if it does not change. */
      quotaSize?: number;
    }
);

/** A lock on a source: the id of the volume or snapshot that is being made, and its fence or SNAPSHOT_LOCK. */
export type Lock = { holder: string; value: string };

/** A source, and how often it was locked when it was read. */
export type AsLocked = { id: string; times_locked?: number };

/** A volume or a snapshot that others are made of. */
export type LockedSource = { what: "volume" | "snapshot"; id: string };

/**
 * Locks on sources, each under its source, its holder and its value. A lock holds while its holder is in the flow, or exists as a snapshot,
 * and once the source has counted it: see `core/attempt/source-locks.ts`.
 */
export interface LockRepository {
  /**
   * Puts a lock. Returns the mark of this call, with which {@link withdraw} removes it; undefined when the same lock was there, which may be
   * another call's. Repeated it changes nothing but the mark.
   */
  put(source: LockedSource, lock: Lock): Promise<string | undefined>;
  /** Removes the lock of a call that came to nothing, unless another call has put the same lock since. */
  withdraw(source: LockedSource, lock: Lock, mark: string): Promise<void>;
  /** Removes the holder's locks that have one of these values; any other stays. Nothing happens when there is none. */
  remove(source: LockedSource, holder: string, values: readonly string[]): Promise<void>;
  /**
   * A page of a source's locks, those of creates before those of snapshots; consistent.
   *
   * @param creates only those of creates
   */
  of(source: LockedSource, creates: boolean, limit: number, from?: string): Promise<Page<Lock>>;
  /** A page of all locks, in no order. */
  list(limit: number, from?: string): Promise<Page<Lock & { source: LockedSource }>>;
}

/** How an attempt ended. */
export type AttemptClose = {
  outcome: AttemptOutcome;
  error: string;
  cause: string;
  at: Date;
  suspectedOrphan: boolean;
  /** The phase by which the backend was cleared: a volume that has progressed in between has to be cleared again. Absent: any. */
  clearedPhase?: VolumePhase | null;
};

/** Snapshots. */
export interface SnapshotRepository {
  get(snapshotId: string): Promise<SnapshotRecord>;
  /** The records that exist among `snapshotIds`, by id; consistent reads. */
  getMany(snapshotIds: readonly string[]): Promise<Found<SnapshotRecord>>;
  list(limit: number, from?: string): Promise<Page<SnapshotRecord>>;
  listOfVolume(volumeId: string): Promise<SnapshotRecord[]>;
  /** Snapshots whose deadline is before `now`, the longest overdue first. */
  listOverdue(now: Date, limit: number, from?: string): Promise<Page<{ id: string; deadline: string }>>;
  /** Returns the stored record: this one, or the one that was put before under its id. */
  create(record: SnapshotRecord): Promise<SnapshotRecord>;
  markAvailable(snapshotId: string, providerLocation: string | null): Promise<SnapshotRecord>;
  markError(snapshotId: string): Promise<void>;
  /** Counts one more lock on an available snapshot; as that of the volumes. */
  countLock(snapshotId: string, projectId: string | null): Promise<SnapshotRecord | undefined>;
  /** As that of the volumes. */
  forgetLock(snapshotId: string, lock: Lock): Promise<void>;
  /**
   * Sets a status by an operator's word. With `from` only in place of that status.
   *
   * @throws InvalidSnapshot when it has another status by now
   */
  resetStatus(snapshotId: string, status: SnapshotRecord["status"], from?: SnapshotRecord["status"]): Promise<void>;
  /** Changes a snapshot's user-editable fields, in any state. Repeated it changes nothing. */
  changeDetails(snapshotId: string, change: SnapshotDetails): Promise<SnapshotRecord>;
  /** Renames a snapshot, in any state. */
  rename(snapshotId: string, displayName: string | null): Promise<SnapshotRecord>;
  /**
   * Sets `deleting` in place of the status that was read.
   *
   * @param snapshot the record as it was before the caller looked for locks
   * @param deadline when the sweep continues the deletion
   * @throws InvalidSnapshot when it has another status, or was locked since it was read.
   */
  beginDelete(snapshot: AsLocked & Pick<SnapshotRecord, "status">, deadline: Date): Promise<void>;
  /** The deletion did not get through. Nothing happens when the snapshot is not `deleting`. */
  markErrorDeleting(snapshotId: string): Promise<void>;
  delete(snapshotId: string): Promise<void>;
}

/** Volume types. */
export interface VolumeTypeRepository {
  get(volumeTypeId: string): Promise<VolumeTypeRecord>;
  /** The types that exist among `volumeTypeIds`, by id; consistent reads. */
  getMany(volumeTypeIds: readonly string[]): Promise<Found<VolumeTypeRecord>>;
  getByName(name: string): Promise<VolumeTypeRecord>;
  list(limit: number, from?: string): Promise<Page<VolumeTypeRecord>>;
  create(record: VolumeTypeRecord): Promise<void>;
  /** Changes a type. A volume that is being created keeps the extra specs of its request. Repeated it changes nothing. */
  change(volumeTypeId: string, change: VolumeTypeChange): Promise<VolumeTypeRecord>;
  /** Nothing happens when it is gone. */
  delete(volumeTypeId: string): Promise<void>;
}

/** Changes of a volume type; absent fields stay. */
export type VolumeTypeChange = {
  name?: string;
  description?: string | null;
  isPublic?: boolean;
  extraSpecs?: MapChange;
  /** Of private types only; never with `extraSpecs`. */
  access?: MapChange;
  /** Null removes it. */
  encryption?: TypeEncryption | null;
};

/** A backend's report, once for each of its pools. */
export type BackendReport = Omit<
  BackendRecord,
  "allocated_capacity_gb" | "provisioned_capacity_gb" | "claims" | "moves" | "disabled" | "disabled_reason"
>;

/** The capacity that is claimed on a pool at one time: by claims that are open, and by all that were ever made. GiB. */
export type OpenCapacity = { openGib: number; everClaimedGib: number };

/** The bounds within which a claim still fits the backend; null means no bound. See `claimLimits` of the scheduler's rules. */
export type ClaimLimits = { maxProvisionedCapacityGb: number | null; minFreeCapacityGb: number | null };

/**
 * Backends and the capacity that is held on them. A claim is made once, and settled or released once, however often each call
 * is repeated.
 */
export interface BackendRepository {
  /** Every pool that has reported and can be read, in the order of their hosts; consistent. */
  list(): Promise<Listed<BackendRecord>>;
  /** One pool as it is now; undefined when it has never reported. */
  get(host: string): Promise<BackendRecord | undefined>;
  /**
   * Holds `size` GiB for the attempt on a backend as {@link list} gave it. Returns the backend as it is now, or undefined when it no longer
   * fits `limits`, was disabled, or has reported since it was read. Repeated by the same attempt it changes nothing and returns the
   * backend.
   */
  claim(backend: BackendRecord, owner: Owner, size: number, limits: ClaimLimits): Promise<BackendRecord | undefined>;
  /**
   * The open claim of a key and an attempt, wherever it is kept; consistent. For who does not know when it was made, or whether it is
   * open.
   */
  claimOf(host: string, key: string, attempt: number): Promise<CapacityClaim | undefined>;
  /** The claims that are open on a backend, or only those that were made before `before`; consistent. */
  openClaims(host: string, before?: Date): Promise<OpenClaim[]>;
  /** The volume stays on this backend, and the notification was sent: the claim is closed, its capacity stays counted. */
  settle(host: string, claim: ClaimRef): Promise<void>;
  /**
   * The volume stays on this backend, but its notification could not be sent yet: the capacity is counted as after {@link settle}, and the
   * claim stays open, with a size of 0, for the sweep. Repeated it changes nothing.
   */
  settleUnsent(host: string, claim: ClaimRef): Promise<void>;
  /** The volume is not on this backend: the claim is closed and its capacity is given back. Changes nothing once it was settled. */
  release(host: string, claim: ClaimRef): Promise<void>;
  /**
   * The volume is not on this backend any more: gives back its allocated and provisioned capacity, once for each claim, open or settled.
   * The free capacity follows with the backend's next report, which alone knows when the space is free.
   *
   * @param claim the one by which the volume was placed there
   * @param suspectedOrphan whether abandoned work on it may continue: a claim of attempt {@link RETURNED_CAPACITY} and size 0 says so
   */
  returnCapacity(host: string, claim: ClaimRef, size: number, suspectedOrphan?: boolean): Promise<void>;
  /** Whether the claim's capacity was given back, by {@link release} or {@link returnCapacity}. */
  isGivenBack(host: string, claim: ClaimRef): Promise<boolean>;
  /** Removes from the backend's own record what is kept elsewhere by now. May be called at any time. */
  tidy(host: string): Promise<void>;
  /**
   * Takes a pool out of the scheduler's choice, or puts it back; a report leaves that as it is. False when there is no such pool.
   *
   * @param reason why, for people; without one there is none
   */
  setDisabled(host: string, disabled: boolean, reason?: string | null): Promise<boolean>;
  /** The capacity that is claimed on a pool; consistent. For {@link report}, before the driver is asked. */
  openCapacity(host: string): Promise<OpenCapacity>;
  /**
   * Takes a new report; what is claimed stays counted. The one that is received last holds, whatever its time.
   *
   * @param claimed what was claimed before the driver was asked: a volume that was finished in between may or may not be among what the
   *   driver has seen, and is subtracted. By default what is claimed now.
   */
  report(report: BackendReport, claimed?: OpenCapacity): Promise<void>;
}

/** Where scheduler messages go. */
export interface SchedulerQueue {
  /** Casts a request to the scheduler. */
  send(message: Record<string, unknown>): Promise<void>;
  /** Keeps a message that cannot be read, with the reason. */
  sendToDeadLetters(body: string, reason: string): Promise<void>;
}

/** Messages that could not be delivered to the scheduler. */
export interface DeadLetterRepository {
  /** Keeps a dead letter. One that was kept before under its id stays as it is; returned is what stands there. */
  keep(letter: DeadLetterRecord): Promise<DeadLetterRecord>;
  get(id: string): Promise<DeadLetterRecord | undefined>;
  /** In no order. */
  list(limit: number, from?: string): Promise<Page<DeadLetterRecord>>;
  /** The letter's message is about to be sent as the attempt of that fence. Nothing happens when the letter has expired. */
  beginRedrive(id: string, fence: string): Promise<void>;
  /** The message was sent again. Nothing happens when the letter has expired. */
  markRedriven(id: string, at: Date): Promise<void>;
  /** Removes the letter for good. Nothing happens when it is gone. */
  discard(id: string): Promise<void>;
}

/** Starts the workflow. */
export interface WorkflowStarter {
  /** Starts the execution named by the fence; succeeds when it was started before. */
  start(input: WorkflowInput): Promise<void>;
}

/** Publishes notifications. */
export interface Notifier {
  /** Whose payloads its consumers read; Cinder's latest when it does not say. */
  readonly era?: NotificationEra;
  /** @throws NotificationNotSent */
  publish(notification: Notification): Promise<void>;
}

/** Secrets by name. Names travel in configuration and messages, values nowhere. */
export interface Secrets {
  /**
   * The text of a secret. It may be up to a minute old; `renewed` asks for what it is now, when the one at hand was refused.
   *
   * @throws Error that names the secret, and shows nothing of it
   */
  read(name: string, renewed?: boolean): Promise<string>;
}
