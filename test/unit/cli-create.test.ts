import { describe, expect, test, vi } from "vitest";
import {
  FenceLost,
  ImageNotFound,
  SnapshotNotFound,
  VolumeTypeNotFound,
  VolumeTypeNotFoundByName,
} from "../../core/errors.ts";
import type { CreateVolumeMessage } from "../../core/requests/messages.ts";
import type { Fault, VolumeRecord } from "../../core/records.ts";
import { image, NOW, runCli, volume, volumeAtWork, VOLUME_ID } from "../support/cli-context.ts";
import type { CliRunOptions } from "../support/cli-context.ts";

const FIRST_ID = "00000000-0000-4000-8000-000000000001";
const SNAPSHOT_ID = "33333333-3333-4333-8333-333333333333";
const TYPE = { id: "44444444-4444-4444-8444-444444444444", name: "fast", extra_specs: { a: "b" } };

/** A deployment in which a record goes through `states`, one at each read. */
function deployment(states: (Partial<VolumeRecord> | undefined)[] = []) {
  const created: VolumeRecord[] = [];
  const sent: CreateVolumeMessage[] = [];
  const faults: Fault[] = [];
  let reads = 0;
  const parts = {
    volumes: {
      create: async (record: VolumeRecord) => {
        created.push(record);
      },
      get: async (id: string) => volume({ id, size: 5 }),
      getMany: async ([id = ""]: string[]) => {
        const state = states[Math.min(reads, states.length - 1)];
        reads += 1;
        return new Map(state === undefined ? [] : [[id, volume({ id, ...state })]]);
      },
      markUnschedulable: vi.fn(async (_id: string, _fence: string | null, fault: Fault) => {
        faults.push(fault);
        return volume({ status: "error" });
      }),
    },
    snapshots: {
      get: async (id: string) => {
        if (id !== SNAPSHOT_ID) {
          throw new SnapshotNotFound(id);
        }
        return { id, volume_size: 4 };
      },
      list: async () => ({ items: [] }),
    },
    images: {
      get: async (id: string) => {
        if (id !== image().id) {
          throw new ImageNotFound(id);
        }
        return image();
      },
    },
    volumeTypes: {
      get: async (id: string) => {
        if (id !== TYPE.id) {
          throw new VolumeTypeNotFound(id);
        }
        return TYPE;
      },
      getByName: async (name: string) => {
        if (name !== TYPE.name) {
          throw new VolumeTypeNotFoundByName(name);
        }
        return TYPE;
      },
    },
    schedulerQueue: {
      send: async (message: CreateVolumeMessage) => {
        sent.push(message);
      },
    },
  };
  return { parts, created, sent, faults };
}

async function create(argv: string[], cloud = deployment(), options?: CliRunOptions) {
  const result = await runCli(["create", ...argv], cloud.parts, options);
  return { ...result, ...cloud };
}

