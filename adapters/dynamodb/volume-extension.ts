import { InvalidVolume } from "../../core/errors.ts";
import type { AsLocked, ExtensionEnd } from "../../core/ports.ts";
import { countedWhileExtending } from "../../core/projects.ts";
import { STATUSES_EXTENDABLE, type VolumeExtension, type VolumeRecord } from "../../core/records.ts";
import { TRANSITIONS } from "../../core/volume-transitions.ts";
import { notLockedSince, timesLocked } from "./locks.ts";
import { IN_FLOW, LEAVE_INDEX } from "./overdue.ts";
import { statement, type Statement } from "./table.ts";
import { conditionOf, transition } from "./volume-conditions.ts";
import { ending } from "./volume-room.ts";
import { refuseExtension, type VolumeWriter } from "./volume-writer.ts";

/** The transitions of what a volume takes of its quotas: its size and its type. Each is the method of the same name of the repository. */

/** A volume as it was read: whether it has a type, and whether it was extended before. */
type AsRead = { hasType: boolean; wasExtended: boolean };

/** The type and the last extension are those that were read, and with them what the volume takes of each quota. */
function isAsRead({ hasType, wasExtended }: AsRead): string {
  const type = hasType ? "#volume_type_id = :read_type" : "attribute_not_exists(#volume_type_id)";
  const extension = wasExtended ? "#extension.#number = :last" : "attribute_not_exists(#extension)";
  return `${type} AND ${extension}`;
}

function changeTypeStatement(read: AsRead): Statement {
  return statement(
    "SET #volume_type_id = :volume_type_id, #retype_id = :retype_id, #updated_at = :now",
    `#status = :available AND ${isAsRead(read)}`,
    { ":available": "available" },
  );
}

/** @param counted whether the volume's usage of its quota changes as well */
function beginExtendStatement(read: AsRead, volume: AsLocked, counted: boolean): Statement {
  return transition(
    "beginExtend",
    "SET #status = :extending, #extension = :extension, #in_flow = :in_flow, #deadline = :deadline, " +
      `#updated_at = :now${counted ? ", #quota_size = :quota_size" : ""}`,
    {
      statuses: STATUSES_EXTENDABLE,
      either: [`#status = :status AND #size = :size AND ${isAsRead(read)} AND ${notLockedSince(volume)}`],
    },
    { ":extending": "extending", ":in_flow": IN_FLOW },
  );
}

/** The transition that ends an extension, and a write during it, are for its number alone. */
const OF_THIS_EXTENSION = "#extension.#number = :number";

const IS_EXTENDING = conditionOf("endExtend", { either: [OF_THIS_EXTENSION] });

const KEEP_EXTENSION_CLAIM = statement(
  "SET #extension.#claimed_at = :claimed_at, #updated_at = :now",
  `${IS_EXTENDING.condition} AND attribute_not_exists(#extension.#claimed_at)` +
    ` OR ${IS_EXTENDING.condition} AND #extension.#claimed_at = :claimed_at`,
  IS_EXTENDING.constants,
);

/** Closes an extension; a failed one leaves the size. @param counted whether a failed one writes what counts in the quota */
function endExtendStatement(outcome: "extended" | "failed", counted: boolean): Statement {
  const failure = `#extension.#error = :error, #extension.#cause = :cause${counted ? ", #quota_size = :quota_size" : ""}`;
  const result = outcome === "extended" ? "#size = :size" : failure;
  return ending(
    transition(
      "endExtend",
      `SET #status = :status, ${result}, #extension.#outcome = :outcome, #extension.#ended_at = :ended_at, ` +
        `#updated_at = :now REMOVE ${LEAVE_INDEX}`,
      { either: [OF_THIS_EXTENSION] },
      { ":outcome": outcome },
    ),
  );
}

export async function beginExtend(
  writer: VolumeWriter,
  volume: VolumeRecord,
  extension: VolumeExtension,
  deadline: Date,
): Promise<VolumeRecord> {
  const { read, values } = asRead(volume);
  const record = await writer.writeAndRead(volume.id, beginExtendStatement(read, volume, extension.counted === true), {
    ...values,
    ":extension": extension,
    ":status": volume.status,
    ":size": volume.size,
    ":deadline": deadline.toISOString(),
    ...timesLocked(volume),
    ...(extension.counted === true && { ":quota_size": countedWhileExtending(volume, extension.size) }),
  });
  if (record !== undefined) {
    return record;
  }
  const found = await writer.get(volume.id);
  if (TRANSITIONS.beginExtend.isRepeat(found, extension.id)) {
    return found;
  }
  throw new InvalidVolume(`volume ${found.id} is ${found.status}: it has changed since it was read`);
}

export async function changeType(
  writer: VolumeWriter,
  volume: VolumeRecord,
  volumeTypeId: string,
  retypeId: string,
): Promise<VolumeRecord | undefined> {
  const { read, values } = asRead(volume);
  const changed = await writer.writeAndRead(volume.id, changeTypeStatement(read), {
    ...values,
    ":volume_type_id": volumeTypeId,
    ":retype_id": retypeId,
  });
  if (changed !== undefined) {
    return changed;
  }
  const found = await writer.get(volume.id);
  return found.retype_id === retypeId ? found : undefined;
}

function asRead({ volume_type_id: typeId, extension }: VolumeRecord) {
  return {
    read: { hasType: typeId !== null, wasExtended: extension !== undefined },
    values: {
      ...(typeId !== null && { ":read_type": typeId }),
      ...(extension !== undefined && { ":last": extension.number }),
    },
  };
}

export async function keepExtensionClaim(
  writer: VolumeWriter,
  volumeId: string,
  number: number,
  claimedAt: string,
): Promise<VolumeRecord> {
  const values = { ":number": number, ":claimed_at": claimedAt };
  const record = await writer.writeAndRead(volumeId, KEEP_EXTENSION_CLAIM, values);
  return record ?? refuseExtension(number, await writer.get(volumeId));
}

export async function endExtend(
  writer: VolumeWriter,
  volumeId: string,
  number: number,
  end: ExtensionEnd,
): Promise<VolumeRecord> {
  const quotaSize = end.outcome === "failed" ? end.quotaSize : undefined;
  const record = await writer.writeAndRead(volumeId, endExtendStatement(end.outcome, quotaSize !== undefined), {
    ":number": number,
    ":status": end.status,
    ":ended_at": end.at.toISOString(),
    ...(end.outcome === "extended" ? { ":size": end.size } : { ":error": end.error, ":cause": end.cause }),
    ...(quotaSize !== undefined && { ":quota_size": quotaSize }),
  });
  if (record !== undefined) {
    return record;
  }
  const found = await writer.get(volumeId);
  return TRANSITIONS.endExtend.isRepeat(found, number) ? found : refuseExtension(number, found);
}
