import { describe, expect, it } from "vitest";
import { extensionClaimKey } from "../../core/claims.ts";
import {
  FenceLost,
  InvalidInput,
  InvalidVolume,
  NoValidBackend,
  VolumeBackendAPIException,
} from "../../core/errors.ts";
import { parseOrThrow } from "../../core/requests/parsing.ts";
import { type BackendRecord, fenceOf, SNAPSHOT_LOCK, type VolumeStatus } from "../../core/records.ts";
import { deleteVolume } from "../../core/volumes/delete-volume.ts";
import { beginExtendVolume } from "../../core/volumes/begin-extend-volume.ts";
import { extendVolume, ExtendVolumeInputSchema } from "../../core/volumes/extend-volume.ts";
import { sweepOverdueVolumes } from "../../core/nets/sweep-overdue-volumes.ts";
import {
  aSnapshot,
  aSource,
  aVolumeInFlow,
  aWorld,
  driverOf,
  FIRST_HOST,
  SOURCE_ID,
  VOLUME_ID,
} from "../support/builders.ts";
import { uuid } from "../support/drivers.ts";
import { expectSameAfterAnyDeath } from "../support/fakes/crashes.ts";
import type { World } from "../support/fakes/world.ts";

const INPUT = { volume_id: SOURCE_ID, extension_id: uuid(70), new_size: 4 };
const KEY = extensionClaimKey(SOURCE_ID);

/** A volume of 1 GiB at rest on a backend with 100 GiB, counted as the repository counts. */
function atRest(columns: Parameters<typeof aSource>[0] = {}): World {
  const world = aWorld(aSource(columns));
  driverOf(world).volumes.set(SOURCE_ID, { from: "nothing" });
  change(world, { allocated_capacity_gb: 1, provisioned_capacity_gb: 1, free_capacity_gb: 99 });
  return world;
}

const backendOf = (world: World) => world.fakes.backends.seen(FIRST_HOST);
const change = (world: World, columns: Partial<BackendRecord>) =>
  world.fakes.backends.records.change(FIRST_HOST, columns);

const extend = (world: World, keys: Partial<typeof INPUT> = {}) => extendVolume(world.deps, { ...INPUT, ...keys });
const stored = (world: World) => world.fakes.volumes.get(SOURCE_ID);

function expectCounted(world: World, gib: number): void {
  const { allocated_capacity_gb: allocated, provisioned_capacity_gb: provisioned, claims } = backendOf(world);
  expect({ allocated, provisioned, claims }).toEqual({ allocated: gib, provisioned: gib, claims: {} });
}

/** Moves the clock past every deadline and sweeps. */
async function sweepLater(world: World): Promise<void> {
  world.now = new Date(world.now.getTime() + 3_600_000);
  await sweepOverdueVolumes(world.deps);
}

