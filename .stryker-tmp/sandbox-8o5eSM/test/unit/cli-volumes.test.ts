// @ts-nocheck
import { describe, expect, test, vi } from "vitest";
import { VolumeNotFound } from "../../core/errors.ts";
import type { VolumeFilter } from "../../core/ports.ts";
import type { VolumeRecord } from "../../core/records.ts";
import { runCli, volume, volumeAtWork, VOLUME_ID } from "../support/cli-context.ts";
import type { CliRunOptions } from "../support/cli-context.ts";

const OTHER_ID = "22222222-2222-4222-8222-222222222222";

describe("show", () => {
  const show = async (record: VolumeRecord, ...argv: string[]) => {
    const get = vi.fn(async (_id: string) => record);
    return { ...(await runCli(["show", VOLUME_ID, ...argv], { volumes: { get } })), get };
  };

  test("lists what a volume is", async () => {
    const { stdout } = await show(volume({ metadata: { tier: "gold" }, provider_location: "/v/1" }));
    expect(stdout).toContain(`id        ${VOLUME_ID}\nname      data\nstatus    available\nsize      2 GiB\n`);
    expect(stdout).toContain("metadata  tier=gold\n");
    expect(stdout).toContain("location  /v/1\n");
  });

  test("leaves out what a finished volume does not have", async () => {
    const { stdout } = await show(volume());
    expect(stdout).not.toMatch(/^(fault|progress|deadline|metadata|description) /m);
  });

  test("tells every attempt in order: host, outcome, duration, error and cause, what may be left", async () => {
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
      "   something of the volume may be left on this backend",
      "10  storage@file3#pool  running  for 7.0 s",
    ]);
  });

  test("tells how far a copy is, and when the volume is taken out of the flow", async () => {
    const progress = { bytes_done: 512, bytes_total: 2048, updated_at: "2026-03-04T05:06:05.000Z" };
    const { stdout } = await show(volumeAtWork({ progress, deadline: "2026-03-04T05:16:07.000Z" }));
    expect(stdout).toContain("progress  25 %  512 B of 2.0 KiB  (2026-03-04 05:06:05Z)\n");
    expect(stdout).toContain("2026-03-04 05:16:07Z (in 10 min 0 s)");
  });

  test("tells how fast a copy is and how long it takes, as far as that is known", async () => {
    const progress = { bytes_done: 512, bytes_total: 2048, updated_at: "2026-03-04T05:06:06.000Z" };
    const fast = volumeAtWork({ progress: { ...progress, bytes_per_second: 512 } });
    expect((await show(fast)).stdout).toContain("25 %  512 B of 2.0 KiB  512 B/s  ETA 2.0 s  (2026-03-04 05:06:06Z)");
    const documents = [fast, volumeAtWork({ progress })].map(async (record) => (await show(record, "--json")).stdout);
    expect((await Promise.all(documents)).map((text) => JSON.parse(text).progress)).toEqual([
      { ...progress, percent: 25, bytes_per_second: 512, eta_seconds: 2 },
      { ...progress, percent: 25, bytes_per_second: null, eta_seconds: null },
    ]);
  });

  test("with --json gives a volume without a copy as it is recorded", async () => {
    expect(JSON.parse((await show(volume(), "--json")).stdout)).toEqual(volume());
  });

  test.each([
    ["creating", "the backend may hold something of the volume, until the volume is deleted"],
    ["copying", "the backend holds something of the volume, until the volume is deleted"],
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

  test("tells why a volume is in error", async () => {
    const fault = { error: "NoValidBackend", cause: "none left", attempt: 3, at: "", attempts: [] };
    expect((await show(volume({ status: "error", fault }))).stdout).toContain("attempt 3: NoValidBackend: none left");
  });

  test("with --json gives the record as it is stored", async () => {
    expect(JSON.parse((await show(volume(), "--json")).stdout)).toEqual(volume());
  });

  test("shows nothing of a stored name that a terminal would act on", async () => {
    const { stdout } = await show(volume({ display_name: "\u001b[2J\nname" }));
    expect(stdout).toContain("name      \uFFFD[2J name\n");
  });
});

