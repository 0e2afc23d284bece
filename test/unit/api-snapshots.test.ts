import { beforeEach, describe, expect, it } from "vitest";
import { createSnapshot } from "../../core/snapshots/create-snapshot.ts";
import { deleteSnapshot } from "../../core/snapshots/delete-snapshot.ts";
import { Api, idOf, messageOf } from "../support/api.ts";
import { aSource, SOURCE_ID } from "../support/builders.ts";
import { World } from "../support/fakes/world.ts";

let world: World;
let api: Api;

const PROJECT = "a1b2";
const HOST = "node@first#pool";

beforeEach(() => {
  world = new World();
  world.addBackend(HOST);
  world.fakes.volumes.records.set(SOURCE_ID, aSource({ project_id: PROJECT, host: HOST, size: 2 }));
  api = new Api(world);
});

const create = (snapshot: Record<string, unknown> = {}, asked: Parameters<Api["ask"]>[1] = {}) =>
  api.ask("POST /snapshots", { body: { snapshot: { volume_id: SOURCE_ID, ...snapshot } }, ...asked });

async function aSnapshot(columns: Record<string, unknown> = {}): Promise<string> {
  const { body } = await create(columns);
  return (body as { snapshot: { id: string } }).snapshot.id;
}

/** Does what the API has started, as Lambda would. */
async function work(): Promise<void> {
  for (const [name, event] of api.started.splice(0)) {
    if (name === "CreateSnapshot") {
      await createSnapshot(world.deps, event as Parameters<typeof createSnapshot>[1]);
    } else {
      await deleteSnapshot(world.deps, String(event["snapshot_id"]));
    }
  }
}

