import { DeleteItemCommand } from "@aws-sdk/client-dynamodb";
import { InvalidVolume } from "../../core/errors.ts";
import type { AsLocked } from "../../core/ports.ts";
import type { Fault, VolumeRecord, VolumeStatus } from "../../core/records.ts";
import { TRANSITIONS } from "../../core/volume-transitions.ts";
import { notLockedSince, timesLocked } from "./locks.ts";
import { IN_FLOW } from "./overdue.ts";
import { isConditionFailure, statement, type Statement } from "./table.ts";
import { conditionOf, constants, transition } from "./volume-conditions.ts";
import { ending } from "./volume-room.ts";
import { refuseAsForeign, type VolumeWriter } from "./volume-writer.ts";

/** The transitions by which a volume goes; each is the method of the same name of the repository. */

/** `deleting` is among them for volumes that another service has set to it. */
const DELETABLE = [
  "available",
  "error",
  "error_deleting",
  "error_extending",
  "error_restoring",
  "error_managing",
  "migration_target",
  "deleting",
] as const satisfies readonly VolumeStatus[];

const TAKE_FOR_REMOVAL =
  "SET #status = :deleting, #delete_requested_at = if_not_exists(#delete_requested_at, :now), #in_flow = :in_flow, " +
  "#deadline = :deadline, #updated_at = :now";

/**
 * The volume comes into the index, so that the sweep takes up a removal that died. A volume that is being removed cannot be locked.
 *
 * @param force whether any status at rest will do
 * @param volume as it was read before its locks
 */
function beginDeleteStatement(force: boolean, volume: AsLocked): Statement {
  const isFree = `#attach_status <> :attached AND ${notLockedSince(volume)}`;
  return ending(
    transition(
      "beginDelete",
      TAKE_FOR_REMOVAL,
      [
        {
          only: ["at_rest", "unplaced", "failed", "unclaimed"],
          ...(!force && { statuses: DELETABLE }),
          either: [`${isFree} AND attribute_not_exists(#locks)`, `${isFree} AND size(#locks) = :zero`],
        },
        { only: ["removing", "removal_failed"] },
      ],
      { ":attached": "attached", ":in_flow": IN_FLOW, ":zero": 0 },
    ),
  );
}

/** A volume without a deadline gets one, so that a request is never lost. */
const REQUEST_DELETE = ending(
  transition(
    "requestDelete",
    "SET #delete_requested_at = if_not_exists(#delete_requested_at, :now), #in_flow = :in_flow, " +
      "#deadline = if_not_exists(#deadline, :deadline), #updated_at = :now",
    {},
    { ":in_flow": IN_FLOW },
  ),
);

/** For a volume in the flow; see {@link beginDeleteStatement}. */
function beginRequestedDeleteStatement(hasFence: boolean): Statement {
  return ending(
    transition(
      "beginRequestedDelete",
      "SET #status = :deleting, #in_flow = :in_flow, #deadline = :deadline, #updated_at = :now REMOVE #progress",
      { hasFence },
      { ":in_flow": IN_FLOW },
    ),
  );
}

function markErrorDeletingStatement(hasFence: boolean): Statement {
  return ending(
    transition(
      "markErrorDeleting",
      "SET #status = :error_deleting, #fault = :fault, #updated_at = :now",
      { hasFence },
      constants("error_deleting"),
    ),
  );
}

/** A deletion without an update. A record that is gone already is removed again. */
const { condition: IS_REMOVED, constants: REMOVED } = conditionOf("finishDelete");
const FINISH_DELETE = statement("", `attribute_not_exists(#id) OR ${IS_REMOVED}`, REMOVED);

export async function beginDelete(
  writer: VolumeWriter,
  volume: AsLocked,
  deadline: Date,
  force: boolean,
): Promise<VolumeRecord> {
  const values = { ":deadline": deadline.toISOString(), ...timesLocked(volume) };
  const record = await writer.writeAndRead(volume.id, beginDeleteStatement(force, volume), values);
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
  const command = new DeleteItemCommand({
    TableName: writer.table.tableName,
    Key: { id: { S: volumeId } },
    ConditionExpression: FINISH_DELETE.condition,
    ExpressionAttributeNames: FINISH_DELETE.names,
    ExpressionAttributeValues: FINISH_DELETE.constants,
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
  const record = await writer.writeAndRead(volumeId, REQUEST_DELETE, values);
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
  const record = await writer.writeAndRead(volumeId, beginRequestedDeleteStatement(fence !== null), values);
  return record ?? refuseAsForeign(fence, await writer.get(volumeId));
}

export async function markErrorDeleting(
  writer: VolumeWriter,
  volumeId: string,
  fence: string | null,
  fault: Fault,
): Promise<void> {
  const values = { ":fault": fault, ...(fence !== null && { ":fence": fence }) };
  if (!(await writer.write(volumeId, markErrorDeletingStatement(fence !== null), values))) {
    const found = await writer.get(volumeId);
    if (!TRANSITIONS.markErrorDeleting.isRepeat(found, fault)) {
      refuseAsForeign(fence, found);
    }
  }
}
