import { requireItemSize } from "./item-size.ts";
import {
  InvalidInput,
  InvalidSnapshot,
  SnapshotNotFound,
  VolumeTypeNotFound,
  VolumeTypeNotFoundByName,
} from "../../../core/errors.ts";
import type {
  Lock,
  Page,
  SnapshotDetails,
  SnapshotRepository,
  VolumeTypeChange,
  VolumeTypeRepository,
} from "../../../core/ports.ts";
import type { SnapshotRecord, VolumeTypeRecord } from "../../../core/records.ts";
import { changedMap, pageOf } from "./volumes.ts";

/** Snapshots in memory. */
export class SnapshotsFake implements SnapshotRepository {
  readonly records = new Map<string, SnapshotRecord>();

  async get(snapshotId: string): Promise<SnapshotRecord> {
    const record = this.records.get(snapshotId);
    if (record === undefined) {
      throw new SnapshotNotFound(snapshotId);
    }
    return structuredClone(record);
  }

  async getMany(snapshotIds: readonly string[]): Promise<Map<string, SnapshotRecord>> {
    const found = snapshotIds.flatMap((id) => this.records.get(id) ?? []);
    return new Map(found.map((record) => [record.id, structuredClone(record)]));
  }

  async list(limit: number, from?: string): Promise<Page<SnapshotRecord>> {
    return pageOf(structuredClone([...this.records.values()]), limit, from);
  }

  async listOfVolume(volumeId: string): Promise<SnapshotRecord[]> {
    return structuredClone([...this.records.values()].filter(({ volume_id }) => volume_id === volumeId));
  }

  async listOverdue(now: Date, limit: number, from?: string): Promise<Page<{ id: string; deadline: string }>> {
    const overdue = [...this.records.values()].flatMap(({ id, deadline }) =>
      deadline !== undefined && deadline < now.toISOString() ? [{ id, deadline }] : [],
    );
    return pageOf(
      overdue.toSorted((one, other) => (one.deadline < other.deadline ? -1 : 1)),
      limit,
      from,
    );
  }

  /** A snapshot of the same volume that was begun before stays as it is. */
  async create(record: SnapshotRecord): Promise<SnapshotRecord> {
    const found = this.records.get(record.id);
    if (found === undefined) {
      requireItemSize(record);
      this.records.set(record.id, structuredClone(record));
      return structuredClone(record);
    }
    if (found.volume_id !== record.volume_id || found.project_id !== record.project_id) {
      throw new InvalidInput(`snapshot ${record.id} exists already, of another volume`);
    }
    return structuredClone(found);
  }

  async markErrorDeleting(snapshotId: string): Promise<void> {
    const record = this.records.get(snapshotId);
    if (record?.status === "deleting") {
      this.records.set(snapshotId, atRest({ ...record, status: "error_deleting" }));
    }
  }

  async markAvailable(snapshotId: string, providerLocation: string | null): Promise<SnapshotRecord> {
    const found = await this.get(snapshotId);
    if (found.status === "deleting" || found.status === "error_deleting") {
      throw new InvalidSnapshot(`snapshot ${snapshotId} is ${found.status}`);
    }
    const record = atRest({
      ...found,
      status: "available",
      ...(providerLocation !== null && { provider_location: providerLocation }),
    });
    this.records.set(snapshotId, record);
    return structuredClone(record);
  }

  async markError(snapshotId: string): Promise<void> {
    const record = await this.get(snapshotId);
    if (record.status === "creating") {
      this.records.set(snapshotId, atRest({ ...record, status: "error" }));
    }
  }

  async lock(snapshotId: string, lock: Lock, projectId: string | null): Promise<SnapshotRecord | undefined> {
    const found = this.records.get(snapshotId);
    if (found?.status !== "available" || (projectId ?? found.project_id) !== found.project_id) {
      return undefined;
    }
    const locked = { ...found, locks: { ...found.locks, [lock.holder]: lock.value } };
    this.records.set(snapshotId, locked);
    return structuredClone(locked);
  }