describe("a snapshot", () => {
  it("whose function cannot be started is in error, and can be deleted", async () => {
    api.deps.work.start = () => Promise.reject(new Error("Lambda does not answer"));
    expect((await create()).status).toBe(500);
    expect((await api.ask(`GET /snapshots/${idOf(1)}`)).body).toMatchObject({ snapshot: { status: "error" } });
    api.deps.work.start = async (name, event) => void api.started.push([name, event]);
    expect((await api.ask(`DELETE /snapshots/${idOf(1)}`)).status).toBe(202);
    await work();
    expect((await api.ask(`GET /snapshots/${idOf(1)}`)).status).toBe(404);
  });

  it("is recorded and listed at once, taken by the function, and then available", async () => {
    const { status, body } = await create({ name: "one", description: "d", metadata: { k: "v" } });
    expect(status).toBe(202);
    expect(body).toEqual({
      snapshot: {
        id: idOf(1),
        created_at: "2026-01-01T01:00:00.000000",
        updated_at: null,
        name: "one",
        description: "d",
        volume_id: SOURCE_ID,
        status: "creating",
        size: 2,
        metadata: { k: "v" },
      },
    });
    expect((await api.ask("GET /snapshots?name=one")).body).toMatchObject({ snapshots: [{ id: idOf(1) }] });
    await work();
    expect((await api.ask(`GET /snapshots/${idOf(1)}`)).body).toMatchObject({
      snapshot: {
        status: "available",
        description: "d",
        metadata: { k: "v" },
        "os-extended-snapshot-attributes:progress": "100%",
        "os-extended-snapshot-attributes:project_id": PROJECT,
      },
    });
  });

  it("that was deleted before its function ran is not made again", async () => {
    const id = await aSnapshot();
    const events = api.started.splice(0);
    await world.fakes.snapshots.markError(id);
    expect((await api.ask(`DELETE /snapshots/${id}`)).status).toBe(202);
    await work();
    api.started.push(...events);
    await expect(work()).rejects.toThrow("could not be found");
    expect(world.fakes.snapshots.records.size).toBe(0);
    expect(world.fakes.projects.quotas.get(PROJECT)?.used).toEqual({ snapshots: 0, gigabytes: 0 });
  });

  it("has a deadline while it is taken and while it is deleted, and none at rest", async () => {
    const id = await aSnapshot();
    const deadline = () => world.fakes.snapshots.records.get(id)?.deadline;
    expect(deadline()).toBe("2026-01-01T02:00:00.000Z");
    await work();
    expect(deadline()).toBeUndefined();
    await api.ask(`DELETE /snapshots/${id}`);
    expect(deadline()).toBe("2026-01-01T01:04:00.000Z");
  });

  it("takes its part of the quota, and gives it back when it is gone", async () => {
    const id = await aSnapshot();
    await work();
    expect(world.fakes.projects.quotas.get(PROJECT)).toMatchObject({
      used: { snapshots: 1, gigabytes: 2 },
      moving: {},
    });
    expect((await api.ask(`DELETE /snapshots/${id}`)).status).toBe(202);
    expect(messageOf(await api.ask(`DELETE /snapshots/${id}`))).toContain("Invalid snapshot: Snapshot status must be");
    await work();
    expect((await api.ask(`GET /snapshots/${id}`)).status).toBe(404);
    expect(world.fakes.projects.quotas.get(PROJECT)).toMatchObject({
      used: { snapshots: 0, gigabytes: 0 },
      moving: {},
    });
    expect((await api.ask("GET /snapshots")).body).toEqual({ snapshots: [] });
  });

  it("is refused beyond the quota", async () => {
    await world.fakes.projects.setLimits(PROJECT, { snapshots: 1 });
    await create();
    expect(messageOf(await create())).toBe("SnapshotLimitExceeded: Maximum number of snapshots allowed (1) exceeded");
  });

  it("of an attached volume has to be forced, until 3.66", async () => {
    world.fakes.volumes.records.set(SOURCE_ID, aSource({ project_id: PROJECT, host: HOST, status: "in-use" }));
    expect((await create()).status).toBe(400);
    expect((await create({ force: true })).status).toBe(202);
  });

  it("is another project's secret, and so is its volume", async () => {
    const id = await aSnapshot();
    expect((await api.ask(`GET /snapshots/${id}`, { token: "other" })).status).toBe(404);
    expect((await create({}, { token: "other" })).status).toBe(404);
    expect((await api.ask("GET /snapshots", { token: "other" })).body).toEqual({ snapshots: [] });
  });

  it.each<[Record<string, unknown>, number, string]>([
    [{ volume_id: null }, 404, "Volume None could not be found."],
    [
      { volume_id: "x" },
      400,
      "Invalid input for field/attribute volume_id. Value: x. 'x' is not valid under any of the given schemas",
    ],
    [{ volume_id: idOf(77) }, 404, `Volume ${idOf(77)} could not be found.`],
    [
      { metadata: "x" },
      400,
      "Invalid input for field/attribute metadata. Value: x. 'x' is not of type 'object', 'null'",
    ],
  ])("is refused when the request has %j", async (snapshot, status, message) => {
    const response = await create(snapshot);
    expect([response.status, messageOf(response)]).toEqual([status, message]);
    expect(world.fakes.projects.entries.length).toBe(0);
  });

  it("changes its name, description and metadata", async () => {
    const id = await aSnapshot({ name: "one", metadata: { k: "v" } });
    expect(
      (await api.ask(`PUT /snapshots/${id}`, { body: { snapshot: { name: "uno", description: "dd" } } })).body,
    ).toMatchObject({
      snapshot: { name: "uno", description: "dd", metadata: { k: "v" } },
    });
    expect((await api.ask("GET /snapshots?name=uno")).body).toMatchObject({ snapshots: [{ id }] });
    const at = `/snapshots/${id}/metadata`;
    expect((await api.ask(`POST ${at}`, { body: { metadata: { a: "b" } } })).body).toEqual({
      metadata: { k: "v", a: "b" },
    });
    expect((await api.ask(`PUT ${at}`, { body: { metadata: { c: "d" } } })).body).toEqual({ metadata: { c: "d" } });
    expect((await api.ask(`PUT ${at}/c`, { body: { meta: { c: "e" } } })).body).toEqual({ meta: { c: "e" } });
    expect((await api.ask(`GET ${at}/c`)).body).toEqual({ meta: { c: "e" } });
    expect((await api.ask(`DELETE ${at}/c`)).status).toBe(200);
    expect(messageOf(await api.ask(`DELETE ${at}/c`))).toBe(`Snapshot ${id} has no metadata with key c.`);
    expect((await api.ask(`PUT /snapshots/${id}`, { body: { snapshot: {} } })).status).toBe(400);
  });

  it("keeps as it is when a change would make its name, description and metadata take more than a request may", async () => {
    const large = (prefix: string): Record<string, string> =>
      Object.fromEntries(Array.from({ length: 90 }, (_, index) => [`${prefix}-${index}`, "😀".repeat(255)]));
    const id = await aSnapshot({ metadata: large("a") });
    const before = world.fakes.snapshots.records.get(id);
    const at = `/snapshots/${id}`;
    const refused = await api.ask(`POST ${at}/metadata`, { body: { metadata: large("b") } });
    expect(refused.status).toBe(400);
    expect(messageOf(refused)).toMatch(
      /the snapshot with its name, description and metadata takes \d+ bytes; at most 155648 are allowed/,
    );
    expect(world.fakes.snapshots.records.get(id)).toEqual(before);
    expect((await api.ask(`PUT ${at}/metadata`, { body: { metadata: large("c") } })).status).toBe(200);
    expect((await api.ask(`PUT ${at}`, { body: { snapshot: { name: "new" } } })).status).toBe(200);
  });

  it("keeps its volume from being deleted", async () => {
    await create();
    await work();
    expect((await api.ask(`DELETE /volumes/${SOURCE_ID}`)).status).toBe(400);
  });
});

