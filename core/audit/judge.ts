import { backendHost } from "../backends/backends.ts";
import type { StoredContent } from "../drivers/driver-ports.ts";
import type { Attempt, SnapshotRecord, VolumeRecord } from "../records.ts";
import { isInFlow } from "../volume-lifecycle.ts";

/**
 * The verdict on an entry of a backend, by its record.
 *
 * - `claimed`: its record is on this backend, or cannot be read.
 * - `young`: no record claims it, but an attempt may still be at work on it.
 * - `reapable`: for an orphan or leftover, null when it may be deleted, otherwise why not.
 */
export type Judgement =
  | { verdict: "claimed" | "young" }
  | { verdict: "held" | "suspect"; detail: string }
  | { verdict: "orphan" | "leftover"; detail: string; notReapable: string | null };

const CLAIMED: Judgement = { verdict: "claimed" };
const YOUNG: Judgement = { verdict: "young" };

/**
 * Judges a backend's data of a volume.
 *
 * Nothing is called an orphan until two clocks have run out: `oldBefore` is past the file's last write, and past the end of the
 * last attempt that was on this backend. A function that was given up may still be writing; it ends with its own time-out, which
 * is shorter than the shortest age that may be asked for.
 *
 * Nothing may be reaped while a create of the same id could begin: a volume in the flow may be scheduled to this backend at any
 * time, and one in `error` may be sent to the scheduler again. A create would find the orphan, take it for its own work, and lose it.
 *
 * @param host `host@backend`
 */
export function judgeVolume(
  stored: StoredContent,
  host: string,
  record: VolumeRecord | undefined,
  oldBefore: Date,
): Judgement {
  const isOld = stored.modified_at < oldBefore;
  const verdict = stored.partial ? "leftover" : "orphan";
  if (record === undefined) {
    return isOld ? { verdict, detail: "no record has this id", notReapable: null } : YOUNG;
  }
  if (isOn(host, record.host)) {
    return judgeClaimed(stored, record, isOld && new Date(record.updated_at) < oldBefore);
  }
  const there = Object.entries(record.attempts).filter(([, attempt]) => isOn(host, attempt.host));
  if (isOld && there.every(([, attempt]) => hasEndedBefore(attempt, oldBefore, isBeingCreated(record)))) {
    const detail = `the record is ${record.status} on ${record.host ?? "no host"}${suspicion(there)}`;
    return { verdict, detail, notReapable: whyVolumeMayReturn(record) };
  }
  const suspected = there.filter(([, attempt]) => attempt.suspected_orphan === true);
  return suspected.length === 0
    ? YOUNG
    : { verdict: "suspect", detail: `something is there${suspicion(suspected)}, but not for long enough` };
}

/** Judges a backend's data of a snapshot, whose record always names the same host. */
export function judgeSnapshot(
  stored: StoredContent,
  host: string,
  record: SnapshotRecord | undefined,
  oldBefore: Date,
): Judgement {
  const isOld = stored.modified_at < oldBefore;
  if (record !== undefined && isOn(host, record.host)) {
    return record.status === "error" ? { verdict: "held", detail: "the snapshot is in error" } : CLAIMED;
  }
  if (!isOld) {
    return YOUNG;
  }
  const verdict = stored.partial ? "leftover" : "orphan";
  if (record === undefined) {
    return { verdict, detail: "no record has this id", notReapable: null };
  }
  const notReapable = record.status === "available" ? null : `the snapshot is ${record.status}`;
  return { verdict, detail: `the record is ${record.status} on ${record.host}`, notReapable };
}

/** Whether a volume of that record must be on its backend. */
export function mustBeThere({ status, host }: VolumeRecord): boolean {
  return (
    host !== null &&
    ["available", "in-use", "backing-up", "migration_target", "extending", "error_extending"].includes(status)
  );
}

/**
 * How the size of a usable volume or snapshot differs from its record: bytes were lost or added behind the flow's back. Undefined when
 * it does not, and while the thing is being made or extended, whose size is not final.
 *
 * @param record of this backend
 * @param startedAt of the audit; data that was written later may have been listed in its earlier state
 */
export function damageOf(
  stored: StoredContent,
  record: VolumeRecord | SnapshotRecord,
  startedAt: Date,
): string | undefined {
  const sizeGib = "volume_size" in record ? record.volume_size : record.size;
  const changedAt = "volume_size" in record ? record.created_at : record.updated_at;
  const isFinal = "volume_size" in record ? record.status === "available" : mustBeThere(record) && !isExtending(record);
  if (stored.partial || !isFinal || new Date(changedAt) >= startedAt || stored.size_bytes === sizeGib * 2 ** 30) {
    return undefined;
  }
  return `the record is ${record.status} with ${sizeGib} GiB, and ${stored.size_bytes} bytes are there`;
}

function isExtending({ status }: VolumeRecord): boolean {
  return status === "extending" || status === "error_extending";
}

/** Whether the flow owns the volume, or may continue with it. */
export function isBeingCreated(record: VolumeRecord): boolean {
  return isInFlow(record) || record.deadline !== null;
}

/** Whether a host, pool or not, is of that backend. */
export function isOn(backend: string, host: string | null): boolean {
  return host !== null && backendHost(host) === backend;
}

function judgeClaimed(stored: StoredContent, record: VolumeRecord, isLeftAlone: boolean): Judgement {
  const { status } = record;
  if (isBeingCreated(record)) {
    return CLAIMED;
  }
  if (status === "error" || status === "error_deleting" || (status === "deleting" && isLeftAlone)) {
    return { verdict: "held", detail: `the volume is in ${status}` };
  }
  if (stored.partial && isLeftAlone) {
    const detail = `unfinished work on a volume that is ${status}`;
    return { verdict: "leftover", detail, notReapable: "its volume is on this backend, and would be deleted with it" };
  }
  return CLAIMED;
}

/** A line without an end counts as ended when no function can be working on it any more. */
function hasEndedBefore(attempt: Attempt, oldBefore: Date, mayStillRun: boolean): boolean {
  return attempt.ended_at === undefined ? !mayStillRun : new Date(attempt.ended_at) < oldBefore;
}

function whyVolumeMayReturn(record: VolumeRecord): string | null {
  if (isBeingCreated(record)) {
    return `the volume is ${record.status}, and may be placed on this backend yet`;
  }
  return record.status === "error" ? "the volume is in error, and may be sent to the scheduler again" : null;
}

function suspicion(attempts: [string, Attempt][]): string {
  const suspected = attempts.filter(([, { suspected_orphan }]) => suspected_orphan === true).map(([number]) => number);
  return suspected.length === 0 ? "" : `; suspected since attempt ${suspected.join(", ")}`;
}
