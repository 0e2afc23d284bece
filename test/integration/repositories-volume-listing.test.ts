import { beforeAll, describe, expect, test } from "vitest";
import type { DynamoDbVolumeRepository } from "../../adapters/dynamodb/volume-repository.ts";
import { InvalidInput } from "../../core/errors.ts";
import type { VolumeRecord } from "../../core/records.ts";
import { queuedVolume } from "../support/records.ts";
import { NOW, tables, useVolumes, volumes } from "../support/volume-contract.ts";

useVolumes();

describe("getMany", () => {
  test("reads each volume that exists once, over more than one batch", async () => {
    const made = Array.from({ length: 105 }, () => queuedVolume());
    await Promise.all(made.map((record) => volumes.create(record)));
    const ids = made.map(({ id }) => id);
    const found = await volumes.getMany([...ids, ...ids.slice(0, 3), queuedVolume().id]);
    expect([...found.keys()].toSorted()).toEqual(ids.toSorted());
    expect(found.get(ids[104] ?? "")).toEqual(made[104]);
  });

  test("of nothing asks nothing", async () => {
    tables.calls.clear();
    expect(await volumes.getMany([])).toEqual(new Map());
    expect(tables.calls.size).toBe(0);
  });
});

test("listSummaries reads id, name and time of each volume that exists, and nothing else of it", async () => {
  const made = Array.from({ length: 105 }, (_, index) => queuedVolume({ display_name: index === 0 ? null : "name" }));
  await Promise.all(made.map((record) => volumes.create(record)));
  const found = await volumes.listSummaries([...made.map(({ id }) => id), queuedVolume().id]);
  const expected = made.map(({ id, display_name, created_at }) => [id, { id, display_name, created_at }] as const);
  expect(found).toEqual(new Map(expected));
});

describe("list", () => {
  const project = queuedVolume().id;
  const made = Array.from({ length: 25 }, (_, index) =>
    queuedVolume({
      project_id: project,
      display_name: index % 2 === 0 ? "even" : "odd",
      host: index < 5 ? `${project}@file#pool` : null,
      status: index === 0 ? "available" : "creating",
      deadline: null,
    }),
  );

  beforeAll(async () => {
    await Promise.all(made.map((record) => volumes.create(record)));
  });

  async function pages(
    filter: Parameters<DynamoDbVolumeRepository["list"]>[0],
    limit: number,
  ): Promise<VolumeRecord[][]> {
    const read: VolumeRecord[][] = [];
    let from: string | undefined;
    do {
      const page = await volumes.list(filter, limit, from);
      read.push(page.items);
      from = page.next;
    } while (from !== undefined);
    return read;
  }

  const idsOf = (records: VolumeRecord[]): string[] => records.map(({ id }) => id).toSorted();

  test("gives every match once over all pages, none of them too long", async () => {
    const read = await pages({ projectId: project }, 4);
    expect(idsOf(read.flat())).toEqual(idsOf(made));
    expect(Math.max(...read.map(({ length }) => length))).toBe(4);
  });

  test("fills a page although most volumes do not match", async () => {
    expect((await volumes.list({ projectId: project }, 25)).items).toHaveLength(25);
  });

  test("gives every volume once without a filter", async () => {
    const all = (await pages({}, 10)).flat().map(({ id }) => id);
    expect(new Set(all).size).toBe(all.length);
    expect(all).toEqual(expect.arrayContaining(made.map(({ id }) => id)));
  });

  test("narrows by name, host and status together", async () => {
    const read = await pages(
      { projectId: project, name: "even", host: `${project}@file#pool`, status: "creating" },
      10,
    );
    expect(idsOf(read.flat())).toEqual(idsOf([made[2], made[4]].filter((record) => record !== undefined)));
  });

  test("by a backend finds the volumes on all of its pools, and none of another's", async () => {
    expect(idsOf((await pages({ host: `${project}@file` }, 10)).flat())).toEqual(idsOf(made.slice(0, 5)));
    expect(await pages({ host: `${project}@fil` }, 10)).toEqual([[]]);
  });

  const tokens = [
    "nonsense",
    "",
    Buffer.from("[]").toString("base64url"),
    Buffer.from('{"id":1}').toString("base64url"),
  ];
  for (const token of [
    ...tokens,
    Buffer.from('{"id":"a","x":"b"}').toString("base64url"),
    Buffer.from("null").toString("base64url"),
  ]) {
    test(`refuses the token ${JSON.stringify(token)}`, async () => {
      await expect(volumes.list({}, 10, token)).rejects.toThrow(InvalidInput);
    });
  }

  test("refuses a token whose key no volume can have, and says what to do", async () => {
    const forged = Buffer.from(JSON.stringify({ id: "x".repeat(3000) })).toString("base64url");
    await expect(volumes.list({}, 10, forged)).rejects.toMatchObject({
      name: "InvalidInput",
      message: expect.stringContaining("invalid page token: take the one that the page before gave") as string,
    });
  });

  for (const limit of [0, -1, 1.5, Number.NaN]) {
    test(`refuses the limit ${limit}`, async () => {
      await expect(volumes.list({}, limit)).rejects.toThrow(InvalidInput);
    });
  }
});

describe("listOverdue", () => {
  test("names what is overdue, the longest overdue first, page by page", async () => {
    const early = queuedVolume({ deadline: "1990-01-01T00:00:00.000Z" });
    const earlier = queuedVolume({ deadline: "1980-01-01T00:00:00.000Z" });
    await volumes.create(early);
    await volumes.create(earlier);
    const now = new Date("1999-01-01T00:00:00.000Z");
    const first = await volumes.listOverdue(now, 1);
    expect(first.items).toEqual([{ id: earlier.id, deadline: earlier.deadline }]);
    expect((await volumes.listOverdue(now, 5, first.next)).items).toEqual([{ id: early.id, deadline: early.deadline }]);
  });

  test("does not name a volume whose deadline is this moment", async () => {
    const volume = queuedVolume({ deadline: "2000-01-01T00:00:00.000Z" });
    await volumes.create(volume);
    const isNamed = async (now: string) =>
      (await volumes.listOverdue(new Date(now), 100)).items.some(({ id }) => id === volume.id);
    expect(await isNamed("2000-01-01T00:00:00.000Z")).toBe(false);
    expect(await isNamed("2000-01-01T00:00:00.001Z")).toBe(true);
  });

  test("refuses a token of another listing", async () => {
    await expect(volumes.listOverdue(NOW, 1, Buffer.from('{"id":"a"}').toString("base64url"))).rejects.toThrow(
      InvalidInput,
    );
  });

  test("refuses a token that leads out of what is asked for", async () => {
    const forge = (key: object) => Buffer.from(JSON.stringify(key)).toString("base64url");
    for (const key of [
      { id: "a", in_flow: "other", deadline: "1980-01-01T00:00:00.000Z" },
      { id: "a", in_flow: "yes", deadline: "2999-01-01T00:00:00.000Z" },
    ]) {
      await expect(volumes.listOverdue(new Date("1999-01-01T00:00:00.000Z"), 1, forge(key))).rejects.toMatchObject({
        name: "InvalidInput",
        message: expect.stringContaining("invalid page token") as string,
      });
    }
  });
});
