import { describe, expect, test } from "vitest";
import { VolumeFeed } from "../../cli/console/volume-feed.ts";
import type { VolumesQuery } from "../../cli/console/volume-rows.ts";
import { ROWS_ON_PAGE } from "../../cli/console/wire.ts";
import type { VolumeRecord } from "../../core/records.ts";
import { volume, volumeAtWork } from "../support/cli-context.ts";

const ALL: VolumesQuery = { search: "", status: null, sort: "created_at", isDescending: true, page: 1 };

/** A store that counts what is read, with a clock that the test moves. */
function setUp(...records: VolumeRecord[]) {
  const stored = new Map(records.map((record) => [record.id, record]));
  const calls = { list: 0, listOverdue: 0, getMany: 0 };
  const state = {
    now: Date.parse("2026-03-04T05:06:07.000Z"),
    failure: undefined as Error | undefined,
    pageSize: 1000,
    /** Names of executions, the newest first. */
    executions: [] as string[],
    executionsFailure: undefined as Error | undefined,
  };
  const reading = <Result>(name: keyof typeof calls, result: () => Result): Promise<Result> => {
    calls[name] += 1;
    return state.failure === undefined ? Promise.resolve(result()) : Promise.reject(state.failure);
  };
  const volumes = {
    list: (_filter: object, _limit: number, from?: string) =>
      reading("list", () => {
        const first = Number(from ?? 0);
        const items = [...stored.values()].slice(first, first + state.pageSize);
        const next = first + state.pageSize;
        return next < stored.size ? { items, next: String(next) } : { items };
      }),
    listOverdue: () =>
      reading("listOverdue", () => ({
        items: [...stored.values()].flatMap(({ id, deadline }) => (deadline === null ? [] : [{ id, deadline }])),
      })),
    getMany: (ids: readonly string[]) =>
      reading("getMany", () => new Map(ids.flatMap((id) => [...stored].filter(([key]) => key === id)))),
  };
  const executions = {
    newest: async () => {
      if (state.executionsFailure !== undefined) {
        throw state.executionsFailure;
      }
      return state.executions;
    },
  };
  const sources = { volumes: async () => volumes, executions: async () => executions };
  const feed = new VolumeFeed(sources, { now: () => new Date(state.now) });
  const after = async (milliseconds: number, query: Partial<VolumesQuery> = {}) => {
    state.now += milliseconds;
    await feed.refresh();
    return feed.answer({ ...ALL, ...query });
  };
  return { stored, calls, state, feed, after };
}

const id = (number: number): string => `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`;

function many(count: number, changes: (index: number) => Partial<VolumeRecord> = () => ({})): VolumeRecord[] {
  return Array.from({ length: count }, (_, index) => volume({ id: id(index), ...changes(index) }));
}

