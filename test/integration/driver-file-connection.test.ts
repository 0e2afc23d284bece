import { describe, expect, it } from "vitest";
import { FileDriver } from "../../adapters/file/driver.ts";
import { parseFileDriverOptions } from "../../adapters/file/options.ts";
import { aVolumeInFlow, VOLUME_ID } from "../support/builders.ts";

const HOST = "node@files";
const connect = (options: Record<string, unknown>, columns: Parameters<typeof aVolumeInFlow>[0] = {}) =>
  new FileDriver(HOST, parseFileDriverOptions(HOST, options)).initializeConnection(
    aVolumeInFlow({ fence: null, provider_location: null, ...columns }),
  );

describe("the connection to a volume of the file driver", () => {
  it("names the export, the file and its format as Cinder's NFS driver does", async () => {
    const options = { directory: "/mnt/volumes/first", mount_point: "/mnt/volumes", export: "server:/export/a" };
    expect(await connect(options)).toEqual({
      driver_volume_type: "nfs",
      data: {
        export: "server:/export/a",
        name: `first/volume-${VOLUME_ID}`,
        options: null,
        format: "raw",
        qos_specs: null,
        access_mode: "rw",
        encrypted: false,
        cacheable: false,
      },
      mount_point_base: "/mnt",
    });
  });

  it("names the file that the attempt made, and the options of the mount", async () => {
    const options = { directory: "/d", export: "[fd00::1]:/", mount_options: "-o nfsvers=4.1" };
    const { data } = await connect(options, { provider_location: `/d/volume-${VOLUME_ID}-a2` });
    expect(data).toMatchObject({ name: `volume-${VOLUME_ID}-a2`, options: "-o nfsvers=4.1", export: "[fd00::1]:/" });
  });

  it("is for reading only where the volume is", async () => {
    expect((await connect({ directory: "/d" }, { readonly: true })).data["access_mode"]).toBe("ro");
  });

  it("is localhost if the directory is not on a mount, and none if its mount has no export", async () => {
    expect((await connect({ directory: "/d" })).data["export"]).toBe("localhost:/d");
    await expect(connect({ directory: "/m/d", mount_point: "/m" })).rejects.toMatchObject({
      name: "InvalidInput",
      message: expect.stringContaining("backend node@files names no export"),
    });
  });

  it.each([["server"], ["server:path"], ["server:/a b"], ["-o:/a"], ["a;b:/c"], ["server:/a\u0000"], [7]])(
    "is not configured by the export %j",
    (value) => {
      expect(() => parseFileDriverOptions(HOST, { directory: "/d", export: value })).toThrow(/export must be/);
    },
  );

  it.each([["ro"], ["-o a b"], ["-o $(x)"]])("is not configured by the mount options %j", (value) => {
    expect(() => parseFileDriverOptions(HOST, { directory: "/d", mount_options: value })).toThrow(/mount_options must/);
  });
});
