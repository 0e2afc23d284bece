import { describe, expect, test, vi } from "vitest";
import { stateOfBackend } from "../../cli/commands/backend.ts";
import type { NewImage } from "../../cli/connection.ts";
import { ImageNotFound, SnapshotNotFound, VolumeTypeNotFoundByName } from "../../core/errors.ts";
import type { BackendRecord, SnapshotRecord, VolumeTypeRecord } from "../../core/records.ts";
import { image, NOW, runCli, VOLUME_ID } from "../support/cli-context.ts";

const SNAPSHOT: SnapshotRecord = {
  id: "33333333-3333-4333-8333-333333333333",
  volume_id: VOLUME_ID,
  project_id: "admin",
  user_id: "admin",
  status: "available",
  display_name: "before",
  volume_size: 2,
  host: "storage@file1#pool",
  provider_location: null,
  glance_metadata: {},
  created_at: "2026-03-04T05:00:00.000Z",
  locks: {},
};

describe("snapshot", () => {
  test("create asks the function, with an id chosen here, so that a repeat finds the first", async () => {
    const createSnapshot = vi.fn(async (_request: object) => SNAPSHOT);
    const argv = ["snapshot", "create", VOLUME_ID, "--name", "before", "--project", "p", "--user", "u"];
    const { status, stdout } = await runCli(argv, { driverFunctions: { createSnapshot } });
    expect(createSnapshot.mock.calls).toEqual([
      [
        {
          volume_id: VOLUME_ID,
          snapshot_id: "00000000-0000-4000-8000-000000000001",
          name: "before",
          project_id: "p",
          user_id: "u",
        },
      ],
    ]);
    expect([status, stdout]).toEqual([0, `snapshot ${SNAPSHOT.id} of volume ${VOLUME_ID} is available\n`]);
  });

  test("create --json answers with the record", async () => {
    const parts = { driverFunctions: { createSnapshot: async () => SNAPSHOT } };
    expect(JSON.parse((await runCli(["snapshot", "create", VOLUME_ID, "--json"], parts)).stdout)).toEqual(SNAPSHOT);
  });

  test("list is a table with the next page", async () => {
    const list = vi.fn(async () => ({ items: [SNAPSHOT], next: "abc" }));
    const { stdout } = await runCli(["snapshot", "list", "--limit", "1"], { snapshots: { list } });
    expect(list.mock.calls).toEqual([[1, undefined]]);
    expect(stdout.split("\n")[1]?.split(/ {2,}/)).toEqual([
      SNAPSHOT.id,
      "before",
      "available",
      "2",
      VOLUME_ID,
      "storage@file1#pool",
      "2026-03-04 05:00:00Z",
    ]);
    expect(stdout).toContain("there is more: --page abc\n");
  });

  test("list --volume asks for those of the volume", async () => {
    const listOfVolume = vi.fn(async () => []);
    const { stdout } = await runCli(["snapshot", "list", "--volume", VOLUME_ID], { snapshots: { listOfVolume } });
    expect(listOfVolume.mock.calls).toEqual([[VOLUME_ID]]);
    expect(stdout).toBe("no snapshots\n");
  });

  test("delete names a snapshot that does not exist, and asks no function for it", async () => {
    const deleteSnapshot = vi.fn();
    const get = async (id: string) => {
      throw new SnapshotNotFound(id);
    };
    const { status, stderr } = await runCli(["snapshot", "delete", SNAPSHOT.id], {
      snapshots: { get },
      driverFunctions: { deleteSnapshot },
    });
    expect([status, deleteSnapshot.mock.calls]).toEqual([1, []]);
    expect(stderr).toContain(`Snapshot ${SNAPSHOT.id} could not be found.`);
  });
});

