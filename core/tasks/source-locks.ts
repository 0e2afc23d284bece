import { InvalidSnapshot, InvalidVolume, SnapshotNotFound } from "../errors.ts";
import type { RequestContext } from "../messages.ts";
import type { Lock, SnapshotRepository, VolumeRepository } from "../ports.ts";
import { isInFlow, type SnapshotRecord, SNAPSHOT_LOCK, type VolumeRecord } from "../records.ts";
import { readSnapshot, readSourceVolume, SOURCE_STATUSES } from "./sources.ts";

/**
 * Locks on what a volume is made from ("proper locks on the source volume while actions that use the source volume are
 * underway", as Cinder's flow puts it). A lock is an entry on the source's own record, made by the create before its backend is
 * asked, and looked at by whoever deletes the source. It cannot block for ever: it counts only while its holder is in the flow,
 * which the holder's deadline ends.
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

/** What taking a lock off uses. */
export type SourceUnlocker = {
  volumes: Pick<VolumeRepository, "unlock">;
  snapshots: Pick<SnapshotRepository, "unlock">;
};

/**
 * Takes the create's lock off its source, if it has one. What is left behind is no harm: the holder has left the flow. So
 * nothing that goes wrong here is told.
 */
export async function unlockSource(
  deps: SourceUnlocker,
  { id, snapshot_id: snapshotId, source_volid: sourceVolumeId }: VolumeRecord,
  fence: string,
): Promise<void> {
  const lock = { holder: id, value: fence };
  try {
    if (snapshotId !== null) {
      await deps.snapshots.unlock(snapshotId, lock);
    } else if (sourceVolumeId !== null) {
      await deps.volumes.unlock(sourceVolumeId, lock);
    }
  } catch {
    // See above.
  }
}

/**
 * Who holds one of a source's locks, if anybody does; reads consistently. When nobody does, all of the locks are stale.
 *
 * A volume that waits for its next attempt holds its source as well. A snapshot's record is made before its lock, so a lock without
 * one is stale.
 */
export async function holderOf(
  deps: { volumes: Pick<VolumeRepository, "getMany">; snapshots: Pick<SnapshotRepository, "get"> },
  locks: Readonly<Record<string, string>>,
): Promise<{ what: "volume" | "snapshot"; id: string } | undefined> {
  const isSnapshot = (id: string): boolean => locks[id] === SNAPSHOT_LOCK;
  const ids = Object.keys(locks);
  for (const id of ids.filter(isSnapshot)) {
    if (await exists(deps.snapshots, id)) {
      return { what: "snapshot", id };
    }
  }
  const volumeIds = ids.filter((id) => !isSnapshot(id));
  const found = volumeIds.length === 0 ? undefined : await deps.volumes.getMany(volumeIds);
  const inFlow = [...(found?.values() ?? [])].find(({ status }) => isInFlow(status));
  // Of a holder that cannot be read nobody knows that it is at rest.
  const holder = inFlow ?? found?.unreadable?.[0];
  return holder === undefined ? undefined : { what: "volume", id: holder.id };
}

async function exists(snapshots: Pick<SnapshotRepository, "get">, snapshotId: string): Promise<boolean> {
  try {
    await snapshots.get(snapshotId);
    return true;
  } catch (error) {
    if (error instanceof SnapshotNotFound) {
      return false;
    }
    throw error;
  }
}

/** The project that a source must belong to; null for an administrator, who may use any. */
function projectOf(context: RequestContext): string | null {
  return context.is_admin ? null : context.project_id;
}

/** A caller of no project may use nobody's. */
function isNobody(context: RequestContext): boolean {
  return !context.is_admin && context.project_id === null;
}
