import { backendHost } from "../backends/backends.ts";
import type { SnapshotRecord, VolumeRecord } from "../records.ts";
import { keyOf, oneLineOf, type Seen } from "./contents.ts";
import { isBeingCreated, isOn, mustBeThere } from "./judge.ts";
import type { Finding } from "./report.ts";
import { moveOldLocks, removeStaleLocks } from "../attempt/source-locks.ts";
import { type AuditRun, hasTime } from "./run.ts";

/** The other direction of an audit: every record, held against what its backend was seen to hold; and the locks on sources. */

/** Records of one page. */
const PAGE_SIZE = 500;

/** Sizes of the volumes whose record names a host (with its pool), in GiB; `moving` those that changed while the audit ran. */
export type Sizes = { placed: number; moving: number };

/** Sizes by host. */
export type SizesByHost = Map<string, Sizes>;

/**
 * Reads all volumes, page by page. Returns their sizes by host, or undefined when the time did not suffice.
 */
export async function auditVolumes(run: AuditRun, seen: Map<string, Seen>): Promise<SizesByHost | undefined> {
  const sizes: SizesByHost = new Map();
  const strangers = new Set<string>();
  let from: string | undefined;
  do {
    if (!hasTime(run, null)) {
      return undefined;
    }
    const page = await run.volumes.list({}, PAGE_SIZE, from);
    for (const each of page.unreadable ?? []) {
      run.book.unreadable("volume", each);
      addUnknownSize(sizes, each.host);
    }
    for (const volume of page.items) {
      addSize(run, sizes, volume);
      noteSuspects(run, seen, volume);
      noteStranger(run, strangers, volume.host);
    }
    await findMissingVolumes(run, seen, page.items);
    await moveAllOldLocks(run, "volume", page.items);
    from = page.next;
  } while (from !== undefined);
  return sizes;
}

/** Reads all snapshots, page by page. */
export async function auditSnapshots(run: AuditRun, seen: Map<string, Seen>): Promise<void> {
  let from: string | undefined;
  do {
    if (!hasTime(run, null)) {
      return;
    }
    const page = await run.snapshots.list(PAGE_SIZE, from);
    page.unreadable?.forEach((each) => run.book.unreadable("snapshot", each));
    await findMissingSnapshots(run, seen, page.items);
    await moveAllOldLocks(run, "snapshot", page.items);
    from = page.next;
  } while (from !== undefined);
}

/** Removes the locks whose holder has ended, page by page. */
export async function auditLocks(run: AuditRun): Promise<void> {
  let from: string | undefined;
  do {
    if (!hasTime(run, null)) {
      return;
    }
    const page = await run.locks.list(PAGE_SIZE, from);
    await removeStaleLocks(run, page.items);
    from = page.next;
  } while (from !== undefined);
}

async function moveAllOldLocks(
  run: AuditRun,
  what: "volume" | "snapshot",
  page: readonly (VolumeRecord | SnapshotRecord)[],
): Promise<void> {
  for (const record of page) {
    await moveOldLocks(run, what, record);
  }
}

async function findMissingVolumes(
  run: AuditRun,
  seen: Map<string, Seen>,
  page: readonly VolumeRecord[],
): Promise<void> {
  const lost = await lookForUnseen(
    run,
    seen,
    "volume",
    page.filter(mustBeThere).map((one) => ({ ...one, finishedAt: one.launched_at ?? one.created_at })),
  );
  const fresh = lost.size === 0 ? new Map<string, VolumeRecord>() : await run.volumes.getMany([...lost.keys()]);
  for (const [id, { host, detail }] of lost) {
    const volume = fresh.get(id);
    if (volume !== undefined && mustBeThere(volume) && isOn(host, volume.host)) {
      run.book.add(missing("volume", id, host, `the record is ${volume.status}, and ${detail}`, volume.size));
    }
  }
}

async function findMissingSnapshots(
  run: AuditRun,
  seen: Map<string, Seen>,
  page: readonly SnapshotRecord[],
): Promise<void> {
  const lost = await lookForUnseen(
    run,
    seen,
    "snapshot",
    page
      .filter(({ status }) => status === "available")
      .map((one) => ({ ...one, fence: null, finishedAt: one.created_at })),
  );
  const fresh = lost.size === 0 ? new Map<string, SnapshotRecord>() : await run.snapshots.getMany([...lost.keys()]);
  for (const [id, { host, detail }] of lost) {
    const snapshot = fresh.get(id);
    if (snapshot?.status === "available" && isOn(host, snapshot.host)) {
      const why = `the record is ${snapshot.status}, and ${detail}`;
      run.book.add(missing("snapshot", id, host, why, snapshot.volume_size));
    }
  }
}

