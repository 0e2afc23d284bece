import { beforeEach, describe, expect, it } from "vitest";
import { holderOfQuota } from "../../core/projects.ts";
import { Api, idOf } from "../support/api.ts";
import { aSnapshot, aSource, SNAPSHOT_ID, SOURCE_ID } from "../support/builders.ts";
import type { Moment } from "../support/fakes/faults.ts";
import { World } from "../support/fakes/world.ts";
import { plainVolumeType, usageOfDefaultType } from "../support/records.ts";

let world: World;
let api: Api;

beforeEach(() => {
  world = new World();
  api = new Api(world);
});

const PROJECT = "a1b2";
const create = (volume: unknown, asked: Parameters<Api["ask"]>[1] = {}) =>
  api.ask("POST /volumes", { body: { volume }, ...asked });

describe("a create", () => {
  it("answers 202 with Cinder's fields in Cinder's order, and nothing that Tempest's schemas would refuse", async () => {
    const { status, body } = await create({ size: 1, name: " one ", metadata: { k: "v" } });
    expect(status).toBe(202);
    const { volume } = body as { volume: Record<string, unknown> };
    expect(Object.keys(volume).join()).toBe(
      "id,status,size,availability_zone,created_at,updated_at,name,description,volume_type,snapshot_id,source_volid,metadata,links," +
        "user_id,bootable,encrypted,replication_status,consistencygroup_id,multiattach,attachments",
    );
    expect(volume).toMatchObject({
      id: idOf(1),
      status: "creating",
      name: "one",
      volume_type: "__DEFAULT__",
      availability_zone: "nova",
      created_at: "2026-01-01T01:00:00.000000",
      updated_at: null,
      bootable: "false",
    });
  });

  it("casts the request once its record is there, with the caller's project and roles and no token", async () => {
    await create({ size: 2 });
    expect(world.casts).toEqual([
      expect.objectContaining({
        volume_id: idOf(1),
        context: expect.objectContaining({
          project_id: PROJECT,
          user_id: "user",
          roles: ["member", "reader"],
        }) as unknown,
      }),
    ]);
    expect(JSON.stringify(world.casts)).not.toContain("token");
    expect(world.fakes.volumes.records.get(idOf(1))).toMatchObject({ size: 2, phase: "queued", use_quota: true });
  });

  it("is in the list, also by its name, as soon as it is answered", async () => {
    await create({ size: 1, name: "mine" });
    for (const path of ["/volumes", "/volumes/detail?name=mine", "/volumes?name=mine&limit=1"]) {
      expect((await api.ask(`GET ${path}`)).body).toMatchObject({ volumes: [{ id: idOf(1), name: "mine" }] });
    }
  });

  it("takes the size and the type of its source, and the source's smallest size", async () => {
    const type = plainVolumeType();
    await world.fakes.volumeTypes.create(type);
    const source = aSource({ project_id: PROJECT, size: 3, volume_type_id: type.id });
    world.fakes.volumes.records.set(SOURCE_ID, source);
    await create({ source_volid: SOURCE_ID });
    expect(world.fakes.volumes.records.get(idOf(1))).toMatchObject({ size: 3, volume_type_id: type.id });
    expect((await create({ source_volid: SOURCE_ID, size: 2 })).status).toBe(400);
  });

  it("takes the size of its snapshot", async () => {
    world.fakes.snapshots.records.set(SNAPSHOT_ID, aSnapshot({ project_id: PROJECT, volume_size: 2 }));
    await create({ snapshot_id: SNAPSHOT_ID });
    expect(world.fakes.volumes.records.get(idOf(1))).toMatchObject({ size: 2, snapshot_id: SNAPSHOT_ID });
  });

  it("does not see another project's sources", async () => {
    world.fakes.volumes.records.set(SOURCE_ID, aSource({ project_id: "c3d4" }));
    world.fakes.snapshots.records.set(SNAPSHOT_ID, aSnapshot({ project_id: "c3d4" }));
    expect((await create({ source_volid: SOURCE_ID })).status).toBe(404);
    expect((await create({ snapshot_id: SNAPSHOT_ID })).status).toBe(404);
  });

  it("is refused to a reader", async () => {
    const response = await create({ size: 1 }, { token: "reader" });
    expect(response.body).toEqual({
      forbidden: { code: 403, message: "Policy doesn't allow volume:create to be performed." },
    });
  });

  it.each<[unknown, number, string]>([
    [{}, 400, "The server could not comply with the request since it is either malformed or otherwise incorrect."],
    [{ size: 0 }, 400, "Invalid input for field/attribute size. Value: 0. 0 is less than the minimum of 1"],
    [{ size: "-1" }, 400, "Invalid input for field/attribute size. Value: -1. '-1' does not match '^[0-9]+$'"],
    [
      { size: 1.5 },
      400,
      "Invalid input for field/attribute size. Value: 1.5. 1.5 is not of type 'integer', 'string', 'null'",
    ],
    [{ size: 1, name: "n".repeat(256) }, 400, "Invalid input received: name has 256 characters, more than 255."],
    [{ size: 1, metadata: { k: 1 } }, 400, "Invalid input for field/attribute k. Value: 1. 1 is not of type 'string'"],
    [{ size: 1, metadata: { "bad\u0000key": "v" } }, 400, "does not match any of the regexes"],
    [{ size: 1, availability_zone: "mars" }, 400, "Availability zone 'mars' is invalid."],
    [{ size: 1, volume_type: "none" }, 404, "Volume type with name none could not be found."],
    [{ size: 1, source_volid: "x" }, 400, "'x' is not valid under any of the given schemas"],
    [{ size: 1, consistencygroup_id: idOf(7) }, 404, `Group ${idOf(7)} could not be found.`],
    [{ size: 1, multiattach: true }, 400, "multiattach parameter has been removed."],
    [null, 400, "Invalid input for field/attribute volume. Value: None. None is not of type 'object'"],
  ])("of %j is answered by %i", async (volume, status, message) => {
    const response = await create(volume);
    expect(response.status).toBe(status);
    expect(JSON.stringify(response.body)).toContain(message);
    expect(world.casts).toEqual([]);
    expect(world.fakes.projects.entries.length).toBe(0);
  });

  it("refuses unknown fields from 3.53 on, which the API does not have yet, and ignores them before", async () => {
    expect((await create({ size: 1, surprise: true })).status).toBe(202);
  });
});

