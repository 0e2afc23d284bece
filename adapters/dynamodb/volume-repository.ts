import { isDeepStrictEqual } from "node:util";
import { INDEXES } from "../../core/settings/environment.ts";
import { InvalidInput, InvalidVolume } from "../../core/errors.ts";
import type {
  AsLocked,
  AttachmentChange,
  AttemptClose,
  ExtensionEnd,
  Found,
  Lock,
  Owner,
  Page,
  VolumeDetails,
  VolumeFilter,
  VolumeRepository,
} from "../../core/ports.ts";
import type {
  Attempt,
  CopyProgress,
  Fault,
  ModelUpdate,
  VolumeExtension,
  VolumePhase,
  VolumeRecord,
  VolumeStatus,
  VolumeSummary,
} from "../../core/records.ts";
import { isOwnedBy, lifecycleOf } from "../../core/volume-lifecycle.ts";
import { TRANSITIONS } from "../../core/volume-transitions.ts";
import { changeItem } from "./details.ts";
import { countLock, forgetLock } from "./locks.ts";
import { find, tryCreate, type Statement, type TableOptions } from "./table.ts";
import { requeueVolume } from "./requeue-volume.ts";
import { readVolume, volumeItem } from "./volume-item.ts";
import { listOverdue } from "./overdue.ts";
import { getVolumes, listSummaries, listVolumes } from "./volume-queries.ts";
import * as attaching from "./volume-attachments.ts";
import * as deletion from "./volume-deletion.ts";
import * as extending from "./volume-extension.ts";
import * as statements from "./volume-statements.ts";
import { refuse, VolumeWriter } from "./volume-writer.ts";

/**
 * Volumes in DynamoDB. A transition that succeeds costs one UpdateItem. One whose condition fails reads the record back, because only the
 * record distinguishes a repeat by its owner, which succeeds, from a late write, which is refused.
 */
export class DynamoDbVolumeRepository implements VolumeRepository {
  readonly #writer: VolumeWriter;

  constructor(options: TableOptions) {
    this.#writer = new VolumeWriter(options);
  }

  get(volumeId: string): Promise<VolumeRecord> {
    return this.#writer.get(volumeId);
  }