/** Something that its backend does not have, as far as was seen. */
type Lost = Map<string, { host: string; detail: string }>;

/**
 * Looks again for data that the listing of its backend did not show. The check comes before the consistent read of the record: a deletion
 * that ends in between has marked the record first. Data that was finished after the audit began is left to the next one.
 */
async function lookForUnseen(
  run: AuditRun,
  seen: Map<string, Seen>,
  kind: "volume" | "snapshot",
  records: readonly { id: string; fence: string | null; host: string | null; finishedAt: string }[],
): Promise<Lost> {
  const lost: Lost = new Map();
  for (const { id, fence, host: pool, finishedAt } of records) {
    const host = backendHost(pool ?? "");
    const there = seen.get(host);
    const key = keyOf({ kind, id });
    if (there === undefined || there.whole.has(key) || new Date(finishedAt) >= run.startedAt) {
      continue;
    }
    try {
      const driver = run.drivers.forHost(host);
      const found = await run.timeLimit(kind === "volume" ? driver.findVolume(id, fence) : driver.findSnapshot(id));
      if (found === "absent" || there.partial.has(key)) {
        lost.set(id, { host, detail: found === "absent" ? "nothing is there" : "only unfinished work is there" });
      }
    } catch (error) {
      run.book.unaudited({ host, reason: oneLineOf(error) });
      // Not asked again: each further question might take as long to fail.
      seen.delete(host);
    }
  }
  return lost;
}

function missing(what: "volume" | "snapshot", id: string, host: string, detail: string, sizeGib: number): Finding {
  return {
    kind: "missing",
    what,
    id,
    host,
    detail,
    size_bytes: sizeGib * 2 ** 30,
    modified_at: null,
    outcome: "reported",
    reason: null,
  };
}

/** The ledger's suspicions: cleared when the backend's listing did not show the data, or the volume is there legitimately. */
function noteSuspects(run: AuditRun, seen: Map<string, Seen>, volume: VolumeRecord): void {
  for (const [number, attempt] of Object.entries(volume.attempts)) {
    if (attempt.suspected_orphan !== true || attempt.host === null) {
      continue;
    }
    const host = backendHost(attempt.host);
    const there = seen.get(host);
    const key = keyOf({ kind: "volume", id: volume.id });
    if (there === undefined) {
      noteUnseenSuspect(run, host, volume.id, number);
    } else if (isOn(host, volume.host) || !(there.whole.has(key) || there.partial.has(key))) {
      run.book.counts(host).cleared += 1;
    }
    // Otherwise it was found by the listing, and is in the book as an orphan, a leftover or a suspect.
  }
}

function noteUnseenSuspect(run: AuditRun, host: string, volumeId: string, attempt: string): void {
  if (run.request.host === null || run.request.host === host) {
    run.book.add({
      kind: "suspect",
      what: "volume",
      id: volumeId,
      host,
      detail: `attempt ${attempt} may have left something, and the backend could not be looked at`,
      size_bytes: null,
      modified_at: null,
      outcome: "reported",
      reason: null,
    });
  }
}

/** A host that volumes name and no backend is configured for: what should be there cannot be looked at. */
function noteStranger(run: AuditRun, strangers: Set<string>, host: string | null): void {
  const backend = backendHost(host ?? "");
  const isStranger = host !== null && !run.drivers.hosts.includes(backend) && !strangers.has(backend);
  if (isStranger && run.request.host === null) {
    strangers.add(backend);
    run.book.unaudited({ host: backend, reason: "volumes name it, and no such backend is configured" });
  }
}

/** The size of such a volume is unknown, so no difference of its host's capacity is reported. */
function addUnknownSize(sizes: SizesByHost, host: string | null): void {
  if (host !== null) {
    sizes.set(host, { placed: sizes.get(host)?.placed ?? 0, moving: Number.POSITIVE_INFINITY });
  }
}

function addSize(run: AuditRun, sizes: SizesByHost, volume: VolumeRecord): void {
  if (volume.host === null) {
    return;
  }
  const sum = sizes.get(volume.host) ?? { placed: 0, moving: 0 };
  sum.placed += volume.size;
  const isMoving =
    isBeingCreated(volume) || volume.status === "deleting" || new Date(volume.updated_at) >= run.startedAt;
  sum.moving += isMoving ? volume.size : 0;
  sizes.set(volume.host, sum);
}
