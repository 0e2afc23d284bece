import { beforeEach, describe, expect, it } from "vitest";
import { holderOfQuota } from "../../core/projects.ts";
import { auditProjects } from "../../core/audit/audit-projects.ts";
import { Api } from "../support/api.ts";
import { World } from "../support/fakes/world.ts";
import { usageOfDefaultType } from "../support/records.ts";

const PROJECT = "a1b2";

let world: World;
let api: Api;

beforeEach(() => {
  world = new World();
  world.addBackend("node@first#pool");
  api = new Api(world);
});

async function create(size: number): Promise<string> {
  const { body } = await api.ask("POST /volumes", { body: { volume: { size } } });
  return (body as { volume: { id: string } }).volume.id;
}

const used = () => world.fakes.projects.quotas.get(PROJECT)?.used;
/** Makes the quota differ from the records. */
async function miscount(usage: Record<string, number>): Promise<void> {
  for (const { projectId, quota } of await world.fakes.projects.listQuotas()) {
    expect(await world.fakes.projects.correctUsage(projectId, quota, { ...quota.used, ...usage })).toBe(true);
  }
}

const later = (seconds: number): void => {
  world.now = new Date(world.now.getTime() + seconds * 1000);
};

describe("the audit of projects", () => {
  it("changes nothing where the quotas and lists agree with the records", async () => {
    await create(2);
    later(1000);
    expect(await auditProjects(world.deps)).toEqual({ settled: 0, corrected: 0, removed: 0, renamed: 0 });
    expect(used()).toEqual(usageOfDefaultType(1, 2));
  });

  it("corrects a usage that the records do not take", async () => {
    await create(2);
    await miscount({ volumes: 7, gigabytes: 1 });
    expect(await auditProjects(world.deps)).toMatchObject({ corrected: 1 });
    expect(used()).toEqual(usageOfDefaultType(1, 2));
    expect(await auditProjects(world.deps)).toMatchObject({ corrected: 0 });
  });

  it("leaves a usage alone that changes while it counts", async () => {
    await create(2);
    await miscount({ volumes: 7 });
    const getMany = world.fakes.volumes.getMany.bind(world.fakes.volumes);
    world.fakes.volumes.getMany = async (ids) => {
      const found = await getMany(ids);
      await create(1);
      return found;
    };
    expect(await auditProjects(world.deps)).toMatchObject({ corrected: 0 });
    expect(used()).toEqual({ ...usageOfDefaultType(2, 3), volumes: 8 });
  });

  it("counts what an extension takes", async () => {
    const id = await create(2);
    world.fakes.volumes.records.change(id, { quota_size: 5 });
    await auditProjects(world.deps);
    expect(used()).toEqual(usageOfDefaultType(1, 5));
  });

  it("settles a reservation whose request died, when no function can be working on it any more", async () => {
    const holder = holderOfQuota("volume", "00000000-0000-4000-8000-000000000077");
    const usage = { volumes: 1, gigabytes: 3 };
    await world.fakes.projects.reserve({ projectId: PROJECT, holder, usage, limits: {} });
    expect(await auditProjects(world.deps)).toMatchObject({ settled: 0 });
    later(901);
    expect(await auditProjects(world.deps)).toMatchObject({ settled: 1 });
    expect(used()).toEqual({ volumes: 0, gigabytes: 0 });
  });

  it("gives an entry the name of its record, when no request can be changing it any more", async () => {
    const id = await create(1);
    await api.ask(`PUT /volumes/${id}`, { body: { volume: { name: "right" } } });
    const entry = (await world.fakes.projects.listAll("volume"))[0];
    await world.fakes.projects.rename(entry ?? expect.fail(), "of a request that died");
    expect(await auditProjects(world.deps)).toMatchObject({ renamed: 0 });
    later(901);
    expect(await auditProjects(world.deps)).toMatchObject({ renamed: 1, removed: 0 });
    expect((await api.ask("GET /volumes?name=right")).body).toMatchObject({ volumes: [{ id }] });
    expect(await auditProjects(world.deps)).toMatchObject({ renamed: 0 });
  });

  it("removes the second entry of a volume, which a request with the same key has left", async () => {
    const id = await create(1);
    const [entry] = await world.fakes.projects.listAll("volume");
    await world.fakes.projects.enter({ ...(entry ?? expect.fail()), createdAt: "2026-01-01T00:30:00.000Z" });
    later(901);
    expect(await auditProjects(world.deps)).toMatchObject({ removed: 1, corrected: 0 });
    expect(await world.fakes.projects.listAll("volume")).toMatchObject([{ id, createdAt: entry?.createdAt }]);
  });

  it("removes an old entry without a record, and no young one", async () => {
    const id = await create(1);
    world.fakes.volumes.records.delete(id);
    expect(await auditProjects(world.deps)).toMatchObject({ removed: 0 });
    later(901);
    expect(await auditProjects(world.deps)).toMatchObject({ removed: 1 });
    expect(world.fakes.projects.entries.length).toBe(0);
  });

  it("corrects no usage while a record cannot be read", async () => {
    const id = await create(2);
    world.fakes.volumes.unreadable.add(id);
    later(901);
    expect(await auditProjects(world.deps)).toEqual({ settled: 0, corrected: 0, removed: 0, renamed: 0 });
  });
});
