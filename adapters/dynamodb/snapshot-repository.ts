import { DeleteItemCommand } from "@aws-sdk/client-dynamodb";
import { INDEXES } from "../../core/settings/environment.ts";
import { InvalidInput, InvalidSnapshot, SnapshotNotFound } from "../../core/errors.ts";
import type { AsLocked, Found, Lock, Page, SnapshotDetails, SnapshotRepository } from "../../core/ports.ts";
import type { SnapshotRecord } from "../../core/records.ts";
import { getItems } from "./batch.ts";
import { changeItem } from "./details.ts";
import { countLock, forgetLock, lockColumns, notLockedSince, timesLocked } from "./locks.ts";
import { IN_FLOW, listOverdue } from "./overdue.ts";
import { queryPage, scanPage } from "./paging.ts";
import { foundOf, pageOf, readerOf } from "./reading.ts";
import {
  find,
  statement,
  toItem,
  tryCreate,
  tryUpdate,
  type Item,
  type Statement,
  type Table,
  type TableOptions,
} from "./table.ts";

/** How many snapshots one request of {@link DynamoDbSnapshotRepository.listOfVolume} reads. */
const PAGE_SIZE = 100;

/** Leaves the index by deadline. */
const AT_REST = "REMOVE #in_flow, #deadline";

/** A snapshot that is being deleted stays so. */
const MARK_AVAILABLE = statement(
  `SET #status = :available ${AT_REST}`,
  "#status IN (:creating, :available, :error_status)",
  {
    ":available": "available",
    ":creating": "creating",
    ":error_status": "error",
  },
);

const MARK_AVAILABLE_AT = statement(
  `SET #status = :available, #provider_location = :provider_location ${AT_REST}`,
  "#status IN (:creating, :available, :error_status)",
  { ":available": "available", ":creating": "creating", ":error_status": "error" },
);

const MARK_ERROR = statement(`SET #status = :error_status ${AT_REST}`, "#status IN (:creating, :error_status)", {
  ":creating": "creating",
  ":error_status": "error",
});

function beginDelete(snapshot: AsLocked): Statement {
  const unlocked = `#status = :status AND ${notLockedSince(snapshot)}`;
  return statement(
    "SET #status = :deleting, #in_flow = :in_flow, #deadline = :deadline",
    `${unlocked} AND attribute_not_exists(#locks) OR ${unlocked} AND size(#locks) = :zero`,
    { ":deleting": "deleting", ":zero": 0, ":in_flow": IN_FLOW },
  );
}

const MARK_ERROR_DELETING = statement(`SET #status = :error_deleting ${AT_REST}`, "#status = :deleting", {
  ":deleting": "deleting",
  ":error_deleting": "error_deleting",
});

const RESET_STATUS = statement(`SET #status = :status ${AT_REST}`, "attribute_exists(#id)");
const RESET_STATUS_FROM = statement(`SET #status = :status ${AT_REST}`, "#status = :from");

/** Snapshots in DynamoDB. */
export class DynamoDbSnapshotRepository implements SnapshotRepository {
  readonly #table: Table;

  constructor({ client, tableName }: Omit<TableOptions, "clock">) {
    this.#table = { client, tableName, key: "id" };
  }