describe("the list of volumes", () => {
  test("has the newest first, in pages, with counts of all", async () => {
    const { after } = setUp(
      ...many(120, (index) => ({
        created_at: new Date(Date.UTC(2026, 0, 1, 0, index)).toISOString(),
        status: index % 3 === 0 ? "error" : "available",
      })),
    );
    const first = await after(0);
    expect(first).toMatchObject({ total: 120, matching: 120, complete: true, counts: { error: 40, available: 80 } });
    expect(first.rows).toHaveLength(ROWS_ON_PAGE);
    expect(first.rows[0]?.id).toBe(id(119));
    expect((await after(0, { page: 3 })).rows.map((row) => row.id).at(-1)).toBe(id(0));
    expect((await after(0, { page: 9 })).rows).toEqual([]);
  });

  test("has the median time of the creates that ended in each minute, and the number of volumes on each host", async () => {
    const launched = (seconds: number, host: string) => ({
      created_at: "2026-03-04T05:05:00.000Z",
      launched_at: new Date(Date.parse("2026-03-04T05:05:00.000Z") + seconds * 1000).toISOString(),
      host,
    });
    const { after, feed } = setUp(
      volume({ id: id(1), ...launched(3, "a@b#c") }),
      volume({ id: id(2), ...launched(5, "a@b#c") }),
      volume({ id: id(3), ...launched(40, "a@b#d") }),
      volume({ id: id(4), ...launched(65, "a@b#d") }),
      volume({ id: id(5), launched_at: null, host: null, created_at: "2026-03-04T05:06:00.000Z" }),
    );
    const { create_seconds_per_minute: seconds } = await after(0);
    // Now is 05:06:07. For an even number the lower of the two middle values counts.
    expect(seconds.slice(-3)).toEqual([null, 3, 40]);
    expect([...feed.countsByHost()]).toEqual([
      ["a@b#c", 2],
      ["a@b#d", 2],
    ]);
    expect(feed.newest(2).map((row) => row.id)).toEqual([id(5), id(1)]);
  });

  test("is searched by every word in name, id, project, status and host, whatever the case", async () => {
    const { after } = setUp(
      volume({ id: id(1), display_name: "Web Root", project_id: "shop" }),
      volume({ id: id(2), display_name: "web", project_id: "bank", status: "error" }),
      volume({ id: id(3), display_name: null, host: "rack9@ssd#pool" }),
    );
    const found = async (search: string) => (await after(0, { search })).rows.map((row) => row.id).toSorted();
    expect(await found("WEB")).toEqual([id(1), id(2)]);
    expect(await found("web shop")).toEqual([id(1)]);
    expect(await found("error")).toEqual([id(2)]);
    expect(await found("rack9")).toEqual([id(3)]);
    expect(await found(id(3))).toEqual([id(3)]);
    expect(await found(".*")).toEqual([]);
  });

  test("is sorted by size as a number, and by name without its case", async () => {
    const { after } = setUp(
      volume({ id: id(1), size: 9, display_name: "beta" }),
      volume({ id: id(2), size: 10, display_name: "Alpha" }),
      volume({ id: id(3), size: 1, display_name: "gamma" }),
    );
    const sorted = async (query: Partial<VolumesQuery>) => (await after(0, query)).rows.map((row) => row.size);
    expect(await sorted({ sort: "size", isDescending: true })).toEqual([10, 9, 1]);
    expect(await sorted({ sort: "name", isDescending: false })).toEqual([10, 9, 1]);
  });

  test("shows the progress of creates in progress, the oldest first", async () => {
    const progress = {
      bytes_done: 512,
      bytes_total: 2048,
      bytes_per_second: 512,
      updated_at: "2026-03-04T05:06:07.000Z",
    };
    const { after } = setUp(
      volumeAtWork({ id: id(1), progress, created_at: "2026-03-04T05:06:00.000Z" }),
      volumeAtWork({ id: id(2), created_at: "2026-03-04T05:05:00.000Z" }),
      volume({ id: id(3) }),
    );
    const { creates, creates_total } = await after(0);
    expect(creates_total).toBe(2);
    expect(creates.map((create) => create.id)).toEqual([id(2), id(1)]);
    expect(creates[1]?.copy).toEqual({ bytes_done: 512, bytes_total: 2048, bytes_per_second: 512, eta_seconds: 3 });
  });
});

