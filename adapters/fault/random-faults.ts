import { createHash } from "node:crypto";
import type { FaultCall, RandomFaultKind, RandomFaults } from "./options.ts";

/** A fault that was drawn. */
export type RandomFault = { kind: RandomFaultKind; delayMs: number };

/** Four bytes of a hash as a number from 0 to just below 1. */
const SPAN = 2 ** 32;

/**
 * Draws the fault of one call, or none: the same for the same seed, call, subject and time in every process. A repeat of a call is another
 * time, so it draws again.
 *
 * @param subject id of the volume or snapshot
 * @param time 1 for the subject's first such call
 */
export function drawFault(
  options: RandomFaults,
  call: FaultCall,
  subject: string,
  time: number,
): RandomFault | undefined {
  const hash = createHash("sha256").update(`${options.seed} ${call} ${subject} ${time}`).digest();
  if (hash.readUInt32BE(0) / SPAN >= options.rate) {
    return undefined;
  }
  const kind = options.kinds[hash.readUInt32BE(4) % options.kinds.length];
  const longest = kind === "late" ? options.late_milliseconds : options.slow_milliseconds;
  const delayMs = Math.ceil((hash.readUInt32BE(8) / SPAN) * longest);
  return kind === undefined ? undefined : { kind, delayMs };
}

/** Name of the file that stands for one drawn call; `none` where no fault struck. */
export function drawName(call: FaultCall, subject: string, time: number, kind: RandomFaultKind | "none"): string {
  return `random-${call}-${subject}-${time}-${kind}`;
}

/** Counts the injected faults, by kind, from the names in the state directory. */
export function countRandomFaults(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) {
    const kind = /^random-.*-(\w+)$/.exec(name)?.[1];
    if (kind !== undefined && kind !== "none") {
      counts[kind] = (counts[kind] ?? 0) + 1;
    }
  }
  return counts;
}