describe("create", () => {
  test("puts the record, then sends the message of the same volume", async () => {
    const order: string[] = [];
    const cloud = deployment();
    const { create: put } = cloud.parts.volumes;
    cloud.parts.volumes.create = async (record) => {
      order.push("record");
      await put(record);
    };
    cloud.parts.schedulerQueue.send = async ({ volume_id }) => {
      order.push(`message of ${volume_id}`);
    };
    const { status, created } = await create(["--size", "1"], cloud);
    expect(status).toBe(0);
    expect(created.map(({ id }) => id)).toEqual([FIRST_ID]);
    expect(order).toEqual(["record", `message of ${FIRST_ID}`]);
  });

  test("says what was begun and how to follow it", async () => {
    const { stdout } = await create(["--size", "3"]);
    expect(stdout).toBe(`volume ${FIRST_ID} (3 GiB) is being created; \`cinderless watch ${FIRST_ID}\` follows it\n`);
  });

  test("with --json answers with the record", async () => {
    const { stdout, created } = await create(["--size", "1", "--name", "data", "--json"]);
    expect(JSON.parse(stdout)).toEqual(created[0]);
  });

  test("keeps names, zone, project and repeated metadata", async () => {
    const argv = "--size 1 --name data --description text --availability-zone z --project p --user u".split(" ");
    const { created } = await create([...argv, "--metadata", "a=1", "--metadata", "b=x=y"]);
    expect(created[0]).toMatchObject({
      display_name: "data",
      display_description: "text",
      availability_zone: "z",
      project_id: "p",
      user_id: "u",
      metadata: { a: "1", b: "x=y" },
    });
  });

  test("gives the request an id of OpenStack's form", async () => {
    const { sent } = await create(["--size", "1"]);
    expect(sent[0]?.context.request_id).toMatch(/^req-[0-9a-f-]{36}$/);
  });

  test.each([
    ["snapshot", ["--snapshot", SNAPSHOT_ID], 4],
    ["source volume", ["--source-volume", VOLUME_ID], 5],
    ["image", ["--image", image().id], 3],
  ])("takes the size of the %s when none is given", async (_what, argv, size) => {
    const { created } = await create(argv);
    expect(created[0]?.size).toBe(size);
  });

  test.each([
    ["snapshot", ["--snapshot", SNAPSHOT_ID], `snapshot ${SNAPSHOT_ID} needs 4 GiB`],
    ["source volume", ["--source-volume", VOLUME_ID], `volume ${VOLUME_ID} needs 5 GiB`],
    ["image", ["--image", image().id], `image ${image().id} needs 3 GiB`],
  ])("refuses a size below that of the %s, before anything is made", async (_what, argv, message) => {
    const { status, stderr, created, sent } = await create([...argv, "--size", "2"]);
    expect([status, created, sent]).toEqual([1, [], []]);
    expect(stderr).toBe(`error: a volume of 2 GiB is too small: ${message}\n`);
  });

  test("an image's min_disk counts even where its bytes are few", async () => {
    const cloud = deployment();
    cloud.parts.images.get = async () => image({ size: 1, min_disk: 9 });
    expect((await create(["--image", image().id], cloud)).created[0]?.size).toBe(9);
  });

  test("an image by address is left to the flow, and needs a size", async () => {
    const address = `s3://images/${image().id}`;
    expect((await create(["--image", address])).status).toBe(2);
    const { status, sent } = await create(["--image", address, "--size", "1"]);
    expect([status, sent[0]?.image_id]).toEqual([0, address]);
  });

  test("an image's id is left to the flow where Glance is the default service, and needs a size", async () => {
    const cloud = deployment();
    const parts = { ...cloud.parts, defaultImageService: "glance", images: undefined };
    const argv = ["--image", VOLUME_ID];
    expect((await create(argv, { ...cloud, parts } as never)).status).toBe(2);
    const { status, sent } = await create([...argv, "--size", "1"], { ...cloud, parts } as never);
    expect([status, sent[0]?.image_id]).toEqual([0, VOLUME_ID]);
  });

  test("an address in Glance is passed on as it is", async () => {
    const address = `https://glance.example:9292/image/v2/images/${VOLUME_ID}`;
    expect((await create(["--image", address, "--size", "1"])).sent[0]?.image_id).toBe(address);
  });

  test("a token travels by the name of its secret", async () => {
    const { sent } = await create(["--size", "1", "--auth-secret", "cinderless/tokens/me"]);
    expect(sent[0]?.context.auth_secret).toBe("cinderless/tokens/me");
    expect((await create(["--size", "1"])).sent[0]?.context).not.toHaveProperty("auth_secret");
  });

  test("a token in place of the secret's name is refused, and not shown", async () => {
    const { status, stderr, created } = await create(["--size", "1", "--auth-secret", "gAAAAABk3"]);
    expect([status, created]).toEqual([2, []]);
    expect(stderr).toContain("--auth-secret must be the name of a secret");
    expect(stderr).not.toContain("gAAAAABk3");
  });

  test("ids are taken in any case and kept in lower case", async () => {
    const { sent } = await create(["--source-volume", "ABCDEFAB-1111-4111-8111-111111111111"]);
    expect(sent[0]?.source_volid).toBe("abcdefab-1111-4111-8111-111111111111");
  });

  test.each(["fast", TYPE.id])("finds the type %s", async (type) => {
    const { created, sent } = await create(["--size", "1", "--type", type]);
    expect(created[0]?.volume_type_id).toBe(TYPE.id);
    expect(sent[0]?.request_spec?.["volume_type"]).toEqual(TYPE);
  });

  test("takes a name as its argument, and the aliases of openstackclient", async () => {
    const argv = "data --size 9 --property a=1 --metadata b=2 --hint same_host=x --project p --user u".split(" ");
    const { created, sent } = await create(argv);
    expect(created[0]).toMatchObject({
      display_name: "data",
      metadata: { a: "1", b: "2" },
      project_id: "p",
      user_id: "u",
      request: { scheduler_hints: { same_host: "x" } },
    });
    expect(sent[0]).toMatchObject({ filter_properties: { scheduler_hints: { same_host: "x" } } });
    const { created: copies } = await create(["--source", VOLUME_ID]);
    expect(copies[0]).toMatchObject({ source_volid: VOLUME_ID, size: 5 });
  });

  test("-f value -c ID answers with the id alone", async () => {
    const { stdout, created } = await create(["--size", "1", "-f", "value", "-c", "id"]);
    expect(stdout).toBe(`${created[0]?.id}\n`);
  });

  test("with a client token makes one volume, sends its message again while no attempt has it, and refuses another request", async () => {
    const stored = new Map<string, VolumeRecord>();
    const sent: CreateVolumeMessage[] = [];
    const parts = {
      volumes: {
        create: async (record: VolumeRecord) => void stored.set(record.id, record),
        getMany: async ([id = ""]: string[]) => new Map([...stored].filter(([known]) => known === id)),
      },
      schedulerQueue: { send: async (message: CreateVolumeMessage) => void sent.push(message) },
    };
    const ask = (...argv: string[]) => runCli(["create", "--size", "1", ...argv], parts);
    const first = await ask("--client-token", "job-1", "--json");
    const again = await ask("--client-token", "job-1", "--json");
    expect(JSON.parse(again.stdout)).toEqual(JSON.parse(first.stdout));
    expect([stored.size, sent.length]).toEqual([1, 2]);
    const other = await ask("--client-token", "job-1", "--name", "other", "--json");
    expect([other.status, JSON.parse(other.stderr).error.name]).toEqual([1, "IdempotentParameterMismatch"]);
    await ask("--client-token", "job-2");
    await ask("--client-token", "job-1", "--project", "another");
    expect(stored.size).toBe(3);
  });

  test.each([
    [
      ["--type", "slow"],
      "error: Volume type with name slow could not be found. (`cinderless type list` shows the types)\n",
    ],
    [
      ["--snapshot", VOLUME_ID],
      `error: Snapshot ${VOLUME_ID} could not be found. (\`cinderless snapshot list\` shows the snapshots)\n`,
    ],
    [
      ["--image", VOLUME_ID],
      `error: Image ${VOLUME_ID} could not be found. (\`cinderless image list\` shows the images)\n`,
    ],
  ])("what is not there is named: %j", async (argv, message) => {
    const { status, stderr, created } = await create(["--size", "9", ...argv]);
    expect([status, stderr, created]).toEqual([1, message, []]);
  });
});

