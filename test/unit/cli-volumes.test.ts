import { describe, expect, test, vi } from "vitest";
import { VolumeNotFound } from "../../core/errors.ts";
import type { VolumeFilter } from "../../core/ports.ts";
import type { VolumeRecord } from "../../core/records.ts";
import { runCli, volume, volumeAtWork, VOLUME_ID } from "../support/cli-context.ts";
import type { CliRunOptions } from "../support/cli-context.ts";

const OTHER_ID = "22222222-2222-4222-8222-222222222222";
const SNAPSHOT_ID = "33333333-3333-4333-8333-333333333333";
const TYPE_ID = "44444444-4444-4444-8444-444444444444";
const IMAGE_ID = "55555555-5555-4555-8555-555555555555";

describe("show", () => {
  const show = async (record: VolumeRecord, ...argv: string[]) => {
    const get = vi.fn(async (_id: string) => record);
    const snapshots = { listOfVolume: async () => [] };
    return { ...(await runCli(["show", VOLUME_ID, ...argv], { volumes: { get }, snapshots })), get };
  };

  test("lists what a volume is", async () => {
    const { stdout } = await show(volume({ metadata: { tier: "gold" }, provider_location: "/v/1" }));
    expect(stdout).toContain(`id          ${VOLUME_ID}\nname        data\nstatus      available\nsize        2 GiB\n`);
    expect(stdout).toContain("properties  tier=gold\n");
    expect(stdout).toContain("location    /v/1\n");
  });

  test("leaves out what a finished volume does not have", async () => {
    const { stdout } = await show(volume());
    expect(stdout).not.toMatch(/^(fault|progress|deadline|metadata|description) /m);
  });

  test("shows every attempt in order: host, outcome, duration, error and cause, possible remains", async () => {
    const attempt = { execution: "x", started_at: "2026-03-04T05:00:00.000Z", ended_at: "2026-03-04T05:00:04.200Z" };
    const record = volumeAtWork({
      attempts: {
        "10": { ...attempt, host: "storage@file3#pool", outcome: "running", started_at: "2026-03-04T05:06:00.000Z" },
        "2": {
          ...attempt,
          host: "storage@file2#pool",
          outcome: "rescheduled",
          error: "VolumeDriverException",
          cause: "no room",
          suspected_orphan: true,
        },
        "1": {
          ...attempt,
          host: "storage@file1#pool",
          outcome: "rescheduled",
          error: "DriverNotInitialized",
          cause: "asleep",
        },
      },
    });
    delete record.attempts["10"]?.ended_at;
    const { stdout } = await show(record);
    const lines = stdout.slice(stdout.indexOf("attempts")).split("\n");
    expect(lines.slice(0, 6).map((line) => line.slice("attempts  ".length))).toEqual([
      "1  storage@file1#pool  rescheduled  after 4.2 s",
      "   DriverNotInitialized: asleep",
      "2  storage@file2#pool  rescheduled  after 4.2 s",
      "   VolumeDriverException: no room",
      "   data of the volume may remain on this backend",
      "10  storage@file3#pool  running  for 7.0 s",
    ]);
  });

  test("shows the progress of a copy, and the deadline of the volume", async () => {
    const progress = { bytes_done: 512, bytes_total: 2048, updated_at: "2026-03-04T05:06:05.000Z" };
    const { stdout } = await show(volumeAtWork({ progress, deadline: "2026-03-04T05:16:07.000Z" }));
    expect(stdout).toContain("progress  25 %  512 B of 2.0 KiB  (2026-03-04 05:06:05Z)\n");
    expect(stdout).toContain("2026-03-04 05:16:07Z (in 10 min 0 s)");
  });

  test("shows the speed and the remaining time of a copy, as far as they are known", async () => {
    const progress = { bytes_done: 512, bytes_total: 2048, updated_at: "2026-03-04T05:06:06.000Z" };
    const fast = volumeAtWork({ progress: { ...progress, bytes_per_second: 512 } });
    expect((await show(fast)).stdout).toContain("25 %  512 B of 2.0 KiB  512 B/s  ETA 2.0 s  (2026-03-04 05:06:06Z)");
    const documents = [fast, volumeAtWork({ progress })].map(async (record) => (await show(record, "--json")).stdout);
    expect((await Promise.all(documents)).map((text) => JSON.parse(text).progress)).toEqual([
      { ...progress, percent: 25, bytes_per_second: 512, eta_seconds: 2 },
      { ...progress, percent: 25, bytes_per_second: null, eta_seconds: null },
    ]);
  });

  test.each([
    ["creating", "the backend may hold data of the volume until the volume is deleted"],
    ["copying", "the backend holds data of the volume until the volume is deleted"],
  ] as const)("of one in error says what its backend may hold: %s", async (phase, told) => {
    const record = volume({ status: "error", phase, deadline: null });
    const { stdout } = await show(record);
    expect(stdout).toContain(`   ${told}\n`);
  });

  test.each([
    { status: "error", phase: "scheduled" },
    { status: "error", phase: "creating", host: null },
    { status: "available", phase: null },
    { status: "creating", phase: "creating" },
  ] as const)("says nothing of what a backend holds otherwise: %j", async (columns) => {
    const { stdout } = await show(volume({ deadline: null, ...columns }));
    expect(stdout).not.toContain("something of the volume");
  });

  test("shows why a volume is in error", async () => {
    const fault = { error: "NoValidBackend", cause: "none left", attempt: 3, at: "", attempts: [] };
    expect((await show(volume({ status: "error", fault }))).stdout).toContain("attempt 3: NoValidBackend: none left");
  });

  test("with --json gives the record as it is stored, with what it names by ids only", async () => {
    expect(JSON.parse((await show(volume(), "--json")).stdout)).toEqual({
      ...volume(),
      volume_type: null,
      source: null,
      dependents: { snapshots: [], volumes: [] },
    });
  });

  test("names type, image, snapshots, and the volumes that are being made of it", async () => {
    const copy = volumeAtWork({ id: OTHER_ID, display_name: "copy", source_volid: VOLUME_ID });
    const record = volume({
      volume_type_id: TYPE_ID,
      request: { request_id: "req-1", roles: [], image_id: IMAGE_ID },
    });
    const parts = {
      volumes: { get: async () => record, getMany: async (ids: string[]) => new Map(ids.map((id) => [id, copy])) },
      volumeTypes: { get: async () => ({ id: TYPE_ID, name: "fast" }) },
      snapshots: { listOfVolume: async () => [{ id: SNAPSHOT_ID, display_name: "before", status: "available" }] },
      locks: { of: async () => ({ items: [{ holder: OTHER_ID, value: `${OTHER_ID}-a1` }] }) },
    };
    const { stdout } = await runCli(["show", VOLUME_ID], parts);
    expect(stdout).toContain(`type       fast (${TYPE_ID})\nsource     image ${IMAGE_ID}\n`);
    expect(stdout).toContain(`snapshots  ${SNAPSHOT_ID}  before  available\ncopied to  ${OTHER_ID}  copy  creating\n`);
    const { dependents } = JSON.parse((await runCli(["show", VOLUME_ID, "--json"], parts)).stdout);
    expect(dependents).toEqual({
      snapshots: [{ id: SNAPSHOT_ID, name: "before", status: "available" }],
      volumes: [{ id: OTHER_ID, name: "copy", status: "creating" }],
    });
  });

  test("finds a volume by its name, and names every candidate when several have it", async () => {
    const named = (items: VolumeRecord[]) => ({
      volumes: { list: async (filter: VolumeFilter) => ({ items: filter.name === "data" ? items : [] }) },
      snapshots: { listOfVolume: async () => [] },
    });
    expect((await runCli(["show", "data"], named([volume()]))).stdout).toContain(VOLUME_ID);
    const several = await runCli(["show", "data"], named([volume(), volume({ id: OTHER_ID, status: "error" })]));
    expect([several.status, several.stdout]).toEqual([1, ""]);
    expect(several.stderr).toMatch(
      new RegExp(
        `^error: 2 volumes are named 'data': ${VOLUME_ID} \\(available, .*, ${OTHER_ID} \\(error, .* by its id\\)\n$`,
      ),
    );
    const none = await runCli(["show", "other", "--json"], named([]));
    expect(JSON.parse(none.stderr).error).toMatchObject({ name: "VolumeNotFound" });
  });

  test("shows nothing of a stored name that a terminal would act on", async () => {
    const { stdout } = await show(volume({ display_name: "\u001b[2J\nname" }));
    expect(stdout).toContain("name      \uFFFD[2J name\n");
  });
});