describe("ExtendVolume", () => {
  it("gives the volume its new size on its backend and in its record, and counts the difference", async () => {
    const world = atRest();
    expect(await extend(world)).toMatchObject({ size: 4, status: "available", deadline: null });
    expect(driverOf(world).sizes.get(SOURCE_ID)).toBe(4);
    expectCounted(world, 4);
    expect((await stored(world)).extension).toMatchObject({ number: 1, size: 4, outcome: "extended" });
  });

  it("shows `extending` while it is under way, with a deadline for the sweep", async () => {
    const world = atRest();
    await beginExtendVolume(world.deps, INPUT);
    expect(await stored(world)).toMatchObject({ status: "extending", size: 1, deadline: expect.any(String) });
    expect(await extend(world)).toMatchObject({ status: "available", size: 4 });
  });

  it("that dies at any call and is asked for again ends the same", async () => {
    const deaths = await expectSameAfterAnyDeath(
      () => atRest(),
      (world) => extend(world),
    );
    expect(deaths).toBeGreaterThan(12);
  });

  it("that dies at any call leaves the volume to the sweep, which ends it with exact capacity", async () => {
    const undisturbed = atRest();
    await extend(undisturbed);
    for (const [index, call] of undisturbed.faults.calls.entries()) {
      for (const moment of ["before", "after"] as const) {
        const world = atRest();
        world.faults.crashAt(index + 1, moment);
        await expect(extend(world)).rejects.toThrow("the process has ended");
        world.faults.revive();
        await sweepLater(world);
        const { status, size } = await stored(world);
        expect(status, `death ${moment} ${call}`).toBe("available");
        expectCounted(world, size);
      }
    }
  });

  it("answers a repeated request as it answered the first one, however late", async () => {
    const world = atRest();
    await extend(world);
    expect(await extend(world)).toMatchObject({ size: 4 });
    expect(world.faults.count("driver.extendVolume")).toBe(1);
  });

  it("of two runs at once counts the difference once", async () => {
    const world = atRest();
    const runs = await Promise.allSettled([extend(world), extend(world)]);
    expect(runs.filter(({ status }) => status === "fulfilled").length).toBeGreaterThan(0);
    await sweepLater(world);
    expect(await stored(world)).toMatchObject({ status: "available", size: 4 });
    expectCounted(world, 4);
  });

  it("can follow an extension whose claim was left open, and counts both", async () => {
    const world = atRest();
    world.faults.fail("backends.settle", new Error("throttled"));
    await expect(extend(world)).rejects.toThrow("throttled");
    expect(await extend(world, { extension_id: uuid(71), new_size: 6 })).toMatchObject({ size: 6 });
    expectCounted(world, 6);
  });

  it("is not held up by what a late run of an extension that is over has claimed, which the sweep gives back", async () => {
    const world = atRest();
    await extend(world);
    const [late] = [{ attempt: 1, size: 3, claimed_at: "2026-01-01T01:00:00.500Z" }];
    change(world, { claims: { [KEY]: late }, allocated_capacity_gb: 7, provisioned_capacity_gb: 7 });
    expect(await extend(world, { extension_id: uuid(71), new_size: 6 })).toMatchObject({ size: 6 });
    await sweepLater(world);
    expectCounted(world, 6);
  });

  it("has a claim that no record names given back by the sweep", async () => {
    const world = atRest();
    const claims = { [KEY]: { attempt: 1, size: 3, claimed_at: "2026-01-01T01:00:00.500Z" } };
    change(world, { claims, allocated_capacity_gb: 4, provisioned_capacity_gb: 4 });
    await sweepLater(world);
    expectCounted(world, 1);
    expect(backendOf(world).claims).toEqual({});
  });

  it("leaves the volume as it was when its backend has no room, and says how much there is", async () => {
    const world = atRest();
    change(world, { free_capacity_gb: 2, total_capacity_gb: 3 });
    await expect(extend(world)).rejects.toMatchObject({
      name: "NoValidBackend",
      message: expect.stringContaining("2"),
    });
    expect(await stored(world)).toMatchObject({ status: "available", size: 1, deadline: null });
    expectCounted(world, 1);
    await expect(extend(world)).rejects.toMatchObject({ name: NoValidBackend.name });
  });

  it("leaves the volume as it was when its backend is disabled", async () => {
    const world = atRest();
    change(world, { disabled: true });
    await expect(extend(world)).rejects.toThrow("is disabled");
    expect(await stored(world)).toMatchObject({ status: "available", size: 1 });
  });

  it("puts the volume in error_extending with its old size when the driver fails, and can be asked for again", async () => {
    const world = atRest();
    world.faults.fail("driver.extendVolume", new VolumeBackendAPIException("busy"));
    await expect(extend(world)).rejects.toMatchObject({ name: "VolumeBackendAPIException" });
    expect(await stored(world)).toMatchObject({ status: "error_extending", size: 1, fault: null });
    expect((await stored(world)).extension).toMatchObject({ outcome: "failed", error: "VolumeBackendAPIException" });
    expectCounted(world, 1);
    expect(await extend(world, { extension_id: uuid(71) })).toMatchObject({ status: "available", size: 4 });
  });

  it("answers a repeat of a failed request with the error that it failed by", async () => {
    const world = atRest();
    world.faults.fail("driver.extendVolume", new VolumeBackendAPIException("busy"));
    await expect(extend(world)).rejects.toThrow("busy");
    await expect(extend(world)).rejects.toThrow("busy");
    expect(world.faults.count("driver.extendVolume")).toBe(1);
  });

  it("does not undo what an operator set while it was under way, and gives its claim back", async () => {
    const world = atRest();
    const begun = await beginExtendVolume(world.deps, INPUT);
    world.fakes.volumes.records.set(SOURCE_ID, { ...begun, status: "available" });
    await expect(extend(world)).rejects.toThrow(FenceLost);
    expect(await stored(world)).toMatchObject({ status: "available", size: 1 });
    expectCounted(world, 1);
  });

  it.each<VolumeStatus>(["creating", "in-use", "error", "deleting", "extending", "migration_target"])(
    "is refused for a volume in %s",
    async (status) => {
      const world = atRest({ status });
      await expect(extend(world)).rejects.toThrow(InvalidVolume);
      expectCounted(world, 1);
    },
  );

  it.each([1, 0.5])("is refused for a size of %d GiB, which is not larger", async (size) => {
    await expect(extend(atRest(), { new_size: size })).rejects.toThrow(InvalidInput);
  });

  it("is refused while another volume is made of the volume, and not for its snapshots", async () => {
    const world = atRest();
    const locks = { [VOLUME_ID]: fenceOf(VOLUME_ID, 1), [uuid(9)]: SNAPSHOT_LOCK };
    world.fakes.locks.arrange({ what: "volume", id: SOURCE_ID }, locks);
    world.fakes.snapshots.records.set(uuid(9), aSnapshot({ id: uuid(9) }));
    world.fakes.volumes.records.set(VOLUME_ID, aVolumeInFlow({ source_volid: SOURCE_ID }));
    await expect(extend(world)).rejects.toThrow(`is being copied to volume ${VOLUME_ID}`);
    world.fakes.volumes.records.delete(VOLUME_ID);
    expect(await extend(world)).toMatchObject({ size: 4 });
  });

  it("leaves a volume whose deletion returns all of its capacity, also when its claim was left open", async () => {
    const world = atRest();
    world.faults.fail("backends.settle", new Error("throttled"));
    await expect(extend(world)).rejects.toThrow("throttled");
    await deleteVolume(world.deps, SOURCE_ID);
    expect(backendOf(world)).toMatchObject({ allocated_capacity_gb: 0, provisioned_capacity_gb: 0 });
    expect(backendOf(world).claims).toEqual({});
  });

  it("keeps the volume from being deleted while it is under way", async () => {
    const world = atRest();
    await beginExtendVolume(world.deps, INPUT);
    await expect(deleteVolume(world.deps, SOURCE_ID)).rejects.toThrow("is extending");
  });

  it("lets a volume in error_extending be deleted", async () => {
    const world = atRest({ status: "error_extending" });
    expect(await deleteVolume(world.deps, SOURCE_ID)).toEqual({ outcome: "deleted" });
  });

  it.each([
    ["volume_id", { ...INPUT, volume_id: "../x" }],
    ["extension_id", { ...INPUT, extension_id: null }],
    ["new_size", { ...INPUT, new_size: "4" }],
    ["new_size", { ...INPUT, new_size: 1.5 }],
    ["new_size", { ...INPUT, new_size: 2 ** 52 }],
  ])("names a field that is wrong: %s", (field, request) => {
    expect(() => parseOrThrow(ExtendVolumeInputSchema, request, "request")).toThrow(field);
  });
});
