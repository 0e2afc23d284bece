import { createRateMeter } from "../core/rate-meter.ts";
import { attemptOf, type VolumeRecord } from "../core/records.ts";
import { formatBytes, formatDuration, text } from "./format.ts";
import { paint, styleOfStatus } from "./terminal.ts";
import type { Output } from "./terminal.ts";

/** Progress and speed of long work. */

/** Figures of a {@link Meter}. Absent figures are not known yet. */
export type Reading = {
  bytesDone?: number;
  bytesTotal?: number;
  fraction?: number;
  bytesPerSecond?: number;
  etaSeconds?: number;
};

/** Measures the rate of work that reports its progress from time to time. */
export type Meter = { read(bytesDone: number, bytesTotal: number, at: number): Reading };

/** A meter over the last seconds, see {@link createRateMeter}. `at` in milliseconds. */
export function createMeter(windowMilliseconds?: number): Meter {
  const meter = createRateMeter(windowMilliseconds);
  return {
    read: (bytesDone, bytesTotal, at) => readingAt(bytesDone, bytesTotal, meter.read(bytesDone, at)),
  };
}

/** @param elapsedSeconds since the bytes were counted: of the time that was left then, so much is over */
function readingAt(
  bytesDone: number,
  bytesTotal: number,
  bytesPerSecond: number | undefined,
  elapsedSeconds = 0,
): Reading {
  const fraction = fractionOf(bytesDone, bytesTotal);
  if (bytesPerSecond === undefined) {
    return { fraction };
  }
  if (bytesPerSecond <= 0) {
    return { fraction, bytesPerSecond: 0 };
  }
  const secondsLeft = Math.max(0, bytesTotal - bytesDone) / bytesPerSecond;
  return { fraction, bytesPerSecond, etaSeconds: Math.max(0, secondsLeft - elapsedSeconds) };
}

/** A copy saves its progress about every second. After this time without progress its speed is unknown. */
const LONGEST_SILENCE_SECONDS = 60;

/** Progress of a volume's image copy from its record; undefined when nothing is copied. */
export function readingOf({ progress }: Pick<VolumeRecord, "progress">, now: Date): Reading | undefined {
  if (progress === null) {
    return undefined;
  }
  const { bytes_done: bytesDone, bytes_total: bytesTotal, updated_at: updatedAt } = progress;
  // The clock of this machine may be behind that of the functions.
  const elapsedSeconds = Math.max(0, (now.getTime() - Date.parse(updatedAt)) / 1000);
  const isKnown = elapsedSeconds <= LONGEST_SILENCE_SECONDS;
  const bytesPerSecond = isKnown ? progress.bytes_per_second : undefined;
  return { bytesDone, bytesTotal, ...readingAt(bytesDone, bytesTotal, bytesPerSecond, elapsedSeconds) };
}

/** A volume as `--json` gives it: its record, and the figures derived from its progress; null means not known. */
export function volumeDocument(volume: VolumeRecord, now: Date) {
  const reading = readingOf(volume, now);
  return reading === undefined
    ? volume
    : {
        ...volume,
        progress: {
          ...volume.progress,
          percent: percentOf(reading.fraction ?? 0),
          bytes_per_second: reading.bytesPerSecond ?? null,
          eta_seconds: reading.etaSeconds === undefined ? null : Math.ceil(reading.etaSeconds),
        },
      };
}

/** Between 0 and 1; work without bytes counts as done. */
export function fractionOf(bytesDone: number, bytesTotal: number): number {
  return bytesTotal <= 0 ? 1 : Math.min(1, Math.max(0, bytesDone / bytesTotal));
}

/** Full only when everything is done: 99.9 % reads as 99 %. */
export function percentOf(fraction: number): number {
  return Math.floor(fraction * 100);
}

