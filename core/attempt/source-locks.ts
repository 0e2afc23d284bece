import { InvalidSnapshot, InvalidVolume } from "../errors.ts";
import type { RequestContext } from "../requests/messages.ts";
import type { Lock, Owner, SnapshotRepository, VolumeRepository } from "../ports.ts";
import { isInFlow, type SnapshotRecord, SNAPSHOT_LOCK, type VolumeRecord } from "../records.ts";
import { requireInFlow } from "./require-in-flow.ts";
import { readSnapshot, readSourceVolume, SOURCE_STATUSES } from "./sources.ts";

/**
 * Locks on the source of a volume ("proper locks on the source volume while actions that use the source volume are underway", as Cinder's
 * flow puts it). A lock is an entry on the source's own record, written by the create before its backend is asked, and checked by a delete
 * of the source. It cannot block for ever: it counts only while its holder is in the flow, which the holder's deadline ends.
 */

/** The snapshot, locked for the create. One update, which tests status and project as well. @throws as {@link readSnapshot} */
export async function lockSnapshot(
  snapshots: Pick<SnapshotRepository, "get" | "lock">,
  context: RequestContext,
  snapshotId: string,
  lock: Lock,
): Promise<SnapshotRecord> {
  const locked = isNobody(context) ? undefined : await snapshots.lock(snapshotId, lock, projectOf(context));
  if (locked !== undefined) {
    return locked;
  }
  const { status } = await readSnapshot(snapshots, context, snapshotId);
  throw new InvalidSnapshot(`snapshot ${snapshotId} was ${status} only after it could not be locked`);
}

/** The source volume, locked for the create. @throws as {@link readSourceVolume} */
export async function lockSourceVolume(
  volumes: Pick<VolumeRepository, "get" | "lock">,
  context: RequestContext,
  volumeId: string,
  lock: Lock,
): Promise<VolumeRecord> {
  const locked = isNobody(context)
    ? undefined
    : await volumes.lock(volumeId, lock, SOURCE_STATUSES, projectOf(context));
  if (locked !== undefined) {
    return locked;
  }
  const { status } = await readSourceVolume(volumes, context, volumeId);
  throw new InvalidVolume(`source volume ${volumeId} was ${status} only after it could not be locked`);
}

/** Dependencies of removing a lock. */
export type SourceUnlocker = {
  volumes: Pick<VolumeRepository, "unlock">;
  snapshots: Pick<SnapshotRepository, "unlock">;
};

/**
 * Removes the create's lock from its source, if it has one, by the fences of all its attempts: an attempt that ended before it locked
 * leaves the lock of the one before. The end of the create calls it before its last repeatable step: before the claim is settled, the
 * waiting volume is marked, or the record is removed. So the repeat removes a lock that could not be removed.
 * Repeated: does nothing.
 */
export async function unlockSource(
  deps: SourceUnlocker,
  {
    id,
    snapshot_id: snapshotId,
    source_volid: sourceVolumeId,
    attempts,
    fence,
  }: Pick<VolumeRecord, "id" | "snapshot_id" | "source_volid" | "attempts" | "fence">,
): Promise<void> {
  const fences = [...new Set([...Object.values(attempts).map(({ execution }) => execution), fence ?? []].flat())];
  if (fences.length === 0) {
    return;
  }
  if (snapshotId !== null) {
    await deps.snapshots.unlock(snapshotId, id, fences);
  } else if (sourceVolumeId !== null) {
    await deps.volumes.unlock(sourceVolumeId, id, fences);
  }
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
  {
    snapshot_id: snapshotId,
    source_volid: sourceVolumeId,
  }: { snapshot_id: string | null; source_volid: string | null },
): Promise<void> {
  if (snapshotId === null && sourceVolumeId === null) {
    return;
  }
  try {
    requireInFlow(await deps.volumes.get(owner.volumeId), owner);
  } catch (error) {
    if (snapshotId !== null) {
      await deps.snapshots.unlock(snapshotId, owner.volumeId, [owner.fence]);
    } else if (sourceVolumeId !== null) {
      await deps.volumes.unlock(sourceVolumeId, owner.volumeId, [owner.fence]);
    }
    throw error;
  }
}

/** Dependencies of judging locks. */
export type LockHolders = {
  volumes: Pick<VolumeRepository, "getMany">;
  snapshots: Pick<SnapshotRepository, "getMany">;
};

/** Whose locks still count: holder ids, and what they are. */
type Holders = ReadonlyMap<string, "volume" | "snapshot">;

/**
 * The holders that still use a source, among those of these locks; consistent reads, in batches. All other locks are stale.
 *
 * A volume that waits for its next attempt holds its source as well, and one whose record cannot be read is not known to be at rest. A
 * snapshot's record is made before its lock, so a lock without one is stale.
 */
async function holdersAmong(deps: LockHolders, locks: readonly (readonly [string, string])[]): Promise<Holders> {
  const idsOf = (isSnapshot: boolean): string[] =>
    locks.filter(([, value]) => (value === SNAPSHOT_LOCK) === isSnapshot).map(([holder]) => holder);
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

/** A holder of one of a source's locks, if there is one; a volume rather than a snapshot. Without a holder all locks are stale. */
export async function holderOf(
  deps: LockHolders,
  locks: Readonly<Record<string, string>>,
): Promise<{ what: "volume" | "snapshot"; id: string } | undefined> {
  for (const [id, what] of await holdersAmong(deps, Object.entries(locks))) {
    return { what, id };
  }
  return undefined;
}

/**
 * Removes the stale locks of sources. A function that outlived its execution may lock a source after the end of the create has looked for
 * its lock, and die before {@link keepLockOfOurs}. Such a lock blocks nothing, because a delete of the source judges its
 * holder, but it would stay on the source's record for ever. The audit calls this.
 *
 * The locks must have been read before the call: a holder is in the flow before it locks, so one that is no longer in the flow now has
 * ended. Repeated, or at the same time as a new lock of the same holder: a lock is removed only while it has the value that was read.
 */
export async function removeStaleLocks(
  deps: LockHolders,
  sources: readonly { id: string; locks: Readonly<Record<string, string>> }[],
  unlock: (sourceId: string, holder: string, values: readonly string[]) => Promise<void>,
): Promise<void> {
  const holders = await holdersAmong(
    deps,
    sources.flatMap(({ locks }) => Object.entries(locks)),
  );
  for (const { id, locks } of sources) {
    for (const [holder, value] of Object.entries(locks)) {
      if (!holders.has(holder)) {
        await unlock(id, holder, [value]);
      }
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
