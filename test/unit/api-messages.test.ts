import { beforeEach, describe, expect, it } from "vitest";
import { messageFields } from "../../core/api/messages/fields.ts";
import type { VolumeRecord } from "../../core/records.ts";
import { Api, idOf } from "../support/api.ts";
import { aVolumeInFlow } from "../support/builders.ts";
import { START, World } from "../support/fakes/world.ts";

let world: World;
let api: Api;

beforeEach(() => {
  world = new World();
  api = new Api(world);
});

const DAY_MS = 24 * 3600 * 1000;

async function failedVolume(number: number, columns: Partial<VolumeRecord> = {}): Promise<VolumeRecord> {
  const volume = aVolumeInFlow({
    id: idOf(number),
    project_id: "a1b2",
    status: "error",
    host: null,
    deadline: null,
    fault: { error: "NoValidBackend", cause: "none", attempt: 1, at: START, attempts: [] },
    request: { request_id: `req-${number}`, roles: [] },
    ...columns,
  });
  world.fakes.volumes.records.set(volume.id, volume);
  const { project_id: projectId, created_at: createdAt, id } = volume;
  await world.fakes.projects.enter({ kind: "volume", id, projectId, createdAt, name: null });
  return volume;
}

type Message = Record<string, unknown> & { id: string };
const at = (version: string, token = "member") => ({ version, token });

async function list(query = "", version = "3.5", token = "member"): Promise<Message[]> {
  const { body } = await api.ask(`GET /messages${query}`, at(version, token));
  return (body as { messages: Message[] }).messages;
}

describe("a user message", () => {
  it("says what the fault of a volume means, from the moment of the fault for 30 days", async () => {
    await failedVolume(1);
    const [message] = await list();
    const id = message?.id ?? "";
    expect(message).toEqual({
      id,
      event_id: "VOLUME_VOLUME_001_003",
      user_message: "schedule allocate volume:Could not find any available weighted backend.",
      message_level: "ERROR",
      created_at: "2026-01-01T01:00:00.000000",
      guaranteed_until: "2026-01-31T01:00:00.000000",
      request_id: "req-1",
      links: [
        { rel: "self", href: `http://api.example/v3/a1b2/messages/${id}` },
        { rel: "bookmark", href: `http://api.example/a1b2/messages/${id}` },
      ],
      resource_type: "VOLUME",
      resource_uuid: idOf(1),
    });
    expect(id).not.toBe(idOf(1));
    expect((await api.ask(`GET /messages/${id}`, at("3.3"))).body).toEqual({ message });
    world.now = new Date(Date.parse(START) + 30 * DAY_MS);
    expect(await list()).toEqual([]);
    expect((await api.ask(`GET /messages/${id}`, at("3.3"))).status).toBe(404);
  });

  it("is found by the id of the request or of the volume, from 3.5 on", async () => {
    await failedVolume(1);
    await failedVolume(2);
    expect((await list("?request_id=req-2")).map(({ resource_uuid }) => resource_uuid)).toEqual([idOf(2)]);
    expect(await list(`?resource_uuid=${idOf(1)}`)).toHaveLength(1);
    expect(await list("?request_id=none")).toEqual([]);
    expect(await list("?request_id=none", "3.3")).toHaveLength(2);
  });

  it("is listed newest first, in pages", async () => {
    for (const number of [1, 2, 3]) {
      const fault = { error: "E", cause: "c", attempt: 1, at: `2026-01-01T00:0${number}:00.000Z`, attempts: [] };
      await failedVolume(number, { fault });
    }
    const { body } = await api.ask("GET /messages?limit=2", at("3.5"));
    const page = body as { messages: Message[]; messages_links: { rel: string; href: string }[] };
    expect(page.messages.map(({ resource_uuid }) => resource_uuid)).toEqual([idOf(3), idOf(2)]);
    expect(page.messages_links[0]?.href).toMatch(/messages\?limit=2&marker=/);
    const marker = page.messages[1]?.id ?? "";
    expect((await list(`?limit=2&marker=${marker}`)).map(({ resource_uuid }) => resource_uuid)).toEqual([idOf(1)]);
    expect((await api.ask(`GET /messages?marker=${idOf(7)}`, at("3.5"))).status).toBe(404);
  });

  it("is deleted once, and a later fault of the volume is a message again", async () => {
    const volume = await failedVolume(1);
    const id = (await list())[0]?.id ?? "";
    expect((await api.ask(`DELETE /messages/${id}`, at("3.3", "reader"))).status).toBe(403);
    expect(await api.ask(`DELETE /messages/${id}`, at("3.3"))).toMatchObject({ status: 204, body: null });
    const again = await api.ask(`DELETE /messages/${id}`, at("3.3"));
    expect([again.status, JSON.stringify(again.body)]).toEqual([
      404,
      JSON.stringify({ itemNotFound: { code: 404, message: `Message ${id} could not be found.` } }),
    ]);
    expect((await world.fakes.volumes.get(volume.id)).fault).not.toBeNull();
    await failedVolume(1, {
      message_deleted: START,
      fault: { error: "E", cause: "c", attempt: 2, at: "2026-01-01T02:00:00.000Z", attempts: [] },
    });
    expect(await list()).toHaveLength(1);
  });

  it("is visible to an administrator, but not to another project", async () => {
    await failedVolume(1);
    const id = (await list())[0]?.id ?? "";
    expect(await list("", "3.5", "other")).toEqual([]);
    expect((await api.ask(`GET /messages/${id}`, at("3.3", "other"))).status).toBe(404);
    expect((await api.ask(`GET /messages/${id}`, at("3.3", "admin"))).status).toBe(200);
    expect(await list("?all_tenants=1", "3.5", "admin")).toHaveLength(1);
  });

  it("does not exist before 3.3, nor for invalid ids", async () => {
    expect((await api.ask("GET /messages", at("3.2"))).status).toBe(404);
    expect((await api.ask("GET /messages/x", at("3.3"))).status).toBe(404);
  });

  it.each([
    ["NoValidBackend", false, "001_003", "schedule allocate volume:Could not find any available weighted backend."],
    ["Anything", false, "001_001", "schedule allocate volume:An unknown error occurred."],
    ["ImageTooBig", true, "005_007", "copy image to volume:Image used for creating volume exceeds available space."],
    ["ImageCopyFailure", true, "005_001", "copy image to volume:An unknown error occurred."],
    [
      "DriverNotInitialized",
      true,
      "008_002",
      "create volume from backend storage:Driver is not initialized at present.",
    ],
    ["Anything", true, "008_012", "create volume from backend storage:Driver failed to create the volume."],
    ["constructor", true, "008_012", "create volume from backend storage:Driver failed to create the volume."],
  ])("of %s, placed %j, is %s", (error, isPlaced, event, text) => {
    expect(messageFields(error, isPlaced)).toEqual({ event_id: `VOLUME_VOLUME_${event}`, user_message: text });
  });
});

