import { attemptOf, type VolumeRecord } from "../core/records.ts";
import { formatBytes, formatDuration, text } from "./format.ts";
import { paint, styleOfStatus } from "./terminal.ts";
import type { Output } from "./terminal.ts";

/** How far long work is, and how fast. */

/** What a {@link Meter} says. Absent figures cannot be told yet. */
export type Reading = { fraction?: number; bytesPerSecond?: number; etaSeconds?: number };

/** Measures the rate of work whose progress is told now and then. */
export type Meter = { read(bytesDone: number, bytesTotal: number, at: number): Reading };

const WINDOW_MILLISECONDS = 10_000;

/**
 * A meter over the last seconds. The same figure told again at the same time changes nothing; fewer bytes than before say that
 * the work began anew, as a copy does on its next attempt. `at` in milliseconds.
 */
export function createMeter(windowMilliseconds = WINDOW_MILLISECONDS): Meter {
  let samples: { at: number; bytes: number }[] = [];
  return {
    read(bytesDone, bytesTotal, at) {
      const last = samples.at(-1);
      if (last !== undefined && bytesDone < last.bytes) {
        samples = [];
      }
      if (last === undefined || at > last.at || samples.length === 0) {
        samples.push({ at, bytes: bytesDone });
      }
      // One sample older than the window stays, so that the rate always spans the whole of it.
      while (samples.length > 2 && (samples[1]?.at ?? at) <= at - windowMilliseconds) {
        samples.shift();
      }
      return readingOf(samples, bytesDone, bytesTotal);
    },
  };
}

function readingOf(samples: readonly { at: number; bytes: number }[], bytesDone: number, bytesTotal: number): Reading {
  const fraction = fractionOf(bytesDone, bytesTotal);
  const first = samples[0];
  const last = samples.at(-1);
  const milliseconds = (last?.at ?? 0) - (first?.at ?? 0);
  if (first === undefined || last === undefined || milliseconds <= 0) {
    return { fraction };
  }
  const bytesPerSecond = ((last.bytes - first.bytes) * 1000) / milliseconds;
  if (bytesPerSecond <= 0) {
    return { fraction, bytesPerSecond: 0 };
  }
  return {
    fraction,
    bytesPerSecond,
    etaSeconds: Math.max(0, bytesTotal - bytesDone) / bytesPerSecond,
  };
}

/** Between 0 and 1; work of no bytes is done. */
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

/** `  43 %  128 MiB/s  ETA 4.0 s`, as far as the figures are known. */
export function renderReading(reading: Reading): string {
  const parts: string[] = [];
  if (reading.fraction !== undefined) {
    parts.push(`${String(percentOf(reading.fraction)).padStart(3)} %`);
  }
  if (reading.bytesPerSecond !== undefined && reading.fraction !== 1) {
    parts.push(`${formatBytes(reading.bytesPerSecond)}/s`);
  }
  if (reading.etaSeconds !== undefined && reading.fraction !== 1) {
    parts.push(`ETA ${formatDuration(reading.etaSeconds * 1000)}`);
  }
  return parts.join("  ");
}

/** Status, with what is going on where that says more. */
export function stateOf(volume: VolumeRecord): string {
  const phase = volume.phase;
  return phase === null || phase === volume.status || volume.deadline === null
    ? volume.status
    : `${volume.status} (${phase})`;
}

const BAR_WIDTH = 20;
const STATE_WIDTH = 22;

/**
 * The one line of a volume that is being followed. A terminal gets the bar, then the host, as far as its width allows; a plain
 * line has the host and no bar.
 *
 * @param alone Whether it is the only volume: its id and its fault are then told elsewhere.
 */
export function renderVolumeLine(
  output: Output,
  volume: VolumeRecord,
  reading: Reading | undefined,
  alone = false,
): string {
  const attempt = attemptOf(volume);
  const state = stateOf(volume).padEnd(STATE_WIDTH);
  const known = volume.fault === null ? renderReading(reading ?? {}) : "";
  const before = [...(alone ? [] : [volume.id]), state, `attempt ${attempt === 0 ? "-" : attempt}`];
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

/** A fault in one line, with what the attempts before it ended by: that no backend is left never hides why. */
export function faultStory(fault: { error: string; cause: string; attempts: readonly string[] }): string {
  return [faultText(fault), ...fault.attempts.map(text)].join("; ");
}

/** A fault in one line: its error's name and its message. */
export function faultText(fault: { error: string; cause: string }): string {
  return text(`${fault.error}: ${fault.cause}`);
}
