import { beforeEach, describe, expect, it } from "vitest";
import { Api, messageOf } from "../support/api.ts";
import { FIRST_HOST } from "../support/builders.ts";
import { World } from "../support/fakes/world.ts";

const PROJECT = "a1b2";
const asAdmin = { token: "admin" };

let world: World;
let api: Api;
let id: string;

async function aType(name: string, specs: Record<string, string> = {}): Promise<string> {
  const { body } = await api.ask("POST /types", { ...asAdmin, body: { volume_type: { name, extra_specs: specs } } });
  return (body as { volume_type: { id: string } }).volume_type.id;
}

beforeEach(async () => {
  world = new World();
  world.addBackend(FIRST_HOST);
  world.fakes.backends.records.change(FIRST_HOST, { capabilities: { vendor_name: "ours" } });
  api = new Api(world);
  await aType("one");
  const { body } = await api.ask("POST /volumes", { body: { volume: { size: 2, volume_type: "one" } } });
  ({ id } = (body as { volume: { id: string } }).volume);
  world.fakes.volumes.records.change(id, { status: "available", host: FIRST_HOST, deadline: null });
});

const retype = (type: string) =>
  api.ask(`POST /volumes/${id}/action`, { body: { "os-retype": { new_type: type, migration_policy: "never" } } });

describe("os-retype", () => {
  it("gives the volume another type, and moves what it takes of the quotas of types", async () => {
    const two = await aType("two", { vendor_name: "ours" });
    expect((await retype("two")).status).toBe(202);
    expect((await api.ask(`GET /volumes/${id}`)).body).toMatchObject({ volume: { volume_type: "two" } });
    const { used } = await world.fakes.projects.quota(PROJECT);
    expect(Object.fromEntries(Object.entries(used).filter(([, amount]) => amount > 0))).toEqual({
      volumes: 1,
      gigabytes: 2,
      [`volumes_${two}`]: 1,
      [`gigabytes_${two}`]: 2,
    });
  });

  it("twice at once gives the type to one request, and counts it once", async () => {
    const two = await aType("two");
    const answers = await Promise.all([retype("two"), retype("two")]);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202, 400]));
    const { used, moving } = await world.fakes.projects.quota(PROJECT);
    expect(used).toMatchObject({ [`volumes_${two}`]: 1, [`gigabytes_${two}`]: 2 });
    expect(moving).toEqual({});
  });

  it("is refused when the volume was extended since its size was counted", async () => {
    await aType("two");
    const changeType = world.fakes.volumes.changeType.bind(world.fakes.volumes);
    world.fakes.volumes.changeType = async (...change) => {
      const extension = {
        id: "1",
        number: 1,
        size: 5,
        previous_status: "available",
        started_at: "2026-01-01T00:00:00.000Z",
      } as const;
      world.fakes.volumes.records.change(id, { size: 5, quota_size: 5, extension });
      return changeType(...change);
    };
    expect((await retype("two")).status).toBe(400);
    const { moving } = await world.fakes.projects.quota(PROJECT);
    expect(moving).toEqual({});
  });

  it("is refused when the backend lacks what the type asks for", async () => {
    await aType("other", { vendor_name: "theirs" });
    const response = await retype("other");
    expect(response.status).toBe(400);
    expect(messageOf(response)).toContain("would have to be migrated to be of type other");
    expect((await api.ask(`GET /volumes/${id}`)).body).toMatchObject({ volume: { volume_type: "one" } });
  });

  it("is refused for the type that the volume has, and for one that does not exist", async () => {
    expect((await retype("one")).status).toBe(400);
    expect((await retype("none")).status).toBe(404);
  });
});
