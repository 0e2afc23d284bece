import { beforeEach, describe, expect, it } from "vitest";
import { DEFAULT_TYPE_ID } from "../../core/api/types/default-type.ts";
import { CINDER_VOLUME_STATUSES, type VolumeRecord } from "../../core/records.ts";
import { Api, idOf, messageOf } from "../support/api.ts";
import { World } from "../support/fakes/world.ts";

let world: World;
let api: Api;

beforeEach(() => {
  world = new World();
  world.addBackend("node@first#pool");
  api = new Api(world);
});

const asAdmin = { token: "admin" };

async function aVolume(columns: Record<string, unknown> = {}): Promise<string> {
  const { body } = await api.ask("POST /volumes", { body: { volume: { size: 1, ...columns } } });
  return (body as { volume: { id: string } }).volume.id;
}

describe("an update of a volume", () => {
  it("renames it, also in the list, and keeps what it does not name", async () => {
    const id = await aVolume({ name: "old", description: "kept", metadata: { a: "1" } });
    const { status, body } = await api.ask(`PUT /volumes/${id}`, { body: { volume: { name: " new " } } });
    expect(status).toBe(200);
    expect(body).toMatchObject({ volume: { name: "new", description: "kept", metadata: { a: "1" } } });
    expect((await api.ask("GET /volumes?name=new")).body).toMatchObject({ volumes: [{ id }] });
    expect((await api.ask("GET /volumes?name=old")).body).toEqual({ volumes: [] });
  });

  it("replaces all metadata", async () => {
    const id = await aVolume({ metadata: { a: "1", b: "2" } });
    const { body } = await api.ask(`PUT /volumes/${id}`, { body: { volume: { metadata: { b: "3" } } } });
    expect(body).toMatchObject({ volume: { metadata: { b: "3" } } });
  });

  it("may be empty, cannot name another field, and is refused to other projects", async () => {
    const id = await aVolume();
    expect((await api.ask(`PUT /volumes/${id}`, { body: { volume: {} } })).status).toBe(200);
    const wrong = await api.ask(`PUT /volumes/${id}`, { body: { volume: { size: 3 } } });
    expect(messageOf(wrong)).toBe(
      "Invalid input for field/attribute volume. Value: {'size': 3}. Additional properties are not allowed ('size' was unexpected)",
    );
    const foreign = await api.ask(`PUT /volumes/${id}`, { token: "other", body: { volume: { name: "x" } } });
    expect(foreign.status).toBe(404);
    expect((await api.ask(`PUT /volumes/${id}`, { token: "reader", body: { volume: {} } })).status).toBe(403);
  });
});

describe("metadata of a volume", () => {
  it("is added to by POST, replaced by PUT, and removed by key", async () => {
    const at = `/volumes/${await aVolume({ metadata: { x: "y" } })}/metadata`;
    expect((await api.ask(`POST ${at}`, { body: { metadata: { k1: "v1" } } })).body).toEqual({
      metadata: { x: "y", k1: "v1" },
    });
    expect((await api.ask(`GET ${at}/k1`)).body).toEqual({ meta: { k1: "v1" } });
    expect((await api.ask(`PUT ${at}/k1`, { body: { meta: { k1: "new" } } })).body).toEqual({ meta: { k1: "new" } });
    expect((await api.ask(`PUT ${at}`, { body: { metadata: { only: "this" } } })).body).toEqual({
      metadata: { only: "this" },
    });
    expect(await api.ask(`DELETE ${at}/only`)).toMatchObject({ status: 200, body: null });
    expect((await api.ask(`GET ${at}`)).body).toEqual({ metadata: {} });
  });

  it.each<[string, unknown, number, string]>([
    ["PUT /k1", { meta: { k2: "v" } }, 400, "Request body and URI mismatch"],
    [
      "PUT /k1",
      { meta: {} },
      400,
      "Invalid input for field/attribute meta. Value: {}. {} does not have enough properties",
    ],
    ["POST ", {}, 400, "'metadata' is a required property"],
    ["POST ", { metadata: { a: 1 } }, 400, "Invalid input for field/attribute a. Value: 1. 1 is not of type 'string'"],
    ["GET /none", undefined, 404, `Volume ${idOf(1)} has no metadata with key none.`],
    ["DELETE /__proto__", undefined, 404, `Volume ${idOf(1)} has no metadata with key __proto__.`],
  ])("is refused: %s with %j", async (what, body, status, message) => {
    const [method, rest] = what.split(" ");
    const id = await aVolume();
    const response = await api.ask(`${method} /volumes/${id}/metadata${rest}`, body === undefined ? {} : { body });
    expect([response.status, messageOf(response)]).toEqual([status, message]);
  });
});

