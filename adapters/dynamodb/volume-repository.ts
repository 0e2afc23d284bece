import { INDEXES } from "../../core/settings/environment.ts";
import type { AttemptClose, ExtensionEnd, Owner, Page, VolumeFilter, VolumeRepository } from "../../core/ports.ts";
import type {
  Attempt,
  CopyProgress,
  Fault,
  ModelUpdate,
  VolumePhase,
  VolumeRecord,
  VolumeStatus,
} from "../../core/records.ts";
import { isOwnedBy, lifecycleOf } from "../../core/volume-lifecycle.ts";
import { TRANSITIONS } from "../../core/volume-transitions.ts";
import { countLock } from "./locks.ts";
import { listOverdue } from "./overdue.ts";
import { requeueVolume } from "./requeue-volume.ts";
import { DynamoDbUserVolumes } from "./user-volumes.ts";
import * as deletion from "./volume-deletion.ts";
import * as extending from "./volume-extension.ts";
import { readVolume } from "./volume-item.ts";
import { addToLedger, unopenedAttempt, writeLedger } from "./volume-ledger.ts";
import { listVolumes } from "./volume-queries.ts";
import * as statements from "./volume-statements.ts";
import { refuse } from "./volume-writer.ts";

/**
 * Volumes in DynamoDB. A transition that succeeds costs one UpdateItem. One whose condition fails reads the record back, because only the
 * record distinguishes a repeat by its owner, which succeeds, from a late write, which is refused.
 */
export class DynamoDbVolumeRepository extends DynamoDbUserVolumes implements VolumeRepository {
  list(filter: VolumeFilter, limit: number, from?: string): Promise<Page<VolumeRecord>> {
    return listVolumes(this.writer.table, filter, limit, from);
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
      (await addToLedger(this.writer, owner, statements.ASSIGN_HOST, values, attempt)) ??
      (lifecycleOf(await this.get(owner.volumeId)) === "unclaimed"
        ? await addToLedger(this.writer, owner, statements.ASSIGN_HOST_IN_ERROR, values, attempt)
        : undefined);
    return this.writer.madeOrRepeated(assigned, owner, TRANSITIONS.assignHost.isRepeat);
  }

  async beginCreate(owner: Owner, deadline: Date): Promise<VolumeRecord> {
    const values = { ":fence": owner.fence, ":deadline": deadline.toISOString() };
    const record = await this.writer.writeAndRead(owner.volumeId, statements.BEGIN_CREATE, values);
    return this.writer.madeOrRepeated(record, owner);
  }

  async persistModelUpdate(
    owner: Owner,
    update: ModelUpdate,
    phase: VolumePhase,
    status?: VolumeStatus,
  ): Promise<void> {
    const columns = { ...columnsOf(update), ...(status !== undefined && { status }) };
    const values = { ":fence": owner.fence, ":phase": phase, ...placeholders(columns) };
    if (!(await this.writer.write(owner.volumeId, statements.persistModelUpdate(Object.keys(columns)), values))) {
      await this.writer.madeOrRepeated(undefined, owner);
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
    if (!(await this.writer.write(owner.volumeId, prepared, values))) {
      await this.writer.madeOrRepeated(undefined, owner, TRANSITIONS.saveProgress.isRepeat);
    }
  }

  async markBootable(owner: Owner, glanceMetadata: Record<string, string>): Promise<void> {
    const values = { ":fence": owner.fence, ":glance_metadata": glanceMetadata };
    if (!(await this.writer.write(owner.volumeId, statements.MARK_BOOTABLE, values))) {
      await this.writer.madeOrRepeated(undefined, owner);
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
    const record = await writeLedger(this.writer, owner, prepared, values, unopenedAttempt(owner, at));
    return this.writer.madeOrRepeated(record, owner, TRANSITIONS.markAvailable.isRepeat);
  }

  async markError(owner: Owner, fault: Fault): Promise<VolumeRecord> {
    const values = {
      ":fence": owner.fence,
      ":fault": fault,
      ":ended_at": fault.at,
      ":error": fault.error,
      ":cause": fault.cause,
    };
    const record = await writeLedger(
      this.writer,
      owner,
      statements.MARK_ERROR,
      values,
      unopenedAttempt(owner, fault.at),
    );
    return this.writer.madeOrRepeated(record, owner, TRANSITIONS.markError.isRepeat);
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
      return writeLedger(this.writer, owner, prepared, all, unopenedAttempt(owner, at));
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
    const record = await this.writer.writeAndRead(volumeId, prepared, values);
    const owner = { volumeId, fence: expectedFence ?? "nobody" };
    return this.writer.madeOrRepeated(record, owner, (found) =>
      TRANSITIONS.markUnschedulable.isRepeat(found, { error: fault.error, of: expectedFence }),
    );
  }

  requeue(volume: VolumeRecord, next: Owner, deadline: Date): Promise<VolumeRecord> {
    return requeueVolume(this.writer.table, volume, next, deadline, this.writer.now);
  }

  listOverdue(now: Date, limit: number, from?: string): Promise<Page<{ id: string; deadline: string }>> {
    return listOverdue(this.writer.table, INDEXES.volumesByDeadline, now, limit, from);
  }

  async forgetDeadline(volumeId: string, deadline: string): Promise<void> {
    await this.writer.write(volumeId, statements.FORGET_DEADLINE, { ":deadline": deadline });
  }

  /** @throws InvalidVolume when the volume is not in `deleting`. */
  finishDelete(volumeId: string): Promise<void> {
    return deletion.finishDelete(this.writer, volumeId);
  }

  beginRequestedDelete(volumeId: string, fence: string | null, deadline: Date): Promise<VolumeRecord> {
    return deletion.beginRequestedDelete(this.writer, volumeId, fence, deadline);
  }

  markErrorDeleting(volumeId: string, fence: string | null, fault: Fault): Promise<void> {
    return deletion.markErrorDeleting(this.writer, volumeId, fence, fault);
  }

  keepExtensionClaim(volumeId: string, number: number, claimedAt: string): Promise<VolumeRecord> {
    return extending.keepExtensionClaim(this.writer, volumeId, number, claimedAt);
  }

  endExtend(volumeId: string, number: number, end: ExtensionEnd): Promise<VolumeRecord> {
    return extending.endExtend(this.writer, volumeId, number, end);
  }

  async countLock(
    volumeId: string,
    statuses: readonly VolumeStatus[],
    projectId: string | null,
  ): Promise<VolumeRecord | undefined> {
    const item = await countLock(this.writer.table, volumeId, statuses, projectId);
    return item === undefined ? undefined : readVolume(item);
  }
}

/** The columns that a driver wants kept. */
function columnsOf({ provider_location }: ModelUpdate): Record<string, string> {
  return provider_location === undefined ? {} : { provider_location };
}

function placeholders(columns: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(columns).map(([column, value]) => [`:${column}`, value]));
}