describe("image", () => {
  type Progress = (bytesDone: number, bytesTotal: number) => void;

  test("add passes on what is said of the image; its name is that of the file", async () => {
    const add = vi.fn(async (_image: NewImage) => image());
    const argv = "image add /tmp/disk.raw --min-disk 4 --property os=linux --property a=b --public --project p".split(
      " ",
    );
    await runCli(argv, { images: { add } });
    expect(add.mock.calls[0]?.[0]).toEqual({
      id: "00000000-0000-4000-8000-000000000001",
      path: "/tmp/disk.raw",
      name: "disk.raw",
      minDisk: 4,
      properties: { os: "linux", a: "b" },
      visibility: "public",
      owner: "p",
    });
  });

  test("add keeps the id that is given; images are private unless it is said", async () => {
    const add = vi.fn(async (_image: NewImage) => image());
    await runCli(["image", "add", "disk.raw", "--id", VOLUME_ID, "--name", "debian"], { images: { add } });
    expect(add.mock.calls[0]?.[0]).toMatchObject({ id: VOLUME_ID, name: "debian", visibility: "private" });
  });

  test("add draws a bar on a terminal", async () => {
    const add = async (_image: NewImage, progress: Progress) => {
      progress(0, 100);
      progress(50, 100);
      return image();
    };
    const { outputs, stdout } = await runCli(["image", "add", "disk.raw"], { images: { add } }, { isTty: true });
    expect(outputs.stderr.frames.at(-1)).toContain("[██████████░░░░░░░░░░]   50 %");
    expect(stdout).toBe(`image ${image().id} (disk, 3.0 GiB) is active\n`);
  });

  test("add elsewhere writes a line at each quarter", async () => {
    const add = async (_image: NewImage, progress: Progress) => {
      for (let percent = 0; percent <= 100; percent += 1) {
        progress(percent, 100);
      }
      return image();
    };
    const { stderr } = await runCli(["image", "add", "disk.raw"], { images: { add } });
    expect(stderr.match(/\d+ %/g)).toEqual(["0 %", "25 %", "50 %", "75 %", "100 %"]);
  });

  test("add ended by Ctrl-C says that there is no image", async () => {
    const add = async (_image: NewImage, _progress: Progress, signal: AbortSignal) => {
      signal.throwIfAborted();
      return image();
    };
    const { status, stderr } = await runCli(["image", "add", "disk.raw"], { images: { add } }, { interrupted: true });
    expect([status, stderr]).toEqual([130, "image 00000000-0000-4000-8000-000000000001 was not added\n"]);
  });

  test("add of a file that is not there is one line", async () => {
    const add = async () => {
      throw Object.assign(new Error("ENOENT: no such file"), { code: "ENOENT", path: "disk.raw" });
    };
    expect((await runCli(["image", "add", "disk.raw"], { images: { add } })).stderr).toBe(
      "error: disk.raw: no such file\n",
    );
  });

  test("list is a table", async () => {
    const { stdout } = await runCli(["image", "list"], { images: { list: async () => [image()] } });
    expect(stdout.split("\n")[1]?.split(/ {2,}/)).toEqual([
      image().id,
      "disk",
      "active",
      "raw",
      "3.0 GiB",
      "0",
      "private",
      "admin",
    ]);
  });

  test("list --json gives the metadata", async () => {
    const { stdout } = await runCli(["image", "list", "--json"], { images: { list: async () => [image()] } });
    expect(JSON.parse(stdout)).toEqual({ images: [image()] });
  });

  test("delete fails for an image that is not there", async () => {
    const remove = async (id: string) => {
      throw new ImageNotFound(id);
    };
    const { status, stderr } = await runCli(["image", "delete", image().id], { images: { delete: remove } });
    expect([status, stderr.includes(`Image ${image().id} could not be found.`)]).toEqual([1, true]);
  });
});

describe("type", () => {
  function types(known: string[] = []) {
    const created: VolumeTypeRecord[] = [];
    return {
      created,
      create: async (record: VolumeTypeRecord) => {
        created.push(record);
      },
      getByName: async (name: string) => {
        if (!known.includes(name)) {
          throw new VolumeTypeNotFoundByName(name);
        }
        return {};
      },
    };
  }

  test("create puts a public type with its extra specs", async () => {
    const volumeTypes = types();
    const argv = ["type", "create", "fast", "--property", "thin=<is> True", "--description", "for databases"];
    const { status, stdout } = await runCli(argv, { volumeTypes });
    expect(volumeTypes.created).toEqual([
      {
        id: "00000000-0000-4000-8000-000000000001",
        name: "fast",
        extra_specs: { thin: "<is> True" },
        description: "for databases",
        is_public: true,
        created_at: NOW.toISOString(),
      },
    ]);
    expect([status, stdout]).toEqual([0, "volume type fast is 00000000-0000-4000-8000-000000000001\n"]);
  });

  test("create refuses a name that is taken", async () => {
    const volumeTypes = types(["fast"]);
    const { status, stderr } = await runCli(["type", "create", "fast"], { volumeTypes });
    expect([status, volumeTypes.created]).toEqual([1, []]);
    expect(stderr).toBe("error: there is a volume type fast already (`cinderless type list` shows the types)\n");
  });

  test("list is a table, and with --json the records", async () => {
    const volumeTypes = types();
    await runCli(["type", "create", "fast", "--property", "b=2", "--property", "a=1"], { volumeTypes });
    const list = async () => ({ items: volumeTypes.created });
    const { stdout } = await runCli(["type", "list"], { volumeTypes: { list } });
    expect(stdout.split("\n")[1]?.split(/ {2,}/).slice(1)).toEqual(["fast", "a=1, b=2", "-"]);
    const json = await runCli(["type", "list", "--json"], { volumeTypes: { list } });
    expect(JSON.parse(json.stdout)).toEqual({ volume_types: volumeTypes.created, next: null });
  });
});

