import { oneLine } from "./safe-text.ts";

/** Formats figures and texts for people. */

const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;

/** Bytes with a unit and at most three significant digits: `1.5 MiB`. */
export function formatBytes(bytes: number): string {
  let amount = bytes;
  let unit = 0;
  while (amount >= 1024 && unit < BYTE_UNITS.length - 1) {
    amount /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || amount >= 100 ? 0 : 1;
  return `${amount.toFixed(digits)} ${BYTE_UNITS[unit] ?? "B"}`;
}

/** A span of time: `850 ms`, `4.2 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`. */
export function formatDuration(milliseconds: number): string {
  const span = Math.max(0, milliseconds);
  if (span < 1000) {
    return `${Math.round(span)} ms`;
  }
  if (span < 59_950) {
    return `${(span / 1000).toFixed(1)} s`;
  }
  const seconds = Math.round(span / 1000);
  if (seconds < 3600) {
    return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  }
  if (seconds < 86_400) {
    return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  }
  return `${Math.floor(seconds / 86_400)} d ${Math.floor((seconds % 86_400) / 3600)} h`;
}

/** A stored time to the second, in UTC. */
export function formatTime(timestamp: string | null | undefined): string {
  return timestamp === null || timestamp === undefined ? "-" : `${timestamp.slice(0, 19).replace("T", " ")}Z`;
}

/** Gigabytes as a backend reports them: a number, or a word such as `infinite`. */
export function formatCapacity(gigabytes: number | string | null): string {
  return typeof gigabytes === "number" ? String(Math.round(gigabytes * 100) / 100) : text(gigabytes);
}

/** Any stored text, safe to show on a terminal; an empty value reads as `-`. */
export function text(value: string | null | undefined): string {
  return value === null || value === undefined || value === "" ? "-" : oneLine(value);
}

/** `a=1, b=2` of a map, in the order of its keys. */
export function formatMap(map: Readonly<Record<string, unknown>>): string {
  const entries = Object.entries(map).toSorted(([one], [other]) => (one < other ? -1 : 1));
  const shown = entries.map(([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  return text(shown.join(", "));
}