  async unlock(snapshotId: string, holder: string, values: readonly string[]): Promise<void> {
    const found = this.records.get(snapshotId);
    const lock = found?.locks[holder];
    if (found !== undefined && lock !== undefined && values.includes(lock)) {
      const { [holder]: _, ...locks } = found.locks;
      this.records.set(snapshotId, { ...found, locks });
    }
  }

  async resetStatus(
    snapshotId: string,
    status: SnapshotRecord["status"],
    from?: SnapshotRecord["status"],
  ): Promise<void> {
    const found = await this.get(snapshotId);
    if (from !== undefined && found.status !== from) {
      throw new InvalidSnapshot(`snapshot ${snapshotId} is ${found.status}`);
    }
    this.records.set(snapshotId, atRest({ ...found, status }));
  }

  async changeDetails(snapshotId: string, change: SnapshotDetails): Promise<SnapshotRecord> {
    const { display_description: before, ...found } = await this.get(snapshotId);
    const {
      displayName = found.display_name,
      displayDescription = before ?? null,
      metadata,
      progress,
      updatedAt,
    } = change;
    const record: SnapshotRecord = {
      ...found,
      display_name: displayName,
      ...(displayDescription !== null && { display_description: displayDescription }),
      metadata: changedMap(found.metadata ?? {}, metadata),
      ...(progress !== undefined && { progress }),
      updated_at: updatedAt.toISOString(),
    };
    this.records.set(snapshotId, record);
    return structuredClone(record);
  }

  async rename(snapshotId: string, displayName: string | null): Promise<SnapshotRecord> {
    const record = { ...(await this.get(snapshotId)), display_name: displayName };
    this.records.set(snapshotId, record);
    return structuredClone(record);
  }

  async beginDelete(snapshotId: string, status: SnapshotRecord["status"], deadline: Date): Promise<void> {
    const found = await this.get(snapshotId);
    if (found.status !== status || Object.keys(found.locks).length > 0) {
      throw new InvalidSnapshot(`snapshot ${snapshotId} is ${found.status}`);
    }
    this.records.set(snapshotId, { ...found, status: "deleting", deadline: deadline.toISOString() });
  }

  async delete(snapshotId: string): Promise<void> {
    this.records.delete(snapshotId);
  }
}

function atRest({ deadline: _deadline, ...record }: SnapshotRecord): SnapshotRecord {
  return record;
}

/** Volume types in memory. */
export class VolumeTypesFake implements VolumeTypeRepository {
  readonly records = new Map<string, VolumeTypeRecord>();

  async get(volumeTypeId: string): Promise<VolumeTypeRecord> {
    const record = this.records.get(volumeTypeId);
    if (record === undefined) {
      throw new VolumeTypeNotFound(volumeTypeId);
    }
    return structuredClone(record);
  }

  async getByName(name: string): Promise<VolumeTypeRecord> {
    const record = [...this.records.values()].find((candidate) => candidate.name === name);
    if (record === undefined) {
      throw new VolumeTypeNotFoundByName(name);
    }
    return structuredClone(record);
  }

  async list(limit: number, from?: string): Promise<Page<VolumeTypeRecord>> {
    return pageOf(structuredClone([...this.records.values()]), limit, from);
  }

  async create(record: VolumeTypeRecord): Promise<void> {
    this.records.set(record.id, structuredClone(record));
  }

  async change(volumeTypeId: string, change: VolumeTypeChange): Promise<VolumeTypeRecord> {
    const found = await this.get(volumeTypeId);
    const { name = found.name, description = found.description, isPublic = found.is_public, extraSpecs } = change;
    const access = change.access === undefined ? found.access : changedMap(found.access ?? {}, change.access);
    const specs = changedMap(found.extra_specs, extraSpecs);
    const record = { ...found, name, description, is_public: isPublic, extra_specs: specs, ...(access && { access }) };
    if (change.encryption === null) {
      delete record.encryption;
    } else if (change.encryption !== undefined) {
      record.encryption = change.encryption;
    }
    this.records.set(volumeTypeId, record);
    return structuredClone(record);
  }

  async delete(volumeTypeId: string): Promise<void> {
    this.records.delete(volumeTypeId);
  }
}