describe("what has changed", () => {
  test("is read of the volumes with a deadline alone, while the next reading of all is not due", async () => {
    const { after, calls, stored, feed } = setUp(volume({ id: id(1) }), volumeAtWork({ id: id(2) }));
    await after(0);
    const before = feed.version;
    stored.set(id(2), volume({ id: id(2), updated_at: "2026-03-04T05:06:08.000Z" }));
    const { counts } = await after(1000);
    expect(counts).toEqual({ available: 2 });
    expect(feed.version).toBeGreaterThan(before);
    expect(calls.list).toBe(1);
  });

  test("is asked for once a second, however often somebody looks", async () => {
    const { after, calls } = setUp(volume());
    await Promise.all([after(0), after(0), after(0)]);
    await after(100);
    expect(calls).toEqual({ list: 1, listOverdue: 1, getMany: 0 });
  });

  test("leaves the version as it is when nothing has", async () => {
    const { after, feed } = setUp(volume(), volumeAtWork({ id: id(2) }));
    await after(0);
    const before = feed.version;
    await after(60_000);
    expect(feed.version).toBe(before);
  });

  test("is seen within two seconds for volumes that were made or removed in between", async () => {
    const { after, stored } = setUp(volume({ id: id(1) }), volume({ id: id(2) }));
    await after(0);
    stored.delete(id(1));
    stored.set(id(3), volume({ id: id(3) }));
    await after(2000);
    expect((await after(0)).rows.map((row) => row.id).toSorted()).toEqual([id(2), id(3)]);
  });

  test("is seen in the next reading for a volume whose create started and ended since the last one", async () => {
    const { after, calls, state, stored } = setUp(volume({ id: id(1) }));
    state.executions = [`${id(1)}-a1`];
    await after(0);
    stored.set(id(2), volume({ id: id(2) }));
    state.executions = [`${id(2)}-a1`, `${id(1)}-a1`];
    expect((await after(1000)).rows.map((row) => row.id).toSorted()).toEqual([id(1), id(2)]);
    expect(calls.list).toBe(1);
  });

  test("is seen in the next reading for the volumes of the last answer, without a scan", async () => {
    const { after, calls, stored } = setUp(
      volume({ id: id(1), display_name: "a" }),
      volume({ id: id(2), display_name: "b" }),
    );
    await after(0);
    stored.set(id(1), volume({ id: id(1), display_name: "c", updated_at: "2026-03-04T05:06:08.000Z" }));
    stored.delete(id(2));
    expect((await after(1000)).rows.map((row) => row.name)).toEqual(["c"]);
    expect(calls.list).toBe(1);
  });

  test("is still read of the table while the executions cannot be listed, and the failure is reported", async () => {
    const { after, state, stored } = setUp(volume({ id: id(1) }));
    state.executionsFailure = new Error("not allowed to list executions");
    await after(0);
    stored.set(id(2), volume({ id: id(2) }));
    const { total, failure, read_at } = await after(2000);
    expect([total, failure?.message, read_at]).toEqual([
      2,
      "not allowed to list executions",
      "2026-03-04T05:06:09.000Z",
    ]);
  });

  test("takes a volume that was being removed off the list as soon as it is gone", async () => {
    const { after, stored } = setUp(volumeAtWork({ id: id(1), status: "deleting" }), volume({ id: id(2) }));
    await after(0);
    stored.delete(id(1));
    expect((await after(1000)).rows.map((row) => row.id)).toEqual([id(2)]);
  });

  test("is not undone by an older reading", async () => {
    const { after, stored } = setUp(volume({ id: id(1), updated_at: "2026-03-04T05:00:09.000Z", display_name: "new" }));
    await after(0);
    stored.set(id(1), volume({ id: id(1), updated_at: "2026-03-04T05:00:01.000Z", display_name: "old" }));
    expect((await after(5000)).rows[0]?.name).toBe("new");
  });

  test("is shown of a large table while the rest of it is read", async () => {
    const { after, state } = setUp(...many(2500));
    state.pageSize = 1000;
    expect((await after(0)).total).toBeGreaterThanOrEqual(1000);
    await expect.poll(async () => (await after(0)).total).toBe(2500);
  });
});

describe("a store that is down", () => {
  test("is reported, with the earlier data, until it answers again", async () => {
    const { after, state, feed } = setUp(volume({ id: id(1) }));
    await after(0);
    const before = feed.version;
    state.failure = Object.assign(new Error("connect"), { code: "ECONNREFUSED", address: "127.0.0.1", port: 4566 });
    const down = await after(1000);
    expect(down.failure).toEqual({
      name: "ConnectionError",
      message: "the connection to 127.0.0.1:4566 is refused",
      hint: "is the embedded cloud running? Start it with: npm start",
    });
    expect(down.rows).toHaveLength(1);
    expect(down.read_at).toBe("2026-03-04T05:06:07.000Z");
    expect(feed.version).toBeGreaterThan(before);
    state.failure = undefined;
    expect(await after(1000)).toMatchObject({ failure: null, read_at: "2026-03-04T05:06:09.000Z" });
  });

  test("before anything was read leaves an empty list, and says why", async () => {
    const { after, state } = setUp(volume());
    state.failure = new Error("nothing works");
    expect(await after(0)).toMatchObject({ total: 0, complete: false, failure: { message: "nothing works" } });
    state.failure = undefined;
    expect(await after(1000)).toMatchObject({ total: 1, complete: true, failure: null });
  });
});