  getMany(volumeIds: readonly string[]): Promise<Found<VolumeRecord>> {
    return getVolumes(this.#writer.table, volumeIds);
  }

  listSummaries(volumeIds: readonly string[]): Promise<Found<VolumeSummary>> {
    return listSummaries(this.#writer.table, volumeIds);
  }

  list(filter: VolumeFilter, limit: number, from?: string): Promise<Page<VolumeRecord>> {
    return listVolumes(this.#writer.table, filter, limit, from);
  }

  /** Also succeeds when an equal record exists, so a put whose answer was lost may be repeated. */
  async create(record: VolumeRecord): Promise<void> {
    if (await tryCreate(this.#writer.table, volumeItem(record))) {
      return;
    }
    const stored = await find(this.#writer.table, record.id);
    if (stored === undefined || !isDeepStrictEqual(readVolume(stored), record)) {
      throw new InvalidInput(`volume ${record.id} exists already`);
    }
  }

  /**
   * A repeated delivery may have chosen another host: the stored one wins, and the record is returned as it is, whatever its
   * phase. It may even be finished by then, so the caller compares hosts before it acts on one.
   */
  async assignHost(
    owner: Owner,
    host: string,
    availabilityZone: string,
    attempt: Attempt,
    deadline: Date,
  ): Promise<VolumeRecord> {
    const values = {
      ":fence": owner.fence,
      ":host": host,
      ":availability_zone": availabilityZone,
      ":scheduled_at": attempt.started_at,
      ":attempt": attempt,
      ":deadline": deadline.toISOString(),
    };
    const assigned =
      (await this.#addToLedger(owner, statements.ASSIGN_HOST, values, attempt)) ??
      (lifecycleOf(await this.get(owner.volumeId)) === "unclaimed"
        ? await this.#addToLedger(owner, statements.ASSIGN_HOST_IN_ERROR, values, attempt)
        : undefined);
    return this.#writer.madeOrRepeated(assigned, owner, TRANSITIONS.assignHost.isRepeat);
  }

  async #addToLedger(
    owner: Owner,
    prepared: Statement,
    values: Record<string, unknown>,
    line: Attempt,
  ): Promise<VolumeRecord | undefined> {
    const adding = await this.#writer.withLedgerRoom(owner, prepared, values);
    return this.#writer.writeLedger(owner, adding.prepared, adding.values, line);
  }

  async beginCreate(owner: Owner, deadline: Date): Promise<VolumeRecord> {
    const values = { ":fence": owner.fence, ":deadline": deadline.toISOString() };
    const record = await this.#writer.writeAndRead(owner.volumeId, statements.BEGIN_CREATE, values);
    return this.#writer.madeOrRepeated(record, owner);
  }

  async persistModelUpdate(
    owner: Owner,
    update: ModelUpdate,
    phase: VolumePhase,
    status?: VolumeStatus,
  ): Promise<void> {
    const columns = { ...columnsOf(update), ...(status !== undefined && { status }) };
    const values = { ":fence": owner.fence, ":phase": phase, ...placeholders(columns) };
    if (!(await this.#writer.write(owner.volumeId, statements.persistModelUpdate(Object.keys(columns)), values))) {
      await this.#writer.madeOrRepeated(undefined, owner);
    }
  }

  /** A turn that comes late, when a later one has saved more, changes nothing and succeeds: it is the same attempt. */
  async saveProgress(owner: Owner, progress: CopyProgress, deadline: Date): Promise<void> {
    const values = {
      ":fence": owner.fence,
      ":progress": progress,
      ":bytes_done": progress.bytes_done,
      ":image_tag": progress.image_tag,
      ":deadline": deadline.toISOString(),
    };
    const prepared =
      progress.image_tag === undefined ? statements.SAVE_UNTAGGED_PROGRESS : statements.SAVE_PROGRESS_OF_IMAGE;
    if (!(await this.#writer.write(owner.volumeId, prepared, values))) {
      await this.#writer.madeOrRepeated(undefined, owner, TRANSITIONS.saveProgress.isRepeat);
    }
  }

  async markBootable(owner: Owner, glanceMetadata: Record<string, string>): Promise<void> {
    const values = { ":fence": owner.fence, ":glance_metadata": glanceMetadata };
    if (!(await this.#writer.write(owner.volumeId, statements.MARK_BOOTABLE, values))) {
      await this.#writer.madeOrRepeated(undefined, owner);
    }
  }

  /** After its success the volume belongs to its users: whatever status they gave it since, a repeat returns the record. */
  async markAvailable(
    owner: Owner,
    status: VolumeStatus,
    launchedAt: Date,
    update: ModelUpdate,
  ): Promise<VolumeRecord> {
    const at = launchedAt.toISOString();
    const columns = columnsOf(update);
    const values = {
      ":fence": owner.fence,
      ":status": status,
      ":launched_at": at,
      ...placeholders(columns),
    };
    const prepared = statements.markAvailable(Object.keys(columns));
    const record = await this.#writer.writeLedger(owner, prepared, values, unopenedAttempt(owner, at));
    return this.#writer.madeOrRepeated(record, owner, TRANSITIONS.markAvailable.isRepeat);
  }

  async markError(owner: Owner, fault: Fault): Promise<VolumeRecord> {
    const values = {
      ":fence": owner.fence,
      ":fault": fault,
      ":ended_at": fault.at,
      ":error": fault.error,
      ":cause": fault.cause,
    };
    const record = await this.#writer.writeLedger(
      owner,
      statements.MARK_ERROR,
      values,
      unopenedAttempt(owner, fault.at),
    );
    return this.#writer.madeOrRepeated(record, owner, TRANSITIONS.markError.isRepeat);
  }

  async releaseForReschedule(owner: Owner, next: Owner, close: AttemptClose, deadline: Date): Promise<VolumeRecord> {
    const at = close.at.toISOString();
    const values = {
      ":fence": owner.fence,
      ":next": next.fence,
      ":outcome": close.outcome,
      ":ended_at": at,
      ":error": close.error,
      ":cause": close.cause,
      ":deadline": deadline.toISOString(),
    };
    const release = (migrationTarget: boolean): Promise<VolumeRecord | undefined> => {
      const inPhase = close.clearedPhase !== undefined && close.clearedPhase !== null;
      const prepared = statements.releaseForReschedule(close.suspectedOrphan, migrationTarget, inPhase);
      const all = inPhase ? { ...values, ":cleared_phase": close.clearedPhase } : values;
      return this.#writer.writeLedger(owner, prepared, all, unopenedAttempt(owner, at));
    };
    const released = await release(false);
    if (released !== undefined) {
      return released;
    }
    let found = await this.get(owner.volumeId);
    if (found.fence === owner.fence && found.status === "migration_target_creating") {
      const releasedTarget = await release(true);
      if (releasedTarget !== undefined) {
        return releasedTarget;
      }
      found = await this.get(owner.volumeId);
    }
    if (
      isOwnedBy(found, owner.fence) &&
      found.delete_requested_at === null &&
      found.phase !== (close.clearedPhase ?? found.phase)
    ) {
      throw new Error(`Volume ${found.id} has moved on from ${close.clearedPhase} to ${found.phase}`);
    }
    return TRANSITIONS.releaseForReschedule.isRepeat(found, next.fence) ? found : refuse(owner.fence, found);
  }

  async markUnschedulable(volumeId: string, expectedFence: string | null, fault: Fault): Promise<VolumeRecord> {
    const prepared = statements.markUnschedulable(expectedFence !== null);
    const values = { ":fault": fault, ...(expectedFence !== null && { ":fence": expectedFence }) };
    const record = await this.#writer.writeAndRead(volumeId, prepared, values);
    const owner = { volumeId, fence: expectedFence ?? "nobody" };
    return this.#writer.madeOrRepeated(record, owner, (found) =>
      TRANSITIONS.markUnschedulable.isRepeat(found, { error: fault.error, of: expectedFence }),
    );
  }

  requeue(volume: VolumeRecord, next: Owner, deadline: Date): Promise<VolumeRecord> {
    return requeueVolume(this.#writer.table, volume, next, deadline, this.#writer.now);
  }

  listOverdue(now: Date, limit: number, from?: string): Promise<Page<{ id: string; deadline: string }>> {
    return listOverdue(this.#writer.table, INDEXES.volumesByDeadline, now, limit, from);
  }

  async forgetDeadline(volumeId: string, deadline: string): Promise<void> {
    await this.#writer.write(volumeId, statements.FORGET_DEADLINE, { ":deadline": deadline });
  }

  beginDelete(volume: AsLocked, deadline: Date, { force = false } = {}): Promise<VolumeRecord> {
    return deletion.beginDelete(this.#writer, volume, deadline, force);
  }

  async resetStatus(volumeId: string, status: VolumeStatus): Promise<VolumeRecord> {
    const record = await this.#writer.writeAndRead(volumeId, statements.RESET_STATUS, { ":status": status });
    if (record === undefined) {
      const { id } = await this.get(volumeId);
      throw new InvalidVolume(`volume ${id} is being removed: wait until it is gone or in error_deleting`);
    }
    return record;
  }

  /** @throws InvalidVolume when the volume is not in `deleting`. */
  finishDelete(volumeId: string): Promise<void> {
    return deletion.finishDelete(this.#writer, volumeId);
  }

  requestDelete(volumeId: string, deadline: Date): Promise<VolumeRecord> {
    return deletion.requestDelete(this.#writer, volumeId, deadline);
  }

  beginRequestedDelete(volumeId: string, fence: string | null, deadline: Date): Promise<VolumeRecord> {
    return deletion.beginRequestedDelete(this.#writer, volumeId, fence, deadline);
  }

  markErrorDeleting(volumeId: string, fence: string | null, fault: Fault): Promise<void> {
    return deletion.markErrorDeleting(this.#writer, volumeId, fence, fault);
  }

  async changeDetails(volumeId: string, change: VolumeDetails): Promise<VolumeRecord> {
    const { displayName, displayDescription, bootable, metadata = {}, glanceMetadata, messageDeleted } = change;
    const columns = {
      ...(displayName !== undefined && { display_name: displayName }),
      ...(displayDescription !== undefined && { display_description: displayDescription }),
      ...(bootable !== undefined && { bootable }),
      ...(messageDeleted !== undefined && { message_deleted: messageDeleted }),
      updated_at: this.#writer.now.toISOString(),
    };
    const map =
      glanceMetadata === undefined
        ? { column: "metadata", change: metadata }
        : { column: "glance_metadata", change: glanceMetadata };
    const item = await changeItem(this.#writer.table, volumeId, columns, map);
    return item === undefined ? this.get(volumeId) : readVolume(item);
  }

  changeType(volume: VolumeRecord, volumeTypeId: string, retypeId: string): Promise<VolumeRecord | undefined> {
    return extending.changeType(this.#writer, volume, volumeTypeId, retypeId);
  }

  beginExtend(volume: VolumeRecord, extension: VolumeExtension, deadline: Date): Promise<VolumeRecord> {
    return extending.beginExtend(this.#writer, volume, extension, deadline);
  }

  keepExtensionClaim(volumeId: string, number: number, claimedAt: string): Promise<VolumeRecord> {
    return extending.keepExtensionClaim(this.#writer, volumeId, number, claimedAt);
  }

  endExtend(volumeId: string, number: number, end: ExtensionEnd): Promise<VolumeRecord> {
    return extending.endExtend(this.#writer, volumeId, number, end);
  }

  changeAttachments(volume: VolumeRecord, change: AttachmentChange): Promise<VolumeRecord | undefined> {
    return attaching.changeAttachments(this.#writer, volume, change);
  }

  async countLock(
    volumeId: string,
    statuses: readonly VolumeStatus[],
    projectId: string | null,
  ): Promise<VolumeRecord | undefined> {
    const item = await countLock(this.#writer.table, volumeId, statuses, projectId);
    return item === undefined ? undefined : readVolume(item);
  }

  forgetLock(volumeId: string, lock: Lock): Promise<void> {
    return forgetLock(this.#writer.table, volumeId, lock);
  }
}

/** The columns that a driver wants kept. */
function columnsOf({ provider_location }: ModelUpdate): Record<string, string> {
  return provider_location === undefined ? {} : { provider_location };
}

function placeholders(columns: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(columns).map(([column, value]) => [`:${column}`, value]));
}

/** The line of an attempt that never had one. */
function unopenedAttempt(owner: Owner, at: string): Attempt {
  return { host: null, execution: owner.fence, started_at: at, outcome: "running" };
}
