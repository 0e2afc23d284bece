import { describe, expect, it } from "vitest";
import {
  InvalidImageRef,
  InvalidInput,
  InvalidSnapshot,
  InvalidVolume,
  MetadataUpdateFailure,
  SnapshotNotFound,
  VolumeNotFound,
  VolumeTypeNotFound,
} from "../../core/errors.ts";
import type { CreateType, Creation, NextStep, VolumeSpec } from "../../core/spec.ts";
import { checkBackend } from "../../core/workflow/check-backend.ts";
import { cloneImage } from "../../core/workflow/clone-image.ts";
import { createClonedVolume } from "../../core/workflow/create-cloned-volume.ts";
import { createVolumeFromSnapshot } from "../../core/workflow/create-volume-from-snapshot.ts";
import {
  anImageSpec,
  aSnapshot,
  aSource,
  aSpec,
  aVolumeInFlow,
  aWorld,
  driverOf,
  SNAPSHOT_ID,
  SOURCE_ID,
  taskInput,
  UNHURRIED,
  VOLUME_ID,
} from "../support/builders.ts";
import { CONTEXT, type World } from "../support/fakes/world.ts";

const withSpec = (spec: VolumeSpec) => ({ ...taskInput(), volume_spec: spec });

function world(): World {
  const made = aWorld(aVolumeInFlow(), aSource({ bootable: true }));
  made.fakes.snapshots.records.set(SNAPSHOT_ID, aSnapshot());
  return made;
}

/** The backend was not asked, so nothing can be left on it. */
function expectNothingMade(here: World): void {
  expect(driverOf(here).made).toBe(0);
  expect(here.faults.calls.filter((call) => call.startsWith("driver."))).toEqual([]);
}

describe("CreateVolumeFromSnapshot leaves nothing on the backend when", () => {
  const fromSnapshot = withSpec(aSpec({ type: "snap", snapshot_id: SNAPSHOT_ID }));

  it("the snapshot is gone by now", async () => {
    const here = world();
    here.fakes.snapshots.records.clear();
    await expect(createVolumeFromSnapshot(here.deps, fromSnapshot, UNHURRIED)).rejects.toThrow(SnapshotNotFound);
    expectNothingMade(here);
  });

  it.each(["deleting", "creating", "error", "error_deleting"] as const)("the snapshot is %s by now", async (status) => {
    const here = world();
    here.fakes.snapshots.records.set(SNAPSHOT_ID, aSnapshot({ status }));
    await expect(createVolumeFromSnapshot(here.deps, fromSnapshot, UNHURRIED)).rejects.toThrow(InvalidSnapshot);
    expectNothingMade(here);
  });

  it("the origin's bootable flag cannot be read", async () => {
    const here = world();
    here.fakes.volumes.records.delete(SOURCE_ID);
    const thrown = createVolumeFromSnapshot(here.deps, fromSnapshot, UNHURRIED);
    await expect(thrown).rejects.toThrow(MetadataUpdateFailure);
    await expect(thrown).rejects.toThrow(SOURCE_ID);
    expectNothingMade(here);
  });

  it("the spec names no snapshot", async () => {
    const here = world();
    const input = withSpec(aSpec({ type: "snap" }));
    await expect(createVolumeFromSnapshot(here.deps, input, UNHURRIED)).rejects.toThrow(InvalidInput);
    expectNothingMade(here);
  });
});

