import { beforeEach, describe, expect, it } from "vitest";
import type { VolumeRecord } from "../../core/records.ts";
import type { DriverFake } from "../../simulation/driver.ts";
import { Api, idOf, messageOf } from "../support/api.ts";
import { aVolumeInFlow } from "../support/builders.ts";
import { World } from "../support/fakes/world.ts";

const VOLUME = idOf(500);
const INSTANCE = idOf(600);
const CONNECTOR = { initiator: "iqn.1993-08.org.debian:01:222", ip: "10.0.0.5", host: "compute-1", multipath: false };

let world: World;
let api: Api;

beforeEach(async () => {
  world = new World();
  world.addBackend("node@first#pool");
  api = new Api(world);
  await aVolume();
});

async function aVolume(columns: Partial<VolumeRecord> = {}): Promise<void> {
  const volume = aVolumeInFlow({
    id: VOLUME,
    project_id: "a1b2",
    status: "available",
    host: "node@first#pool",
    deadline: null,
    phase: null,
    ...columns,
  });
  world.fakes.volumes.records.set(VOLUME, volume);
  await world.fakes.projects.enter({
    kind: "volume",
    id: VOLUME,
    projectId: volume.project_id,
    createdAt: volume.created_at,
    name: null,
  });
}

const act = (body: Record<string, unknown>, token = "member") =>
  api.ask(`POST /volumes/${VOLUME}/action`, { body, token });

async function shown(token = "member"): Promise<Record<string, unknown>> {
  const { body } = await api.ask(`GET /volumes/${VOLUME}`, { token });
  return (body as { volume: Record<string, unknown> }).volume;
}

const asked = (body?: unknown, version = "3.44") => ({ version, ...(body !== undefined && { body }) });

async function anAttachment(more: Record<string, unknown> = {}): Promise<string> {
  const body = { attachment: { volume_uuid: VOLUME, instance_uuid: INSTANCE, ...more } };
  const created = await api.ask("POST /attachments", asked(body));
  return (created.body as { attachment: { id: string } }).attachment.id;
}