describe("a message that cannot be sent", () => {
  function unsendable() {
    const cloud = deployment();
    cloud.parts.schedulerQueue.send = async () => {
      throw Object.assign(new Error("over the limit"), { name: "OverLimit" });
    };
    return cloud;
  }

  test("puts the volume in error with the reason", async () => {
    const { faults, status, stderr } = await create(["--size", "1"], unsendable());
    expect(faults).toMatchObject([{ error: "OverLimit", cause: "over the limit", attempt: 0 }]);
    expect(status).toBe(1);
    expect(stderr).toContain("OverLimit: over the limit; it is in error now");
  });

  test("says when the volume ends by itself if it cannot even be marked", async () => {
    const cloud = unsendable();
    cloud.parts.volumes.markUnschedulable.mockRejectedValue(new Error("gone"));
    const { stderr } = await create(["--size", "1"], cloud);
    expect(stderr).toContain("the sweep puts it in error after 2026-03-04T05:26:07.000Z");
  });
});

test("a message that arrived although its answer was lost is not a failure", async () => {
  const cloud = deployment();
  cloud.parts.schedulerQueue.send = async () => {
    throw new Error("socket hang up");
  };
  cloud.parts.volumes.markUnschedulable.mockRejectedValue(new FenceLost(FIRST_ID, "nobody", "it is scheduled"));
  const { status, stdout, stderr } = await create(["--size", "1"], cloud);
  expect([status, stderr, stdout.includes("is being created")]).toEqual([0, "", true]);
});