describe("an action on a volume", () => {
  it("sets whether it is bootable, in every spelling of a boolean", async () => {
    const id = await aVolume();
    for (const [bootable, shown] of [
      [true, "true"],
      ["false", "false"],
      ["On", "true"],
    ]) {
      const response = await api.ask(`POST /volumes/${id}/action`, { body: { "os-set_bootable": { bootable } } });
      expect(response).toMatchObject({ status: 200, body: null });
      expect((await api.ask(`GET /volumes/${id}`)).body).toMatchObject({ volume: { bootable: shown } });
    }
  });

  it("deletes by force for administrators only", async () => {
    const id = await aVolume();
    const body = { "os-force_delete": null };
    expect((await api.ask(`POST /volumes/${id}/action`, { body })).status).toBe(403);
    expect((await api.ask(`POST /volumes/${id}/action`, { ...asAdmin, body })).status).toBe(202);
    expect(api.started).toEqual([["DeleteVolume", { volume_id: id }]]);
  });

  it.each(CINDER_VOLUME_STATUSES.filter((each) => each !== "in-use"))(
    "sets the status %s by an administrator's word, from which the volume is deleted by force",
    async (status) => {
      const id = await aVolume();
      world.fakes.volumes.records.change(id, { status: "available", deadline: null, phase: null });
      const body = { "os-reset_status": { status: status.toUpperCase() } };
      expect((await api.ask(`POST /volumes/${id}/action`, { body })).status).toBe(403);
      expect((await api.ask(`POST /volumes/${id}/action`, { ...asAdmin, body })).status).toBe(202);
      expect((await api.ask(`GET /volumes/${id}`)).body).toMatchObject({ volume: { status } });
      const force = { ...asAdmin, body: { "os-force_delete": null } };
      expect((await api.ask(`POST /volumes/${id}/action`, force)).status).toBe(202);
      expect((await api.ask(`GET /volumes/${id}`)).body).toMatchObject({ volume: { status: "deleting" } });
      const again = await api.ask(`POST /volumes/${id}/action`, { ...asAdmin, body });
      expect([again.status, messageOf(again)]).toEqual([
        400,
        `Invalid volume: volume ${id} is being removed: wait until it is gone or in error_deleting`,
      ]);
    },
  );

  it.each<[Record<string, unknown>, string]>([
    [{}, "Must specify 'status', 'attach_status' or 'migration_status' for update."],
    [{ status: "in-use" }, "Cannot reset-state to in-use because volume does not have any attachments."],
    [
      { status: "nope" },
      "Volume status: nope is invalid, valid statuses are: ('creating', 'available', 'deleting', 'error', 'error_deleting', " +
        "'error_managing', 'managing', 'attaching', 'in-use', 'detaching', 'maintenance', 'restoring-backup', 'error_restoring', " +
        "'reserved', 'awaiting-transfer', 'backing-up', 'error_backing-up', 'error_extending', 'downloading', 'uploading', " +
        "'retyping', 'extending').",
    ],
  ])("resets no status by %j", async (value, message) => {
    const body = { "os-reset_status": value };
    const response = await api.ask(`POST /volumes/${await aVolume()}/action`, { ...asAdmin, body });
    expect([response.status, messageOf(response)]).toEqual([400, message]);
  });

  it.each<[unknown, string]>([
    [{}, "Malformed request body"],
    [{ "os-a": null, "os-b": null }, "Malformed request body"],
    [[], "Malformed request body"],
    [
      { "os-nothing": null },
      "There is no such action: os-nothing. Verify the request body and Content-Type header and try again.",
    ],
    [
      { constructor: null },
      "There is no such action: constructor. Verify the request body and Content-Type header and try again.",
    ],
    [
      { "os-set_bootable": {} },
      "Invalid input for field/attribute os-set_bootable. Value: {}. 'bootable' is a required property",
    ],
  ])("is refused when the body is %j", async (body, message) => {
    const response = await api.ask(`POST /volumes/${await aVolume()}/action`, { body });
    expect([response.status, messageOf(response)]).toEqual([400, message]);
  });
});

