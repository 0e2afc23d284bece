import { describe, expect, it } from "vitest";
import { SNAPSHOT_LOCK, type SnapshotRecord } from "../../core/records.ts";
import { createSnapshot } from "../../core/snapshots/create-snapshot.ts";
import { sweepOverdueVolumes } from "../../core/nets/sweep-overdue-volumes.ts";
import { aSnapshot, aSource, aWorld, driverOf, SNAPSHOT_ID, SOURCE_ID } from "../support/builders.ts";
import type { World } from "../support/fakes/world.ts";

const PASSED = "2026-01-01T00:59:00.000Z";

/** A volume with a snapshot whose function died. */
function world(columns: Partial<SnapshotRecord>): World {
  const made = aWorld(aSource());
  made.fakes.locks.arrange({ what: "volume", id: SOURCE_ID }, { [SNAPSHOT_ID]: SNAPSHOT_LOCK });
  made.fakes.snapshots.records.set(SNAPSHOT_ID, aSnapshot({ deadline: PASSED, ...columns }));
  driverOf(made).snapshots.add(SNAPSHOT_ID);
  return made;
}

const found = ({ fakes }: World): SnapshotRecord | undefined => fakes.snapshots.records.get(SNAPSHOT_ID);

describe("the sweep of snapshots", () => {
  it("puts a snapshot in error whose function died while it was taken", async () => {
    const made = world({ status: "creating" });
    expect(await sweepOverdueVolumes(made.deps)).toMatchObject({ snapshots_ended: 1, failures: [] });
    expect(found(made)).toMatchObject({ status: "error" });
    expect(found(made)).not.toHaveProperty("deadline");
    expect(await sweepOverdueVolumes(made.deps)).not.toHaveProperty("snapshots_ended");
  });

  it("lets a function that comes late finish the snapshot all the same", async () => {
    const made = world({ status: "creating" });
    await sweepOverdueVolumes(made.deps);
    const request = { snapshot_id: SNAPSHOT_ID, volume_id: SOURCE_ID, project_id: "project", user_id: "user" };
    await createSnapshot(made.deps, { ...request, recorded: true });
    expect(found(made)).toMatchObject({ status: "available" });
  });

  it("continues a deletion whose function died", async () => {
    const made = world({ status: "deleting" });
    expect(await sweepOverdueVolumes(made.deps)).toMatchObject({ snapshots_ended: 1, failures: [] });
    expect(found(made)).toBeUndefined();
    expect(driverOf(made).snapshots.size).toBe(0);
    expect(made.fakes.locks.all).toEqual([]);
  });

  it("leaves error_deleting when the backend refuses, and does not try again by itself", async () => {
    const made = world({ status: "deleting" });
    made.faults.fail("driver.deleteSnapshot", new Error("refused"));
    const failure = { volume_id: SNAPSHOT_ID, error: "Error", cause: "refused" };
    expect(await sweepOverdueVolumes(made.deps)).toMatchObject({ failures: [failure] });
    expect(found(made)).toMatchObject({ status: "error_deleting" });
    expect(await sweepOverdueVolumes(made.deps)).toMatchObject({ failures: [] });
  });

  it.each<[string, Partial<SnapshotRecord>]>([
    ["before its deadline", { status: "creating", deadline: "2026-01-01T02:00:00.000Z" }],
    ["at rest", { status: "available", deadline: undefined as never }],
  ])("leaves a snapshot alone %s", async (_when, columns) => {
    const made = world(columns);
    await sweepOverdueVolumes(made.deps);
    expect(found(made)).toMatchObject({ status: columns.status });
  });

  it("leaves a snapshot alone that was decided since the index was read", async () => {
    const made = world({ status: "creating" });
    const listed = await made.fakes.snapshots.listOverdue(made.now, 10);
    await made.fakes.snapshots.markAvailable(SNAPSHOT_ID, null);
    made.fakes.snapshots.listOverdue = async () => listed;
    expect(await sweepOverdueVolumes(made.deps)).not.toHaveProperty("snapshots_ended");
    expect(found(made)).toMatchObject({ status: "available" });
  });
});