describe("the quota of a create", () => {
  it("is taken once, and its movement ends with the record", async () => {
    await create({ size: 2 });
    expect(world.fakes.projects.quotas.get(PROJECT)).toMatchObject({ used: { volumes: 1, gigabytes: 2 }, moving: {} });
  });

  it("is refused with the resource, the limit and what is in use", async () => {
    await world.fakes.projects.setLimits(PROJECT, { volumes: 1, gigabytes: 5, per_volume_gigabytes: 4 });
    expect((await create({ size: 5 })).body).toMatchObject({
      overLimit: {
        message: "VolumeSizeExceedsLimit: Requested volume size 5G is larger than maximum allowed limit 4G.",
        retryAfter: "0",
      },
    });
    await create({ size: 3 });
    expect(await create({ size: 3 })).toMatchObject({
      status: 413,
      headers: { "Retry-After": "0" },
      body: {
        overLimit: {
          message:
            "VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes quota. " +
            "Requested 3G, quota is 5G and 3G has been consumed.",
        },
      },
    });
    expect(JSON.stringify(await create({ size: 1 }))).toContain(
      "VolumeLimitExceeded: Maximum number of volumes allowed (1) exceeded for quota 'volumes'.",
    );
    expect(world.fakes.projects.quotas.get(PROJECT)?.used).toEqual(usageOfDefaultType(1, 3));
  });

  it("that an interrupted create left is given back when there is no room, once it is old enough", async () => {
    await world.fakes.projects.setLimits(PROJECT, { volumes: 1 });
    world.faults.fail("projects.enter", new Error("the table is away"));
    expect((await create({ size: 1 })).status).toBe(500);
    expect((await create({ size: 1 })).status).toBe(413);
    world.now = new Date(world.now.getTime() + 901_000);
    expect((await create({ size: 1 })).status).toBe(202);
    expect(world.fakes.projects.quotas.get(PROJECT)?.used).toEqual(usageOfDefaultType(1, 1));
  });

  it("that was not confirmed stays taken, because the record is there", async () => {
    await world.fakes.projects.setLimits(PROJECT, { volumes: 1 });
    world.faults.fail("projects.confirm", new Error("lost"));
    expect((await create({ size: 1 })).status).toBe(202);
    world.now = new Date(world.now.getTime() + 901_000);
    expect((await create({ size: 1 })).status).toBe(413);
    expect(world.fakes.projects.quotas.get(PROJECT)).toMatchObject({ used: { volumes: 1 }, moving: {} });
  });
});

