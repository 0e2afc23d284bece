import { describe, expect, test } from "vitest";
import { InvalidVolume, VolumeNotFound } from "../../core/errors.ts";
import { queuedVolume } from "../support/records.ts";
import {
  DEADLINE,
  assign,
  fault,
  owner,
  replaceWith,
  useVolumes,
  volume,
  volumes,
} from "../support/volume-contract.ts";

useVolumes();

describe("deletion", () => {
  for (const status of ["available", "error", "error_deleting", "migration_target", "deleting"] as const) {
    test(`begins for a volume that is ${status}`, async () => {
      await replaceWith({ status });
      expect((await volumes.beginDelete(volume.id)).status).toBe("deleting");
    });
  }

  for (const status of ["creating", "downloading", "migration_target_creating", "in-use", "backing-up"] as const) {
    test(`is refused for a volume that is ${status}, by that name`, async () => {
      await replaceWith({ status });
      await expect(volumes.beginDelete(volume.id)).rejects.toThrow(InvalidVolume);
      await expect(volumes.beginDelete(volume.id)).rejects.toThrow(`is ${status};`);
    });
  }

  test("is refused for a volume that is in the flow whatever its status", async () => {
    await replaceWith({ status: "error", deadline: DEADLINE.toISOString() });
    await expect(volumes.beginDelete(volume.id)).rejects.toThrow("is error and in the flow");
  });

  test("of a volume that does not exist is VolumeNotFound", async () => {
    await expect(volumes.beginDelete(queuedVolume().id)).rejects.toThrow(VolumeNotFound);
  });

  test("removes the record, and may be repeated", async () => {
    await replaceWith({ status: "available" });
    await volumes.beginDelete(volume.id);
    await volumes.finishDelete(volume.id);
    await volumes.finishDelete(volume.id);
    await expect(volumes.get(volume.id)).rejects.toThrow(VolumeNotFound);
  });

  test("does not remove a record that is not deleting", async () => {
    await expect(volumes.finishDelete(volume.id)).rejects.toThrow(InvalidVolume);
    expect((await volumes.get(volume.id)).status).toBe("creating");
  });

  test("keeps a late attempt from the record", async () => {
    await assign();
    await volumes.markError(owner, fault);
    await volumes.beginDelete(volume.id);
    await expect(volumes.beginCreate(owner, DEADLINE)).rejects.toThrow(`it is deleting and belongs to ${owner.fence}`);
  });
});
