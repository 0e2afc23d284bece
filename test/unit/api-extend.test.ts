import { beforeEach, describe, expect, it } from "vitest";
import type { VolumeRecord } from "../../core/records.ts";
import { extendVolume, type ExtendVolumeInput } from "../../core/volumes/extend-volume.ts";
import { sweepOverdueVolumes } from "../../core/nets/sweep-overdue-volumes.ts";
import { Api, messageOf } from "../support/api.ts";
import { driverOf, FIRST_HOST } from "../support/builders.ts";
import { START, World } from "../support/fakes/world.ts";

const PROJECT = "a1b2";

let world: World;
let api: Api;
let id: string;

beforeEach(async () => {
  world = new World();
  world.addBackend(FIRST_HOST);
  api = new Api(world);
  const { body } = await api.ask("POST /volumes", { body: { volume: { size: 1 } } });
  ({ id } = (body as { volume: { id: string } }).volume);
  await world.fakes.projects.confirm(PROJECT, `volume:${id}`);
  change({ status: "available", host: FIRST_HOST, deadline: null, phase: null, launched_at: START });
  driverOf(world).volumes.set(id, { from: "nothing" });
  driverOf(world).sizes.set(id, 1);
});

function change(columns: Partial<VolumeRecord>): void {
  world.fakes.volumes.records.change(id, columns);
}

const extend = (size: unknown) => api.ask(`POST /volumes/${id}/action`, { body: { "os-extend": { new_size: size } } });
const usedGib = async () => (await world.fakes.projects.quota(PROJECT)).used["gigabytes"];
const work = () => extendVolume(world.deps, api.started.at(-1)?.[1] as ExtendVolumeInput);

describe("os-extend", () => {
  it("takes the volume into extending with its quota, and starts the work, which makes it larger", async () => {
    expect((await extend("3")).status).toBe(202);
    expect((await api.ask(`GET /volumes/${id}`)).body).toMatchObject({ volume: { status: "extending", size: 1 } });
    expect(await usedGib()).toBe(3);
    await work();
    expect((await api.ask(`GET /volumes/${id}`)).body).toMatchObject({ volume: { status: "available", size: 3 } });
    expect(await usedGib()).toBe(3);
    expect((await world.fakes.projects.quota(PROJECT)).moving).toEqual({});
  });

  it.each<[unknown, number, string]>([
    [
      1,
      400,
      "Invalid input received: New size for extend must be greater than current size. (current: 1, extended: 1).",
    ],
    [0, 400, "Invalid input for field/attribute new_size. Value: 0. 0 is less than the minimum of 1"],
    [null, 400, "Invalid input for field/attribute new_size. Value: None. None is not of type 'integer', 'string'"],
    [
      5000,
      413,
      "VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes quota. Requested 4999G, quota is 1000G " +
        "and 1G has been consumed.",
    ],
  ])("to %j is refused, and takes no quota", async (size, status, message) => {
    const response = await extend(size);
    expect([response.status, messageOf(response)]).toEqual([status, message]);
    expect(await usedGib()).toBe(1);
    expect(api.started).toEqual([]);
  });

  it("gives the quota back when the backend has no room, and the volume is as it was", async () => {
    world.fakes.backends.records.change(FIRST_HOST, { free_capacity_gb: 0, total_capacity_gb: 1 });
    await extend(3);
    await expect(work()).rejects.toMatchObject({ name: "NoValidBackend" });
    await expect(work()).rejects.toMatchObject({ name: "NoValidBackend" });
    expect(await world.fakes.volumes.get(id)).toMatchObject({ status: "available", size: 1, quota_size: 1 });
    expect(await usedGib()).toBe(1);
  });

  it("is ended by the sweep when the work never begins, with the quota given back", async () => {
    await extend(3);
    world.now = new Date("2026-01-01T05:00:00.000Z");
    await sweepOverdueVolumes(world.deps);
    expect(await world.fakes.volumes.get(id)).toMatchObject({ status: "available", size: 1, quota_size: 1 });
    expect(await usedGib()).toBe(1);
  });

  it("cancels its reservation when the volume has changed since it was read", async () => {
    const begin = world.fakes.volumes.beginExtend.bind(world.fakes.volumes);
    world.fakes.volumes.beginExtend = async (...parameters) => {
      change({ status: "in-use" });
      return begin(...parameters);
    };
    expect((await extend(3)).status).toBe(400);
    expect(await usedGib()).toBe(1);
  });
});