describe("a create with an Idempotency-Key", () => {
  const asked = { headers: { "idempotency-key": "key-1" } };

  it("makes one volume however often it is sent", async () => {
    const [first, second] = await Promise.all([create({ size: 1 }, asked), create({ size: 1 }, asked)]);
    const third = await create({ size: 1 }, asked);
    const ids = [first, second, third].map(({ body }) => (body as { volume: { id: string } }).volume.id);
    expect(new Set(ids).size).toBe(1);
    expect(world.fakes.volumes.records.size).toBe(1);
    expect(world.fakes.projects.entries.length).toBe(1);
    expect(world.fakes.projects.quotas.get(PROJECT)?.used).toEqual(usageOfDefaultType(1, 1));
  });

  it("is another volume in another project", async () => {
    await create({ size: 1 }, asked);
    await create({ size: 1 }, { ...asked, token: "other" });
    expect(world.fakes.volumes.records.size).toBe(2);
  });

  it("is refused for another body", async () => {
    await create({ size: 1 }, asked);
    expect((await create({ size: 2 }, asked)).status).toBe(422);
  });

  it("is refused after the volume was deleted, for as long as its executions have names, and makes none then either", async () => {
    const { body } = await create({ size: 1 }, asked);
    const { id } = (body as { volume: { id: string } }).volume;
    const { volumes } = world.fakes;
    await world.deps.membership.end(await volumes.get(id), async () => void volumes.records.delete(id));
    const again = await create({ size: 1 }, asked);
    expect([again.status, Object.values(again.body as object)]).toEqual([
      409,
      [{ code: 409, message: `Idempotency-Key was used for volume ${id}, which was deleted. Use another key.` }],
    ]);
    expect(volumes.records.size).toBe(0);
    world.now = new Date("2026-05-01T00:00:00.000Z");
    expect((await create({ size: 1 }, asked)).status).toBe(202);
  });

  it("keeps the volume of a cast that failed, so that the request may come again", async () => {
    const send = world.deps.queue.send;
    world.deps.queue.send = () => Promise.reject(new Error("no queue"));
    expect((await create({ size: 1 }, asked)).status).toBe(500);
    world.deps.queue.send = send;
    expect((await create({ size: 1 }, asked)).status).toBe(202);
    expect(world.casts).toHaveLength(1);
  });

  it("is refused when the key cannot be one", async () => {
    expect((await create({ size: 1 }, { headers: { "idempotency-key": "two words" } })).status).toBe(400);
  });

  it("completes what a death left, at any call and either moment, with the quota counted once", async () => {
    await create({ size: 1 }, asked);
    const calls = [...world.faults.calls];
    for (const [index, call] of calls.entries()) {
      for (const moment of ["before", "after"] satisfies Moment[]) {
        world = new World();
        api = new Api(world);
        world.faults.crashAt(index + 1, moment);
        await create({ size: 1 }, asked);
        world.faults.revive();
        expect((await create({ size: 1 }, asked)).status, `${moment} ${call}`).toBe(202);
        const [id = ""] = world.fakes.volumes.records.keys();
        expect(world.casts.length, `${moment} ${call}`).toBeGreaterThan(0);
        expect(world.fakes.projects.entries.length).toBe(1);
        const quota = world.fakes.projects.quotas.get(PROJECT);
        expect(quota?.used, `${moment} ${call}`).toEqual(usageOfDefaultType(1, 1));
        expect(Object.keys(quota?.moving ?? {}).filter((holder) => holder !== holderOfQuota("volume", id))).toEqual([]);
      }
    }
  });
});

describe("a repeated key whose first request died after the reservation", () => {
  const asked = { headers: { "idempotency-key": "key-1" } };
  const used = () => world.fakes.projects.quotas.get(PROJECT);

  it.each([
    ["soon, uses that reservation", 60, "2026-01-01T01:00:00.000Z"],
    ["later, makes another one, which no audit takes for a left-over", 600, "2026-01-01T01:10:00.000Z"],
  ])("%s", async (_when, seconds, createdAt) => {
    world.faults.fail("projects.enter", new Error("the function dies here"));
    await create({ size: 2 }, asked);
    expect(Object.keys(used()?.moving ?? {})).toHaveLength(1);
    world.now = new Date(world.now.getTime() + seconds * 1000);
    expect((await create({ size: 2 }, asked)).status).toBe(202);
    expect([...world.fakes.volumes.records.values()]).toMatchObject([{ created_at: createdAt }]);
    expect(used()).toMatchObject({ used: { volumes: 1, gigabytes: 2 }, moving: {} });
  });
});

describe("a cast that fails", () => {
  it("is a 500, and the volume is on its way out", async () => {
    world.faults.fail("queue.send", new Error("the queue is away"));
    const response = await create({ size: 1 });
    expect(response.status).toBe(500);
    expect(world.fakes.volumes.records.get(idOf(1))?.delete_requested_at).not.toBeNull();
    expect(api.started).toEqual([["DeleteVolume", { volume_id: idOf(1) }]]);
  });
});
