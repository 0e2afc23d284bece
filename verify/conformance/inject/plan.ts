import { appendFileSync, existsSync, readFileSync } from "node:fs";
import path from "node:path";
import type { Given } from "../cases.ts";

/**
 * The functions' knowledge of their case, and their reports: files in one directory, because functions share nothing else. One volume's
 * work is sequential, so its log is in order.
 */

/** Variable of the functions' environment that names the directory. */
export const PLAN_DIRECTORY_VARIABLE = "CONFORMANCE_DIRECTORY";

/** A case under its ids. It is kept under each of them. */
export type Plan = {
  volumeId: string;
  /** The source volume, or the volume that the snapshot was taken of. */
  sourceId: string;
  snapshotId: string;
  imageId: string;
  given: Given;
};

/** A message that went back to the scheduler, as it was sent, with the row at that moment. */
export type CastEvent = {
  event: "cast";
  message: Record<string, unknown>;
  row: { status: string; host: string | null; scheduled_at: string | null };
  raised?: string;
};

/** One line of a case's log. */
export type PlanEvent =
  | { event: "driver"; call: string; leaves: "volume" | "nothing" | "as it was" }
  | {
      event: "notification";
      notification: { event_type: string; publisher_id: string; payload: Record<string, unknown> };
      raised?: string;
    }
  | CastEvent
  /** The net below the workflow has read the volume. */
  | { event: "net" }
  | { event: "write fault"; index: number };

/** The plan that an id belongs to, if it belongs to any. */
export function planOf(id: string): Plan | undefined {
  const file = fileIn(directoryHere(), id, "json");
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Plan) : undefined;
}

/** Adds to the log of a case. */
export function log(plan: Plan, event: PlanEvent): void {
  appendFileSync(fileIn(directoryHere(), plan.volumeId, "log"), `${JSON.stringify(event)}\n`);
}

/** The log of a volume so far. */
export function eventsOf(volumeId: string, directory: string = directoryHere()): PlanEvent[] {
  const file = fileIn(directory, volumeId, "log");
  const lines = existsSync(file) ? readFileSync(file, "utf8").trimEnd().split("\n") : [];
  return lines.map((line) => JSON.parse(line) as PlanEvent);
}

/** A file of the directory; ids are UUIDs, but one that is not must not lead elsewhere. */
export function fileIn(directory: string, id: string, extension: "json" | "log"): string {
  return path.join(directory, `${path.basename(id)}.${extension}`);
}

/** Whose presence puts the clock of all functions forward, past every deadline. */
export function lateFileIn(directory: string): string {
  return path.join(directory, "late");
}

const DAY_MS = 24 * 60 * 60 * 1000;

/** The time as the functions under test see it. */
export function planNow(): Date {
  return new Date(Date.now() + (existsSync(lateFileIn(directoryHere())) ? DAY_MS : 0));
}

function directoryHere(): string {
  const directory = process.env[PLAN_DIRECTORY_VARIABLE];
  if (directory === undefined) {
    throw new Error(`Environment variable ${PLAN_DIRECTORY_VARIABLE} is not set`);
  }
  return directory;
}
