import { InvalidSnapshot, InvalidVolume } from "../errors.ts";
import type { RequestContext } from "../requests/messages.ts";
import type {
  AsLocked,
  Lock,
  LockedSource,
  LockRepository,
  Owner,
  SnapshotRepository,
  VolumeRepository,
} from "../ports.ts";
import { type SnapshotRecord, SNAPSHOT_LOCK, type VolumeRecord, type VolumeStatus } from "../records.ts";
import { isInFlow } from "../volume-lifecycle.ts";
import { requireInFlow } from "./require-in-flow.ts";
import { readSnapshot, readSourceVolume, SOURCE_STATUSES } from "./sources.ts";

/**
 * Locks on the source of a volume ("proper locks on the source volume while actions that use the source volume are underway", as Cinder's
 * flow puts it). A lock is an item of its own (docs/adr/0029).
 *
 * - **Lock**: put the lock; then count it on the source's record, on the condition that the source may be used. A refusal removes the lock.
 * - **Delete or extend**: read the source's record; then read its locks; then begin, on the condition that the source was not locked since
 *   the first read.
 *
 * Each side writes before it reads what the other side writes. So a removal either finds the lock, or is refused because of the count, or has
 * begun before the count, which is then refused. Only keys and a count that never decreases take part, so every step may be repeated.
 *
 * A lock cannot block for ever: it counts only while its holder is in the flow, which the holder's deadline ends, or exists as a snapshot.
 */

type Locks = { locks: Pick<LockRepository, "put" | "withdraw"> };

/** Dependencies of locking a source volume. */
export type VolumeLocker = Locks & { volumes: Pick<VolumeRepository, "countLock"> };

/**
 * Keeps a volume from being deleted or extended while the holder reads it. Undefined, and the lock is off again, when its status is not one
 * of `statuses`, it belongs to another project than `projectId` (null: any), or it does not exist.
 *
 * Repeated: the same lock. One of several calls at once that is refused leaves it to the others.
 * Interrupted: the lock may stay without being counted. It goes as every lock does, at the end of its holder.
 */
export function lockVolume(
  deps: VolumeLocker,
  volumeId: string,
  lock: Lock,
  statuses: readonly VolumeStatus[],
  projectId: string | null,
): Promise<VolumeRecord | undefined> {
  return putAndCount(deps, { what: "volume", id: volumeId }, lock, () =>
    deps.volumes.countLock(volumeId, statuses, projectId),
  );
}

async function putAndCount<Source>(
  { locks }: Locks,
  source: LockedSource,
  lock: Lock,
  count: () => Promise<Source | undefined>,
): Promise<Source | undefined> {
  const mark = await locks.put(source, lock);
  const locked = await count();
  if (locked === undefined && mark !== undefined) {
    await locks.withdraw(source, lock, mark);
  }
  return locked;
}

/** The snapshot, locked for the create. @throws as {@link readSnapshot} */
export async function lockSnapshot(
  deps: Locks & { snapshots: Pick<SnapshotRepository, "get" | "countLock"> },
  context: RequestContext,
  snapshotId: string,
  lock: Lock,
): Promise<SnapshotRecord> {
  const locked = isNobody(context)
    ? undefined
    : await putAndCount(deps, { what: "snapshot", id: snapshotId }, lock, () =>
        deps.snapshots.countLock(snapshotId, projectOf(context)),
      );
  if (locked !== undefined) {
    return locked;
  }
  const { status } = await readSnapshot(deps.snapshots, context, snapshotId);
  throw new InvalidSnapshot(`snapshot ${snapshotId} was ${status} only after it could not be locked`);
}

/** The source volume, locked for the create. @throws as {@link readSourceVolume} */
export async function lockSourceVolume(
  deps: VolumeLocker & { volumes: Pick<VolumeRepository, "get"> },
  context: RequestContext,
  volumeId: string,
  lock: Lock,
): Promise<VolumeRecord> {
  const locked = isNobody(context)
    ? undefined
    : await lockVolume(deps, volumeId, lock, SOURCE_STATUSES, projectOf(context));
  if (locked !== undefined) {
    return locked;
  }
  const { status } = await readSourceVolume(deps.volumes, context, volumeId);
  throw new InvalidVolume(`source volume ${volumeId} was ${status} only after it could not be locked`);
}

