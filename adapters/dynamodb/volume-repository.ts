import { isDeepStrictEqual } from "node:util";
import { DeleteItemCommand } from "@aws-sdk/client-dynamodb";
import { FenceLost, InvalidInput, InvalidVolume, VolumeDeleteRequested, VolumeNotFound } from "../../core/errors.ts";
import type { AttemptClose, Clock, Lock, Owner, Page, VolumeFilter, VolumeRepository } from "../../core/ports.ts";
import {
  isInFlow,
  type Attempt,
  type CopyProgress,
  type Fault,
  type ModelUpdate,
  type VolumePhase,
  type VolumeRecord,
  type VolumeStatus,
} from "../../core/records.ts";
import { tryLock, unlock } from "./locks.ts";
import {
  find,
  isConditionFailure,
  isMissingPath,
  tryCreate,
  tryUpdate,
  type Statement,
  type Table,
  type TableOptions,
} from "./table.ts";
import { requeueVolume } from "./requeue-volume.ts";
import { readVolume, volumeItem } from "./volume-item.ts";
import { getVolumes, listOverdueVolumes, listVolumes } from "./volume-queries.ts";
import * as statements from "./volume-statements.ts";

/**
 * Volumes in DynamoDB. A transition that succeeds costs one UpdateItem. One whose condition fails reads the record back, because
 * only the record tells a repeat by its owner, which succeeds, from a write that comes too late, which is refused.
 */
export class DynamoDbVolumeRepository implements VolumeRepository {
  readonly #table: Table;
  readonly #clock: Clock;

  constructor({ client, tableName, clock }: TableOptions) {
    this.#table = { client, tableName, key: "id" };
    this.#clock = clock;
  }

