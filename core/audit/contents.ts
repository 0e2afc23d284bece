import { clearSnapshot, clearVolume } from "../drivers/clear-backend.ts";
import { describeError } from "../errors.ts";
import { causeText } from "../fault.ts";
import type { Driver, StoredContent } from "../drivers/driver-ports.ts";
import { damageOf, isOn, judgeSnapshot, judgeVolume, type Judgement } from "./judge.ts";
import { fenceOf } from "../records.ts";
import type { Finding } from "./report.ts";
import { type AuditRun, hasTime } from "./run.ts";
import { deadlineAfter } from "../settings/time-bounds.ts";

/** One direction of an audit: compares a backend's content with the records. The reaping follows from it. */

/** Things that are looked up at once; DynamoDB reads as many in one request. */
const BATCH_SIZE = 100;

/** The found content of a backend, by {@link keyOf}: only ids are kept, about 100 bytes each. */
export type Seen = { whole: Set<string>; partial: Set<string> };

/** Something to be reaped once the whole listing is known. */
type Candidate = { stored: StoredContent; finding: Finding };

/** The result of one backend's listing so far. */
type Listing = {
  host: string;
  seen: Seen;
  candidates: Candidate[];
  /** Keys with a part that is unclaimed but may be work in progress; nothing of them is reaped. */
  young: Set<string>;
  held: Set<string>;
};

/** Names a volume or snapshot in {@link Seen}. */
export function keyOf({ kind, id }: Pick<StoredContent, "kind" | "id">): string {
  return `${kind}-${id}`;
}

/**
 * Audits the content of one backend, and reaps if that was requested. Undefined when it could not be listed to the end; the book then says
 * why, and nothing was reaped.
 */
export async function auditContents(run: AuditRun, host: string, driver: Driver): Promise<Seen | undefined> {
  const seen = { whole: new Set<string>(), partial: new Set<string>() };
  const listing: Listing = { host, seen, candidates: [], young: new Set(), held: new Set() };
  run.book.counts(host);
  const isWhole = await readListing(run, listing, driver);
  for (const candidate of listing.candidates) {
    run.book.add(await reap(run, listing, driver, candidate, isWhole));
  }
  await forgetClosedAttempts(run, host, driver);
  return isWhole ? seen : undefined;
}

/**
 * A call may be repeated for as long as its phase lasts, and its function then lives for its own time-out: nothing that belongs to an
 * attempt that was closed twice the longest bound ago can still run.
 */
async function forgetClosedAttempts(run: AuditRun, host: string, driver: Driver): Promise<void> {
  if (!driver.fencesAttempts || !hasTime(run, host)) {
    return;
  }
  try {
    await run.timeLimit(driver.forgetClosedAttempts(deadlineAfter(run.startedAt, -2 * run.longestPhaseSeconds)));
  } catch (error) {
    run.book.unaudited({ host, reason: `closed attempts stay: ${oneLineOf(error)}` });
  }
}

async function readListing(run: AuditRun, listing: Listing, driver: Driver): Promise<boolean> {
  const { host } = listing;
  try {
    for await (const batch of batchesOf(driver.listContents(), run)) {
      await judgeBatch(run, listing, batch);
      if (!hasTime(run, host)) {
        return false;
      }
    }
    return true;
  } catch (error) {
    run.book.unaudited({ host, reason: oneLineOf(error) });
    return false;
  }
}

async function judgeBatch(run: AuditRun, listing: Listing, batch: readonly StoredContent[]): Promise<void> {
  const idsOf = (kind: StoredContent["kind"]) => batch.filter((one) => one.kind === kind).map(({ id }) => id);
  const [volumesById, snapshotsById] = await Promise.all([
    run.volumes.getMany(idsOf("volume")),
    run.snapshots.getMany(idsOf("snapshot")),
  ]);
  volumesById.unreadable?.forEach((each) => run.book.unreadable("volume", each));
  snapshotsById.unreadable?.forEach((each) => run.book.unreadable("snapshot", each));
  for (const stored of batch) {
    const found = stored.kind === "volume" ? volumesById : snapshotsById;
    if (found.unreadable?.some(({ id }) => id === stored.id) === true) {
      // Its record may claim it.
      (stored.partial ? listing.seen.partial : listing.seen.whole).add(keyOf(stored));
      note(run, listing, stored, { verdict: "claimed" });
      continue;
    }
    const record = stored.kind === "volume" ? volumesById.get(stored.id) : snapshotsById.get(stored.id);
    const judgement =
      stored.kind === "volume"
        ? judgeVolume(stored, listing.host, volumesById.get(stored.id), run.oldBefore)
        : judgeSnapshot(stored, listing.host, snapshotsById.get(stored.id), run.oldBefore);
    const damage =
      record === undefined || !isOn(listing.host, record.host) ? undefined : damageOf(stored, record, run.startedAt);
    if (damage !== undefined) {
      run.book.add(findingOf(listing.host, stored, "damaged", damage));
    }
    (stored.partial ? listing.seen.partial : listing.seen.whole).add(keyOf(stored));
    note(run, listing, stored, judgement);
  }
}