describe("list", () => {
  const list = async (page: { items: VolumeRecord[]; next?: string }, ...argv: string[]) => {
    const asked = vi.fn(async (_filter: VolumeFilter, _limit: number, _from?: string) => page);
    return { ...(await runCli(["list", ...argv], { volumes: { list: asked } })), asked };
  };

  test("asks for every filter, the limit and the page", async () => {
    const argv = "--status error --host h@b --name data --project p --limit 3 --page token".split(" ");
    const { asked } = await list({ items: [] }, ...argv);
    const filter = { status: "error", host: "h@b", name: "data", projectId: "p" };
    expect(asked.mock.calls).toEqual([[filter, 3, "token"]]);
  });

  test("refuses a status that no volume has, in one line with those that there are, and asks for nothing", async () => {
    const { status, stdout, stderr, asked } = await list({ items: [] }, "--status", "nonsense");
    expect([status, stdout]).toEqual([2, ""]);
    expect(
      stderr
        .trimEnd()
        .split("\n")
        .filter((line) => line.includes("nonsense")),
    ).toEqual([
      expect.stringMatching(/'nonsense' is invalid.*creating, downloading,.*in-use, backing-up, error, deleting/),
    ]);
    expect(asked).not.toHaveBeenCalled();
  });

  test("without filters asks for the first 50 of all", async () => {
    expect((await list({ items: [] })).asked.mock.calls).toEqual([[{}, 50, undefined]]);
  });

  test("is a table, and names the next page", async () => {
    const { stdout } = await list({
      items: [volume(), volumeAtWork({ id: OTHER_ID, host: null, attempts: {} })],
      next: "abc",
    });
    expect(stdout.split("\n").map((line) => line.split(/ {2,}/))).toEqual([
      ["ID", "NAME", "STATUS", "GiB", "HOST", "ATTEMPTS", "CREATED"],
      [VOLUME_ID, "data", "available", "2", "storage@file1#pool", "1", "2026-03-04 05:00:00Z"],
      [OTHER_ID, "data", "creating", "2", "-", "0", "2026-03-04 05:00:00Z"],
      ["there is more: --page abc"],
      [""],
    ]);
  });

  test("says so when there is none", async () => {
    expect((await list({ items: [] })).stdout).toBe("no volumes\n");
  });

  test("with --json gives records and token; null on the last page", async () => {
    expect(JSON.parse((await list({ items: [volume()], next: "abc" }, "--json")).stdout)).toEqual({
      volumes: [volume()],
      next: "abc",
    });
    expect(JSON.parse((await list({ items: [] }, "--json")).stdout)).toEqual({ volumes: [], next: null });
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
    expect(stderr).toBe(`error: 1 of 2 volumes in error: ${OTHER_ID} (cinderless show ID tells every attempt)\n`);
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
    expect([status, stderr]).toEqual([130, "no longer watching; what is being created goes on\n"]);
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
    expect([status, stdout]).toEqual([0, `volume ${VOLUME_ID} is deleted\nvolume ${OTHER_ID} is deleted\n`]);
    expect(cloud.driverFunctions.deleteVolume.mock.calls).toEqual([[VOLUME_ID], [OTHER_ID]]);
  });

  test("says that a volume which is being created will go", async () => {
    const { status, stdout } = await runCli(["delete", VOLUME_ID], deployment([volumeAtWork()]));
    expect(status).toBe(0);
    expect(stdout).toBe(
      `volume ${VOLUME_ID} is being created; its deletion is recorded, and its creation ends by removing it\n`,
    );
  });

  test("with --wait waits until it is gone", async () => {
    const records = [volumeAtWork()];
    const onSleep = (turn: number) => void (turn === 5 && records.pop());
    const { status, stdout } = await runCli(["delete", VOLUME_ID, "--wait"], deployment(records), { onSleep });
    expect([status, stdout, records]).toEqual([0, `volume ${VOLUME_ID} is deleted\n`, []]);
  });

  test("with --wait tells why a backend does not let it go, and when it is tried again", async () => {
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

  test("goes on after a failure, and names at the end what is left", async () => {
    const third = "44444444-4444-4444-8444-444444444444";
    const cloud = deployment([volume(), volume({ id: third })], (id) =>
      id === VOLUME_ID ? refusal() : Promise.resolve("deleted"),
    );
    const unknown = "33333333-3333-4333-8333-333333333333";
    const { status, stdout, stderr } = await runCli(["delete", VOLUME_ID, unknown, third], cloud);
    expect([status, stdout]).toEqual([1, `volume ${third} is deleted\n`]);
    expect(stderr.split("\n")).toHaveLength(4);
    expect(stderr).toContain(`error: 2 volumes were not deleted: ${VOLUME_ID}, ${unknown}\n`);
  });

  test("with --json tells what is gone, going and left in one document", async () => {
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

  test("what the function refuses is told in its words", async () => {
    const { stderr } = await runCli(["delete", VOLUME_ID], deployment([volume()], refusal));
    expect(stderr).toBe("error: Invalid volume: volume still has 1 snapshot(s)\n");
  });
});