describe("backend list", () => {
  const backend: BackendRecord = {
    host: "storage@file1#pool",
    availability_zone: "nova",
    driver: "file",
    disabled: false,
    total_capacity_gb: 100,
    free_capacity_gb: 97.5,
    allocated_capacity_gb: 3,
    provisioned_capacity_gb: 3,
    reserved_percentage: 0,
    max_over_subscription_ratio: null,
    thin_provisioning_support: true,
    thick_provisioning_support: false,
    capabilities: {},
    reported_at: new Date(NOW.getTime() - 12_000).toISOString(),
    claims: { [VOLUME_ID]: { attempt: 1, size: 1, claimed_at: NOW.toISOString() } },
  };

  test("is a table: state, capacity, claims and the age of the report", async () => {
    const { stdout } = await runCli(["backend", "list"], { backends: { list: async () => [backend] } });
    expect(stdout.split("\n")[1]?.split(/ {2,}/)).toEqual([
      "storage@file1#pool",
      "up",
      "nova",
      "100",
      "97.5",
      "3",
      "3",
      "1",
      "12.0 s ago",
    ]);
  });

  test("with --json gives the records with their state", async () => {
    const { stdout } = await runCli(["backend", "list", "--json"], { backends: { list: async () => [backend] } });
    expect(JSON.parse(stdout)).toEqual({ backends: [{ ...backend, state: "up" }] });
  });

  describe("with --wait", () => {
    const hosts = ["storage@file1", "storage@file2"];
    const second = { ...backend, host: "storage@file2#pool" };

    test("returns when every configured backend is up", async () => {
      const answers = [[], [backend], [{ ...backend, disabled: true }, second], [backend, second]];
      let reads = 0;
      const list = async () => answers[reads++] ?? [];
      const { status, stdout } = await runCli(["backend", "list", "--wait"], {
        backends: { list },
        backendHosts: hosts,
      });
      expect(status).toBe(0);
      expect(reads).toBe(4);
      expect(stdout).toContain("storage@file2#pool");
    });

    test("returns when any backend is up if the stack does not name its backends", async () => {
      const { status } = await runCli(["backend", "list", "--wait"], { backends: { list: async () => [backend] } });
      expect(status).toBe(0);
    });

    test.each([
      [[], [], "no backend is up after 10 s"],
      [[backend], hosts, "not up after 10 s: storage@file2"],
    ])(
      "fails when the time is over, and names the backends that are not up",
      async (records, backendHosts, message) => {
        const { status, stderr } = await runCli(["backend", "list", "--wait", "--timeout", "10"], {
          backends: { list: async () => records },
          backendHosts,
        });
        expect(status).toBe(1);
        expect(stderr).toContain(message);
      },
    );

    test("ends at Ctrl-C", async () => {
      const { status, stderr } = await runCli(
        ["backend", "list", "--wait"],
        { backends: { list: async () => [] } },
        { interrupted: true },
      );
      expect(status).toBe(130);
      expect(stderr).toContain("not every backend is up yet");
    });

    test.each(["0", "soon", "-1"])("refuses --timeout %s", async (timeout) => {
      expect((await runCli(["backend", "list", "--wait", `--timeout=${timeout}`])).status).toBe(2);
    });
  });

  test("says so when none has reported", async () => {
    const { stdout } = await runCli(["backend", "list"], { backends: { list: async () => [] } });
    expect(stdout).toBe("no backend has reported yet\n");
  });

  test.each([
    [{ disabled: false, seconds: 300 }, "up"],
    [{ disabled: false, seconds: 301 }, "down"],
    [{ disabled: true, seconds: 1 }, "disabled"],
  ])("%j is %s", ({ disabled, seconds }, state) => {
    const reported_at = new Date(NOW.getTime() - seconds * 1000).toISOString();
    expect(stateOfBackend({ disabled, reported_at }, NOW)).toBe(state);
  });
});