describe("CreateClonedVolume leaves nothing on the backend when", () => {
  const clone = withSpec(aSpec({ type: "source_vol", source_volid: SOURCE_ID }));

  it("the source is gone by now", async () => {
    const here = world();
    here.fakes.volumes.records.delete(SOURCE_ID);
    await expect(createClonedVolume(here.deps, clone, UNHURRIED)).rejects.toThrow(VolumeNotFound);
    expectNothingMade(here);
  });

  it.each(["deleting", "creating", "downloading", "error", "error_deleting", "extending"] as const)(
    "the source is %s by now",
    async (status) => {
      const here = world();
      here.fakes.volumes.records.set(SOURCE_ID, aSource({ status }));
      await expect(createClonedVolume(here.deps, clone, UNHURRIED)).rejects.toThrow(InvalidVolume);
      expectNothingMade(here);
    },
  );

  it("the source is another project's", async () => {
    const here = world();
    const input = { ...clone, context: { ...CONTEXT, project_id: "another" } };
    await expect(createClonedVolume(here.deps, input, UNHURRIED)).rejects.toThrow(VolumeNotFound);
    expectNothingMade(here);
  });

  it("the spec names no source", async () => {
    const here = world();
    const input = withSpec(aSpec({ type: "source_vol" }));
    await expect(createClonedVolume(here.deps, input, UNHURRIED)).rejects.toThrow(InvalidInput);
    expectNothingMade(here);
  });
});

describe("CloneImage", () => {
  it("says that the driver cannot clone, and records nothing as created", async () => {
    const here = world();
    const cloning = await cloneImage(here.deps, withSpec(anImageSpec()), UNHURRIED);
    expect(cloning).toEqual({
      model_update: null,
      done: false,
      cloned: false,
      wait_seconds: 0,
      checkpoint: null,
      next: "bootable",
    });
    expect(await here.fakes.volumes.get(VOLUME_ID)).toMatchObject({ phase: "creating", status: "creating" });
  });

  it.each<[string, Partial<VolumeSpec>, new (text: string) => Error]>([
    ["a spec of no known type, to which the workflow's choice leads", { type: "tape" as "raw" }, VolumeTypeNotFound],
    ["a spec without an image", { type: "image" }, InvalidInput],
    ["a reference that names no service", { ...anImageSpec(), image_href: "file:///etc/passwd" }, InvalidImageRef],
  ])("refuses %s", async (_what, spec, error) => {
    const here = world();
    await expect(cloneImage(here.deps, withSpec(aSpec(spec)), UNHURRIED)).rejects.toThrow(error);
    expectNothingMade(here);
  });
});

describe("CheckBackend continues a create that has begun", () => {
  const check = (here: World, spec: VolumeSpec, next: NextStep, checkpoint = { turn: 1 }): Promise<Creation> =>
    checkBackend(
      here.deps,
      { ...withSpec(spec), creation: { done: false, wait_seconds: 1, checkpoint, next, model_update: null } },
      { ...UNHURRIED, checkpoint },
    );

  it.each<[CreateType, Partial<VolumeSpec>, NextStep, string]>([
    ["raw", {}, "finish", "driver.createVolume"],
    ["snap", { snapshot_id: SNAPSHOT_ID }, "bootable", "driver.createVolumeFromSnapshot"],
    ["source_vol", { source_volid: SOURCE_ID }, "bootable", "driver.createClonedVolume"],
    ["image", anImageSpec(), "bootable", "driver.cloneImage"],
    ["image", anImageSpec(), "copy_image", "driver.createVolume"],
  ])("%s %j", async (type, spec, next, call) => {
    const here = world();
    driverOf(here).clonesImages = true;
    driverOf(here).turns = 2;
    const creation = await check(here, aSpec({ ...spec, type }), next);
    expect(creation).toMatchObject({ done: true, next });
    expect(here.faults.count(call)).toBe(1);
  });

  it("and makes a volume to be filled when the driver gives up a clone it had begun", async () => {
    const here = world();
    const creation = await check(here, anImageSpec(), "bootable");
    expect(creation).toMatchObject({ done: false, wait_seconds: 0, checkpoint: null, next: "copy_image" });
    expect(here.faults.count("driver.createVolume")).toBe(0);
    expect(await check(here, anImageSpec(), "copy_image")).toMatchObject({ done: true, next: "copy_image" });
    expect(await here.fakes.volumes.get(VOLUME_ID)).toMatchObject({ phase: "copying", status: "downloading" });
  });

  it("and refuses a type that it does not know", () => {
    const spec = aSpec({ type: "tape" as CreateType });
    expect(() => check(world(), spec, "finish")).toThrow(VolumeTypeNotFound);
  });
});
