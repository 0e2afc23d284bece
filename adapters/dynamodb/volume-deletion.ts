import { isDeepStrictEqual } from "node:util";
import { DeleteItemCommand } from "@aws-sdk/client-dynamodb";
import { InvalidVolume } from "../../core/errors.ts";
import type { AsLocked } from "../../core/ports.ts";
import type { Fault, VolumeRecord } from "../../core/records.ts";
import { timesLocked } from "./locks.ts";
import { isConditionFailure } from "./table.ts";
import * as statements from "./volume-statements.ts";
import { refuseAsForeign, type VolumeWriter } from "./volume-writer.ts";

/** The transitions by which a volume goes; each is the method of the same name of the repository. */

export async function beginDelete(
  writer: VolumeWriter,
  volume: AsLocked,
  deadline: Date,
  force: boolean,
): Promise<VolumeRecord> {
  const values = { ":deadline": deadline.toISOString(), ...timesLocked(volume) };
  const record = await writer.writeAndRead(volume.id, statements.beginDelete(force, volume), values);
  if (record !== undefined) {
    return record;
  }
  const { id, status, deadline: pending, times_locked: times, locks } = await writer.get(volume.id);
  throw new InvalidVolume(
    times === volume.times_locked && locks === undefined
      ? `volume ${id} is ${status}${pending === null ? "" : " and in the flow"}; ` +
          "only a volume that is available, migration_target or in error can be deleted"
      : `volume ${id} is ${status}, and was locked since it was read`,
  );
}

/** @throws InvalidVolume when the volume is not in `deleting`, or an operator has set that status. */
export async function finishDelete(writer: VolumeWriter, volumeId: string): Promise<void> {
  const { condition, names, constants } = statements.FINISH_DELETE;
  const command = new DeleteItemCommand({
    TableName: writer.table.tableName,
    Key: { id: { S: volumeId } },
    ConditionExpression: condition,
    ExpressionAttributeNames: names,
    ExpressionAttributeValues: constants,
  });
  try {
    await writer.table.client.send(command);
  } catch (error) {
    if (!isConditionFailure(error)) {
      throw error;
    }
    const { status } = await writer.get(volumeId);
    throw new InvalidVolume(`volume ${volumeId} is ${status}, and its removal was taken back`);
  }
}

export async function requestDelete(writer: VolumeWriter, volumeId: string, deadline: Date): Promise<VolumeRecord> {
  const values = { ":deadline": deadline.toISOString() };
  const record = await writer.writeAndRead(volumeId, statements.REQUEST_DELETE, values);
  if (record !== undefined) {
    return record;
  }
  const { status } = await writer.get(volumeId);
  throw new InvalidVolume(`volume ${volumeId} is ${status}, not being created`);
}

export async function beginRequestedDelete(
  writer: VolumeWriter,
  volumeId: string,
  fence: string | null,
  deadline: Date,
): Promise<VolumeRecord> {
  const values = { ":deadline": deadline.toISOString(), ...(fence !== null && { ":fence": fence }) };
  const record = await writer.writeAndRead(volumeId, statements.beginRequestedDelete(fence !== null), values);
  return record ?? refuseAsForeign(fence, await writer.get(volumeId));
}

export async function markErrorDeleting(
  writer: VolumeWriter,
  volumeId: string,
  fence: string | null,
  fault: Fault,
): Promise<void> {
  const values = { ":fault": fault, ...(fence !== null && { ":fence": fence }) };
  if (!(await writer.write(volumeId, statements.markErrorDeleting(fence !== null), values))) {
    const found = await writer.get(volumeId);
    const repeated = found.status === "error_deleting" && isDeepStrictEqual(found.fault, fault);
    if (!repeated) {
      refuseAsForeign(fence, found);
    }
  }
}