/** Dependencies of removing a lock. */
export type SourceUnlocker = { locks: Pick<LockRepository, "remove"> };

/**
 * Removes the create's locks from its source, if it has any, by the fences of all its attempts: each may have left one. The end of the
 * create calls it before its last repeatable step: before the claim is settled, the waiting volume is marked, or the record is removed. So
 * the repeat removes a lock that could not be removed.
 * Repeated: does nothing.
 */
export async function unlockSource(
  { locks }: SourceUnlocker,
  volume: Pick<VolumeRecord, "id" | "snapshot_id" | "source_volid" | "attempts" | "fence">,
): Promise<void> {
  const source = sourceOf(volume);
  const { id, attempts, fence } = volume;
  const fences = [...new Set([...Object.values(attempts).map(({ execution }) => execution), fence ?? []].flat())];
  if (source !== undefined) {
    await locks.remove(source, id, fences);
  }
}

/** The source of a volume or of a request for one; a snapshot before a volume, as in Cinder. */
function sourceOf({
  snapshot_id: snapshotId,
  source_volid: sourceVolumeId,
}: Pick<VolumeRecord, "snapshot_id" | "source_volid">): LockedSource | undefined {
  if (snapshotId !== null) {
    return { what: "snapshot", id: snapshotId };
  }
  return sourceVolumeId === null ? undefined : { what: "volume", id: sourceVolumeId };
}

/**
 * Takes a lock off again that came too late. The end of the create removes its lock, and may have done so before a late call locked: the
 * record, read after the lock, shows it.
 *
 * @throws FenceLost, VolumeDeleteRequested, VolumeNotFound: the lock is off again
 */
export async function keepLockOfOurs(
  deps: SourceUnlocker & { volumes: Pick<VolumeRepository, "get"> },
  owner: Owner,
  request: Pick<VolumeRecord, "snapshot_id" | "source_volid">,
): Promise<void> {
  const source = sourceOf(request);
  if (source === undefined) {
    return;
  }
  try {
    requireInFlow(await deps.volumes.get(owner.volumeId), owner);
  } catch (error) {
    await deps.locks.remove(source, owner.volumeId, [owner.fence]);
    throw error;
  }
}

/** Dependencies of judging locks. */
export type LockHolders = {
  locks: Pick<LockRepository, "of" | "put" | "remove">;
  volumes: Pick<VolumeRepository, "getMany" | "forgetLock">;
  snapshots: Pick<SnapshotRepository, "getMany" | "forgetLock">;
};

/** Locks of one page. The first lock is looked at alone, because it mostly shows that the source is in use. */
const PAGE_SIZE = 100;

/** Whose locks still count: holder ids, and what they are. */
type Holders = ReadonlyMap<string, LockedSource["what"]>;

/**
 * The holders that still use a source, among those of these locks; consistent reads, in batches. All other locks are stale.
 *
 * A volume that waits for its next attempt holds its source as well, and one whose record cannot be read is not known to be at rest. A
 * snapshot's record is made before its lock, so a lock without one is stale.
 */
async function holdersAmong(
  deps: Pick<LockHolders, "volumes" | "snapshots">,
  locks: readonly Lock[],
): Promise<Holders> {
  const idsOf = (isSnapshot: boolean): string[] => [
    ...new Set(locks.filter(({ value }) => (value === SNAPSHOT_LOCK) === isSnapshot).map(({ holder }) => holder)),
  ];
  const [volumeIds, snapshotIds] = [idsOf(false), idsOf(true)];
  const volumes = volumeIds.length === 0 ? undefined : await deps.volumes.getMany(volumeIds);
  const snapshots = snapshotIds.length === 0 ? undefined : await deps.snapshots.getMany(snapshotIds);
  const inFlow = [...(volumes?.values() ?? [])].filter((volume) => isInFlow(volume));
  const taken = snapshots?.values() ?? [];
  return new Map([
    ...[...inFlow, ...(volumes?.unreadable ?? [])].map(({ id }) => [id, "volume"] as const),
    ...[...taken, ...(snapshots?.unreadable ?? [])].map(({ id }) => [id, "snapshot"] as const),
  ]);
}

