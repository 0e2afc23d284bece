import { describe, expect, test } from "vitest";
import type { Driver, Work } from "../../core/drivers/driver-ports.ts";
import { fenceOf, type SnapshotRecord, type VolumeRecord } from "../../core/records.ts";
import { aSnapshot, aVolume, GIB, unhurried, uuid } from "./drivers.ts";

/**
 * The contract of every driver, as tests. A driver outside this tree runs them from its own test file:
 *
 *     import { driverContract } from "cinderless/test/support/driver-contract.ts";
 *     driverContract("my driver", async () => makeDriver("storage@mine", { directory: await mkdtemp("/tmp/mine-") }));
 *
 * @param make a driver of an empty backend
 */
export function driverContract(name: string, make: () => Promise<Driver>): void {
  describe(`the contract of ${name}`, () => {
    const ID = uuid(1);
    const volume = (columns: Partial<VolumeRecord> = {}) =>
      aVolume({ fence: fenceOf(columns.id ?? ID, 1), ...columns });
    const created = async (): Promise<{ driver: Driver; source: VolumeRecord }> => {
      const driver = await ready(make);
      const source = volume();
      await untilDone((work) => driver.createVolume(source, work));
      return { driver, source };
    };

    test("finds a volume that it made, and no other", async () => {
      const { driver } = await created();
      expect(await driver.findVolume(ID, fenceOf(ID, 1))).toBe("present");
      expect(await driver.findVolume(uuid(2), fenceOf(uuid(2), 1))).toBe("absent");
    });

    test("makes one volume however often a create is repeated", async () => {
      const { driver, source } = await created();
      await untilDone((work) => driver.createVolume(source, work));
      expect(await contentsOf(driver)).toEqual([`volume ${ID} whole ${GIB}`]);
    });

    test("deletes a volume, and succeeds when there is nothing", async () => {
      const { driver } = await created();
      await driver.deleteVolume(ID, fenceOf(ID, 1));
      await driver.deleteVolume(ID, fenceOf(ID, 1));
      expect(await driver.findVolume(ID, fenceOf(ID, 1))).toBe("absent");
      expect(await contentsOf(driver)).toEqual([]);
    });

    test("extends a volume, finds it extended when it is asked again, and never makes it smaller", async () => {
      const { driver, source } = await created();
      await driver.extendVolume(source, 3);
      await driver.extendVolume(source, 3);
      await driver.extendVolume(source, 2);
      expect(await contentsOf(driver)).toEqual([`volume ${ID} whole ${3 * GIB}`]);
    });

    test("refuses to extend a volume that it does not hold", async () => {
      const { driver } = await created();
      await expect(driver.extendVolume(volume({ id: uuid(2) }), 3)).rejects.toBeInstanceOf(Error);
      expect(await driver.findVolume(uuid(2), fenceOf(uuid(2), 1))).toBe("absent");
    });

    test("makes volumes of a snapshot and of another volume, as large as they are asked for", async () => {
      const { driver, source } = await created();
      const snapshot: SnapshotRecord = aSnapshot({ volume_id: ID });
      await driver.createSnapshot(snapshot, source);
      await driver.createSnapshot(snapshot, source);
      const [ofSnapshot, clone] = [volume({ id: uuid(2), size: 2 }), volume({ id: uuid(3) })];
      await untilDone((work) => driver.createVolumeFromSnapshot(ofSnapshot, snapshot, work));
      await untilDone((work) => driver.createClonedVolume(clone, source, work));
      expect(await contentsOf(driver)).toEqual([
        `snapshot ${snapshot.id} whole ${GIB}`,
        `volume ${ID} whole ${GIB}`,
        `volume ${uuid(2)} whole ${2 * GIB}`,
        `volume ${uuid(3)} whole ${GIB}`,
      ]);
    });

    test("deletes a snapshot, and succeeds when there is nothing", async () => {
      const { driver, source } = await created();
      const snapshot = aSnapshot({ volume_id: ID });
      await driver.createSnapshot(snapshot, source);
      expect(await driver.findSnapshot(snapshot.id)).toBe("present");
      await driver.deleteSnapshot(snapshot.id);
      await driver.deleteSnapshot(snapshot.id);
      expect(await driver.findSnapshot(snapshot.id)).toBe("absent");
    });

    test("leaves nothing of a create whose source is not there", async () => {
      const driver = await ready(make);
      const missing = volume({ id: uuid(9) });
      await expect(untilDone((work) => driver.createClonedVolume(volume(), missing, work))).rejects.toBeInstanceOf(
        Error,
      );
      await driver.deleteVolume(ID, fenceOf(ID, 1));
      expect(await contentsOf(driver)).toEqual([]);
    });

    test("reports capacity that the scheduler can read, before anything else was asked of it", async () => {
      const { total_capacity_gb: total, free_capacity_gb: free } = await (await make()).getVolumeStats();
      for (const figure of [total, free]) {
        expect(typeof figure === "number" ? figure >= 0 : ["infinite", "unknown"].includes(figure)).toBe(true);
      }
    });

    test("refuses a create of an attempt that it has closed, if it says that it fences attempts", async () => {
      const driver = await ready(make);
      if (!driver.fencesAttempts) {
        return;
      }
      await driver.closeAttempt(ID, fenceOf(ID, 1));
      await expect(untilDone((work) => driver.createVolume(volume(), work))).rejects.toMatchObject({
        name: "AttemptClosed",
      });
      expect(await driver.findVolume(ID, fenceOf(ID, 1))).toBe("absent");
    });
  });
}

async function ready(make: () => Promise<Driver>): Promise<Driver> {
  const driver = await make();
  expect(await driver.initialized()).toBe(true);
  return driver;
}

/** Long work may take several turns, each with the checkpoint of the one before. */
async function untilDone(create: (work: Work) => ReturnType<Driver["createVolume"]>): Promise<void> {
  let outcome = await create(unhurried());
  while (!outcome.done) {
    outcome = await create(unhurried(outcome.checkpoint));
  }
}

async function contentsOf(driver: Driver): Promise<string[]> {
  const found: string[] = [];
  for await (const { kind, id, partial, size_bytes: bytes } of driver.listContents()) {
    found.push(`${kind} ${id} ${partial ? "partial" : "whole"} ${bytes}`);
  }
  return found.toSorted();
}