  async get(snapshotId: string): Promise<SnapshotRecord> {
    const item = await find(this.#table, snapshotId);
    if (item === undefined) {
      throw new SnapshotNotFound(snapshotId);
    }
    return SNAPSHOTS.read(item);
  }

  async getMany(snapshotIds: readonly string[]): Promise<Found<SnapshotRecord>> {
    return foundOf(SNAPSHOTS.readEach(await getItems(this.#table, snapshotIds)));
  }

  async list(limit: number, from?: string): Promise<Page<SnapshotRecord>> {
    return pageOf(await scanPage(this.#table, limit, from), SNAPSHOTS);
  }

  /** Reads an index: a snapshot of the last moments may be missing. */
  async listOfVolume(volumeId: string): Promise<SnapshotRecord[]> {
    const query = {
      IndexName: INDEXES.snapshotsByVolume,
      KeyConditionExpression: "#volume_id = :volume_id",
      ExpressionAttributeNames: { "#volume_id": "volume_id" },
      ExpressionAttributeValues: { ":volume_id": { S: volumeId } },
      keyAttributes: ["id", "volume_id"],
    };
    const snapshots: SnapshotRecord[] = [];
    let from: string | undefined;
    do {
      const page = await queryPage(this.#table, query, PAGE_SIZE, from);
      snapshots.push(...page.items.map(SNAPSHOTS.read));
      from = page.next;
    } while (from !== undefined);
    return snapshots;
  }

  listOverdue(now: Date, limit: number, from?: string): Promise<Page<{ id: string; deadline: string }>> {
    return listOverdue(this.#table, INDEXES.snapshotsByDeadline, now, limit, from);
  }

  /**
   * Succeeds as well when the snapshot was begun before, of the same volume, so that a request which died may be repeated.
   *
   * @throws InvalidInput when the id is another volume's snapshot's.
   */
  async create(record: SnapshotRecord): Promise<SnapshotRecord> {
    if (await tryCreate(this.#table, snapshotItem(record))) {
      return record;
    }
    const known = await this.get(record.id);
    if (known.volume_id !== record.volume_id || known.project_id !== record.project_id) {
      throw new InvalidInput(`snapshot ${record.id} exists already, of another volume`);
    }
    return known;
  }

  /** Also of one in `error`: a repeated request made it after all. @throws InvalidSnapshot when it is being deleted. */
  async markAvailable(snapshotId: string, providerLocation: string | null): Promise<SnapshotRecord> {
    const prepared = providerLocation === null ? MARK_AVAILABLE : MARK_AVAILABLE_AT;
    const values = providerLocation === null ? {} : { ":provider_location": providerLocation };
    const item = await tryUpdate(this.#table, snapshotId, prepared, { values, returnItem: true });
    if (item === undefined) {
      const { status } = await this.get(snapshotId);
      throw new InvalidSnapshot(`snapshot ${snapshotId} is ${status}`);
    }
    return SNAPSHOTS.read(item);
  }

  /** Leaves one that is available, or being deleted, as it is: a repeat that failed takes nothing away. */
  async markError(snapshotId: string): Promise<void> {
    if ((await tryUpdate(this.#table, snapshotId, MARK_ERROR, { values: {} })) === undefined) {
      await this.get(snapshotId);
    }
  }

  async countLock(snapshotId: string, projectId: string | null): Promise<SnapshotRecord | undefined> {
    const item = await countLock(this.#table, snapshotId, ["available"], projectId);
    return item === undefined ? undefined : SNAPSHOTS.read(item);
  }

  forgetLock(snapshotId: string, lock: Lock): Promise<void> {
    return forgetLock(this.#table, snapshotId, lock);
  }

  async resetStatus(
    snapshotId: string,
    status: SnapshotRecord["status"],
    from?: SnapshotRecord["status"],
  ): Promise<void> {
    const prepared = from === undefined ? RESET_STATUS : RESET_STATUS_FROM;
    const values = { ":status": status, ...(from !== undefined && { ":from": from }) };
    if ((await tryUpdate(this.#table, snapshotId, prepared, { values })) === undefined) {
      const { status: found } = await this.get(snapshotId);
      // Otherwise the SDK's repeat of a write whose answer was lost would be refused.
      if (found !== status) {
        throw new InvalidSnapshot(`snapshot ${snapshotId} is ${found}`);
      }
    }
  }

  async changeDetails(snapshotId: string, change: SnapshotDetails): Promise<SnapshotRecord> {
    const { displayName, displayDescription, metadata = {}, progress, updatedAt } = change;
    const columns = {
      ...(displayName !== undefined && { display_name: displayName }),
      ...(displayDescription !== undefined && { display_description: displayDescription }),
      ...(progress !== undefined && { progress }),
      updated_at: updatedAt.toISOString(),
    };
    const item = await changeItem(this.#table, snapshotId, columns, { column: "metadata", change: metadata });
    return item === undefined ? this.get(snapshotId) : SNAPSHOTS.read(item);
  }

  async rename(snapshotId: string, displayName: string | null): Promise<SnapshotRecord> {
    const columns = { display_name: displayName };
    const item = await changeItem(this.#table, snapshotId, columns, { column: "glance_metadata", change: {} });
    return item === undefined ? this.get(snapshotId) : SNAPSHOTS.read(item);
  }

  async beginDelete(snapshot: AsLocked & Pick<SnapshotRecord, "status">, deadline: Date): Promise<void> {
    const { id, status } = snapshot;
    const values = { ":status": status, ":deadline": deadline.toISOString(), ...timesLocked(snapshot) };
    if ((await tryUpdate(this.#table, id, beginDelete(snapshot), { values })) === undefined) {
      const { status: found, deadline: pending } = await this.get(id);
      if (found === "deleting" && pending === deadline.toISOString()) {
        // The SDK's repeat of a write whose answer was lost.
        return;
      }
      throw new InvalidSnapshot(`snapshot ${id} is ${found}, not ${status}, or was locked since it was read`);
    }
  }

  async markErrorDeleting(snapshotId: string): Promise<void> {
    await tryUpdate(this.#table, snapshotId, MARK_ERROR_DELETING, { values: {} });
  }

  /** Nothing happens when it is gone. */
  async delete(snapshotId: string): Promise<void> {
    await this.#table.client.send(
      new DeleteItemCommand({ TableName: this.#table.tableName, Key: { id: { S: snapshotId } } }),
    );
  }
}

/** The item that holds the record. One with a deadline is in the index of those that the sweep looks at. */
export function snapshotItem(record: SnapshotRecord): Item {
  return toItem({ ...record, ...(record.deadline !== undefined && { in_flow: IN_FLOW }) });
}

/** A stored snapshot: what is null is absent. */
type StoredSnapshot = Omit<SnapshotRecord, "display_name" | "provider_location" | "glance_metadata"> &
  Partial<SnapshotRecord>;

/** Reads snapshots. */
export const SNAPSHOTS = readerOf<SnapshotRecord>(
  "snapshot",
  {
    id: "text!",
    volume_id: "text!",
    project_id: "text",
    status: "text!",
    volume_size: "number!",
    host: "text!",
    created_at: "text",
    glance_metadata: "map",
    locks: "map",
    times_locked: "number",
    metadata: "map",
  },
  shapeOf,
);

function shapeOf(stored: StoredSnapshot): SnapshotRecord {
  return {
    id: stored.id,
    volume_id: stored.volume_id,
    project_id: stored.project_id,
    user_id: stored.user_id,
    status: stored.status,
    display_name: stored.display_name ?? null,
    volume_size: stored.volume_size,
    host: stored.host,
    provider_location: stored.provider_location ?? null,
    glance_metadata: stored.glance_metadata ?? {},
    created_at: stored.created_at,
    ...lockColumns(stored),
    ...(typeof stored.display_description === "string" && { display_description: stored.display_description }),
    ...(stored.metadata !== undefined && { metadata: stored.metadata }),
    ...(typeof stored.volume_type_id === "string" && { volume_type_id: stored.volume_type_id }),
    ...(typeof stored.progress === "string" && { progress: stored.progress }),
    ...(typeof stored.updated_at === "string" && { updated_at: stored.updated_at }),
    ...(stored.use_quota === true && { use_quota: true }),
    ...(typeof stored.deadline === "string" && { deadline: stored.deadline }),
  };
}