describe("the actions of attaching", () => {
  it("take a volume from available through attaching, in-use and detaching back to available", async () => {
    const attachBody = { "os-attach": { instance_uuid: INSTANCE, mountpoint: "/dev/vdb" } };
    const steps: [Record<string, unknown>, string][] = [
      [{ "os-reserve": null }, "attaching"],
      [attachBody, "in-use"],
      [{ "os-begin_detaching": null }, "detaching"],
      [{ "os-roll_detaching": null }, "in-use"],
      [{ "os-begin_detaching": null }, "detaching"],
      [{ "os-terminate_connection": { connector: CONNECTOR } }, "detaching"],
      [{ "os-detach": {} }, "available"],
    ];
    for (const [body, status] of steps) {
      expect(await act(body)).toMatchObject({ status: 202, body: null });
      expect(await shown()).toMatchObject({ status });
    }
    expect(await shown()).toMatchObject({ attachments: [], metadata: { readonly: "False" } });
    expect((await shown())["metadata"]).not.toHaveProperty("attached_mode");
  });

  it("show who uses the volume, and its host to administrators only", async () => {
    const body = {
      "os-attach": { instance_uuid: INSTANCE, host_name: "compute-1", mountpoint: "/dev/vdb", mode: "ro" },
    };
    await act(body);
    const attachment = {
      id: VOLUME,
      attachment_id: idOf(1),
      volume_id: VOLUME,
      server_id: INSTANCE,
      host_name: null,
      device: "/dev/vdb",
      attached_at: "2026-01-01T01:00:00.000000",
    };
    expect(await shown()).toMatchObject({ attachments: [attachment], metadata: { attached_mode: "ro" } });
    expect(await shown("admin")).toMatchObject({ attachments: [{ ...attachment, host_name: "compute-1" }] });
  });

  it("repeated, are refused where Cinder refuses them, and change nothing elsewhere", async () => {
    await act({ "os-reserve": null });
    const again = await act({ "os-reserve": null });
    expect([again.status, messageOf(again)]).toEqual([
      400,
      "Invalid volume: Volume status must be available to reserve, but the status is attaching.",
    ]);
    await act({ "os-unreserve": null });
    expect((await act({ "os-unreserve": null })).status).toBe(202);
    expect(await shown()).toMatchObject({ status: "available" });

    const attach = { "os-attach": { instance_uuid: INSTANCE, mountpoint: "/dev/vdb" } };
    await act(attach);
    expect((await act(attach)).status).toBe(202);
    expect((await shown())["attachments"]).toHaveLength(1);
    const other = await act({ "os-attach": { instance_uuid: idOf(601), mountpoint: "/dev/vdb" } });
    expect([other.status, messageOf(other)]).toEqual([400, "Invalid volume: volume is already attached"]);

    await act({ "os-begin_detaching": null });
    const twice = await act({ "os-begin_detaching": null });
    expect([twice.status, messageOf(twice)]).toEqual([
      400,
      "Invalid volume: Unable to detach volume. Volume status must be 'in-use' and attach_status must be 'attached' to detach.",
    ]);
    expect((await act({ "os-detach": {} })).status).toBe(202);
    expect((await act({ "os-detach": {} })).status).toBe(202);
    expect(await shown()).toMatchObject({ status: "available" });
  });

  it("attach a volume for reading only in the mode ro alone", async () => {
    await aVolume({ readonly: true });
    const attach = (mode: string) => act({ "os-attach": { instance_uuid: INSTANCE, mountpoint: "/dev/vdb", mode } });
    const refused = await attach("rw");
    expect([refused.status, messageOf(refused)]).toEqual([400, `Invalid attaching mode 'rw' for volume ${VOLUME}.`]);
    expect((await attach("ro")).status).toBe(202);
  });

  it("say how a host reaches the volume", async () => {
    const answer = await act({ "os-initialize_connection": { connector: CONNECTOR } });
    expect(answer).toMatchObject({
      status: 200,
      body: {
        connection_info: {
          driver_volume_type: "nfs",
          data: {
            export: "server:/export/a",
            name: `volume-${VOLUME}`,
            options: null,
            format: "raw",
            qos_specs: null,
            access_mode: "rw",
            encrypted: false,
            cacheable: false,
          },
          mount_point_base: "/mnt-a",
        },
      },
    });
    expect(await shown()).toMatchObject({ status: "available" });
  });

  it.each<[Partial<VolumeRecord>, Record<string, unknown>, number, string]>([
    [
      {},
      { "os-initialize_connection": {} },
      400,
      "Invalid input for field/attribute os-initialize_connection. Value: {}. 'connector' is a required property",
    ],
    [
      { status: "error" },
      { "os-attach": { instance_uuid: INSTANCE, mountpoint: "/dev/vdb" } },
      400,
      "Invalid volume: Volume status must be available or attaching to attach, but the status is error.",
    ],
    [
      {},
      { "os-attach": { instance_uuid: "x", mountpoint: "/dev/vdb" } },
      400,
      "Invalid input for field/attribute instance_uuid. Value: x. 'x' is not a 'uuid'",
    ],
    [
      {},
      { "os-attach": { instance_uuid: null, mountpoint: "/dev/vdb" } },
      400,
      "Invalid input for field/attribute instance_uuid. Value: None. None is not of type 'string'",
    ],
    [
      {},
      { "os-force_detach": {} },
      403,
      "Policy doesn't allow volume_extension:volume_admin_actions:force_detach to be performed.",
    ],
  ])("refuse a volume with %j the body %j", async (columns, body, status, message) => {
    await aVolume(columns);
    const response = await act(body);
    expect([response.status, messageOf(response)]).toEqual([status, message]);
  });

  it("are refused to readers and to other projects", async () => {
    expect((await act({ "os-reserve": null }, "reader")).status).toBe(403);
    expect((await act({ "os-reserve": null }, "other")).status).toBe(404);
  });

  it("of a driver without connections answer 400, and change nothing", async () => {
    const driver: Partial<DriverFake> = world.drivers.get("node@first#pool") ?? {};
    Object.defineProperty(driver, "initializeConnection", { value: undefined });
    const response = await act({ "os-initialize_connection": { connector: CONNECTOR } });
    expect([response.status, messageOf(response)]).toEqual([
      400,
      "Invalid input received: the driver of backend node@first#pool has no connections for hosts",
    ]);
    expect(await shown()).toMatchObject({ status: "available" });
  });

  it("of a driver that fails answer 500, and change nothing", async () => {
    world.faults.fail("driver.initializeConnection", new Error("secret of the backend"));
    const response = await act({ "os-initialize_connection": { connector: CONNECTOR } });
    expect(response.status).toBe(500);
    expect(messageOf(response)).not.toContain("secret");
    expect(await shown()).toMatchObject({ status: "available" });
  });
});

