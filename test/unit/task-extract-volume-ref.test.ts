import { expect, it } from "vitest";
import { FenceLost, VolumeNotFound } from "../../core/errors.ts";
import { extractVolumeRef } from "../../core/workflow/extract-volume-ref.ts";
import { aVolumeInFlow, aWorld, taskInput } from "../support/builders.ts";

it("gives the volume's columns without those of the flow's own", async () => {
  const volume = aVolumeInFlow({ display_name: "data", metadata: { purpose: "test" } });
  const OWN = ["attempts", "deadline", "fault", "phase", "progress", "delete_requested_at", "locks"];
  const columns = Object.entries(volume).filter(([column]) => !OWN.includes(column));
  expect(await extractVolumeRef(aWorld(volume).deps, taskInput())).toEqual(Object.fromEntries(columns));
});

it("only reads", async () => {
  const world = aWorld(aVolumeInFlow());
  await extractVolumeRef(world.deps, taskInput());
  expect(world.faults.calls).toEqual(["volumes.get"]);
});

it("refuses a volume that is gone, as VolumeNotFound with its id", async () => {
  const thrown = extractVolumeRef(aWorld().deps, taskInput());
  await expect(thrown).rejects.toThrow(VolumeNotFound);
  await expect(thrown).rejects.toThrow(taskInput().volume_id);
});

it.each([
  ["a later attempt's", aVolumeInFlow({}, 2)],
  ["nobody's", aVolumeInFlow({ fence: null })],
])("refuses a volume that is %s", async (_whose, volume) => {
  await expect(extractVolumeRef(aWorld(volume).deps, taskInput())).rejects.toThrow(FenceLost);
});
