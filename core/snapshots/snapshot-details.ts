import { recordBytes, requireWithinBudget } from "../requests/byte-budget.ts";
import type { SnapshotDetails, SnapshotRepository } from "../ports.ts";
import type { SnapshotRecord } from "../records.ts";
import { requireMetadata } from "../requests/storable.ts";

/** A snapshot's fields that users may change. */
type Said = Readonly<{
  display_name: string | null;
  display_description: string | null;
  metadata: Readonly<Record<string, string>>;
}>;

/**
 * Refuses a snapshot whose name, description and metadata take more than a request's share of the byte budget, or whose metadata cannot be
 * stored. Its record keeps room for image metadata and locks.
 *
 * @throws InvalidInput
 */
export function requireRoomForSnapshot(snapshot: SnapshotRecord): void {
  requireRoom(saidOf(snapshot));
}

/**
 * Refuses a change of a snapshot's user-editable fields, unless it makes the record smaller. Two changes at once are each measured against
 * the record that they have read.
 *
 * @throws InvalidInput as {@link requireRoomForSnapshot}
 */
export function requireRoomForSnapshotChange(
  snapshot: SnapshotRecord,
  change: Omit<SnapshotDetails, "updatedAt">,
): void {
  const before = saidOf(snapshot);
  const { displayName, displayDescription, metadata: { set = {}, unset = [] } = {} } = change;
  requireMetadata(set);
  const kept = Object.entries({ ...before.metadata, ...set }).filter(([key]) => !unset.includes(key));
  const after: Said = {
    display_name: displayName === undefined ? before.display_name : displayName,
    display_description: displayDescription === undefined ? before.display_description : displayDescription,
    metadata: Object.fromEntries(kept),
  };
  if (recordBytes(after) > recordBytes(before)) {
    requireRoom(after);
  }
}

/** Changes a snapshot's user-editable fields. @throws as {@link requireRoomForSnapshotChange}; SnapshotNotFound */
export async function changeSnapshotDetails(
  snapshots: Pick<SnapshotRepository, "changeDetails">,
  snapshot: SnapshotRecord,
  change: SnapshotDetails,
): Promise<SnapshotRecord> {
  requireRoomForSnapshotChange(snapshot, change);
  return snapshots.changeDetails(snapshot.id, change);
}

function saidOf({ display_name, display_description, metadata = {} }: SnapshotRecord): Said {
  return { display_name, display_description: display_description ?? null, metadata };
}

function requireRoom(said: Said): void {
  requireMetadata(said.metadata);
  requireWithinBudget(recordBytes(said), "the snapshot with its name, description and metadata");
}