describe("list", () => {
  const list = async (items: VolumeRecord[], ...argv: string[]) => {
    const asked = vi.fn(async (_filter: VolumeFilter, _limit: number, from?: string) => {
      const start = Number(from ?? 0);
      return { items: items.slice(start, start + 2), ...(start + 2 < items.length && { next: String(start + 2) }) };
    });
    const volumeTypes = {
      list: async () => ({ items: [{ id: TYPE_ID, name: "fast" }] }),
      getByName: async () => ({ id: TYPE_ID, name: "fast" }),
    };
    return { ...(await runCli(["list", ...argv], { volumes: { list: asked }, volumeTypes })), asked };
  };
  const at = (minute: number, changes: Partial<VolumeRecord> = {}) =>
    volume({
      id: `11111111-1111-4111-8111-1111111111${minute}`,
      display_name: `v${minute}`,
      created_at: `2026-03-04T05:${minute}:00.000Z`,
      ...changes,
    });
  const names = (stdout: string) => stdout.match(/\bv\d\d\b/g);

  test("asks for every filter, and for all pages", async () => {
    const argv = "--status error --host h@b --name data --project p".split(" ");
    const { asked } = await list([at(10), at(11), at(12)], ...argv);
    const filter = { status: "error", host: "h@b", name: "data", projectId: "p" };
    expect(asked.mock.calls).toEqual([
      [filter, 1000, undefined],
      [filter, 1000, "2"],
    ]);
  });

  test("refuses a status that no volume has, in one line with those that there are, and asks for nothing", async () => {
    const { status, stdout, stderr, asked } = await list([], "--status", "nonsense");
    expect([status, stdout]).toEqual([2, ""]);
    expect(
      stderr
        .trimEnd()
        .split("\n")
        .filter((line) => line.includes("nonsense")),
    ).toEqual([
      expect.stringMatching(
        /'nonsense' is invalid.*creating, available, deleting,.*in-use, detaching,.*retyping, extending, migration_target/,
      ),
    ]);
    expect(asked).not.toHaveBeenCalled();
  });

  test("is a table of all volumes, newest first, with their number", async () => {
    const { stdout } = await list([at(11), at(13), volumeAtWork({ id: OTHER_ID, host: null, attempts: {} }), at(12)]);
    expect(names(stdout)).toEqual(["v13", "v12", "v11"]);
    const lines = stdout.split("\n").map((line) => line.split(/ {2,}/));
    expect(lines[0]).toEqual(["ID", "Name", "Status", "Size", "Host"]);
    expect(lines[1]).toEqual([at(13).id, "v13", "available", "2", "storage@file1#pool"]);
    expect(lines[4]).toEqual([OTHER_ID, "data", "creating", "2", "-"]);
    expect(stdout).toMatch(/\n4 volumes\n$/);
  });

  test("--limit shows the first ones and the total", async () => {
    const { stdout } = await list([at(11), at(12), at(13)], "--limit", "2");
    expect([names(stdout), stdout.endsWith("\n2 of 3 volumes\n")]).toEqual([["v13", "v12"], true]);
  });

  test("--sort orders by columns, numbers by their size", async () => {
    const volumes = [at(11, { size: 10 }), at(12, { size: 9 }), at(13, { size: 10 })];
    expect(names((await list(volumes, "--sort", "size:desc,name")).stdout)).toEqual(["v11", "v13", "v12"]);
    expect(names((await list(volumes, "--sort", "size,created:desc")).stdout)).toEqual(["v12", "v13", "v11"]);
    expect(await list(volumes, "--sort", "weight")).toMatchObject({
      status: 2,
      stderr: expect.stringContaining(
        "there is no column 'weight' (the columns are ID, Name, Status, Size, Host, Type,",
      ),
    });
  });

  test("--type and --bootable narrow the list", async () => {
    const volumes = [at(11, { volume_type_id: TYPE_ID }), at(12, { bootable: true }), at(13)];
    expect(names((await list(volumes, "--type", "fast")).stdout)).toEqual(["v11"]);
    expect(names((await list(volumes, "--bootable")).stdout)).toEqual(["v12"]);
    expect(names((await list(volumes, "--no-bootable")).stdout)).toEqual(["v13", "v11"]);
  });

  test("says so when there is none", async () => {
    expect((await list([])).stdout).toBe("no volumes\n");
    expect((await list([], "-f", "json")).stdout).toBe("[]\n");
  });

  test("with --json gives whole records and their number", async () => {
    const { stdout } = await list([at(11), at(12)], "--json", "--limit", "1");
    expect(JSON.parse(stdout)).toEqual({ volumes: [at(12)], total: 2 });
  });

  test("-f json, yaml, value and csv give the columns that -c names, in their order, with plain values", async () => {
    const volumes = [at(11, { display_name: 'a "b"', host: null }), at(12, { display_name: null })];
    const columns = ["-c", "size", "-c", "Name", "-c", "host"];
    expect(JSON.parse((await list(volumes, "-f", "json", ...columns)).stdout)).toEqual([
      { Name: null, Size: 2, Host: "storage@file1#pool" },
      { Name: 'a "b"', Size: 2, Host: null },
    ]);
    expect((await list(volumes, "-f", "value", ...columns)).stdout).toBe('None 2 storage@file1#pool\na "b" 2 None\n');
    expect((await list(volumes, "-f", "csv", ...columns)).stdout).toBe(
      '"Name","Size","Host"\n"",2,"storage@file1#pool"\n"a ""b""",2,""\n',
    );
    expect((await list(volumes, "-f", "yaml", ...columns)).stdout).toBe(
      '- Name: null\n  Size: 2\n  Host: storage@file1#pool\n- Name: a "b"\n  Size: 2\n  Host: null\n',
    );
  });

  test("refuses --json with -f or -c, because the records have no columns", async () => {
    const { status, stderr } = await list([], "--json", "-c", "ID");
    expect([status, JSON.parse(stderr).error.name]).toEqual([2, "UsageError"]);
  });

  test("--long shows every column, types by their names", async () => {
    const { stdout } = await list([at(11, { volume_type_id: TYPE_ID })], "--long", "-f", "json");
    expect(JSON.parse(stdout)[0]).toMatchObject({ Type: "fast", Attempts: 1, Bootable: false, Project: "admin" });
  });

  test("a table fits 80 columns whatever the volumes are called, and keeps ids whole as long as it can", async () => {
    const long = at(11, {
      display_name: "a very long name".repeat(5),
      host: "storage@backend-of-the-cellar#pool",
    });
    for (const argv of [[], ["--long"]]) {
      const { stdout } = await runCli(
        ["list", ...argv],
        { volumes: { list: async () => ({ items: [long] }) } },
        { columns: 80 },
      );
      expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
      expect(stdout.includes(long.id)).toBe(argv.length === 0);
      expect(stdout).toContain("…");
    }
  });
});

