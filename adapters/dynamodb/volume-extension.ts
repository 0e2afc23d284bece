import { InvalidVolume } from "../../core/errors.ts";
import type { ExtensionEnd } from "../../core/ports.ts";
import { countedWhileExtending } from "../../core/projects.ts";
import type { VolumeExtension, VolumeRecord } from "../../core/records.ts";
import { TRANSITIONS } from "../../core/volume-transitions.ts";
import { timesLocked } from "./locks.ts";
import * as statements from "./volume-statements.ts";
import { refuseExtension, type VolumeWriter } from "./volume-writer.ts";

/** The transitions of what a volume takes of its quotas: its size and its type. Each is the method of the same name of the repository. */

export async function beginExtend(
  writer: VolumeWriter,
  volume: VolumeRecord,
  extension: VolumeExtension,
  deadline: Date,
): Promise<VolumeRecord> {
  const { read, values } = asRead(volume);
  const record = await writer.writeAndRead(
    volume.id,
    statements.beginExtend(read, volume, extension.counted === true),
    {
      ...values,
      ":extension": extension,
      ":status": volume.status,
      ":size": volume.size,
      ":deadline": deadline.toISOString(),
      ...timesLocked(volume),
      ...(extension.counted === true && { ":quota_size": countedWhileExtending(volume, extension.size) }),
    },
  );
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
  const changed = await writer.writeAndRead(volume.id, statements.changeType(read), {
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
  const record = await writer.writeAndRead(volumeId, statements.KEEP_EXTENSION_CLAIM, values);
  return record ?? refuseExtension(number, await writer.get(volumeId));
}

export async function endExtend(
  writer: VolumeWriter,
  volumeId: string,
  number: number,
  end: ExtensionEnd,
): Promise<VolumeRecord> {
  const quotaSize = end.outcome === "failed" ? end.quotaSize : undefined;
  const record = await writer.writeAndRead(volumeId, statements.endExtend(end.outcome, quotaSize !== undefined), {
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
