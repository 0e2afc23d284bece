import { beforeEach, describe, expect, it } from "vitest";
import { Api, messageOf } from "../support/api.ts";
import { aSnapshot, aSource, SNAPSHOT_ID, SOURCE_ID } from "../support/builders.ts";
import { World } from "../support/fakes/world.ts";
import { plainVolumeType } from "../support/records.ts";

/** Answers to odd requests, as Cinder 21.3.1 gave them to the same requests. */

const PROJECT = "a1b2";
const asAdmin = { token: "admin" };

let world: World;
let api: Api;
let typeId: string;

beforeEach(() => {
  world = new World();
  api = new Api(world);
  world.fakes.volumes.records.set(SOURCE_ID, aSource({ project_id: PROJECT, glance_metadata: {} }));
  world.fakes.snapshots.records.set(SNAPSHOT_ID, aSnapshot({ project_id: PROJECT }));
  const type = plainVolumeType({ name: "gold", extra_specs: {}, is_public: true });
  typeId = type.id;
  world.fakes.volumeTypes.records.set(type.id, type);
});

const onVolume = (body: object) => api.ask(`POST /volumes/${SOURCE_ID}/action`, { ...asAdmin, body });
const onSnapshot = (body: object) => api.ask(`POST /snapshots/${SNAPSHOT_ID}/action`, { ...asAdmin, body });

const NO_STATUS = "Must specify 'status', 'attach_status' or 'migration_status' for update.";

describe("os-reset_status of a volume", () => {
  it.each([
    [{}, NO_STATUS],
    [{ status: "" }, NO_STATUS],
    [{ status: null, attach_status: "" }, NO_STATUS],
    [{ status: 0 }, NO_STATUS],
    [{ status: {} }, NO_STATUS],
    [{ status: 1 }, "Invalid input for field/attribute status. Value: 1. 1 is not of type 'string', 'null'"],
    [
      { status: "error", attach_status: "reserved" },
      "Volume attach status: reserved is invalid, valid statuses are: ['attached', 'detached'].",
    ],
    [
      { status: "error", migration_status: "x" },
      "Volume migration status: x is invalid, valid statuses are: " +
        "('migrating', 'error', 'success', 'completing', 'none', 'starting').",
    ],
  ])("is refused with %j", async (body, message) => {
    const answer = await onVolume({ "os-reset_status": body });
    expect([answer.status, messageOf(answer)]).toEqual([400, message]);
  });

  it("is accepted with an attach status and a migration status of nothing", async () => {
    const body = { status: "Error", attach_status: null, migration_status: "" };
    expect((await onVolume({ "os-reset_status": body })).status).toBe(202);
    expect(world.fakes.volumes.records.get(SOURCE_ID)?.status).toBe("error");
  });
});

it("image metadata that a volume does not have is not found", async () => {
  const answer = await onVolume({ "os-show_image_metadata": null });
  expect([answer.status, messageOf(answer)]).toEqual([
    404,
    `Glance metadata for volume/snapshot ${SOURCE_ID} cannot be found.`,
  ]);
});

it.each([255, 256, 3000, 100_000])("a type whose name has %i characters is not found", async (length) => {
  const name = "x".repeat(length);
  const answer = await onVolume({ "os-retype": { new_type: name } });
  const message = `Volume type with name ${name.slice(0, 255)} could not be found.`;
  expect([answer.status, messageOf(answer)]).toEqual([404, message]);
});

describe("the progress of os-update_snapshot_status", () => {
  it.each([
    ["abc", "Invalid input received: progress must be an integer percentage"],
    ["%", "Invalid input received: progress must be an integer percentage"],
    ["101%", "Invalid input received: progress must be an integer percentage between 0 and 100"],
    ["50x", "Invalid input received: progress must be an integer percentage between 0 and 100"],
    ["-1%", "Invalid input received: progress must be an integer percentage between 0 and 100"],
  ])("is refused when it is %s", async (progress, message) => {
    const answer = await onSnapshot({ "os-update_snapshot_status": { status: "creating", progress } });
    expect([answer.status, messageOf(answer)]).toEqual([400, message]);
  });
});

describe("the metadata of a snapshot", () => {
  it.each([
    [1, 400, "Invalid metadata: Invalid input received: Value for metadata key: k is not a string or unicode"],
    [null, 400, "Invalid metadata: Invalid input received: Value for metadata key: k is not a string or unicode"],
    ["x".repeat(256), 413, "Invalid metadata size: Metadata property key k value greater than 255 characters."],
  ])("has no value %j", async (value, status, message) => {
    const path = `/snapshots/${SNAPSHOT_ID}/metadata`;
    for (const [request, body] of [
      [`POST ${path}`, { metadata: { k: value } }],
      [`PUT ${path}`, { metadata: { k: value } }],
      [`PUT ${path}/k`, { meta: { k: value } }],
    ] as const) {
      const answer = await api.ask(request, { ...asAdmin, body });
      expect([answer.status, messageOf(answer)]).toEqual([status, message]);
    }
  });
});