/** Volumes whose states change from read to read: `turns[n]` is what the n-th read finds. */
function changing(turns: VolumeRecord[][], inFlow: string[][] = []) {
  let read = -1;
  let asked = -1;
  return {
    getMany: async (ids: string[]) => {
      read += 1;
      const now = turns[Math.min(read, turns.length - 1)] ?? [];
      return new Map(now.filter(({ id }) => ids.includes(id)).map((record) => [record.id, record]));
    },
    listOverdue: async (now: Date) => {
      expect(now.getUTCFullYear()).toBe(9999);
      asked += 1;
      return { items: (inFlow[Math.min(asked, inFlow.length - 1)] ?? []).map((id) => ({ id, deadline: "" })) };
    },
  };
}

describe("watch", () => {
  const one = volumeAtWork();
  const other = volumeAtWork({ id: OTHER_ID });
  const watch = (argv: string[], volumes: object, options?: CliRunOptions) =>
    runCli(["watch", ...argv], { volumes }, options);

  test("named volumes are watched until each has come to rest", async () => {
    const turns = [
      [one, other],
      [one, other],
      [volume(), other],
      [volume(), volume({ id: OTHER_ID })],
    ];
    const { status, stdout } = await watch([VOLUME_ID, OTHER_ID], changing(turns));
    expect(status).toBe(0);
    expect(stdout.split("\n").map((line) => line.split(/ {2,}/).slice(0, 2))).toEqual([
      [VOLUME_ID, "creating"],
      [OTHER_ID, "creating"],
      [VOLUME_ID, "available"],
      [OTHER_ID, "available"],
      [""],
    ]);
  });

  test("on a terminal a volume at rest stays above the ones at work", async () => {
    const turns = [
      [one, other],
      [one, other],
      [volume(), other],
      [volume(), volume({ id: OTHER_ID })],
    ];
    const { outputs } = await watch([VOLUME_ID, OTHER_ID], changing(turns), { isTty: true });
    expect(outputs.stdout.persisted.map((line) => line.slice(0, 36))).toEqual([VOLUME_ID, OTHER_ID]);
    expect(outputs.stdout.frames.map((frame) => frame.split("\n").length)).toEqual([2, 1, 1]);
  });

  test("fails when one of them is in error", async () => {
    const turns = [
      [one, volume({ id: OTHER_ID, status: "error" })],
      [volume(), volume({ id: OTHER_ID, status: "error" })],
    ];
    const { status, stderr } = await watch([VOLUME_ID, OTHER_ID], changing(turns));
    expect(status).toBe(1);
    expect(stderr).toBe(`error: 1 of 2 volumes in error: ${OTHER_ID} (cinderless show ID prints every attempt)\n`);
  });

  test("a volume that does not exist is named", async () => {
    const { status, stderr } = await watch([VOLUME_ID, OTHER_ID], changing([[one]]));
    expect([status, stderr.startsWith(`error: Volume ${OTHER_ID} could not be found.`)]).toEqual([1, true]);
  });

  test("a volume that is being deleted is watched until it is gone", async () => {
    const turns = [[volume({ status: "deleting" })], [volume({ status: "deleting" })], []];
    expect((await watch([VOLUME_ID], changing(turns))).status).toBe(0);
  });

  test("with --json answers once, with the records at rest", async () => {
    const { stdout } = await watch([VOLUME_ID, "--json"], changing([[one], [one], [volume()]]));
    expect(JSON.parse(stdout)).toEqual({ volumes: [volume()] });
  });

  test("with --json, Ctrl-C leaves the records as they were seen last, with how far each copy is", async () => {
    const progress = { bytes_done: 1, bytes_total: 4, bytes_per_second: 0, updated_at: "2026-03-04T05:06:07.000Z" };
    const { status, stdout } = await watch([VOLUME_ID, "--json"], changing([[volumeAtWork({ progress })]]), {
      onSleep: (_turn, abort) => abort(),
    });
    expect(status).toBe(130);
    expect(JSON.parse(stdout).volumes[0].progress).toEqual({ ...progress, percent: 25, eta_seconds: null });
  });

  test("without ids shows what is in the flow, new volumes too, and each once more at rest, until Ctrl-C", async () => {
    const turns = [[one], [volume(), other], [volume(), volume({ id: OTHER_ID })]];
    const volumes = changing(turns, [[VOLUME_ID], [OTHER_ID], []]);
    const { status, stdout, stderr } = await watch([], volumes, { onSleep: (turn, abort) => turn === 5 && abort() });
    expect(stdout.split("\n").map((line) => line.split(/ {2,}/).slice(0, 2))).toEqual([
      [VOLUME_ID, "creating"],
      [VOLUME_ID, "available"],
      [OTHER_ID, "creating"],
      [OTHER_ID, "available"],
      [""],
    ]);
    expect([status, stderr]).toEqual([130, "no longer watching; the creates continue\n"]);
  });

  test("on a terminal says that nothing is at work", async () => {
    const { outputs } = await watch([], changing([[]], [[]]), { isTty: true, onSleep: (_turn, abort) => abort() });
    expect(outputs.stdout.frames).toEqual(["no volume is being created; Ctrl-C ends the watch"]);
  });

  test("on a terminal shows no more lines than there is room for", async () => {
    const many = Array.from({ length: 30 }, (_, index) =>
      volumeAtWork({ id: `11111111-1111-4111-8111-0000000000${index + 10}` }),
    );
    const ids = many.map(({ id }) => id);
    const { outputs } = await watch([], changing([many], [ids]), { isTty: true, onSleep: (_turn, abort) => abort() });
    const lines = outputs.stdout.frames[0]?.split("\n") ?? [];
    expect([lines.length, lines.at(-1)]).toEqual([23, "... and 8 more"]);
  });
});

