import { describe, expect, it } from "vitest";
import { FenceLost, InvalidInput, MetadataCopyFailure } from "../../core/errors.ts";
import type { ImageMeta } from "../../core/drivers/driver-ports.ts";
import type { VolumeSpec } from "../../core/spec.ts";
import { captureImageMetadata, handleBootableVolume } from "../../core/workflow/handle-bootable-volume.ts";
import {
  anImage,
  anImageSpec,
  aSnapshot,
  aSource,
  aSpec,
  aVolumeInFlow,
  aWorld,
  IMAGE_ID,
  SNAPSHOT_ID,
  SOURCE_ID,
  taskInput,
  VOLUME_ID,
} from "../support/builders.ts";
import { expectSameAfterAnyDeath } from "../support/fakes/crashes.ts";
import type { World } from "../support/fakes/world.ts";

const withSpec = (spec: VolumeSpec) => ({ ...taskInput(), volume_spec: spec });
const FROM_SNAPSHOT = withSpec(aSpec({ type: "snap", snapshot_id: SNAPSHOT_ID }));
const FROM_VOLUME = withSpec(aSpec({ type: "source_vol", source_volid: SOURCE_ID }));
const FROM_IMAGE = withSpec(anImageSpec());

function world(metadata: Record<string, string> = { image_id: "i", os_distro: "cirros" }): World {
  const made = aWorld(aVolumeInFlow({ phase: "created" }), aSource({ bootable: true, glance_metadata: metadata }));
  made.fakes.snapshots.records.set(SNAPSHOT_ID, aSnapshot({ glance_metadata: metadata }));
  return made;
}

describe("HandleBootableVolume", () => {
  it.each([
    ["the snapshot's", FROM_SNAPSHOT],
    ["the source volume's", FROM_VOLUME],
  ])("copies %s metadata and sets the flag, in one write", async (_whose, input) => {
    const here = world();
    await handleBootableVolume(here.deps, input);
    expect(await here.fakes.volumes.get(VOLUME_ID)).toMatchObject({
      bootable: true,
      glance_metadata: { image_id: "i", os_distro: "cirros" },
    });
    expect(here.faults.calls.filter((call) => call !== "volumes.get" && call !== "snapshots.get")).toEqual([
      "volumes.markBootable",
    ]);
  });

  it("captures the image's metadata without asking the image service again", async () => {
    const here = world();
    await handleBootableVolume(here.deps, FROM_IMAGE);
    const { glance_metadata } = await here.fakes.volumes.get(VOLUME_ID);
    expect(glance_metadata).toEqual({
      image_id: IMAGE_ID,
      image_name: "cirros",
      checksum: "d41d8cd98f00b204e9800998ecf8427e",
      container_format: "bare",
      disk_format: "raw",
      min_disk: "0",
      min_ram: "0",
      size: "1024",
    });
    expect(here.faults.calls).toEqual(["volumes.markBootable"]);
  });

  it.each([FROM_SNAPSHOT, FROM_VOLUME])("makes bootable what comes from a source without metadata", async (input) => {
    const here = world({});
    await handleBootableVolume(here.deps, input);
    expect(await here.fakes.volumes.get(VOLUME_ID)).toMatchObject({ bootable: true, glance_metadata: {} });
  });

  it.each([
    ["snapshot", FROM_SNAPSHOT],
    ["source volume", FROM_VOLUME],
  ])("says MetadataCopyFailure when the %s is gone, and leaves the flag alone", async (_what, input) => {
    const here = aWorld(aVolumeInFlow({ phase: "created" }));
    await expect(handleBootableVolume(here.deps, input)).rejects.toThrow(MetadataCopyFailure);
    expect((await here.fakes.volumes.get(VOLUME_ID)).bootable).toBe(false);
  });

  it("lets an error that may pass out as it is, so that the step is tried again", async () => {
    const here = world();
    here.faults.fail("snapshots.get", Object.assign(new Error("slow down"), { name: "ThrottlingException" }));
    await expect(handleBootableVolume(here.deps, FROM_SNAPSHOT)).rejects.toMatchObject({ name: "ThrottlingException" });
  });

  it("refuses a spec without a source", async () => {
    await expect(handleBootableVolume(world().deps, withSpec(aSpec()))).rejects.toThrow(InvalidInput);
  });

  it("late, changes nothing", async () => {
    const here = aWorld(aVolumeInFlow({}, 2));
    const before = here.state();
    await expect(handleBootableVolume(here.deps, FROM_IMAGE)).rejects.toThrow(FenceLost);
    expect(here.state()).toEqual(before);
  });

  it.each([FROM_SNAPSHOT, FROM_VOLUME, FROM_IMAGE])("dead at any call and run again, ends the same", async (input) => {
    const deaths = await expectSameAfterAnyDeath(world, (here) => handleBootableVolume(here.deps, input));
    expect(deaths).toBeGreaterThanOrEqual(2);
  });
});

describe("image metadata", () => {
  const capture = (attributes: Partial<ImageMeta>) => captureImageMetadata(IMAGE_ID, anImage(attributes));

  it("lets base attributes win over properties of the same name", () => {
    const properties = { image_id: "x", image_name: "x", checksum: "x", size: "x", min_disk: "x" };
    expect(capture({ properties })).toEqual(capture({}));
  });

  it("keeps a property under the name of an attribute that the image has not", () => {
    expect(capture({ checksum: null, properties: { checksum: "mine" } })["checksum"]).toBe("mine");
    expect(capture({ name: "", properties: { image_name: "mine" } })["image_name"]).toBe("mine");
  });

  it("keeps the ids of the kernel and the ramdisk of an AMI", () => {
    const properties = { kernel_id: "aki-1", ramdisk_id: "ari-1" };
    expect(capture({ disk_format: "ami", container_format: "ami", properties })).toMatchObject({
      ...properties,
      disk_format: "ami",
      container_format: "ami",
    });
  });

  it("does not copy properties that would state a check made by Cinder or Glance", () => {
    const reserved = { signature_verified: "True", os_glance_failed_import: "", os_glance_importing_to_stores: "file" };
    const captured = capture({
      properties: { ...reserved, os_distro: "cirros", img_signature: "x", os_glance: "mine" },
    });
    expect(captured).toMatchObject({ os_distro: "cirros", img_signature: "x", os_glance: "mine" });
    expect(Object.keys(captured).filter((key) => key in reserved)).toEqual([]);
  });

  it.each(["", null])("has no image_name when the image's name is %j", (name) => {
    expect(capture({ name })).not.toHaveProperty("image_name");
  });

  it("leaves out what is null and keeps zero and empty text", () => {
    const captured = capture({ checksum: null, size: 0, properties: { gone: null, zero: 0, empty: "" } });
    expect(captured).not.toHaveProperty("checksum");
    expect(captured).not.toHaveProperty("gone");
    expect(captured).toMatchObject({ size: "0", min_disk: "0", zero: "0", empty: "" });
  });

  it("takes no attribute but Cinder's six", () => {
    expect(capture({ owner: "o", visibility: "public", virtual_size: 1, os_hash_value: "h" })).toEqual(capture({}));
  });

  it("stores every value as Python's text of it", () => {
    const properties = { yes: true, no: false, number: 7, float: 1.5, list: [1, "a"], dict: { a: 1 } };
    expect(capture({ properties })).toMatchObject({
      yes: "True",
      no: "False",
      number: "7",
      float: "1.5",
      list: "[1, 'a']",
      dict: "{'a': 1}",
    });
  });
});
