import type { VolumeRecord } from "../../core/records.ts";
import { oneLine } from "../screen.ts";

/** The reason for a volume's place: its fault, or the errors of the attempts before the last; `-` when the first attempt succeeded. */
export function faultOf(record: VolumeRecord): string {
  if (record.fault !== null) {
    return oneLine(`${record.fault.error}: ${record.fault.cause}`);
  }
  const failed = Object.entries(record.attempts).filter(([, { error }]) => error !== undefined);
  const lines = failed.map(([number, { host, error, cause }]) => `attempt ${number} on ${host}: ${error}: ${cause}`);
  return oneLine(lines.join("; ")) || "-";
}
