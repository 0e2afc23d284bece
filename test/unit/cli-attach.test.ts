import { beforeEach, describe, expect, it } from "vitest";
import { connectionRow } from "../../cli/commands/connection.ts";
import type { ConnectionInfo, VolumeRecord } from "../../core/records.ts";
import { runCli, volume, VOLUME_ID } from "../support/cli-context.ts";
import { World } from "../support/fakes/world.ts";

let world: World;

beforeEach(() => {
  world = new World();
  put({});
});

function put(columns: Partial<VolumeRecord>): void {
  world.fakes.volumes.records.set(VOLUME_ID, { ...volume(), status: "available", ...columns });
}

const DATA = { export: "localhost:/srv/first", name: "volume-1", options: null, format: "raw", access_mode: "rw" };
const info = (data: Record<string, unknown> = {}): ConnectionInfo => {
  return { driver_volume_type: "nfs", data: { ...DATA, ...data } };
};

const cli = (words: string, parts: Record<string, unknown> = {}) =>
  runCli(words.split(" "), { volumes: world.fakes.volumes, projects: world.fakes.projects, ...parts });

describe("attach and detach", () => {
  it("record who uses a volume, in the list of attachments too", async () => {
    const attached = await cli(`attach ${VOLUME_ID} --host compute-1 --device /dev/vdb --read-only`);
    expect([attached.status, attached.stdout]).toEqual([0, `volume ${VOLUME_ID} is attached to compute-1\n`]);
    expect(await world.fakes.volumes.get(VOLUME_ID)).toMatchObject({
      status: "in-use",
      attachments: { [attachmentId()]: { attached_host: "compute-1", mountpoint: "/dev/vdb", attach_mode: "ro" } },
    });
    const detached = await cli(`detach ${VOLUME_ID} --json`);
    expect(JSON.parse(detached.stdout)).toMatchObject({ id: VOLUME_ID, status: "available" });
    expect(await world.fakes.projects.listAll("attachment")).toEqual([]);
  });

  const attachmentId = (): string => world.fakes.projects.entries[0]?.id ?? "";

  it("refuse a volume that another host uses, and write nothing", async () => {
    await cli(`attach ${VOLUME_ID} --host one`);
    const second = await cli(`attach ${VOLUME_ID} --host two`);
    expect([second.status, second.stderr]).toEqual([1, expect.stringContaining("volume is already attached")]);
    expect(await world.fakes.projects.listAll("attachment")).toHaveLength(1);
  });

  it("say when there is nothing to detach", async () => {
    const { status, stderr } = await cli(`detach ${VOLUME_ID} --host one`);
    expect([status, stderr]).toEqual([1, expect.stringContaining("is available and not attached to one")]);
  });
});

describe("connection", () => {
  const functions = (data: Record<string, unknown>) => ({
    driverFunctions: { initializeConnection: async () => info(data) },
  });

  it("names the file on this machine, and the command of QEMU for it", async () => {
    put({ host: "node@first#pool", launched_at: "2026-01-01T00:00:00.000Z" });
    const { stdout } = await cli(`connection ${VOLUME_ID}`, functions({}));
    expect(stdout).toBe(
      "# the volume's file: /srv/first/volume-1\n" +
        "qemu-system-x86_64 -m 512 -nographic -drive file=/srv/first/volume-1,format=raw,if=virtio\n",
    );
  });

  it("answers with JSON", async () => {
    put({ host: "node@first#pool", launched_at: "2026-01-01T00:00:00.000Z" });
    const { stdout } = await cli(`connection ${VOLUME_ID} --json`, functions({}));
    expect(JSON.parse(stdout)).toEqual({
      volume_id: VOLUME_ID,
      export: "localhost:/srv/first",
      name: "volume-1",
      format: "raw",
      access_mode: "rw",
      mount: null,
      path: "/srv/first/volume-1",
      qemu: "qemu-system-x86_64 -m 512 -nographic -drive file=/srv/first/volume-1,format=raw,if=virtio",
    });
  });

  it("refuses a volume that is on no backend", async () => {
    put({ host: null, launched_at: null });
    const { status, stderr } = await cli(`connection ${VOLUME_ID}`, functions({}));
    expect([status, stderr]).toEqual([1, expect.stringContaining("on no backend")]);
  });

  it.each<[Record<string, unknown>, string | undefined, string]>([
    [
      { export: "server:/srv/my dir", options: "-o nfsvers=4.1" },
      undefined,
      "sudo mkdir -p /mnt && sudo mount -t nfs -o nfsvers=4.1 'server:/srv/my dir' /mnt",
    ],
    [
      { export: "fs-0123.efs.eu-west-1.amazonaws.com:/" },
      "fsap-1",
      "sudo mkdir -p /mnt && sudo mount -t efs -o tls,accesspoint=fsap-1 fs-0123:/ /mnt",
    ],
  ])("mounts %j through %j", (data, accessPoint, mount) => {
    expect(connectionRow("id", info(data), "/mnt", accessPoint)).toMatchObject({ mount, path: "/mnt/volume-1" });
  });

  it("quotes what a shell or QEMU would read otherwise, and keeps a volume for reading only", () => {
    const { qemu } = connectionRow("id", info({ export: "localhost:/a,b'c", access_mode: "ro" }), "/mnt", undefined);
    expect(qemu).toBe(
      String.raw`qemu-system-x86_64 -m 512 -nographic -drive 'file=/a,,b'\''c/volume-1,format=raw,if=virtio,readonly=on'`,
    );
  });

  it("refuses a connection of another kind", () => {
    expect(() => connectionRow("id", { ...info(), driver_volume_type: "iscsi" }, "/mnt", undefined)).toThrow(/iscsi/);
  });
});