/** A source's record, as far as its locks are concerned. */
export type LockedRecord = AsLocked & Pick<VolumeRecord, "locks">;

/**
 * A holder of one of a source's locks, if there is one; a volume rather than a snapshot. Stale locks that were found before it are removed.
 *
 * @param record the source's record, which the caller has read before: its next write is conditional on it
 * @param creates whether only creates matter
 */
export async function holderOf(
  deps: LockHolders,
  what: LockedSource["what"],
  record: LockedRecord,
  creates = false,
): Promise<LockedSource | undefined> {
  const source: LockedSource = { what, id: record.id };
  for await (const locks of pagesOf(deps, source, record, creates)) {
    const [holder] = await removeStaleLocks(
      deps,
      locks.map((lock) => ({ ...lock, source })),
    );
    if (holder !== undefined) {
      return { what: holder[1], id: holder[0] };
    }
  }
  return undefined;
}

/** Ids of the snapshots that have a volume locked, page by page. */
export async function* snapshotsOf(deps: LockHolders, record: LockedRecord): AsyncGenerator<string[]> {
  for await (const locks of pagesOf(deps, { what: "volume", id: record.id }, record, false)) {
    yield locks.filter(({ value }) => value === SNAPSHOT_LOCK).map(({ holder }) => holder);
  }
}

async function* pagesOf(
  deps: LockHolders,
  source: LockedSource,
  record: LockedRecord,
  creates: boolean,
): AsyncGenerator<Lock[]> {
  await moveOldLocks(deps, source.what, record);
  let from: string | undefined;
  do {
    const page = await deps.locks.of(source, creates, from === undefined ? 1 : PAGE_SIZE, from);
    yield page.items;
    from = page.next;
  } while (from !== undefined);
}

/**
 * Removes the stale ones of these locks, and returns the holders of the others. A function that outlived its execution may lock a source
 * after the end of the create has removed its locks, and die before {@link keepLockOfOurs}. The audit removes such a lock, as does a delete
 * of the source.
 *
 * The locks must have been read before the call: a holder is in the flow before it locks, so one that is no longer in the flow now has
 * ended. A new attempt of the same holder has a lock of its own, which stays.
 */
export async function removeStaleLocks(
  deps: Pick<LockHolders, "volumes" | "snapshots"> & SourceUnlocker,
  locks: readonly (Lock & { source: LockedSource })[],
): Promise<Holders> {
  const holders = await holdersAmong(deps, locks);
  for (const { source, holder, value } of locks) {
    if (!holders.has(holder)) {
      await deps.locks.remove(source, holder, [value]);
    }
  }
  return holders;
}

/**
 * Makes items of the entries that an earlier release has left on a source's record. The item comes first, so a removal finds one of the two
 * at any time.
 * Repeated, Interrupted: the rest is moved by the next call.
 */
export async function moveOldLocks(
  deps: Omit<LockHolders, "locks"> & { locks: Pick<LockRepository, "put"> },
  what: LockedSource["what"],
  { id, locks = {} }: Pick<LockedRecord, "id" | "locks">,
): Promise<void> {
  for (const [holder, value] of Object.entries(locks)) {
    await deps.locks.put({ what, id }, { holder, value });
    if (what === "volume") {
      await deps.volumes.forgetLock(id, { holder, value });
    } else {
      await deps.snapshots.forgetLock(id, { holder, value });
    }
  }
}

/** The project that a source must belong to; null for an administrator, who may use any. */
function projectOf(context: RequestContext): string | null {
  return context.is_admin ? null : context.project_id;
}

/** A caller without a project may use no source. */
function isNobody(context: RequestContext): boolean {
  return !context.is_admin && context.project_id === null;
}