describe("create --wait", () => {
  const atWork: Partial<VolumeRecord> = volumeAtWork({ id: FIRST_ID });

  test("ends when the volume is available, and says where and after how long", async () => {
    const cloud = deployment([atWork, atWork, {}]);
    const { status, stdout } = await create(["--size", "1", "--wait"], cloud);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^volume \S+ is available on storage@file1#pool after \d+ ms \(attempt 1\)\n$/);
  });

  test("elsewhere than on a terminal writes a line at each change, on the error stream", async () => {
    const queued = { ...atWork, phase: "queued" as const, attempts: {}, host: null };
    const { stderr } = await create(["--size", "1", "--wait"], deployment([queued, queued, atWork, atWork, {}]));
    expect(stderr.split("\n").map((line) => line.replaceAll(/ +/g, " "))).toEqual([
      "creating (queued) attempt -",
      "creating attempt 1 storage@file1#pool",
      "available attempt 1 storage@file1#pool",
      "",
    ]);
  });

  test("on a terminal draws state, attempt, bar, percent, bytes, rate and time left", async () => {
    const copying = (bytes_done: number, rate?: number): Partial<VolumeRecord> => ({
      ...atWork,
      status: "downloading",
      phase: "copying",
      progress: {
        bytes_done,
        bytes_total: 100 * 1024 ** 2,
        updated_at: NOW.toISOString(),
        ...(rate === undefined ? {} : { bytes_per_second: rate }),
      },
    });
    const cloud = deployment([copying(0), copying(25 * 1024 ** 2, 5 * 1024 ** 2), {}]);
    const { outputs } = await create(["--size", "1", "--wait"], cloud, { isTty: true });
    expect(outputs.stderr.frames[1]).toMatch(
      /^downloading \(copying\)\s+attempt 1 .*\[█{5}░{15}\]\s+25 % {2}25\.0 MiB of 100 MiB {2}5\.0 MiB\/s {2}ETA 14\.9 s$/,
    );
    expect(outputs.stderr.frames[0]).toMatch(/ 0 % {2}0 B of 100 MiB$/);
  });

  test("with --json, Ctrl-C leaves the record as it was seen last, with how far the copy is", async () => {
    const progress = { bytes_done: 30, bytes_total: 100, bytes_per_second: 10, updated_at: NOW.toISOString() };
    const cloud = deployment([{ ...atWork, status: "downloading", phase: "copying", progress }]);
    const { status, stdout, stderr } = await create(["--size", "1", "--wait", "--json"], cloud, {
      onSleep: (_turn, abort) => abort(),
    });
    expect(status).toBe(130);
    expect(JSON.parse(stdout)).toMatchObject({
      status: "downloading",
      progress: { ...progress, percent: 30, eta_seconds: 7 },
    });
    expect(JSON.parse(stderr)).toMatchObject({ error: { message: expect.stringContaining("is still being created") } });
  });

  test("with --json says nothing but the record", async () => {
    const { stdout, stderr } = await create(["--size", "1", "--wait", "--json"], deployment([atWork, {}]));
    expect(JSON.parse(stdout)).toMatchObject({ id: FIRST_ID, status: "available" });
    expect(stderr).toBe("");
  });

  test("fails with the fault when the volume ends in error", async () => {
    const fault: Fault = { error: "NoValidBackend", cause: "none left", attempt: 1, at: "", attempts: [] };
    const { status, stderr } = await create(["--size", "1", "--wait"], deployment([{ status: "error", fault }]));
    expect(status).toBe(1);
    expect(stderr).toContain(
      "is in error after 0 ms: NoValidBackend: none left (cinderless backend list shows which backends are up; right after a deployment, cinderless backend list --wait waits for them)",
    );
  });

  test("leads to the attempts when there was one", async () => {
    const fault: Fault = { error: "NoValidBackend", cause: "none left", attempt: 2, at: "", attempts: ["attempt 1"] };
    const { stderr } = await create(["--size", "1", "--wait"], deployment([{ status: "error", fault }]));
    expect(stderr).toContain(`(cinderless show ${FIRST_ID} prints every attempt)`);
  });

  test("names what every attempt ended by, so that no backend being left does not hide why", async () => {
    const attempts = [
      "attempt 1 on a@b#c: VolumeDriverException: full",
      "attempt 2 on a@d#c: States.Timeout: \u001b[2J",
    ];
    const fault: Fault = { error: "NoValidBackend", cause: "none left", attempt: 3, at: "", attempts };
    const { stderr } = await create(["--size", "1", "--wait"], deployment([{ status: "error", fault }]));
    expect(stderr).toContain(
      "NoValidBackend: none left; attempt 1 on a@b#c: VolumeDriverException: full; attempt 2 on a@d#c: States.Timeout: \uFFFD[2J",
    );
  });

  test("with --json gives the failed record, and the error as a document of its own", async () => {
    const fault: Fault = { error: "NoValidBackend", cause: "none left", attempt: 1, at: "", attempts: [] };
    const { stdout, stderr } = await create(
      ["--size", "1", "--wait", "--json"],
      deployment([{ status: "error", fault }]),
    );
    expect(JSON.parse(stdout)).toMatchObject({ status: "error", fault });
    expect(JSON.parse(stderr)).toMatchObject({ error: { name: "NoValidBackend" } });
  });

  test("Ctrl-C ends with 130 and says that the create continues", async () => {
    const { status, stderr } = await create(["--size", "1", "--wait"], deployment([atWork]), {
      onSleep: (turn, abort) => turn === 3 && abort(),
    });
    expect(status).toBe(130);
    expect(stderr).toContain(
      `volume ${FIRST_ID} is still being created; \`cinderless watch ${FIRST_ID}\` follows it\n`,
    );
    expect(stderr).not.toContain("error:");
  });

  test("says so when the volume is deleted in the meantime", async () => {
    const { status, stderr } = await create(["--size", "1", "--wait"], deployment([atWork, undefined]));
    expect([status, stderr.includes("was deleted while it was being created")]).toEqual([1, true]);
  });

  test("a lost connection does not read as a failed volume", async () => {
    const cloud = deployment();
    cloud.parts.volumes.getMany = async () => {
      throw new Error("socket hang up");
    };
    const { status, stderr } = await create(["--size", "1", "--wait"], cloud);
    expect(status).toBe(1);
    expect(stderr).toContain(`lost sight of volume ${FIRST_ID}: socket hang up (it may still be created`);
  });
});