describe("delete", () => {
  type Answer = "deleted" | "requested";

  function deployment(records: VolumeRecord[], answer?: (id: string) => Promise<Answer>) {
    const find = (id: string) => records.find((candidate) => candidate.id === id);
    const get = async (id: string) => {
      const record = find(id);
      if (record === undefined) {
        throw new VolumeNotFound(id);
      }
      return record;
    };
    const getMany = async (ids: string[]) =>
      new Map(ids.flatMap((id) => find(id) ?? []).map((each) => [each.id, each]));
    const byStatus = async (id: string): Promise<Answer> => (find(id)?.deadline === null ? "deleted" : "requested");
    return { volumes: { get, getMany }, driverFunctions: { deleteVolume: vi.fn(answer ?? byStatus) } };
  }

  const refusal = async (): Promise<Answer> => {
    throw Object.assign(new Error("Invalid volume: volume still has 1 snapshot(s)"), { name: "InvalidVolume" });
  };

  test("deletes one after the other and says so; an id that stands twice once", async () => {
    const cloud = deployment([volume(), volume({ id: OTHER_ID, status: "error" })]);
    const { status, stdout } = await runCli(["delete", VOLUME_ID, OTHER_ID, VOLUME_ID], cloud);
    expect([status, stdout]).toEqual([0, "2 of 2 volumes deleted\n"]);
    expect(cloud.driverFunctions.deleteVolume.mock.calls).toEqual([[VOLUME_ID], [OTHER_ID]]);
  });

  test("says that a volume which is being created will go", async () => {
    const { status, stdout } = await runCli(["delete", VOLUME_ID], deployment([volumeAtWork()]));
    expect(status).toBe(0);
    expect(stdout).toBe(`volume ${VOLUME_ID} is being created; the create is cancelled and removes its data\n`);
  });

  test("with --wait waits until it is gone", async () => {
    const records = [volumeAtWork()];
    const onSleep = (turn: number) => void (turn === 5 && records.pop());
    const { status, stdout } = await runCli(["delete", VOLUME_ID, "--wait"], deployment(records), { onSleep });
    expect([status, stdout, records]).toEqual([0, `volume ${VOLUME_ID} is deleted\n`, []]);
  });

  test("with --wait reports why a backend does not delete it, and the time of the next try", async () => {
    const fault = { error: "VolumeBackendAPIException", cause: "down", attempt: 1, at: "", attempts: [] };
    const record = volumeAtWork({ status: "error_deleting", fault });
    const { status, stderr } = await runCli(["delete", VOLUME_ID, "--wait"], deployment([record]));
    expect(status).toBe(1);
    expect(stderr).toContain("could not be removed yet: VolumeBackendAPIException: down; it is tried again after 2026");
  });

  test("interrupted while it waits says that the volume goes all the same", async () => {
    const options: CliRunOptions = { onSleep: (_turn, abort) => abort() };
    const { status, stderr } = await runCli(["delete", VOLUME_ID, "--wait"], deployment([volumeAtWork()]), options);
    expect(status).toBe(130);
    expect(stderr).toContain(`${VOLUME_ID} will be gone in time`);
  });

  test("continues after a failure, and names the remaining volumes at the end", async () => {
    const third = "44444444-4444-4444-8444-444444444444";
    const cloud = deployment([volume(), volume({ id: third })], (id) =>
      id === VOLUME_ID ? refusal() : Promise.resolve("deleted"),
    );
    const unknown = "33333333-3333-4333-8333-333333333333";
    const { status, stdout, stderr } = await runCli(["delete", VOLUME_ID, unknown, third], cloud);
    expect([status, stdout]).toEqual([1, "1 of 3 volumes deleted, 2 failed\n"]);
    expect(stderr.split("\n")).toHaveLength(4);
    expect(stderr).toContain(`error: 2 volumes were not deleted: ${VOLUME_ID}, ${unknown}\n`);
  });

  test("with --json lists deleted, requested and failed volumes in one document", async () => {
    const unknown = "33333333-3333-4333-8333-333333333333";
    const cloud = deployment([volumeAtWork(), volume({ id: OTHER_ID })]);
    const { stdout, stderr } = await runCli(["delete", VOLUME_ID, OTHER_ID, unknown, "--json"], cloud);
    expect(JSON.parse(stdout)).toEqual({
      deleted: [OTHER_ID],
      requested: [VOLUME_ID],
      failed: [{ id: unknown, error: "VolumeNotFound", message: expect.stringContaining("could not be found") }],
    });
    expect(JSON.parse(stderr)).toMatchObject({ error: { name: "VolumeNotFound" } });
  });

  test("a refusal of the function is reported in its words", async () => {
    const { stderr } = await runCli(["delete", VOLUME_ID], deployment([volume()], refusal));
    expect(stderr).toBe("error: Invalid volume: volume still has 1 snapshot(s)\n");
  });
});
