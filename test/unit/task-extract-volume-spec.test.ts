import { describe, expect, it } from "vitest";
import {
  ImageNotFound,
  ImageUnacceptable,
  InvalidImageRef,
  InvalidInput,
  InvalidSnapshot,
  InvalidVolume,
  SnapshotNotFound,
  VolumeNotFound,
} from "../../core/errors.ts";
import type { ImageMeta } from "../../core/drivers/driver-ports.ts";
import { fenceOf, type VolumeStatus } from "../../core/records.ts";
import { extractVolumeSpec, type SpecInput } from "../../core/workflow/extract-volume-spec.ts";
import {
  anImage,
  aSnapshot,
  aSource,
  aVolumeInFlow,
  aWorld,
  IMAGE_ID,
  SNAPSHOT_ID,
  SOURCE_ID,
  VOLUME_ID,
} from "../support/builders.ts";
import { CONTEXT, type World } from "../support/fakes/world.ts";

const GIB = 1024 ** 3;

/** The record names the sources that the request names, unless the columns say otherwise. */
function input(keys: Partial<SpecInput> = {}, columns: Parameters<typeof aVolumeInFlow>[0] = {}): SpecInput {
  const { snapshot_id = null, source_volid = null } = keys;
  return {
    context: CONTEXT,
    fence: fenceOf(VOLUME_ID, 1),
    volume_ref: aVolumeInFlow({ snapshot_id, source_volid, ...columns }),
    snapshot_id: null,
    source_volid: null,
    image_id: null,
    ...keys,
  };
}

/** A world with a source of each kind. */
function sources(): World {
  const world = aWorld(aSource());
  world.fakes.snapshots.records.set(SNAPSHOT_ID, aSnapshot());
  world.imageMetas.set(IMAGE_ID, anImage());
  return world;
}

const BASE = { status: "creating", volume_id: VOLUME_ID, volume_name: `volume-${VOLUME_ID}`, volume_size: 1 };

describe("what is to be created", () => {
  it("is a raw volume when no source is named", async () => {
    expect(await extractVolumeSpec(sources().deps, input())).toEqual({ ...BASE, type: "raw" });
  });

  it("is a raw volume when the image's reference is empty", async () => {
    expect((await extractVolumeSpec(sources().deps, input({ image_id: "" }))).type).toBe("raw");
  });

  it("is a snapshot's content", async () => {
    const spec = await extractVolumeSpec(sources().deps, input({ snapshot_id: SNAPSHOT_ID }));
    expect(spec).toEqual({ ...BASE, type: "snap", snapshot_id: SNAPSHOT_ID });
  });

  it("is a source volume's content, with the status that the source had", async () => {
    const spec = await extractVolumeSpec(sources().deps, input({ source_volid: SOURCE_ID }));
    expect(spec).toEqual({ ...BASE, type: "source_vol", source_volid: SOURCE_ID, source_volstatus: "available" });
  });

  it("is an image's content, with its metadata, its location and the reference that names its service", async () => {
    const spec = await extractVolumeSpec(sources().deps, input({ image_id: IMAGE_ID }));
    expect(spec).toEqual({
      ...BASE,
      type: "image",
      image_id: IMAGE_ID,
      image_href: IMAGE_ID,
      image_location: { direct_url: `s3://images/${IMAGE_ID}`, locations: [] },
      image_meta: anImage(),
    });
  });

  it.each([
    [{ snapshot_id: SNAPSHOT_ID, source_volid: SOURCE_ID, image_id: IMAGE_ID }, "snap"],
    [{ snapshot_id: SNAPSHOT_ID, image_id: IMAGE_ID }, "snap"],
    [{ source_volid: SOURCE_ID, image_id: IMAGE_ID }, "source_vol"],
  ])("of several sources the first of snapshot, volume, image wins: %j", async (keys, type) => {
    const world = sources();
    expect((await extractVolumeSpec(world.deps, input(keys))).type).toBe(type);
    expect(world.faults.calls.filter((call) => call !== "locks.put")).toHaveLength(1);
  });

  it("keeps the status that says where the volume ends: a migration's target", async () => {
    const spec = await extractVolumeSpec(sources().deps, input({}, { status: "migration_target_creating" }));
    expect(spec.status).toBe("migration_target_creating");
  });

  it("is found with the two calls that lock it for a snapshot or a source volume", async () => {
    const world = sources();
    for (const keys of [{ snapshot_id: SNAPSHOT_ID }, { source_volid: SOURCE_ID }, { image_id: IMAGE_ID }]) {
      await extractVolumeSpec(world.deps, input(keys));
    }
    expect(world.faults.calls).toEqual([
      "locks.put",
      "snapshots.countLock",
      "locks.put",
      "volumes.countLock",
      "images.show",
      "images.getLocation",
    ]);
  });
});