describe("the summary", () => {
  it("has number, size and, from 3.36 on, the metadata of the project's volumes", async () => {
    await aVolume({ size: 2, metadata: { k: "a" } });
    await aVolume({ metadata: { k: "b" } });
    await api.ask("POST /volumes", { token: "other", body: { volume: { size: 5 } } });
    expect((await api.ask("GET /volumes/summary", { version: "3.12" })).body).toEqual({
      "volume-summary": { total_count: 2, total_size: 3 },
    });
  });

  it("does not exist before 3.12", async () => {
    expect(messageOf(await api.ask("GET /volumes/summary", { version: "3.11" }))).toBe(
      "The resource could not be found.",
    );
  });
});

describe("volume types", () => {
  const create = (type: Record<string, unknown>, asked = asAdmin) =>
    api.ask("POST /types", { ...asked, body: { volume_type: type } });

  it("are made by administrators, found by members without their extra specs, and used by name", async () => {
    const { status, body } = await create({
      name: "fast",
      description: "d",
      extra_specs: { volume_backend_name: "b" },
    });
    expect(status).toBe(200);
    expect(body).toEqual({
      volume_type: {
        id: idOf(1),
        name: "fast",
        is_public: true,
        description: "d",
        extra_specs: { volume_backend_name: "b" },
        "os-volume-type-access:is_public": true,
      },
    });
    expect((await api.ask(`GET /types/${idOf(1)}`)).body).toMatchObject({ volume_type: { extra_specs: {} } });
    expect((await api.ask("GET /types/fast")).status).toBe(404);
    const id = await aVolume({ volume_type: "fast" });
    expect(world.fakes.volumes.records.get(id)?.volume_type_id).toBe(idOf(1));
    expect((await api.ask(`GET /volumes/${id}`)).body).toMatchObject({ volume: { volume_type: "fast" } });
  });

  it("have the default type, until it is changed without a record", async () => {
    expect((await api.ask("GET /types")).body).toMatchObject({ volume_types: [{ name: "__DEFAULT__" }] });
    const body = { volume_type: { description: "ours" } };
    expect((await api.ask(`PUT /types/${DEFAULT_TYPE_ID}`, { ...asAdmin, body })).status).toBe(200);
    expect((await api.ask("GET /types/default")).body).toMatchObject({ volume_type: { description: "ours" } });
  });

  it("that are private are visible to administrators only", async () => {
    await create({ name: "secret", "os-volume-type-access:is_public": false });
    expect((await api.ask(`GET /types/${idOf(1)}`)).status).toBe(404);
    expect((await api.ask("POST /volumes", { body: { volume: { size: 1, volume_type: "secret" } } })).status).toBe(404);
    expect((await api.ask("GET /types?is_public=false", asAdmin)).body).toMatchObject({
      volume_types: [{ name: "secret" }],
    });
  });

  it("have one name each when two are made at once", async () => {
    const answers = await Promise.all([create({ name: "fast" }), create({ name: "fast" }), create({ name: "fast" })]);
    expect(answers.map(({ status }) => status).toSorted((one, other) => one - other)).toEqual([200, 409, 409]);
    expect([...world.fakes.volumeTypes.records.values()].map(({ name }) => name)).toEqual(["fast"]);
  });

  it("may have the name of a type that was deleted or renamed, or of a create that died", async () => {
    await create({ name: "first" });
    await api.ask(`PUT /types/${idOf(1)}`, { ...asAdmin, body: { volume_type: { name: "second" } } });
    expect((await create({ name: "first" })).status).toBe(200);
    await api.ask(`DELETE /types/${idOf(1)}`, asAdmin);
    expect((await create({ name: "second" })).status).toBe(200);
    await world.fakes.projects.claimName("volume_type", "third", "a type that was never made");
    expect((await create({ name: "third" })).status).toBe(409);
    world.now = new Date(world.now.getTime() + 901_000);
    expect((await create({ name: "third" })).status).toBe(200);
  });

  it("have names of their own, and cannot be deleted while a volume is of them", async () => {
    await create({ name: "fast" });
    expect(await create({ name: "fast" })).toMatchObject({
      status: 409,
      body: { conflictingRequest: { message: "Volume Type fast already exists." } },
    });
    await aVolume({ volume_type: "fast" });
    expect(messageOf(await api.ask(`DELETE /types/${idOf(1)}`, asAdmin))).toBe("Target volume type is still in use.");
    world.fakes.volumes.records.clear();
    expect((await api.ask(`DELETE /types/${idOf(1)}`, asAdmin)).status).toBe(202);
    expect((await api.ask(`GET /types/${idOf(1)}`, asAdmin)).status).toBe(404);
  });

  it("have extra specs that are added, changed and removed by key", async () => {
    await create({ name: "fast" });
    const at = `/types/${idOf(1)}/extra_specs`;
    const specs = { k1: "v1", "key:two": "v2" };
    expect((await api.ask(`POST ${at}`, { ...asAdmin, body: { extra_specs: specs } })).body).toEqual({
      extra_specs: specs,
    });
    expect((await api.ask(`PUT ${at}/k1`, { ...asAdmin, body: { k1: "v9" } })).body).toEqual({ k1: "v9" });
    expect((await api.ask(`GET ${at}/k1`, asAdmin)).body).toEqual({ k1: "v9" });
    expect((await api.ask(`DELETE ${at}/k1`, asAdmin)).status).toBe(202);
    expect(messageOf(await api.ask(`DELETE ${at}/k1`, asAdmin))).toBe(
      `Volume Type ${idOf(1)} has no extra specs with key k1.`,
    );
    expect((await api.ask(`GET ${at}`)).body).toEqual({ extra_specs: {} });
    expect((await api.ask(`PUT ${at}/k1`, { ...asAdmin, body: { k2: "v" } })).status).toBe(400);
  });

  it.each<[Record<string, unknown>, string]>([
    [{}, "Invalid input for field/attribute volume_type. Value: {}. 'name' is a required property"],
    [{ name: "" }, "Invalid input for field/attribute name. Value: . '' is too short"],
    [{ name: "  " }, "An invalid 'name' value was provided. The 'name' can not be empty."],
    [
      { name: "z", extra_specs: "x" },
      "Invalid input for field/attribute extra_specs. Value: x. 'x' is not of type 'object'",
    ],
  ])("are refused when the body is %j", async (type, message) => {
    const response = await create(type);
    expect([response.status, messageOf(response)]).toEqual([400, message]);
  });

  it("are not a member's to make", async () => {
    const response = await create({ name: "mine" }, { token: "member" });
    expect(messageOf(response)).toBe("Policy doesn't allow volume_extension:type_create to be performed.");
  });
});