/** `[####------]` in blocks, `width` of them. */
export function renderBar(fraction: number, width: number): string {
  const filled = Math.floor(Math.min(1, Math.max(0, fraction)) * width);
  return `[${"█".repeat(filled)}${"░".repeat(width - filled)}]`;
}

/** ` 43 %  440 MiB of 1.0 GiB  128 MiB/s  ETA 4.0 s`, as far as the figures are known. */
export function renderReading(reading: Reading): string {
  const parts: string[] = [];
  if (reading.fraction !== undefined) {
    parts.push(`${String(percentOf(reading.fraction)).padStart(3)} %`);
  }
  if (reading.bytesDone !== undefined && reading.bytesTotal !== undefined) {
    parts.push(`${formatBytes(reading.bytesDone)} of ${formatBytes(reading.bytesTotal)}`);
  }
  if (reading.bytesPerSecond !== undefined && reading.fraction !== 1) {
    parts.push(`${formatBytes(reading.bytesPerSecond)}/s`);
  }
  if (reading.etaSeconds !== undefined && reading.fraction !== 1) {
    parts.push(`ETA ${formatDuration(reading.etaSeconds * 1000)}`);
  }
  return parts.join("  ");
}

/** Status, with the phase if that says more. */
export function stateOf(volume: VolumeRecord): string {
  const phase = volume.phase;
  return phase === null || phase === volume.status || volume.deadline === null
    ? volume.status
    : `${volume.status} (${phase})`;
}

const BAR_WIDTH = 20;
const STATE_WIDTH = 22;

/**
 * The one line of a volume that is being followed. A terminal gets the bytes, the bar, then the host, as far as its width allows; a
 * plain line has the host and no bar.
 *
 * @param alone Whether it is the only volume: its id and its fault are then shown elsewhere.
 */
export function renderVolumeLine(
  output: Output,
  volume: VolumeRecord,
  reading: Reading | undefined,
  alone = false,
): string {
  const attempt = attemptOf(volume);
  const state = stateOf(volume).padEnd(STATE_WIDTH);
  const before = [...(alone ? [] : [volume.id]), state, `attempt ${attempt === 0 ? "-" : attempt}`];
  const columns = output.isTty ? output.columns : Number.POSITIVE_INFINITY;
  const known = volume.fault === null ? readingWithin(reading ?? {}, columns - `${before.join("  ")}  `.length) : "";
  const parts = [...before, ...(known === "" ? [] : [known])];
  const room = output.isTty ? output.columns - parts.join("  ").length : Number.POSITIVE_INFINITY;
  const bar = output.isTty && known !== "" && room > BAR_WIDTH + 4 ? renderBar(reading?.fraction ?? 0, BAR_WIDTH) : "";
  const host = text(volume.host);
  const roomForHost = room - (bar === "" ? 0 : bar.length + 2);
  const shown = [
    ...before.map((part) => (part === state ? paint(output, styleOfStatus(volume.status), part) : part)),
    ...(volume.host !== null && roomForHost > host.length + 2 ? [host] : []),
    ...(bar === "" ? [] : [bar]),
    ...(known === "" ? [] : [known]),
    ...(volume.fault === null || alone ? [] : [paint(output, "red", faultText(volume.fault))]),
  ];
  return shown.join("  ").trimEnd();
}

/** Without its bytes if they do not fit: the percentage is nearly equivalent. */
function readingWithin(reading: Reading, columns: number): string {
  const full = renderReading(reading);
  const { bytesDone: _, ...short } = reading;
  return full.length <= columns ? full : renderReading(short);
}

/** A fault in one line, with the errors of the earlier attempts, so that NoValidBackend never hides the cause. */
export function faultStory(fault: { error: string; cause: string; attempts: readonly string[] }): string {
  return [faultText(fault), ...fault.attempts.map(text)].join("; ");
}

/** A fault in one line: its error's name and its message. */
export function faultText(fault: { error: string; cause: string }): string {
  return text(`${fault.error}: ${fault.cause}`);
}
