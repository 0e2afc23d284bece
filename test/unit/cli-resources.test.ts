import { describe, expect, test, vi } from "vitest";
import { stateOfBackend } from "../../cli/commands/backend.ts";
import type { NewImage } from "../../cli/connection.ts";
import { ImageNotFound, SnapshotNotFound, VolumeTypeNotFoundByName } from "../../core/errors.ts";
import type { BackendRecord, SnapshotRecord, VolumeTypeRecord } from "../../core/records.ts";
import { image, NOW, runCli, volume, VOLUME_ID } from "../support/cli-context.ts";

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
};

describe("snapshot", () => {
  const volumes = { get: async (id: string) => volume({ id }) };

  test("create asks the function, with an id chosen here, so that a repeat finds the first", async () => {
    const createSnapshot = vi.fn(async (_request: object) => SNAPSHOT);
    const argv = ["snapshot", "create", VOLUME_ID, "--name", "before", "--project", "p", "--user", "u"];
    const { status, stdout } = await runCli(argv, { volumes, driverFunctions: { createSnapshot } });
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
    const parts = { volumes, driverFunctions: { createSnapshot: async () => SNAPSHOT } };
    expect(JSON.parse((await runCli(["snapshot", "create", VOLUME_ID, "--json"], parts)).stdout)).toEqual(SNAPSHOT);
  });

  test("list is a table of all snapshots, newest first, with their number", async () => {
    const list = vi.fn(async (_limit: number, from?: string) => {
      const later = { ...SNAPSHOT, id: "later", created_at: "2026-03-04T05:01:00.000Z" };
      return from === undefined ? { items: [SNAPSHOT], next: "abc" } : { items: [later] };
    });
    const { stdout } = await runCli(["snapshot", "list", "--long"], { snapshots: { list } }, { columns: 200 });
    expect(list.mock.calls).toEqual([
      [1000, undefined],
      [1000, "abc"],
    ]);
    expect(stdout.split("\n")[2]?.split(/ {2,}/)).toEqual([
      SNAPSHOT.id,
      "before",
      "available",
      "2",
      VOLUME_ID,
      "storage@file1#pool",
      "admin",
      "2026-03-04 05:00:00Z",
    ]);
    expect(stdout).toMatch(/^later .*\n.*\n2 snapshots\n$/m);
  });

  test("list --volume asks for those of the volume, which may be named", async () => {
    const listOfVolume = vi.fn(async () => []);
    const byName = { list: async () => ({ items: [volume()] }) };
    const { stdout } = await runCli(["snapshot", "list", "--volume", "data"], {
      snapshots: { listOfVolume },
      volumes: byName,
    });
    expect(listOfVolume.mock.calls).toEqual([[VOLUME_ID]]);
    expect(stdout).toBe("no snapshots\n");
  });

  test("show and set find a snapshot by its name", async () => {
    const rename = vi.fn(async (_id: string, display_name: string) => ({ ...SNAPSHOT, display_name }));
    const snapshots = { list: async () => ({ items: [SNAPSHOT] }), rename };
    expect((await runCli(["snapshot", "show", "before"], { snapshots })).stdout).toContain(
      `id                ${SNAPSHOT.id}`,
    );
    const { stdout } = await runCli(["snapshot", "set", "before", "--name", "kept"], { snapshots });
    expect([rename.mock.calls, stdout]).toEqual([[[SNAPSHOT.id, "kept"]], `snapshot ${SNAPSHOT.id} is named kept\n`]);
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

  test("add says what it does after the last byte", async () => {
    const add = async (_image: NewImage, progress: Progress) => {
      progress(99, 100);
      progress(100, 100);
      return image();
    };
    const { stderr } = await runCli(["image", "add", "disk.raw"], { images: { add } });
    expect(stderr.match(/finishing: joining the parts, writing checksums and properties/g)).toHaveLength(1);
    const { outputs } = await runCli(["image", "add", "disk.raw"], { images: { add } }, { isTty: true });
    expect(outputs.stderr.frames.map((frame) => frame.includes("finishing"))).toEqual([false, true]);
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
    expect(stdout.split("\n")[1]?.split(/ {2,}/)).toEqual([image().id, "disk", "active", "raw", "3.0 GiB", "private"]);
  });

  test("list --json gives the metadata", async () => {
    const { stdout } = await runCli(["image", "list", "--json"], { images: { list: async () => [image()] } });
    expect(JSON.parse(stdout)).toEqual({ images: [image()], total: 1 });
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
      list: async () => ({ items: known.map((name) => ({ id: name, name })) }),
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
    expect(volumeTypes.created).toHaveLength(1);
    const list = async () => ({ items: volumeTypes.created });
    const { stdout } = await runCli(["type", "list"], { volumeTypes: { list } });
    expect(stdout.split("\n")[1]?.split(/ {2,}/).slice(1)).toEqual(["fast", "true", "a=1, b=2"]);
    const json = await runCli(["type", "list", "--json"], { volumeTypes: { list } });
    expect(JSON.parse(json.stdout)).toEqual({ volume_types: volumeTypes.created, total: 1 });
  });
});

describe("type show, set and delete", () => {
  const TYPE: VolumeTypeRecord = {
    id: "44444444-4444-4444-8444-444444444444",
    name: "fast",
    extra_specs: { a: "1", b: "2" },
    description: null,
    is_public: true,
    created_at: NOW.toISOString(),
  };
  const getByName = async (name: string) => {
    if (name !== TYPE.name) {
      throw new VolumeTypeNotFoundByName(name);
    }
    return TYPE;
  };

  test("show finds a type by its name", async () => {
    const { stdout } = await runCli(["type", "show", "fast"], { volumeTypes: { getByName } });
    expect(stdout).toContain(`id           ${TYPE.id}\nname         fast\n`);
    expect(stdout).toContain("properties   a=1, b=2\n");
  });

  test("set sends what is to be changed, and nothing else", async () => {
    const change = vi.fn(async (_id: string, _change: object) => TYPE);
    const argv = "type set fast --property c=3 --unset-property a --private --name faster".split(" ");
    const list = async () => ({ items: [TYPE] });
    expect((await runCli(argv, { volumeTypes: { getByName, change, list } })).status).toBe(0);
    expect(change.mock.calls).toEqual([
      [TYPE.id, { name: "faster", isPublic: false, extraSpecs: { set: { c: "3" }, unset: ["a"] } }],
    ]);
  });

  test("delete refuses a type that a volume has, and deletes one that none has", async () => {
    const remove = vi.fn(async (_id: string) => {});
    const volumeTypes = { getByName, delete: remove };
    const of = (items: object[]) => ({ volumeTypes, volumes: { list: async () => ({ items }) } });
    const used = await runCli(["type", "delete", "fast"], of([volume({ volume_type_id: TYPE.id })]));
    expect([used.status, used.stderr.includes("is in use by 1 volumes"), remove.mock.calls]).toEqual([1, true, []]);
    const { status, stdout } = await runCli(["type", "delete", "fast"], of([volume()]));
    expect([status, stdout]).toEqual([0, `volume type ${TYPE.id} is deleted\n`]);
    expect(remove.mock.calls).toEqual([[TYPE.id]]);
  });
});

describe("set and unset", () => {
  const parts = () => {
    const changeDetails = vi.fn(async (_id: string, _details: object) => volume());
    return { volumes: { list: async () => ({ items: [volume()] }), changeDetails } };
  };

  test("set sends what is to be changed, and nothing else", async () => {
    const cloud = parts();
    const argv = "set data --name new --property a=1 --property b=2 --non-bootable".split(" ");
    expect((await runCli(argv, cloud)).stdout).toBe(`volume ${VOLUME_ID} is changed\n`);
    expect(cloud.volumes.changeDetails.mock.calls).toEqual([
      [VOLUME_ID, { displayName: "new", bootable: false, metadata: { set: { a: "1", b: "2" } } }],
    ]);
  });

  test("unset removes properties, name and description", async () => {
    const cloud = parts();
    await runCli("unset data --property a --property a --name --description".split(" "), cloud);
    expect(cloud.volumes.changeDetails.mock.calls).toEqual([
      [VOLUME_ID, { displayName: null, displayDescription: null, metadata: { unset: ["a"] } }],
    ]);
  });
});

describe("purge", () => {
  const cloud = () => {
    const driverFunctions = { deleteSnapshot: vi.fn(async () => {}), deleteVolume: vi.fn(async () => "deleted") };
    const snapshots = { listOfVolume: async () => [SNAPSHOT] };
    return { driverFunctions, snapshots, volumes: { get: async () => volume() } };
  };

  test("deletes snapshots, then their volume, after a yes", async () => {
    const parts = cloud();
    const { stdout, stderr } = await runCli(["purge", VOLUME_ID], parts, { answers: [true] });
    expect(stderr).toContain("Delete for good: 1 volume and 1 snapshot?");
    expect(stdout).toBe(`volume ${VOLUME_ID} is deleted\n`);
    expect(parts.driverFunctions.deleteSnapshot.mock.calls).toEqual([[SNAPSHOT.id]]);
    expect(parts.driverFunctions.deleteVolume.mock.calls).toEqual([[VOLUME_ID]]);
  });

  test.each([
    [{ answers: [false] }, 0],
    [{}, 2],
  ])("deletes nothing without one: %j", async (options, expected) => {
    const parts = cloud();
    const { status } = await runCli(["purge", VOLUME_ID], parts, options);
    expect([status, parts.driverFunctions.deleteVolume.mock.calls]).toEqual([expected, []]);
  });

  test("does not ask when --yes says so, and delete --purge neither", async () => {
    for (const argv of [
      ["purge", VOLUME_ID, "--yes"],
      ["delete", VOLUME_ID, "--purge"],
    ]) {
      const parts = cloud();
      expect((await runCli(argv, parts)).status).toBe(0);
      expect(parts.driverFunctions.deleteSnapshot.mock.calls).toEqual([[SNAPSHOT.id]]);
    }
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

  const claim = { attempt: 1, size: 1, claimed_at: NOW.toISOString() };
  const openClaims = async (host: string) => [{ host, volumeId: VOLUME_ID, claim }];

  test("is a table: state, capacity, claims and the age of the report", async () => {
    const listed = { ...backend, claims: {} };
    const { stdout } = await runCli(["backend", "list"], { backends: { list: async () => [listed], openClaims } });
    expect(stdout.split("\n")[1]?.split(/ {2,}/)).toEqual([
      "storage@file1#pool",
      "up",
      "100",
      "97.5",
      "3",
      "default",
      "1",
      "12.0 s ago",
    ]);
  });

  test("never shows negative free capacity, and shows the over-subscription ratio", async () => {
    const full = { ...backend, free_capacity_gb: -2.5, max_over_subscription_ratio: "20.0" };
    const { stdout } = await runCli(["backend", "list", "-f", "json", "-c", "free", "-c", "ratio"], {
      backends: { list: async () => [full], openClaims },
    });
    expect(JSON.parse(stdout)).toEqual([{ Free: 0, Ratio: "20.0" }]);
  });

  test("with --json gives the records with their state", async () => {
    const { stdout } = await runCli(["backend", "list", "--json"], {
      backends: { list: async () => [backend], openClaims },
    });
    expect(JSON.parse(stdout)).toEqual({ backends: [{ ...backend, state: "up" }], total: 1 });
  });

  describe("with --wait", () => {
    const hosts = ["storage@file1", "storage@file2"];
    const second = { ...backend, host: "storage@file2#pool" };

    test("returns when every configured backend is up", async () => {
      const answers = [[], [backend], [{ ...backend, disabled: true }, second], [backend, second]];
      let reads = 0;
      const list = async () => answers[reads++] ?? [];
      const { status, stdout } = await runCli(["backend", "list", "--wait"], {
        backends: { list, openClaims },
        backendHosts: hosts,
      });
      expect(status).toBe(0);
      expect(reads).toBe(4);
      expect(stdout).toContain("storage@file2#pool");
    });

    test("returns when any backend is up if the stack does not name its backends", async () => {
      const { status } = await runCli(["backend", "list", "--wait"], {
        backends: { list: async () => [backend], openClaims },
      });
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
    expect(stateOfBackend({ disabled, reported_at }, NOW, 300)).toBe(state);
  });

  test.each([
    [5, "down"],
    [86_400, "up"],
  ])("is judged by the deployment's service_down_time of %i s", async (serviceDownSeconds, state) => {
    const reported_at = new Date(NOW.getTime() - 600_000).toISOString();
    const { stdout } = await runCli(["backend", "list", "--json"], {
      backends: { list: async () => [{ ...backend, reported_at }], openClaims },
      serviceDownSeconds,
    });
    expect(JSON.parse(stdout)).toMatchObject({ backends: [{ state }] });
  });
});

describe("service", () => {
  const pools = ["storage@file1#a", "storage@file1#b", "storage@file2#a"].map((host, index) => ({
    host,
    availability_zone: "nova",
    disabled: index === 2,
    reported_at: new Date(NOW.getTime() - index * 1000).toISOString(),
  }));

  test("list shows one service for each backend, whatever its pools", async () => {
    const { stdout } = await runCli(["service", "list", "-f", "value"], { backends: { list: async () => pools } });
    expect(stdout).toBe(
      `cinder-volume storage@file1 nova enabled up ${NOW.toISOString()}\n` +
        "cinder-volume storage@file2 nova disabled up 2026-03-04T05:06:05.000Z\n",
    );
  });

  test("set disables every pool of a backend, and names a host that is not there", async () => {
    const setDisabled = vi.fn(async (_host: string, _disabled: boolean) => true);
    const backends = { list: async () => pools, setDisabled };
    expect((await runCli(["service", "set", "storage@file1", "--disable"], { backends })).stdout).toBe(
      "service storage@file1 is disabled\n",
    );
    expect(setDisabled.mock.calls).toEqual([
      ["storage@file1#a", true, null],
      ["storage@file1#b", true, null],
    ]);
    const unknown = await runCli(["service", "set", "nobody@x", "--enable", "--json"], { backends });
    expect(JSON.parse(unknown.stderr).error.name).toBe("ServiceNotFound");
    expect((await runCli(["service", "set", "storage@file1"], { backends })).status).toBe(2);
  });

  test.each(["--disable-reason", "--disabled-reason"])(
    "set stores why with %s, and list --long shows it",
    async (option) => {
      const setDisabled = vi.fn(async (_host: string, _disabled: boolean, _reason: string | null) => true);
      const argv = ["service", "set", "storage@file2", "--disable", option, "new disks"];
      const { stdout } = await runCli(argv, { backends: { list: async () => pools, setDisabled } });
      expect(stdout).toBe("service storage@file2 is disabled: new disks\n");
      expect(setDisabled.mock.calls).toEqual([["storage@file2#a", true, "new disks"]]);
      const disabled = pools.map((pool, index) => (index === 2 ? { ...pool, disabled_reason: "new disks" } : pool));
      const listed = await runCli(["service", "list", "-f", "value", "-c", "Disabled Reason"], {
        backends: { list: async () => disabled },
      });
      expect(listed.stdout).toBe("None\nnew disks\n");
    },
  );

  test.each([
    [["--enable", "--disable-reason", "x"], "--disable-reason is for --disable"],
    [["--disable", "--disable-reason", " "], "It must not be empty."],
  ])("set refuses %j", async (options, message) => {
    const { status, stderr } = await runCli(["service", "set", "storage@file1", ...options]);
    expect(status).toBe(2);
    expect(stderr).toContain(message);
  });
});

describe("quota", () => {
  const TYPE_ID = "44444444-4444-4444-8444-444444444444";
  const types = { list: async () => ({ items: [{ id: TYPE_ID, name: "fast" }] }) };

  test("show lists limits and usage, with the names of types", async () => {
    const used = { volumes: 2, gigabytes: 5, [`volumes_${TYPE_ID}`]: 1 };
    const readTogether = async (projects: string[]) => ({
      quotas: projects.map((project) => ({ used: project === "p" ? used : {}, limits: {}, moving: {} })),
      claims: [],
    });
    const { stdout } = await runCli(["quota", "show", "p", "-f", "json"], {
      projects: { readTogether },
      volumeTypes: types,
    });
    expect(JSON.parse(stdout)).toEqual(
      expect.arrayContaining([
        { Resource: "volumes", Limit: 10, "In Use": 2 },
        { Resource: "volumes_fast", Limit: -1, "In Use": 1 },
      ]),
    );
  });

  test("set changes the limits that are named, and no others", async () => {
    const setLimits = vi.fn(async (_project: string, limits: object) => ({ used: {}, limits, moving: {} }));
    const projects = { setLimits, quota: async () => ({ used: {}, limits: {}, moving: {} }) };
    const argv = "quota set p --volumes 5 --gigabytes -1 --per-volume-gigabytes 3".split(" ");
    expect((await runCli(argv, { projects })).status).toBe(0);
    expect(setLimits.mock.calls).toEqual([["p", { volumes: 5, gigabytes: -1, per_volume_gigabytes: 3 }]]);
    expect((await runCli(["quota", "set", "p"], { projects })).status).toBe(2);
    expect((await runCli(["quota", "set", "p", "--volumes", "-2"], { projects })).status).toBe(2);
  });
});
