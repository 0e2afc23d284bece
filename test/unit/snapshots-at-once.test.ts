import fc from "fast-check";
import { expect, it } from "vitest";
import type { Driver } from "../../core/drivers/driver-ports.ts";
import { SNAPSHOT_LOCK, type SnapshotRecord } from "../../core/records.ts";
import { createSnapshot } from "../../core/snapshots/create-snapshot.ts";
import { deleteSnapshot } from "../../core/snapshots/delete-snapshot.ts";
import { aSnapshot, aSource, aWorld, driverOf, SNAPSHOT_ID, SOURCE_ID } from "../support/builders.ts";
import type { World } from "../support/fakes/world.ts";
import { type Gate, Interleaver } from "../support/interleaver.ts";

const REQUEST = { snapshot_id: SNAPSHOT_ID, volume_id: SOURCE_ID, name: "s", project_id: "project", user_id: "user" };

function gated({ deps }: World, gate: Gate) {
  const drivers = { ...deps.drivers, forHost: (host: string): Driver => gate(deps.drivers.forHost(host)) };
  const { volumes, snapshots, locks } = deps;
  return { ...deps, drivers, volumes: gate(volumes), snapshots: gate(snapshots), locks: gate(locks) };
}

/** A volume whose snapshot is in some status, or not there. */
function world(status: SnapshotRecord["status"] | undefined, fences: boolean): World {
  const made = aWorld(aSource());
  const source = { what: "volume", id: SOURCE_ID } as const;
  made.fakes.locks.arrange(source, status === undefined ? {} : { [SNAPSHOT_ID]: SNAPSHOT_LOCK });
  const driver = driverOf(made);
  driver.fencesAttempts = fences;
  if (status !== undefined) {
    // Taken so long ago that its function has ended.
    made.fakes.snapshots.records.set(SNAPSHOT_ID, aSnapshot({ status, created_at: "2025-01-01T00:00:00.000Z" }));
  }
  if (status === "available") {
    driver.snapshots.add(SNAPSHOT_ID);
  }
  return made;
}

it.each([true, false])(
  "a repeated CreateSnapshot and a DeleteSnapshot at once leave no content without a record, with a backend that fences: %s",
  async (fences) => {
    const statuses = fc.constantFrom<SnapshotRecord["status"] | undefined>(undefined, "creating", "error", "available");
    await fc.assert(
      fc.asyncProperty(statuses, fc.array(fc.nat(1), { maxLength: 24 }), async (status, choices) => {
        const made = world(status, fences);
        const interleaver = new Interleaver();
        await interleaver.begin("take", (gate) => createSnapshot(gated(made, gate), REQUEST));
        await interleaver.begin("delete", (gate) => deleteSnapshot(gated(made, gate), SNAPSHOT_ID));
        for (const choice of choices) {
          await interleaver.advance(choice);
        }
        await interleaver.finish();
        const record = made.fakes.snapshots.records.get(SNAPSHOT_ID);
        expect(driverOf(made).snapshots.has(SNAPSHOT_ID) && record === undefined).toBe(false);
        expect(record?.status === "available" && !driverOf(made).snapshots.has(SNAPSHOT_ID)).toBe(false);
        expect(record === undefined && SNAPSHOT_ID in made.fakes.locks.on(SOURCE_ID)).toBe(false);
      }),
      { numRuns: 1_500 },
    );
  },
);