describe("access to a private type", () => {
  const other = "c3d40000-0000-4000-8000-000000000000";
  const act = (body: unknown, asked = asAdmin) => api.ask(`POST /types/${idOf(1)}/action`, { ...asked, body });
  const listed = () => api.ask(`GET /types/${idOf(1)}/os-volume-type-access`, asAdmin);

  beforeEach(async () => {
    const body = { volume_type: { name: "secret", "os-volume-type-access:is_public": false } };
    await api.ask("POST /types", { ...asAdmin, body });
  });

  it("is given to projects, listed, and taken away", async () => {
    expect((await act({ addProjectAccess: { project: other } })).status).toBe(202);
    expect((await listed()).body).toEqual({ volume_type_access: [{ volume_type_id: idOf(1), project_id: other }] });
    expect((await act({ addProjectAccess: { project: other } })).status).toBe(409);
    expect((await act({ removeProjectAccess: { project: other } })).status).toBe(202);
    expect((await act({ removeProjectAccess: { project: other } })).status).toBe(404);
    expect((await listed()).body).toEqual({ volume_type_access: [] });
  });

  it("lets the project's members use the type", async () => {
    await world.fakes.volumeTypes.change(idOf(1), { access: { set: { a1b2: "member" } } });
    expect((await api.ask(`GET /types/${idOf(1)}`)).status).toBe(200);
    expect((await api.ask("POST /volumes", { body: { volume: { size: 1, volume_type: "secret" } } })).status).toBe(202);
    expect((await api.ask(`GET /types/${idOf(1)}`, { token: "other" })).status).toBe(404);
  });

  it("is refused for public types, wrong ids and members", async () => {
    expect((await act({ addProjectAccess: { project: "x" } })).status).toBe(400);
    await world.fakes.volumeTypes.change(idOf(1), { isPublic: true });
    expect((await act({ addProjectAccess: { project: other } })).status).toBe(400);
    expect((await listed()).status).toBe(404);
    expect((await act({ addProjectAccess: { project: other } }, { token: "member" })).status).toBe(403);
  });
});

