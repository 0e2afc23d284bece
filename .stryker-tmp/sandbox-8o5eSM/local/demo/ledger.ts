// @ts-nocheck
import type { VolumeRecord } from "../../core/records.ts";
import { oneLine } from "../screen.ts";

/** Why a volume is where it is: its fault, or what ended the attempts before the last; `-` when all went well at once. */
export function faultOf(record: VolumeRecord): string {
  if (record.fault !== null) {
    return oneLine(`${record.fault.error}: ${record.fault.cause}`);
  }
  const failed = Object.entries(record.attempts).filter(([, { error }]) => error !== undefined);
  const lines = failed.map(([number, { host, error, cause }]) => `attempt ${number} on ${host}: ${error}: ${cause}`);
  return oneLine(lines.join("; ")) || "-";
}
