import { beforeEach, describe, expect, it } from "vitest";
import { positionOfVolume } from "../../core/projects.ts";
import type { VolumeRecord } from "../../core/records.ts";
import { Api, idOf } from "../support/api.ts";
import { type CliRun, runCli } from "../support/cli-context.ts";
import { World } from "../support/fakes/world.ts";
import { queuedVolume } from "../support/records.ts";

/** The command line and the Block Storage API on the same stores. */

const PROJECT = "a1b2";

let world: World;
let api: Api;

beforeEach(() => {
  world = new World();
  world.addBackend("node@first#pool");
  api = new Api(world);
});

/** Runs a command whose profile names the project of the API's member. */
function cli(...argv: string[]): Promise<CliRun> {
  const { volumes, snapshots, volumeTypes, projects, queue } = world.deps;
  const parts = { volumes, snapshots, volumeTypes, projects, schedulerQueue: queue };
  return runCli(argv, parts, { profile: () => ({ project: PROJECT }) });
}

async function listed(query = ""): Promise<(string | null)[]> {
  const { body } = await api.ask(`GET /volumes${query}`);
  return (body as { volumes: { name: string | null }[] }).volumes.map(({ name }) => name);
}

async function stored(columns: Partial<VolumeRecord>, isListed = true): Promise<void> {
  const volume = queuedVolume({ project_id: PROJECT, status: "available", ...columns });
  world.fakes.volumes.records.set(volume.id, volume);
  if (isListed) {
    await world.fakes.projects.enter({ ...positionOfVolume(volume), name: volume.display_name });
  }
}

describe("a volume", () => {
  it("that a command creates is in the API's list, and is found there by its name", async () => {
    expect(await cli("create", "data", "--size", "1")).toMatchObject({ status: 0 });
    expect(await listed()).toEqual(["data"]);
    expect(await listed("?name=data")).toEqual(["data"]);
    expect(await world.fakes.projects.quota(PROJECT)).toMatchObject({ used: {} });
  });

  it("that a command renames, or takes the name of, is found in the API by its new name only", async () => {
    await cli("create", "data", "--size", "1");
    expect(await cli("set", "data", "--name", "logs")).toMatchObject({ status: 0 });
    expect([await listed("?name=data"), await listed("?name=logs")]).toEqual([[], ["logs"]]);
    expect(await cli("unset", "logs", "--name")).toMatchObject({ status: 0 });
    expect([await listed("?name=logs"), await listed()]).toEqual([[], [null]]);
  });

  it("that the API creates or renames is found by a command through the list, without reading all volumes", async () => {
    await api.ask("POST /volumes", { body: { volume: { size: 1, name: "data" } } });
    await api.ask(`PUT /volumes/${idOf(1)}`, { body: { volume: { name: "logs" } } });
    world.faults.calls.length = 0;
    expect(await cli("set", "logs", "--property", "a=b")).toMatchObject({ status: 0 });
    expect(world.faults.calls).toEqual(["projects.list", "volumes.getMany", "volumes.changeDetails"]);
    expect(await cli("set", "data", "--property", "a=b")).toMatchObject({ status: 1 });
  });

  it("of the caller's project comes before one of the same name in another project", async () => {
    await stored({ id: idOf(71), display_name: "data" });
    await stored({ id: idOf(72), display_name: "data", project_id: "c3d4" });
    await stored({ id: idOf(73), display_name: "logs", project_id: "c3d4" });
    expect((await cli("set", "data", "--property", "a=b")).stdout).toBe(`volume ${idOf(71)} is changed\n`);
    expect((await cli("set", "logs", "--property", "a=b")).stdout).toBe(`volume ${idOf(73)} is changed\n`);
    await stored({ id: idOf(74), display_name: "data" });
    expect((await cli("set", "data", "--property", "a=b")).stderr).toContain("2 volumes are named 'data'");
  });

  it("that is in no list, because an earlier release made it, is found by its name", async () => {
    await stored({ id: idOf(71), display_name: "old" }, false);
    expect(await cli("set", "old", "--property", "a=b")).toMatchObject({ status: 0 });
  });

  it("whose create dies after its list entry is in no list, and the command may be repeated", async () => {
    world.faults.fail("volumes.create", new Error("the store is away"));
    expect(await cli("create", "data", "--size", "1", "--client-token", "one")).toMatchObject({ status: 1 });
    expect(await listed()).toEqual([]);
    world.now = new Date(world.now.getTime() + 1000);
    expect(await cli("create", "data", "--size", "1", "--client-token", "one")).toMatchObject({ status: 0 });
    expect(await listed()).toEqual(["data"]);
  });
});

describe("a volume type", () => {
  const create = (name: string) =>
    api.ask("POST /types", { token: "admin", body: { volume_type: { name } } }).then(({ status }) => status === 200);
  const command = async (...argv: string[]): Promise<boolean> => (await cli("type", ...argv)).status === 0;
  const names = () => [...world.fakes.volumeTypes.records.values()].map(({ name }) => name);

  it("is one of its name, however many commands and requests create it at once", async () => {
    const results = await Promise.all([
      command("create", "fast"),
      create("fast"),
      command("create", "fast"),
      create("fast"),
    ]);
    expect(results.filter(Boolean)).toHaveLength(1);
    expect(names()).toEqual(["fast"]);
  });

  it("keeps its name from others when a command has created or renamed it, until a command renames or deletes it", async () => {
    expect(await command("create", "fast")).toBe(true);
    expect(await create("fast")).toBe(false);
    expect(await command("set", "fast", "--name", "faster")).toBe(true);
    expect([await create("fast"), await create("faster")]).toEqual([true, false]);
    expect(await command("delete", "faster")).toBe(true);
    expect(await create("faster")).toBe(true);
    expect(await command("create", "__DEFAULT__")).toBe(false);
    expect(names().toSorted()).toEqual(["fast", "faster"]);
  });
});
