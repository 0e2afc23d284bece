import { isDeepStrictEqual } from "node:util";
import { InvalidInput, InvalidVolume } from "../../core/errors.ts";
import type { AsLocked, AttachmentChange, Found, Lock, VolumeDetails, VolumeRepository } from "../../core/ports.ts";
import type { VolumeExtension, VolumeRecord, VolumeStatus, VolumeSummary } from "../../core/records.ts";
import { changeItem } from "./details.ts";
import { forgetLock } from "./locks.ts";
import { LEAVE_INDEX } from "./overdue.ts";
import { find, tryCreate, type TableOptions } from "./table.ts";
import { changeAttachments } from "./volume-attachments.ts";
import { transition } from "./volume-conditions.ts";
import { beginDelete, requestDelete } from "./volume-deletion.ts";
import { beginExtend, changeType } from "./volume-extension.ts";
import { readVolume, volumeItem } from "./volume-item.ts";
import { getVolumes, listSummaries } from "./volume-queries.ts";
import { ending } from "./volume-room.ts";
import { VolumeWriter } from "./volume-writer.ts";

/** The previous owner's next write is refused, and a requested deletion is void. */
const RESET_STATUS = ending(
  transition(
    "resetStatus",
    `SET #status = :status, #reset_at = :now, #updated_at = :now REMOVE ${LEAVE_INDEX}, #delete_requested_at, #progress`,
  ),
);

/**
 * Volumes in DynamoDB as requests of users read and change them: what the Block Storage API needs, and no more. The rest is in
 * {@link DynamoDbVolumeRepository}, so the API's bundle has none of the workflow's statements.
 */
export class DynamoDbUserVolumes implements Partial<VolumeRepository> {
  protected readonly writer: VolumeWriter;

  constructor(options: TableOptions) {
    this.writer = new VolumeWriter(options);
  }

  get(volumeId: string): Promise<VolumeRecord> {
    return this.writer.get(volumeId);
  }

  getMany(volumeIds: readonly string[]): Promise<Found<VolumeRecord>> {
    return getVolumes(this.writer.table, volumeIds);
  }

  listSummaries(volumeIds: readonly string[]): Promise<Found<VolumeSummary>> {
    return listSummaries(this.writer.table, volumeIds);
  }

  /** Also succeeds when an equal record exists, so a put whose answer was lost may be repeated. */
  async create(record: VolumeRecord): Promise<void> {
    if (await tryCreate(this.writer.table, volumeItem(record))) {
      return;
    }
    const stored = await find(this.writer.table, record.id);
    if (stored === undefined || !isDeepStrictEqual(readVolume(stored), record)) {
      throw new InvalidInput(`volume ${record.id} exists already`);
    }
  }

  beginDelete(volume: AsLocked, deadline: Date, { force = false } = {}): Promise<VolumeRecord> {
    return beginDelete(this.writer, volume, deadline, force);
  }

  async resetStatus(volumeId: string, status: VolumeStatus): Promise<VolumeRecord> {
    const record = await this.writer.writeAndRead(volumeId, RESET_STATUS, { ":status": status });
    if (record === undefined) {
      const { id } = await this.get(volumeId);
      throw new InvalidVolume(`volume ${id} is being removed: wait until it is gone or in error_deleting`);
    }
    return record;
  }

  requestDelete(volumeId: string, deadline: Date): Promise<VolumeRecord> {
    return requestDelete(this.writer, volumeId, deadline);
  }

  async changeDetails(volumeId: string, change: VolumeDetails): Promise<VolumeRecord> {
    const { displayName, displayDescription, bootable, metadata = {}, glanceMetadata, messageDeleted } = change;
    const columns = {
      ...(displayName !== undefined && { display_name: displayName }),
      ...(displayDescription !== undefined && { display_description: displayDescription }),
      ...(bootable !== undefined && { bootable }),
      ...(messageDeleted !== undefined && { message_deleted: messageDeleted }),
      updated_at: this.writer.now.toISOString(),
    };
    const map =
      glanceMetadata === undefined
        ? { column: "metadata", change: metadata }
        : { column: "glance_metadata", change: glanceMetadata };
    const item = await changeItem(this.writer.table, volumeId, columns, map);
    return item === undefined ? this.get(volumeId) : readVolume(item);
  }

  changeType(volume: VolumeRecord, volumeTypeId: string, retypeId: string): Promise<VolumeRecord | undefined> {
    return changeType(this.writer, volume, volumeTypeId, retypeId);
  }

  beginExtend(volume: VolumeRecord, extension: VolumeExtension, deadline: Date): Promise<VolumeRecord> {
    return beginExtend(this.writer, volume, extension, deadline);
  }

  changeAttachments(volume: VolumeRecord, change: AttachmentChange): Promise<VolumeRecord | undefined> {
    return changeAttachments(this.writer, volume, change);
  }

  forgetLock(volumeId: string, lock: Lock): Promise<void> {
    return forgetLock(this.writer.table, volumeId, lock);
  }
}
