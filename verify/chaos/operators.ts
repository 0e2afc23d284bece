import { randomUUID } from "node:crypto";
import { mkdir, open, utimes } from "node:fs/promises";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { PutItemCommand } from "@aws-sdk/client-dynamodb";
import type { AuditReport } from "../../core/audit/report.ts";
import { describeError } from "../../core/errors.ts";
import { volumeName } from "../../core/records.ts";
import { redriveDeadLetter } from "../../core/dead-letters/redrive-dead-letter.ts";
import { phaseBoundsOf } from "../../core/settings/time-bounds.ts";
import type { PlantedOrphan } from "./evidence.ts";
import { everything } from "./gather.ts";
import type { Services } from "./services.ts";
import { BACKENDS, backendDirectory, FIRST_BACKEND, TIME_BOUNDS } from "./stack.ts";
import type { Submission } from "./submit.ts";

/** Operators who repair during the run. Neither of them ever throws: what fails now is tried again later. */
export type Operators = {
  /** How often each thing was done. */
  readonly counts: Record<"redriven" | "redrive refused" | "audits" | "reaped", number>;
  /** Ids of the records that an audit has reported as unreadable. */
  readonly unreadable: ReadonlySet<string>;
  /** Stops both, and audits once more when everything is at rest. */
  finish(): Promise<void>;
  stop(): void;
};

/** Between two looks at the dead letters, and between two audits. */
const REDRIVE_MS = 2_000;
const AUDIT_MS = 10_000;

/** Faults strike the last audit as well, so it is tried so often; what is still there then is a violation. */
const LAST_AUDITS = 20;

/** Orphans that lie on each backend before the run begins: volumes of no record. */
const PLANTED = 3;
const TWO_DAYS_MS = 2 * 86_400_000;
const OLDER_THAN_HOURS = 24;

/** Puts files on the backends that look like volumes of a lost record, two days old, for the audit to remove. */
export async function plantOrphans(directory: string): Promise<PlantedOrphan[]> {
  const planted: PlantedOrphan[] = [];
  for (const { host, name } of BACKENDS) {
    await mkdir(backendDirectory(directory, name), { recursive: true, mode: 0o700 });
    for (let count = 0; count < PLANTED; count += 1) {
      const orphan = { id: randomUUID(), backend: host };
      await writeOldFile(plantedFile(directory, orphan));
      planted.push(orphan);
    }
  }
  return planted;
}

/** Where the file lies until an audit removes it. */
export function plantedFile(directory: string, { id, backend }: PlantedOrphan): string {
  const name = BACKENDS.find(({ host }) => host === backend)?.name ?? "";
  return path.join(backendDirectory(directory, name), volumeName(id));
}

/**
 * Puts an old volume whose record cannot be read, as another service could write it: JavaScript does not have its size. Nothing may be
 * disturbed by it, and the audit must report it, and keep the volume's file.
 */
export async function plantUnreadable(services: Services, directory: string): Promise<PlantedOrphan> {
  const id = randomUUID();
  const backend = FIRST_BACKEND;
  await writeOldFile(plantedFile(directory, { id, backend: backend.host }));
  const host = { S: `${backend.host}#${backend.name}` };
  const item = { id: { S: id }, status: { S: "available" }, host, size: { N: "9007199254740993.5" } };
  await services.dynamodb.send(new PutItemCommand({ TableName: services.output("VolumesTableName"), Item: item }));
  return { id, backend: backend.host };
}

/** Writes an empty file that is two days old. */
async function writeOldFile(file: string): Promise<void> {
  await (await open(file, "w", 0o600)).close();
  const then = new Date(Date.now() - TWO_DAYS_MS);
  await utimes(file, then, then);
}

/**
 * Sends dead letters again, with a corrected message where the kept one cannot be read, and audits the backends with `reap`, both for
 * as long as the run lasts.
 */
export function startOperators(services: Services, submission: Submission): Operators {
  const counts: Operators["counts"] = { redriven: 0, "redrive refused": 0, audits: 0, reaped: 0 };
  const stopping = new AbortController();
  const repeat = async (everyMs: number, work: () => Promise<void>): Promise<void> => {
    while (!stopping.signal.aborted) {
      await work().catch(() => undefined);
      await delay(everyMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  };
  const unreadable = new Set<string>();
  const audit = async (): Promise<boolean> => {
    const request = { reap: true, older_than_hours: OLDER_THAN_HOURS };
    const report = (await services.call(services.functionName("AuditBackends"), request)) as AuditReport;
    counts.audits += 1;
    counts.reaped += report.totals.reaped;
    for (const { kind, id } of report.findings) {
      if (kind === "unreadable") {
        unreadable.add(id);
      }
    }
    return report.complete && report.totals.orphan === 0;
  };
  const working = [
    repeat(REDRIVE_MS, () => redriveAll(services, submission, counts)),
    repeat(AUDIT_MS, async () => void (await audit())),
  ];
  return {
    counts,
    unreadable,
    finish: async () => {
      stopping.abort();
      await Promise.all(working);
      for (let tries = 0; tries < LAST_AUDITS; tries += 1) {
        if (await audit().catch(() => false)) {
          return;
        }
        await delay(500);
      }
    },
    stop: () => stopping.abort(),
  };
}

const clock = { now: () => new Date() };
const phaseBounds = phaseBoundsOf(TIME_BOUNDS);

/** Each letter of a volume that was asked for, until it was sent. */
async function redriveAll(
  services: Services,
  { accepted, messages }: Submission,
  counts: Operators["counts"],
): Promise<void> {
  const letters = await everything((limit, from) => services.deadLetters.list(limit, from));
  for (const letter of letters) {
    const volume = accepted.find(({ id }) => id === letter.volume_id);
    if (volume === undefined || letter.redriven_at !== null) {
      continue;
    }
    volume.redriven = true;
    try {
      const deps = { ...services, queue: services.schedulerQueue, clock, phaseBounds };
      await redriveDeadLetter(deps, letter, messages.get(volume.id));
      counts.redriven += 1;
    } catch (error) {
      // A volume that has moved on, or is gone, is not sent again; anything else is tried at the next look.
      counts["redrive refused"] += /^(InvalidVolume|VolumeNotFound)$/.test(describeError(error).name) ? 1 : 0;
    }
  }
}
