import { ifThere } from "../if-there.ts";
import type { SnapshotRepository } from "../ports.ts";
import type { BackendWork } from "./backend-work.ts";
import { deleteSnapshot, type DeleteSnapshotDependencies } from "../snapshots/delete-snapshot.ts";
import { sweepEach, type SweepTurn } from "./sweep-turn.ts";

const PAGE_SIZE = 100;

/** Dependencies of deciding snapshots. */
export type SweepSnapshotsDependencies = DeleteSnapshotDependencies & {
  snapshots: Pick<SnapshotRepository, "listOverdue" | "markError">;
};

/**
 * Takes every snapshot whose deadline has passed: one that is being taken goes to `error`, and the deletion of one that is being deleted
 * continues on its backend. A function that comes late all the same may still make the snapshot available.
 *
 * Repeated, or two at once: the second finds the snapshot at rest, or deletes what is gone.
 *
 * @param later asks backends, in a lane for each
 */
export async function sweepOverdueSnapshots(
  deps: SweepSnapshotsDependencies,
  turn: SweepTurn,
  later: BackendWork,
  onEnded: () => void,
): Promise<void> {
  let from: string | undefined;
  do {
    const page = await deps.snapshots.listOverdue(deps.clock.now(), PAGE_SIZE, from);
    await sweepEach(
      turn,
      page.items,
      ({ id }) => id,
      async ({ id }) => {
        const snapshot = await ifThere(deps.snapshots.get(id));
        if (snapshot?.deadline === undefined || snapshot.deadline >= deps.clock.now().toISOString()) {
          return;
        }
        if (snapshot.status === "deleting") {
          later.add(snapshot.host, id, async () => {
            await deleteSnapshot(deps, id);
            onEnded();
          });
          return;
        }
        await ifThere(deps.snapshots.markError(id));
        onEnded();
      },
    );
    from = page.next;
  } while (from !== undefined && turn.hasTime());
}