describe("the resource cinderless of a volume", () => {
  const attempt = {
    host: "node@first#pool",
    execution: "e",
    started_at: START,
    ended_at: START,
    outcome: "error" as const,
    error: "VolumeBackendAPIException",
    cause: "node@first#pool said no",
  };
  const fault = { error: "E", cause: "on node@first#pool", attempt: 1, at: START, attempts: ["on node@first#pool"] };

  it("shows attempts, phase, progress and fault, and no host to members", async () => {
    const progress = { bytes_done: 1, bytes_total: 2, updated_at: START, hash_state: "secret" };
    await failedVolume(1, { attempts: { "1": attempt }, phase: "copying", fault, progress });
    const { body } = await api.ask(`GET /volumes/${idOf(1)}/cinderless`);
    expect(body).toMatchObject({
      cinderless: {
        volume_id: idOf(1),
        status: "error",
        phase: "copying",
        progress: { bytes_done: 1, bytes_total: 2, bytes_per_second: null },
        attempts: [{ number: 1, outcome: "error", error: "VolumeBackendAPIException" }],
        fault: { error: "E", attempt: 1 },
      },
    });
    expect(JSON.stringify(body)).not.toMatch(/node@first|secret/);
    const asAdmin = await api.ask(`GET /volumes/${idOf(1)}/cinderless`, { token: "admin" });
    expect(asAdmin.body).toMatchObject({
      cinderless: { attempts: [{ host: "node@first#pool" }], fault: { cause: "on node@first#pool" } },
    });
  });

  it("is refused to another project", async () => {
    await failedVolume(1);
    expect((await api.ask(`GET /volumes/${idOf(1)}/cinderless`, { token: "other" })).status).toBe(404);
  });
});
