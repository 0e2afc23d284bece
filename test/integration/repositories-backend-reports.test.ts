import { randomUUID } from "node:crypto";
import { beforeEach, describe, expect, test } from "vitest";
import {
  useBackends,
  LATER,
  tables,
  backends,
  report,
  backend,
  begin,
  read,
  figures,
  claim,
  ref,
  disable,
} from "../support/backend-contract.ts";

useBackends();

const EARLIER = "2025-12-31T00:00:00.000Z";

describe("report", () => {
  test("makes a backend that holds nothing", () => {
    expect(backend).toEqual({
      ...report,
      disabled: false,
      allocated_capacity_gb: 0,
      provisioned_capacity_gb: 0,
      claims: {},
      moves: 0,
    });
  });

  test("reads back with nulls, words and nested capabilities", async () => {
    const columns = {
      total_capacity_gb: null,
      free_capacity_gb: "infinite",
      max_over_subscription_ratio: "auto",
      capabilities: { compression: true, tiers: ["ssd", { rpm: 7200 }], vendor: null, "": "x" },
    };
    await begin(columns);
    expect(backend).toMatchObject(columns);
  });

  test("is one UpdateItem, after a look at the open claims", async () => {
    tables.calls.clear();
    await backends.report({ ...report, reported_at: LATER });
    expect(Object.fromEntries(tables.calls)).toEqual({ GetItemCommand: 1, QueryCommand: 1, UpdateItemCommand: 1 });
  });

  test("replaces what was reported, also with null", async () => {
    await backends.report({
      ...report,
      reported_at: LATER,
      total_capacity_gb: null,
      capabilities: { a: 1 },
      free_capacity_gb: "unknown",
    });
    expect(await read()).toMatchObject({
      reported_at: LATER,
      total_capacity_gb: null,
      capabilities: { a: 1 },
      free_capacity_gb: "unknown",
    });
  });

  for (const [age, reportedAt] of [
    ["older", EARLIER],
    ["repeated", "2026-01-01T00:00:00.000Z"],
  ] as const) {
    test(`that is received later holds, though its time is ${age}`, async () => {
      await backends.report({ ...report, reported_at: reportedAt, free_capacity_gb: 3 });
      expect(await read()).toMatchObject({ reported_at: reportedAt, free_capacity_gb: 3 });
    });
  }

  test("keeps what is claimed, and takes the open claims from what is free", async () => {
    await claim(randomUUID(), 2);
    const settled = randomUUID();
    await claim(settled, 3);
    await backends.settle(report.host, ref(settled));
    await backends.report({ ...report, reported_at: LATER, free_capacity_gb: 7 });
    expect(await figures()).toEqual({ allocated: 5, provisioned: 5, free: 5, claims: 1 });
  });

  test("keeps a backend disabled", async () => {
    await disable();
    await backends.report({ ...report, reported_at: LATER });
    expect((await read()).disabled).toBe(true);
  });

  test("loses no claim that is made, settled or released at the same time", async () => {
    await begin({ free_capacity_gb: 1000, total_capacity_gb: 1000 });
    const volumes = Array.from({ length: 20 }, () => randomUUID());
    const claimed = await Promise.all(volumes.map((id) => claim(id, 1)));
    expect(claimed.every((record) => record !== undefined)).toBe(true);
    const reports = Array.from({ length: 10 }, (_, index) =>
      backends.report({ ...report, reported_at: `2026-01-01T00:02:0${index}.000Z`, free_capacity_gb: 500 }),
    );
    const settled = volumes.slice(0, 5).map((id) => backends.settle(report.host, ref(id)));
    const released = volumes.slice(5, 10).map((id) => backends.release(report.host, ref(id)));
    await Promise.all([...reports, ...settled, ...released]);
    await backends.report({ ...report, reported_at: "2026-01-01T00:03:00.000Z", free_capacity_gb: 500 });
    expect(await figures()).toEqual({ allocated: 15, provisioned: 15, free: 490, claims: 10 });
  });
});

describe("list", () => {
  test("is in the order of the hosts", async () => {
    const reported = ["c@list", "a@list", "b@list"];
    for (const host of reported) {
      await backends.report({ ...report, host });
    }
    const hosts = (await backends.list()).map(({ host }) => host);
    expect(hosts).toEqual(hosts.toSorted());
    expect(hosts.filter((host) => host.endsWith("@list"))).toEqual(["a@list", "b@list", "c@list"]);
  });
});

describe("a deleted volume's capacity", () => {
  const volumeId = randomUUID();

  beforeEach(async () => {
    await claim(volumeId, 4);
    await backends.settle(report.host, ref(volumeId));
  });

  test("is given back once, and what is free waits for the next report", async () => {
    await backends.returnCapacity(report.host, ref(volumeId), 4);
    await backends.returnCapacity(report.host, ref(volumeId), 4);
    expect(await figures()).toEqual({ allocated: 0, provisioned: 0, free: 6, claims: 0 });
    await backends.report({ ...report, reported_at: LATER, free_capacity_gb: 10 });
    expect((await figures()).free).toBe(10);
  });

  test("is given back once by many deletions at once", async () => {
    await Promise.all(Array.from({ length: 10 }, () => backends.returnCapacity(report.host, ref(volumeId), 4)));
    expect((await figures()).allocated).toBe(0);
  });

  test("is given back once although settle and release come late", async () => {
    await backends.returnCapacity(report.host, ref(volumeId), 4);
    await backends.settle(report.host, ref(volumeId));
    await backends.release(report.host, ref(volumeId, 0));
    await backends.returnCapacity(report.host, ref(volumeId), 4);
    expect((await figures()).allocated).toBe(0);
  });

  test("is given back when its claim was never settled", async () => {
    const open = randomUUID();
    await claim(open, 2);
    await backends.returnCapacity(report.host, ref(open), 2);
    expect(await figures()).toEqual({ allocated: 4, provisioned: 4, free: 4, claims: 0 });
    await backends.report({ ...report, reported_at: LATER, free_capacity_gb: 6 });
    expect((await figures()).free).toBe(6);
  });

  test("on a backend that is gone changes nothing", async () => {
    await backends.returnCapacity("gone@file#pool", ref(volumeId), 4);
    expect((await backends.list()).map(({ host }) => host)).not.toContain("gone@file#pool");
  });
});