function note(run: AuditRun, listing: Listing, stored: StoredContent, judgement: Judgement): void {
  const counts = run.book.counts(listing.host);
  if (!stored.partial) {
    counts[stored.kind === "volume" ? "volumes" : "snapshots"] += 1;
  }
  switch (judgement.verdict) {
    case "claimed":
      return;
    case "young":
      counts.young += 1;
      listing.young.add(keyOf(stored));
      return;
    case "suspect":
      listing.young.add(keyOf(stored));
      run.book.add(findingOf(listing.host, stored, judgement.verdict, judgement.detail));
      return;
    case "held":
      // A volume and the unfinished work on it are one thing to its owner.
      if (!listing.held.has(keyOf(stored))) {
        listing.held.add(keyOf(stored));
        run.book.add(findingOf(listing.host, stored, judgement.verdict, judgement.detail));
      }
      return;
    case "orphan":
    case "leftover":
      noteUnclaimed(
        run,
        listing,
        { stored, finding: findingOf(listing.host, stored, judgement.verdict, judgement.detail) },
        judgement.notReapable,
      );
  }
}

function noteUnclaimed(run: AuditRun, listing: Listing, candidate: Candidate, notReapable: string | null): void {
  if (notReapable !== null) {
    run.book.add({ ...candidate.finding, outcome: "kept", reason: notReapable });
  } else if (!run.request.reap) {
    run.book.add(candidate.finding);
  } else if (listing.candidates.length <= run.request.max_reap) {
    listing.candidates.push(candidate);
  } else {
    run.book.add(keptForTooMany(run, candidate.finding));
  }
}

/**
 * Deletes one orphan or leftover, and makes sure that it is gone. Data that a later attempt of the volume creates in the meantime stays.
 *
 * Its record is read once more, consistently, immediately before. One case remains: a record of the same id is put between that read and
 * the deletion, scheduled to this backend, and created there, all during one call of the driver. Ids are random, and a deleted record's id
 * comes back only by a restored table or a client that repeats a request a day later. Two audits at once are harmless: a driver deletes a
 * missing object without an error.
 */
async function reap(
  run: AuditRun,
  listing: Listing,
  driver: Driver,
  { stored, finding }: Candidate,
  isWhole: boolean,
): Promise<Finding> {
  const kept = (reason: string): Finding => ({ ...finding, outcome: "kept", reason });
  if (!isWhole) {
    return kept("the backend could not be listed to the end");
  }
  if (listing.candidates.length > run.request.max_reap) {
    return keptForTooMany(run, finding);
  }
  if (listing.young.has(keyOf(stored))) {
    return kept("a part of it was written to lately");
  }
  if (!hasTime(run, listing.host)) {
    return kept("the time of one audit was over");
  }
  try {
    if (!(await isStillReapable(run, listing.host, stored))) {
      return kept("its record has changed since the listing");
    }
    const { attempt, id, kind } = stored;
    await run.timeLimit(kind === "volume" ? clearVolume(driver, id, fenceOf(id, attempt)) : clearSnapshot(driver, id));
    return { ...finding, outcome: "reaped" };
  } catch (error) {
    return { ...finding, outcome: "failed", reason: oneLineOf(error) };
  }
}

async function isStillReapable(run: AuditRun, host: string, stored: StoredContent): Promise<boolean> {
  const { volumes, snapshots, oldBefore } = run;
  if (stored.kind === "volume") {
    const found = await volumes.getMany([stored.id]);
    return found.unreadable === undefined && isReapable(judgeVolume(stored, host, found.get(stored.id), oldBefore));
  }
  const found = await snapshots.getMany([stored.id]);
  return found.unreadable === undefined && isReapable(judgeSnapshot(stored, host, found.get(stored.id), oldBefore));
}

function isReapable(judgement: Judgement): boolean {
  return "notReapable" in judgement && judgement.notReapable === null;
}

function keptForTooMany({ request }: AuditRun, finding: Finding): Finding {
  const reason = `there are more than ${request.max_reap} to reap on this backend: are these the right records?`;
  return { ...finding, outcome: "kept", reason };
}

function findingOf(host: string, stored: StoredContent, kind: Finding["kind"], detail: string): Finding {
  return {
    kind,
    what: stored.kind,
    id: stored.id,
    host,
    detail,
    size_bytes: stored.partial ? null : stored.size_bytes,
    modified_at: stored.modified_at.toISOString(),
    outcome: "reported",
    reason: null,
  };
}

/** Name and message of any thrown value, cut to a causeText length. */
export function oneLineOf(error: unknown): string {
  const { name, message } = describeError(error);
  return causeText(`${name}: ${message}`);
}

/** Reads a listing in batches. An abandoned listing is asked to end, without a wait: its backend may be dead. */
async function* batchesOf(items: AsyncIterable<StoredContent>, run: AuditRun): AsyncGenerator<StoredContent[]> {
  const iterator = items[Symbol.asyncIterator]();
  let batch: StoredContent[] = [];
  try {
    for (;;) {
      const next = await run.timeLimit(iterator.next());
      if (next.done === true) {
        break;
      }
      batch.push(next.value);
      if (batch.length === BATCH_SIZE) {
        yield batch;
        batch = [];
      }
    }
    if (batch.length > 0) {
      yield batch;
    }
  } finally {
    iterator.return?.().catch(() => {});
  }
}
