import { attemptOf, type VolumeRecord } from "../../core/records.ts";
import { readingOf } from "../progress.ts";
import { type CopyReading, MINUTES_SHOWN, type SortKey, type VolumeRow, type VolumesAnswer } from "./wire.ts";

/** The list's rows and figures, computed from the volumes that the feed holds. */

/** Query of the list. */
export type VolumesQuery = {
  /** In name, id, project, status or host, ignoring case. */
  search: string;
  status: string | null;
  sort: SortKey;
  isDescending: boolean;
  /** From 1. */
  page: number;
};

/** A volume's row, with the time at which the volume became available. */
export type TimedRow = { row: VolumeRow; launchedAt: string | null };

/** The row of a record. */
export function rowOf(volume: VolumeRecord): VolumeRow {
  const { id, display_name: name, status, phase, size, host, project_id, created_at, fault } = volume;
  const attempt = attemptOf(volume);
  const told = fault === null ? null : `${fault.error}: ${fault.cause}`;
  return { id, name, status, phase, size, host, project_id, created_at, attempt, fault: told };
}

/** How far the copy of a volume is; null when nothing is copied. */
export function copyOf(volume: Pick<VolumeRecord, "progress">, now: Date): CopyReading | null {
  const reading = readingOf(volume, now);
  if (reading?.bytesDone === undefined || reading.bytesTotal === undefined) {
    return null;
  }
  return {
    bytes_done: reading.bytesDone,
    bytes_total: reading.bytesTotal,
    bytes_per_second: reading.bytesPerSecond ?? null,
    eta_seconds: reading.etaSeconds === undefined ? null : Math.ceil(reading.etaSeconds),
  };
}

/** The rows of the status that have every word of the search. */
export function matchingRows(rows: readonly VolumeRow[], { search, status }: VolumesQuery): readonly VolumeRow[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const ofStatus = status === null ? rows : rows.filter((row) => row.status === status);
  if (words.length === 0) {
    return ofStatus;
  }
  return ofStatus.filter((row) => {
    const text = [row.name, row.id, row.project_id, row.status, row.host].join("\n").toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

/** Volumes that are equal by the key are in the order of their ids, the same each time. */
export function sortedRows(rows: readonly VolumeRow[], { sort, isDescending }: VolumesQuery): VolumeRow[] {
  const sign = isDescending ? -1 : 1;
  const keyed = rows.map((row) => {
    const value = row[sort];
    return { row, key: typeof value === "number" ? value : (value ?? "").toLowerCase() };
  });
  keyed.sort((one, other) => sign * compare(one.key, other.key) || compare(one.row.id, other.row.id));
  return keyed.map(({ row }) => row);
}

/** By code unit, or by value: the keys of one column are of one type. */
export function compare(one: string | number, other: string | number): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

/** Volumes by status. */
export function countsOf(rows: readonly VolumeRow[]): VolumesAnswer["counts"] {
  const counts: VolumesAnswer["counts"] = {};
  for (const { status } of rows) {
    counts[status] = (counts[status] ?? 0) + 1;
  }
  return counts;
}

/** Volumes that were created in each of the last minutes, the oldest minute first. */
export function createdPerMinute(entries: readonly TimedRow[], now: Date): number[] {
  return byMinute(entries, now, ({ row }) => row.created_at).map(({ length }) => length);
}

/** Medians, because one slow image copy among raw volumes says little of either. */
export function createSecondsPerMinute(entries: readonly TimedRow[], now: Date): (number | null)[] {
  return byMinute(entries, now, ({ launchedAt }) => launchedAt).map((launched) => {
    const seconds = launched.map(
      ({ row, launchedAt }) => (Date.parse(launchedAt ?? "") - Date.parse(row.created_at)) / 1000,
    );
    return seconds.toSorted((one, other) => one - other)[Math.floor((seconds.length - 1) / 2)] ?? null;
  });
}

/** The entries by the minute of a time, the oldest minute first, without those of earlier times. */
function byMinute(entries: readonly TimedRow[], now: Date, timeOf: (entry: TimedRow) => string | null): TimedRow[][] {
  const minutes = Array.from({ length: MINUTES_SHOWN }, (): TimedRow[] => []);
  const oldest = new Date(now.getTime() - MINUTES_SHOWN * 60_000).toISOString();
  for (const entry of entries) {
    const time = timeOf(entry);
    // Times of records sort as text, so the volumes of earlier times, which are most, are not parsed.
    if (time !== null && time > oldest) {
      const age = Math.floor((now.getTime() - Date.parse(time)) / 60_000);
      minutes[MINUTES_SHOWN - 1 - Math.max(0, age)]?.push(entry);
    }
  }
  return minutes;
}