describe("a source that the record does not name", () => {
  const other = "5b2f4c1e-9d3a-4f60-8a71-00000000000f";

  it.each([
    ["snapshot", { snapshot_id: SNAPSHOT_ID }, { snapshot_id: null }, "none"],
    ["snapshot", { snapshot_id: SNAPSHOT_ID }, { snapshot_id: other }, other],
    ["source volume", { source_volid: SOURCE_ID }, { source_volid: null }, "none"],
    ["source volume", { source_volid: SOURCE_ID }, { source_volid: other }, other],
  ])(
    "is refused and not locked, because the lock would never be removed: %s",
    async (what, keys, columns, recorded) => {
      const world = sources();
      const extracting = extractVolumeSpec(world.deps, input(keys, columns));
      await expect(extracting).rejects.toThrow(InvalidInput);
      await expect(extracting).rejects.toThrow(`the request names ${what}`);
      await expect(extracting).rejects.toThrow(`the record of volume ${VOLUME_ID} names ${recorded}`);
      expect(world.fakes.locks.all).toEqual([]);
    },
  );
});

describe("a source that does not exist or belongs to another project", () => {
  const stranger = { ...CONTEXT, project_id: "another" };
  const privateImage = anImage({ visibility: "private" });

  it.each([
    ["snapshot", { snapshot_id: SNAPSHOT_ID }, SnapshotNotFound, SNAPSHOT_ID],
    ["volume", { source_volid: SOURCE_ID }, VolumeNotFound, SOURCE_ID],
    ["image", { image_id: IMAGE_ID }, ImageNotFound, IMAGE_ID],
  ])("is named alike: %s", async (_kind, keys, error, id) => {
    const foreign = sources();
    foreign.imageMetas.set(IMAGE_ID, privateImage);
    const unknown = extractVolumeSpec(aWorld().deps, input(keys));
    const hidden = extractVolumeSpec(foreign.deps, input({ ...keys, context: stranger }));
    await expect(unknown).rejects.toThrow(error);
    await expect(hidden).rejects.toThrow(error);
    await expect(hidden).rejects.toThrow(id);
    expect(await hidden.catch(String)).toBe(await unknown.catch(String));
  });

  it("is hidden from a caller without a project", async () => {
    const keys = { source_volid: SOURCE_ID, context: { ...CONTEXT, project_id: null } };
    await expect(extractVolumeSpec(sources().deps, input(keys))).rejects.toThrow(VolumeNotFound);
  });

  it("may be used by an administrator", async () => {
    const keys = { source_volid: SOURCE_ID, context: { ...stranger, is_admin: true } };
    expect((await extractVolumeSpec(sources().deps, input(keys))).source_volid).toBe(SOURCE_ID);
  });
});