  async get(volumeId: string): Promise<VolumeRecord> {
    const item = await find(this.#table, volumeId);
    if (item === undefined) {
      throw new VolumeNotFound(volumeId);
    }
    return readVolume(item);
  }

  getMany(volumeIds: readonly string[]): Promise<Map<string, VolumeRecord>> {
    return getVolumes(this.#table, volumeIds);
  }

  list(filter: VolumeFilter, limit: number, from?: string): Promise<Page<VolumeRecord>> {
    return listVolumes(this.#table, filter, limit, from);
  }

  /** Succeeds as well when the record stands there as it is, so a put whose answer was lost may be repeated. */
  async create(record: VolumeRecord): Promise<void> {
    if (await tryCreate(this.#table, volumeItem(record))) {
      return;
    }
    const stored = await find(this.#table, record.id);
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
    const assigned = await this.#writeLedger(owner, statements.ASSIGN_HOST, values, attempt);
    if (assigned !== undefined) {
      return assigned;
    }
    let found = await this.get(owner.volumeId);
    if (found.status === "error" && found.fence === null && found.fault === null) {
      const taken = await this.#writeLedger(owner, statements.ASSIGN_HOST_IN_ERROR, values, attempt);
      if (taken !== undefined) {
        return taken;
      }
      found = await this.get(owner.volumeId);
    }
    return found.fence === owner.fence && found.host !== null ? found : refuse(owner.fence, found);
  }

  async beginCreate(owner: Owner, deadline: Date): Promise<VolumeRecord> {
    const values = { ":fence": owner.fence, ":deadline": deadline.toISOString() };
    const record = await this.#writeAndRead(owner.volumeId, statements.BEGIN_CREATE, values);
    return record ?? refuse(owner.fence, await this.get(owner.volumeId));
  }

  async persistModelUpdate(
    owner: Owner,
    update: ModelUpdate,
    phase: VolumePhase,
    status?: VolumeStatus,
  ): Promise<void> {
    const columns = { ...columnsOf(update), ...(status !== undefined && { status }) };
    const values = { ":fence": owner.fence, ":phase": phase, ...placeholders(columns) };
    if (!(await this.#write(owner.volumeId, statements.persistModelUpdate(Object.keys(columns)), values))) {
      refuse(owner.fence, await this.get(owner.volumeId));
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
    if (await this.#write(owner.volumeId, prepared, values)) {
      return;
    }
    const found = await this.get(owner.volumeId);
    const wanted = found.delete_requested_at === null;
    const late = found.fence === owner.fence && isInFlow(found.status) && wanted && found.progress !== null;
    if (!late) {
      refuse(owner.fence, found);
    }
  }

  async markBootable(owner: Owner, glanceMetadata: Record<string, string>): Promise<void> {
    const values = { ":fence": owner.fence, ":glance_metadata": glanceMetadata };
    if (!(await this.#write(owner.volumeId, statements.MARK_BOOTABLE, values))) {
      refuse(owner.fence, await this.get(owner.volumeId));
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
    const record = await this.#writeLedger(owner, prepared, values, unopenedAttempt(owner, at));
    if (record !== undefined) {
      return record;
    }
    const found = await this.get(owner.volumeId);
    const created = found.fence === owner.fence && found.launched_at !== null && found.fault === null;
    return created ? found : refuse(owner.fence, found);
  }

  async markError(owner: Owner, fault: Fault): Promise<VolumeRecord> {
    const values = {
      ":fence": owner.fence,
      ":fault": fault,
      ":ended_at": fault.at,
      ":error": fault.error,
      ":cause": fault.cause,
    };
    const record = await this.#writeLedger(owner, statements.MARK_ERROR, values, unopenedAttempt(owner, fault.at));
    if (record !== undefined) {
      return record;
    }
    const found = await this.get(owner.volumeId);
    return found.fence === owner.fence && found.status === "error" ? found : refuse(owner.fence, found);
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
      return this.#writeLedger(owner, prepared, all, unopenedAttempt(owner, at));
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
    const isMine = found.fence === owner.fence && isInFlow(found.status) && found.delete_requested_at === null;
    if (isMine && found.phase !== (close.clearedPhase ?? found.phase)) {
      throw new Error(`Volume ${found.id} has moved on from ${close.clearedPhase} to ${found.phase}`);
    }
    return found.fence === next.fence ? found : refuse(owner.fence, found);
  }

  async markUnschedulable(volumeId: string, expectedFence: string | null, fault: Fault): Promise<VolumeRecord> {
    const prepared =
      expectedFence === null ? statements.MARK_UNSCHEDULABLE_UNOWNED : statements.MARK_UNSCHEDULABLE_HANDED_OVER;
    const values = { ":fault": fault, ...(expectedFence !== null && { ":fence": expectedFence }) };
    const record = await this.#writeAndRead(volumeId, prepared, values);
    if (record !== undefined) {
      return record;
    }
    const found = await this.get(volumeId);
    const unowned = found.fence === null || found.fence === expectedFence;
    const repeated = unowned && found.status === "error" && found.fault?.error === fault.error;
    return repeated ? found : refuse(expectedFence ?? "nobody", found);
  }

  requeue(volume: VolumeRecord, next: Owner, deadline: Date): Promise<VolumeRecord> {
    return requeueVolume(this.#table, volume, next, deadline, this.#clock.now());
  }

  listOverdue(now: Date, limit: number, from?: string): Promise<Page<{ id: string; deadline: string }>> {
    return listOverdueVolumes(this.#table, now, limit, from);
  }

  async beginDelete(volumeId: string): Promise<VolumeRecord> {
    const record = await this.#writeAndRead(volumeId, statements.BEGIN_DELETE, {});
    if (record !== undefined) {
      return record;
    }
    const { status, deadline, locks } = await this.get(volumeId);
    const [holder] = Object.keys(locks);
    throw new InvalidVolume(
      holder === undefined
        ? `volume ${volumeId} is ${status}${deadline === null ? "" : " and in the flow"}; ` +
            "only an available, migration_target, error or error_deleting volume can be deleted"
        : `volume ${volumeId} is ${status} and locked by ${holder}`,
    );
  }

  /** @throws InvalidVolume when the volume is not in `deleting`. */
  async finishDelete(volumeId: string): Promise<void> {
    const command = new DeleteItemCommand({
      TableName: this.#table.tableName,
      Key: { id: { S: volumeId } },
      ConditionExpression: "attribute_not_exists(#id) OR #status = :deleting",
      ExpressionAttributeNames: { "#id": "id", "#status": "status" },
      ExpressionAttributeValues: { ":deleting": { S: "deleting" } },
    });
    try {
      await this.#table.client.send(command);
    } catch (error) {
      if (!isConditionFailure(error)) {
        throw error;
      }
      const { status } = await this.get(volumeId);
      throw new InvalidVolume(`volume ${volumeId} is ${status}, not deleting`);
    }
  }

  async requestDelete(volumeId: string, deadline: Date): Promise<VolumeRecord> {
    const values = { ":deadline": deadline.toISOString() };
    const record = await this.#writeAndRead(volumeId, statements.REQUEST_DELETE, values);
    if (record !== undefined) {
      return record;
    }
    const { status } = await this.get(volumeId);
    throw new InvalidVolume(`volume ${volumeId} is ${status}, not being created`);
  }

  async beginRequestedDelete(volumeId: string, fence: string | null, deadline: Date): Promise<VolumeRecord> {
    const values = { ":deadline": deadline.toISOString(), ...(fence !== null && { ":fence": fence }) };
    const record = await this.#writeAndRead(volumeId, statements.beginRequestedDelete(fence !== null), values);
    return record ?? refuseAsForeign(fence, await this.get(volumeId));
  }

  async markErrorDeleting(volumeId: string, fence: string | null, fault: Fault): Promise<void> {
    const values = { ":fault": fault, ...(fence !== null && { ":fence": fence }) };
    if (!(await this.#write(volumeId, statements.markErrorDeleting(fence !== null), values))) {
      refuseAsForeign(fence, await this.get(volumeId));
    }
  }

  async lock(
    volumeId: string,
    lock: Lock,
    statuses: readonly VolumeStatus[],
    projectId: string | null,
  ): Promise<VolumeRecord | undefined> {
    const item = await tryLock(this.#table, volumeId, lock, statuses, projectId);
    return item === undefined ? undefined : readVolume(item);
  }

  unlock(volumeId: string, lock: Lock): Promise<void> {
    return unlock(this.#table, volumeId, lock);
  }

  /** Runs a transition. False when its condition failed. */
  async #write(volumeId: string, prepared: Statement, values: Record<string, unknown>): Promise<boolean> {
    return (await tryUpdate(this.#table, volumeId, prepared, { values: this.#stamped(values) })) !== undefined;
  }

  /** Runs a transition and returns the record that it made. Undefined when its condition failed. */
  async #writeAndRead(
    volumeId: string,
    prepared: Statement,
    values: Record<string, unknown>,
    names: Record<string, string> = {},
  ): Promise<VolumeRecord | undefined> {
    const item = await tryUpdate(this.#table, volumeId, prepared, {
      values: this.#stamped(values),
      names,
      returnItem: true,
    });
    return item === undefined ? undefined : readVolume(item);
  }

  #stamped(values: Record<string, unknown>): Record<string, unknown> {
    return { ...values, ":now": this.#clock.now().toISOString() };
  }

  /**
   * Runs a transition that writes the owner's line of the ledger. Where there is no ledger, or no such line, one is made first:
   * `line` is what the attempt's line says then.
   */
  async #writeLedger(
    owner: Owner,
    prepared: Statement,
    values: Record<string, unknown>,
    line: Attempt,
  ): Promise<VolumeRecord | undefined> {
    const names = { "#number": String(owner.attempt) };
    const write = (): Promise<VolumeRecord | undefined> => this.#writeAndRead(owner.volumeId, prepared, values, names);
    try {
      return await write();
    } catch (error) {
      if (!isMissingPath(error)) {
        throw error;
      }
    }
    await tryUpdate(this.#table, owner.volumeId, statements.ENSURE_LEDGER, { values: {} });
    await tryUpdate(this.#table, owner.volumeId, statements.ENSURE_LEDGER_LINE, {
      values: { ":fence": owner.fence, ":attempt": line },
      names,
    });
    return write();
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

/** @throws VolumeDeleteRequested when the record is the caller's still, or nobody's, and its deletion was asked for; FenceLost */
function refuse(fence: string, found: VolumeRecord): never {
  if (found.delete_requested_at !== null && (found.fence === null || found.fence === fence)) {
    throw new VolumeDeleteRequested(found.id);
  }
  return refuseAsForeign(fence, found);
}

function refuseAsForeign(fence: string | null, found: VolumeRecord): never {
  const owner = found.fence === null ? "no attempt" : found.fence;
  throw new FenceLost(found.id, fence ?? "nobody", `it is ${found.status} and belongs to ${owner}`);
}