describe("an action on a snapshot", () => {
  const act = (id: string, body: unknown, token = "admin") => api.ask(`POST /snapshots/${id}/action`, { token, body });
  const statusOf = (id: string) => world.fakes.snapshots.records.get(id)?.status;

  it("sets its status to each of Cinder's words, for administrators", async () => {
    const id = await aSnapshot();
    for (const status of ["ERROR", "backing-up", "deleting", "available"]) {
      expect((await act(id, { "os-reset_status": { status } })).status).toBe(202);
      expect(statusOf(id)).toBe(status.toLowerCase());
    }
    expect((await act(id, { "os-reset_status": { status: "error" } }, "member")).status).toBe(403);
    expect(messageOf(await act(id, { "os-reset_status": { status: "nope" } }))).toContain(
      "Snapshot status: nope is invalid",
    );
  });

  it("updates the status from creating and deleting only", async () => {
    const id = await aSnapshot();
    expect((await act(id, { "os-update_snapshot_status": { status: "error", progress: "80%" } })).status).toBe(202);
    expect((await api.ask(`GET /snapshots/${id}`)).body).toMatchObject({
      snapshot: { "os-extended-snapshot-attributes:progress": "80%" },
    });
    const wrong = await act(id, { "os-update_snapshot_status": { status: "error", progress: "101%" } });
    expect(wrong.status).toBe(400);
    expect(messageOf(await act(id, { "os-update_snapshot_status": { status: "available" } }))).toBe(
      "Snapshot status error not allowed for update_snapshot_status",
    );
  });

  it.each(["creating", "deleting", "error", "error_deleting"])("deletes by force from %s", async (status) => {
    const id = await aSnapshot();
    await work();
    await act(id, { "os-reset_status": { status } });
    expect((await act(id, { "os-force_delete": {} })).status).toBe(202);
    await work();
    expect((await api.ask(`GET /snapshots/${id}`)).status).toBe(404);
    expect(world.fakes.projects.quotas.get(PROJECT)?.used).toMatchObject({ snapshots: 0 });
  });
});

describe("the list of snapshots", () => {
  it("has pages in every order, and filters", async () => {
    const ids: string[] = [];
    for (let second = 0; second < 3; second += 1) {
      world.now = new Date(world.now.getTime() + 1000);
      ids.push(await aSnapshot({ name: `s${second}` }));
    }
    const listed = async (query: string): Promise<string[]> =>
      ((await api.ask(`GET /snapshots/detail?${query}`)).body as { snapshots: { id: string }[] }).snapshots.map(
        ({ id }) => id,
      );
    expect(await listed("")).toEqual(ids.toReversed());
    expect(await listed("limit=2")).toEqual([ids[2], ids[1]]);
    expect(await listed(`limit=2&marker=${ids[1]}`)).toEqual([ids[0]]);
    expect(await listed("sort=created_at:asc&limit=1&offset=1")).toEqual([ids[1]]);
    expect(await listed(`sort=created_at:asc&marker=${ids[0]}`)).toEqual([ids[1], ids[2]]);
    expect(await listed("status=available")).toEqual([]);
    expect(await listed(`volume_id=${SOURCE_ID}&name=s1`)).toEqual([ids[1]]);
    expect((await api.ask("GET /snapshots?sort=name:asc")).status).toBe(400);
    expect((await api.ask(`GET /snapshots?marker=${idOf(88)}`)).status).toBe(404);
    expect((await api.ask("GET /snapshots?limit=1")).body).toHaveProperty("snapshots_links");
  });
});