describe("an attachment", () => {
  it("reserves the volume, gets its connection, and is complete from 3.44 on", async () => {
    const reserve = { attachment: { volume_uuid: VOLUME, instance_uuid: INSTANCE } };
    const created = await api.ask("POST /attachments", asked(reserve, "3.27"));
    const id = idOf(1);
    const empty = { id, instance: INSTANCE, volume_id: VOLUME, attached_at: "", detached_at: "" };
    expect(created).toMatchObject({
      status: 200,
      body: { attachment: { ...empty, status: "reserved", attach_mode: "null", connection_info: {} } },
    });
    expect(await shown()).toMatchObject({ status: "reserved", attachments: [] });

    const updated = await api.ask(`PUT /attachments/${id}`, asked({ attachment: { connector: CONNECTOR } }));
    const info = { driver_volume_type: "nfs", export: "server:/export/a", access_mode: "rw", attachment_id: id };
    expect(updated).toMatchObject({
      status: 200,
      body: { attachment: { ...empty, status: "reserved", attach_mode: "null", connection_info: info } },
    });
    expect(await shown()).toMatchObject({ status: "attaching" });

    const complete = () => api.ask(`POST /attachments/${id}/action`, asked({ "os-complete": {} }));
    expect(await complete()).toMatchObject({ status: 204, body: null });
    expect(await complete()).toMatchObject({ status: 204, body: null });
    const { body } = await api.ask(`GET /attachments/${id}`, asked());
    const attached = { id, status: "attached", attach_mode: "rw", attached_at: "2026-01-01T01:00:00.000000" };
    expect(body).toMatchObject({ attachment: { ...attached, connection_info: info } });
    expect(await shown()).toMatchObject({
      status: "in-use",
      attachments: [{ attachment_id: id, device: "na", host_name: null }],
    });
    const summary = { id, status: "attached", instance: INSTANCE, volume_id: VOLUME };
    expect((await api.ask("GET /attachments", asked())).body).toEqual({ attachments: [summary] });
    expect((await api.ask("GET /attachments/detail", asked())).body).toMatchObject({ attachments: [attached] });
    expect((await api.ask(`GET /attachments?volume_id=${idOf(7)}`, asked())).body).toEqual({ attachments: [] });
    expect((await api.ask("GET /attachments?status=reserved", asked())).body).toEqual({ attachments: [] });
  });

  it("is deleted once, and leaves the volume as its other attachments say", async () => {
    const first = await anAttachment({ connector: CONNECTOR });
    await api.ask(`POST /attachments/${first}/action`, asked({ "os-complete": null }));
    const second = await anAttachment();
    expect(await shown()).toMatchObject({ status: "in-use" });
    const { body } = await api.ask(`DELETE /attachments/${first}`, asked());
    expect(body).toEqual({
      attachments: [{ id: second, status: "reserved", instance: INSTANCE, volume_id: VOLUME }],
    });
    expect(await shown()).toMatchObject({ status: "reserved" });
    expect((await api.ask(`DELETE /attachments/${first}`, asked())).status).toBe(404);
    await api.ask(`DELETE /attachments/${second}`, asked());
    expect(await shown()).toMatchObject({ status: "available", attachments: [] });
    expect(await world.fakes.projects.listAll("attachment")).toEqual([]);
  });

  it("of another instance is refused while the volume is in use", async () => {
    await anAttachment();
    const body = { attachment: { volume_uuid: VOLUME, instance_uuid: idOf(601) } };
    const response = await api.ask("POST /attachments", asked(body));
    expect([response.status, messageOf(response)]).toEqual([
      400,
      `Invalid volume: Volume ${VOLUME} status must be available or downloading to reserve, but the current status is reserved.`,
    ]);
  });

  it("is visible to an administrator, but not to another project", async () => {
    const id = await anAttachment();
    const as = async (token: string) => (await api.ask(`GET /attachments/${id}`, { ...asked(), token })).status;
    expect([await as("other"), await as("admin"), await as("reader")]).toEqual([404, 200, 200]);
    const foreign = { attachment: { volume_uuid: VOLUME } };
    expect((await api.ask("POST /attachments", { ...asked(foreign), token: "other" })).status).toBe(404);
  });

  it("does not exist before 3.27, and is not completed before 3.44", async () => {
    const body = { attachment: { volume_uuid: VOLUME } };
    expect((await api.ask("POST /attachments", asked(body, "3.26"))).status).toBe(404);
    const id = await anAttachment();
    expect((await api.ask(`POST /attachments/${id}/action`, asked({ "os-complete": {} }, "3.43"))).status).toBe(404);
  });

  it.each<[unknown, string]>([
    [
      { attachment: {} },
      "Invalid input for field/attribute attachment. Value: {}. 'volume_uuid' is a required property",
    ],
    [
      { attachment: { volume_uuid: "x" } },
      "Invalid input for field/attribute volume_uuid. Value: x. 'x' is not a 'uuid'",
    ],
    [
      { attachment: { volume_uuid: VOLUME, connector: { host: 7 } } },
      "Invalid input for field/attribute host. It must be a string of at most 255 characters.",
    ],
    [
      { attachment: { volume_uuid: VOLUME, connector: { mode: "rwx" } } },
      "Invalid input for field/attribute mode. Value: rwx. 'rwx' is not one of ['rw', 'ro']",
    ],
  ])("is refused when the body is %j", async (body, message) => {
    const response = await api.ask("POST /attachments", asked(body));
    expect([response.status, messageOf(response)]).toEqual([400, message]);
    expect(await shown()).toMatchObject({ status: "available" });
  });

  it("that is unknown is named", async () => {
    const id = "00000000-0000-0000-0000-00000000abcd";
    const response = await api.ask(`GET /attachments/${id}`, asked());
    expect([response.status, messageOf(response)]).toEqual([
      404,
      `Volume attachment could not be found with filter: attachment_id = ${id}.`,
    ]);
  });

  it("whose write is lost leaves an entry that leads nowhere, and the volume as it was", async () => {
    world.faults.fail("volumes.changeAttachments", new Error("lost"));
    await api.ask("POST /attachments", asked({ attachment: { volume_uuid: VOLUME } }));
    expect(await shown()).toMatchObject({ status: "available" });
    expect((await api.ask(`GET /attachments/${idOf(1)}`, asked())).status).toBe(404);
    expect((await api.ask("GET /attachments", asked())).body).toEqual({ attachments: [] });
  });
});

describe("a volume that is used", () => {
  it("is not deleted, also when an administrator has reset its status, and not snapshotted", async () => {
    await act({ "os-attach": { instance_uuid: INSTANCE, mountpoint: "/dev/vdb" } });
    expect((await api.ask(`DELETE /volumes/${VOLUME}`)).status).toBe(400);
    const snapshot = await api.ask("POST /snapshots", { body: { snapshot: { volume_id: VOLUME } } });
    expect([snapshot.status, messageOf(snapshot)]).toEqual([
      400,
      `Invalid volume: Volume ${VOLUME} status must be available, but current status is: in-use.`,
    ]);
    world.fakes.volumes.records.set(VOLUME, { ...(await world.fakes.volumes.get(VOLUME)), status: "error" });
    expect((await api.ask(`DELETE /volumes/${VOLUME}`)).status).toBe(400);
  });
});

describe("two requests that use a volume at once", () => {
  it("are decided by the record: one reserves it, the other is refused", async () => {
    const answers = await Promise.all([act({ "os-reserve": null }), act({ "os-reserve": null })]);
    expect(answers.map(({ status }) => String(status)).toSorted()).toEqual(["202", "400"]);
  });
});