describe("quotas", () => {
  it("show limits and what is in use", async () => {
    await aVolume({ size: 3 });
    expect((await api.ask("GET /limits")).body).toMatchObject({
      limits: { absolute: { maxTotalVolumes: 10, totalVolumesUsed: 1, totalGigabytesUsed: 3 } },
    });
    expect((await api.ask("GET /os-quota-sets/a1b2?usage=True", asAdmin)).body).toMatchObject({
      quota_set: { volumes: { limit: 10, in_use: 1, reserved: 0 } },
    });
  });

  it("are set for a project, for a type by its name, and for all projects without their own", async () => {
    await api.ask("POST /types", { ...asAdmin, body: { volume_type: { name: "fast" } } });
    const put = (path: string, body: unknown) => api.ask(`PUT ${path}`, { ...asAdmin, body });
    await put("/os-quota-class-sets/default", { quota_class_set: { volumes: 7 } });
    expect((await api.ask("GET /os-quota-sets/a1b2")).body).toMatchObject({ quota_set: { volumes: 7 } });
    const set = await put("/os-quota-sets/a1b2", { quota_set: { volumes: 9, volumes_fast: 1 } });
    expect(set.body).toMatchObject({ quota_set: { volumes: 9, volumes_fast: 1, gigabytes_fast: -1 } });
    await aVolume({ volume_type: "fast" });
    const response = await api.ask("POST /volumes", { body: { volume: { size: 1, volume_type: "fast" } } });
    expect(messageOf(response)).toBe(
      "VolumeLimitExceeded: Maximum number of volumes allowed (1) exceeded for quota 'volumes_fast'.",
    );
    expect((await api.ask("DELETE /os-quota-sets/a1b2", asAdmin)).status).toBe(200);
    expect((await api.ask("GET /os-quota-sets/a1b2")).body).toMatchObject({ quota_set: { volumes: 7 } });
  });

  it.each<[unknown, string]>([
    [{}, "'quota_set' is a required property"],
    [{ quota_set: { volumes: "x" } }, "volumes must be an integer"],
    [{ quota_set: { volumes: -2 } }, "volumes must be >= -1"],
    [{ quota_set: { bananas: 1 } }, "Invalid input received: Bad key(s) in quota set: bananas"],
    [
      { quota_set: { volumes: 0 } },
      "Quota volumes limit must be equal or greater than existing resources. Current usage is 1 and the requested limit is 0.",
    ],
  ])("are refused when the body is %j", async (body, message) => {
    await aVolume();
    const response = await api.ask("PUT /os-quota-sets/a1b2", { ...asAdmin, body });
    expect([response.status, messageOf(response)]).toEqual([400, message]);
  });

  const long = "x".repeat(256);
  it.each([
    [`GET /os-quota-sets/${long}`, 256],
    [`GET /os-quota-sets/${long}?usage=true`, 256],
    [`GET /os-quota-sets/${long}/defaults`, 256],
    [`DELETE /os-quota-sets/${long}`, 256],
    [`GET /limits?project_id=${long}`, 256],
    ["GET /limits?project_id=", 0],
  ])("of a project that cannot be are refused: %s", async (what, characters) => {
    const response = await api.ask(what, asAdmin);
    expect(response.status).toBe(400);
    expect(messageOf(response)).toBe(`Invalid input received: project_id has ${characters} characters, not 1 to 255.`);
  });

  it("of another project are not a member's to see", async () => {
    expect((await api.ask("GET /os-quota-sets/c3d4")).status).toBe(403);
  });
});