describe("a volume type", () => {
  it.each([{ name: null }, { description: null }, { name: null, description: null, is_public: null }])(
    "is not changed by %j",
    async (body) => {
      const answer = await api.ask(`PUT /types/${typeId}`, { ...asAdmin, body: { volume_type: body } });
      expect(answer.status).toBe(400);
    },
  );

  it("takes no extra specs without complaint", async () => {
    const answer = await api.ask(`POST /types/${typeId}/extra_specs`, { ...asAdmin, body: { extra_specs: {} } });
    expect(answer).toMatchObject({ status: 200, body: { extra_specs: {} } });
  });

  it.each([
    ["POST", "extra_specs", { extra_specs: { a: "b" } }],
    ["PUT", "extra_specs/a", { a: "b" }],
    ["DELETE", "extra_specs/a", undefined],
  ])("of a volume keeps its extra specs: %s %s is refused", async (method, path, body) => {
    await api.ask("POST /volumes", { body: { volume: { size: 1, volume_type: "gold" } } });
    const answer = await api.ask(`${method} /types/${typeId}/${path}`, { ...asAdmin, body });
    expect([answer.status, messageOf(answer)]).toEqual([400, "Volume Type is currently in use."]);
  });

  it.each(["", "true", "01", "1.5"])("has no encryption with the key size %j", async (size) => {
    const encryption = { provider: "luks", control_location: "front-end", key_size: size };
    const answer = await api.ask(`POST /types/${typeId}/encryption`, { ...asAdmin, body: { encryption } });
    expect([answer.status, messageOf(answer)]).toEqual([400, "Invalid input received: key_size must be an integer."]);
  });
});

describe("a create with a type that is not its source's", () => {
  const create = (volume: object) => api.ask("POST /volumes", { body: { volume: { size: 1, ...volume } } });

  const backends = (...names: string[]) => names.forEach((name) => world.addBackend(`node@${name}#pool`));

  it("is refused when there are several backends", async () => {
    backends("one", "other");
    const ofVolume = await create({ source_volid: SOURCE_ID, volume_type: "gold" });
    expect(messageOf(ofVolume)).toBe(
      `Invalid input received: Invalid volume_type provided: ${typeId} (requested type is not compatible; ` +
        "either match source volume, or omit type argument).",
    );
    const ofSnapshot = await create({ snapshot_id: SNAPSHOT_ID, volume_type: "gold" });
    expect([ofVolume.status, ofSnapshot.status, messageOf(ofSnapshot)]).toEqual([
      400,
      400,
      `Invalid input received: Invalid volume_type provided: ${typeId} (requested type is not compatible; ` +
        "recommend omitting the type argument).",
    ]);
  });

  it("is accepted when there is one backend", async () => {
    backends("one");
    expect((await create({ source_volid: SOURCE_ID, volume_type: "gold" })).status).toBe(202);
  });

  it("is accepted when both types name the same backend", async () => {
    backends("one", "other");
    const specs = { volume_backend_name: "b1" };
    const [one, other] = ["one", "other"].map((name) => plainVolumeType({ name, extra_specs: specs, is_public: true }));
    for (const type of [one, other]) {
      if (type !== undefined) {
        world.fakes.volumeTypes.records.set(type.id, type);
      }
    }
    world.fakes.volumes.records.set(SOURCE_ID, aSource({ project_id: PROJECT, volume_type_id: one?.id ?? "" }));
    expect((await create({ source_volid: SOURCE_ID, volume_type: "other" })).status).toBe(202);
  });
});

it("an empty id of a backup is passed over, and that of a group is not found", async () => {
  const create = (volume: object) => api.ask("POST /volumes", { body: { volume: { size: 1, ...volume } } });
  expect((await create({ backup_id: "" })).status).toBe(202);
  const answer = await create({ group_id: "" });
  expect([answer.status, messageOf(answer)]).toEqual([404, "Group  could not be found."]);
});

it("a service is looked for before the reason that it is disabled for", async () => {
  const body = { host: "nowhere", binary: "cinder-volume" };
  const answer = await api.ask("PUT /os-services/disable-log-reason", { ...asAdmin, body });
  expect([answer.status, messageOf(answer)]).toEqual([
    404,
    "Service cinder-volume could not be found on host nowhere.",
  ]);
});
