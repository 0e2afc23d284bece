import { faultOf } from "./ledger.ts";
import type { Expectation } from "./expectations.ts";
import type { Result } from "./result.ts";

/** Its duration in milliseconds, and the directory of its files if they were kept. */
export type Run = { milliseconds: number; bootMilliseconds: number; keptDirectory: string | null };

/** The result as one JSON document. */
export function documentOf(result: Result, expectations: readonly Expectation[], run: Run): Record<string, unknown> {
  const { wishes, records, snapshot, received, transitions, files, comparisons } = result;
  return {
    ok: expectations.every(({ holds }) => holds),
    seconds: run.milliseconds / 1000,
    boot_seconds: run.bootMilliseconds / 1000,
    directory: run.keptDirectory,
    volumes: Object.values(wishes).map(({ id, name, about }) => {
      const record = records.get(id);
      return {
        name,
        about,
        id,
        status: record?.status ?? null,
        host: record?.host ?? null,
        bootable: record?.bootable ?? null,
        attempts: record?.attempts ?? {},
        fault: record?.fault ?? null,
        why: record === undefined ? "never asked for" : faultOf(record),
        transitions: transitions.byVolume.get(id) ?? 0,
      };
    }),
    snapshot: snapshot ?? null,
    notifications: received.map(({ notification, volumeId, recordStatus }) => ({
      event_type: notification.event_type,
      message_id: notification.message_id,
      volume_id: volumeId,
      record_status: recordStatus,
    })),
    transitions: transitions.total,
    files,
    comparisons: comparisons.map(({ volume, source, comparedBytes, bytesBehind, sha256, differsAt }) => ({
      volume,
      source,
      compared_bytes: comparedBytes,
      bytes_behind: bytesBehind,
      sha256,
      differs_at: differsAt,
    })),
    expectations,
  };
}