describe("services", () => {
  it("are the backends and one scheduler, narrowed by binary and host", async () => {
    const hosts = async (query: string) =>
      ((await api.ask(`GET /os-services${query}`, asAdmin)).body as { services: { host: string }[] }).services.map(
        ({ host }) => host,
      );
    expect(await hosts("")).toEqual(["node@first", "cinderless"]);
    expect(await hosts("?binary=cinder-volume")).toEqual(["node@first"]);
    expect(await hosts("?host=node")).toEqual(["node@first"]);
    expect(await hosts("?host=nowhere")).toEqual([]);
  });

  it.each([300, 9_000])("are down when they have not reported for the scheduler's %i s", async (seconds) => {
    api.deps.serviceDownSeconds = seconds;
    const states = async () =>
      ((await api.ask("GET /os-services?binary=cinder-volume", asAdmin)).body as { services: { state: string }[] })
        .services[0]?.state;
    expect(await states()).toBe("up");
    world.now = new Date(world.now.getTime() + seconds * 1000);
    expect(await states()).toBe("up");
    world.now = new Date(world.now.getTime() + 1000);
    expect(await states()).toBe("down");
  });

  it("are disabled with a reason, and enabled again", async () => {
    const put = (verb: string, body: unknown) => api.ask(`PUT /os-services/${verb}`, { ...asAdmin, body });
    const service = { host: "node@first", binary: "cinder-volume" };
    expect((await put("disable-log-reason", { ...service, disabled_reason: "repair" })).body).toEqual({
      disabled_reason: "repair",
      disabled: true,
      host: "node@first",
      service: "",
      binary: "cinder-volume",
      status: "disabled",
    });
    expect((await api.ask("GET /os-services?binary=cinder-volume", asAdmin)).body).toMatchObject({
      services: [{ status: "disabled", disabled_reason: "repair" }],
    });
    expect(world.fakes.backends.records.get("node@first#pool")?.disabled).toBe(true);
    expect((await put("enable", service)).status).toBe(200);
    expect((await api.ask("GET /os-services?binary=cinder-volume", asAdmin)).body).toMatchObject({
      services: [{ status: "enabled", disabled_reason: null }],
    });
  });

  it.each<[string, unknown, number, string]>([
    ["disable", { host: "x", binary: "cinder-volume" }, 404, "Service cinder-volume could not be found on host x."],
    ["disable", { binary: "cinder-volume" }, 400, "Invalid input received: Host field is missing."],
    ["disable-log-reason", { host: "node@first", binary: "cinder-volume" }, 400, "Missing disabled reason field"],
    ["nothing", { host: "x", binary: "y" }, 400, "Invalid input received: Unknown action"],
    ["freeze", { host: "x" }, 400, "Invalid input received: freeze is not supported"],
  ])("are not changed by %s with %j", async (verb, body, status, message) => {
    const response = await api.ask(`PUT /os-services/${verb}`, { ...asAdmin, body });
    expect([response.status, messageOf(response)]).toEqual([status, message]);
  });

  it("count what lies on a host, by project", async () => {
    const id = await aVolume({ size: 3 });
    const record = world.fakes.volumes.records.get(id);
    world.fakes.volumes.records.set(id, { ...(record as VolumeRecord), host: "node@first#pool" });
    const { body } = await api.ask("GET /os-hosts/node@first", asAdmin);
    const counts = { volume_count: "1", total_volume_gb: "3", snapshot_count: "0", total_snapshot_gb: "0" };
    expect(body).toEqual({
      host: ["(total)", "a1b2"].map((project) => ({ resource: { host: "node@first", project, ...counts } })),
    });
    expect((await api.ask("GET /os-hosts/x", asAdmin)).status).toBe(404);
  });

  it("have pools with what they can do, the same for both questions", async () => {
    expect((await api.ask("GET /scheduler-stats/get_pools?detail=true", asAdmin)).body).toMatchObject({
      pools: [{ name: "node@first#pool", capabilities: { vendor_name: "Open Source", storage_protocol: "nfs" } }],
    });
    expect((await api.ask("GET /capabilities/node@first", asAdmin)).body).toMatchObject({
      vendor_name: "Open Source",
      storage_protocol: "nfs",
    });
    expect((await api.ask("GET /capabilities/x", asAdmin)).status).toBe(404);
    expect((await api.ask("GET /os-hosts", asAdmin)).body).toMatchObject({
      hosts: [{ host_name: "node@first" }, { host_name: "cinderless" }],
    });
  });

  it("are not a member's to see, but zones and extensions are", async () => {
    for (const path of ["/os-services", "/os-hosts", "/scheduler-stats/get_pools", "/capabilities/x"]) {
      expect((await api.ask(`GET ${path}`)).status).toBe(403);
    }
    expect((await api.ask("GET /os-availability-zone")).body).toMatchObject({
      availabilityZoneInfo: [{ zoneName: "nova", zoneState: { available: true } }, { zoneName: "second" }],
    });
    expect((await api.ask("GET /extensions")).status).toBe(200);
  });
});