describe("a size that does not fit is refused before any backend is asked", () => {
  it.each([0, -1, 1.5, Number.NaN, Number.MAX_SAFE_INTEGER + 1])("%d GiB", async (size) => {
    await expect(extractVolumeSpec(sources().deps, input({}, { size }))).rejects.toThrow(InvalidInput);
  });

  it("smaller than the snapshot's volume", async () => {
    const world = sources();
    world.fakes.snapshots.records.set(SNAPSHOT_ID, aSnapshot({ volume_size: 2 }));
    await expect(extractVolumeSpec(world.deps, input({ snapshot_id: SNAPSHOT_ID }))).rejects.toThrow(
      /1 GiB is smaller than snapshot .* of 2 GiB/,
    );
  });

  it("smaller than the source volume", async () => {
    const world = aWorld(aSource({ size: 2 }));
    await expect(extractVolumeSpec(world.deps, input({ source_volid: SOURCE_ID }))).rejects.toThrow(
      /1 GiB is smaller than source volume .* of 2 GiB/,
    );
  });

  it.each<[string, Partial<ImageMeta>, typeof InvalidInput | typeof ImageUnacceptable]>([
    ["smaller than min_disk", { min_disk: 2 }, InvalidInput],
    ["smaller than the image by a byte", { size: GIB + 1 }, InvalidInput],
    ["smaller than a qcow2 file by a byte", { disk_format: "qcow2", size: GIB + 1, virtual_size: GIB }, InvalidInput],
    ["smaller than the image's virtual size by a byte", { virtual_size: GIB + 1 }, ImageUnacceptable],
  ])("%s", async (_what, attributes, error) => {
    const world = sources();
    world.imageMetas.set(IMAGE_ID, anImage(attributes));
    await expect(extractVolumeSpec(world.deps, input({ image_id: IMAGE_ID }))).rejects.toThrow(error);
  });

  it.each<[string, Partial<ImageMeta>]>([
    ["an image of just that size", { size: GIB, virtual_size: GIB, min_disk: 1 }],
    ["an image that says no size", { size: null, virtual_size: null }],
  ])("%s fits", async (_what, attributes) => {
    const world = sources();
    world.imageMetas.set(IMAGE_ID, anImage(attributes));
    expect((await extractVolumeSpec(world.deps, input({ image_id: IMAGE_ID }))).type).toBe("image");
  });
});

describe("a source that is not whole", () => {
  it.each(["creating", "error", "deleting"] as const)("a snapshot in %s", async (status) => {
    const world = sources();
    world.fakes.snapshots.records.set(SNAPSHOT_ID, aSnapshot({ status }));
    await expect(extractVolumeSpec(world.deps, input({ snapshot_id: SNAPSHOT_ID }))).rejects.toThrow(InvalidSnapshot);
  });

  it.each<VolumeStatus>([
    "creating",
    "downloading",
    "migration_target_creating",
    "migration_target",
    "error",
    "deleting",
    "error_deleting",
  ])("a volume in %s", async (status) => {
    const world = aWorld(aSource({ status }));
    await expect(extractVolumeSpec(world.deps, input({ source_volid: SOURCE_ID }))).rejects.toThrow(InvalidVolume);
  });

  it.each<VolumeStatus>(["available", "in-use", "backing-up"])("but a volume in %s is whole", async (status) => {
    const world = aWorld(aSource({ status }));
    const spec = await extractVolumeSpec(world.deps, input({ source_volid: SOURCE_ID }));
    expect(spec.source_volstatus).toBe(status);
  });

  it.each(["queued", "saving", "killed", "deleted", "pending_delete", "deactivated"])(
    "an image in %s",
    async (status) => {
      const world = sources();
      world.imageMetas.set(IMAGE_ID, anImage({ status }));
      await expect(extractVolumeSpec(world.deps, input({ image_id: IMAGE_ID }))).rejects.toThrow(/not active/);
    },
  );
});

it.each(["../../etc/passwd", "http://attacker.example/image", "a b"])(
  "an image reference that names no service: %s",
  async (image_id) => {
    await expect(extractVolumeSpec(sources().deps, input({ image_id }))).rejects.toThrow(InvalidImageRef);
  },
);
