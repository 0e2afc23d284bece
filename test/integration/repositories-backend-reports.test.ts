import { randomUUID } from "node:crypto";
import { beforeEach, describe, expect, test } from "vitest";
import { ownerOf } from "../support/records.ts";
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

  test("is one UpdateItem", async () => {
    tables.calls.clear();
    await backends.report({ ...report, reported_at: LATER });
    expect(Object.fromEntries(tables.calls)).toEqual({ UpdateItemCommand: 1 });
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
    await backends.settle(report.host, settled);
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
    const settled = volumes.slice(0, 5).map((id) => backends.settle(report.host, id));
    const released = volumes.slice(5, 10).map((id) => backends.release(report.host, ownerOf(id)));
    await Promise.all([...reports, ...settled, ...released]);
    await backends.report({ ...report, reported_at: "2026-01-01T00:03:00.000Z", free_capacity_gb: 500 });
    expect(await figures()).toEqual({ allocated: 15, provisioned: 15, free: 490, claims: 10 });
  });
});

describe("list", () => {
  test("is in the order of the hosts", async () => {
    const hosts = (await backends.list()).map(({ host }) => host);
    expect(hosts.length).toBeGreaterThan(1);
    expect(hosts).toEqual(hosts.toSorted());
  });
});

describe("the capacity of a volume of which no backend was asked", () => {
  const volumeId = randomUUID();
  const stillThere = async () => true;

  beforeEach(async () => {
    await claim(volumeId, 4);
    await backends.settle(report.host, volumeId);
  });

  test("is given back once, however many ask at once", async () => {
    const ask = () => backends.returnUnasked(report.host, volumeId, 4, stillThere);
    await Promise.all(Array.from({ length: 10 }, ask));
    await ask();
    expect(await figures()).toEqual({ allocated: 0, provisioned: 0, free: 6, claims: 1 });
  });

  test("is not given back by who read the record before another one gave it back and the volume left", async () => {
    let reads = 0;
    const leavesMeanwhile = async (): Promise<boolean> => {
      reads += 1;
      if (reads === 1) {
        await backends.returnUnasked(report.host, volumeId, 4, stillThere);
        await backends.forgetReturned(report.host, volumeId);
        await claim(volumeId, 4);
        await backends.settle(report.host, volumeId);
      }
      return reads === 1;
    };
    await backends.returnUnasked(report.host, volumeId, 4, leavesMeanwhile);
    expect(reads).toBe(2);
    expect((await figures()).allocated).toBe(4);
  });

  test("waits for no other volume's: the record is read again, and it is given back", async () => {
    const other = randomUUID();
    await claim(other, 2);
    await backends.settle(report.host, other);
    let reads = 0;
    await backends.returnUnasked(report.host, volumeId, 4, async () => {
      reads += 1;
      await backends.returnUnasked(report.host, other, 2, stillThere);
      return true;
    });
    expect(reads).toBe(2);
    expect((await figures()).allocated).toBe(0);
  });

  test("is left where it is when the volume has a claim there, or has left", async () => {
    const open = randomUUID();
    await claim(open, 2);
    await backends.returnUnasked(report.host, open, 2, stillThere);
    await backends.returnUnasked(report.host, volumeId, 4, async () => false);
    expect(await figures()).toMatchObject({ allocated: 6, claims: 1 });
  });

  test("on a backend that is gone does nothing", async () => {
    await expect(backends.returnUnasked("gone@file#pool", volumeId, 4, stillThere)).resolves.toBeUndefined();
  });
});

describe("a deleted volume's capacity", () => {
  const volumeId = randomUUID();

  beforeEach(async () => {
    await claim(volumeId, 4);
    await backends.settle(report.host, volumeId);
  });

  test("is given back once, and what is free waits for the next report", async () => {
    await backends.returnCapacity(report.host, volumeId, 4);
    await backends.returnCapacity(report.host, volumeId, 4);
    expect(await figures()).toEqual({ allocated: 0, provisioned: 0, free: 6, claims: 1 });
    await backends.report({ ...report, reported_at: LATER, free_capacity_gb: 10 });
    expect((await figures()).free).toBe(10);
  });

  test("leaves nothing on the backend once the return is forgotten", async () => {
    await backends.returnCapacity(report.host, volumeId, 4);
    await backends.forgetReturned(report.host, volumeId);
    await backends.forgetReturned(report.host, volumeId);
    expect(await figures()).toEqual({ allocated: 0, provisioned: 0, free: 6, claims: 0 });
  });

  test("is given back once by many deletions at once", async () => {
    await Promise.all(Array.from({ length: 10 }, () => backends.returnCapacity(report.host, volumeId, 4)));
    expect((await figures()).allocated).toBe(0);
  });

  test("is given back once although settle, release and another claim come late", async () => {
    await backends.returnCapacity(report.host, volumeId, 4);
    await backends.settle(report.host, volumeId);
    await backends.release(report.host, ownerOf(volumeId, 0));
    expect(await claim(volumeId, 4)).toBeUndefined();
    await backends.returnCapacity(report.host, volumeId, 4);
    expect((await figures()).allocated).toBe(0);
  });

  test("is given back when its claim was never settled", async () => {
    const open = randomUUID();
    await claim(open, 2);
    await backends.returnCapacity(report.host, open, 2);
    await backends.forgetReturned(report.host, open);
    expect(await figures()).toEqual({ allocated: 4, provisioned: 4, free: 4, claims: 0 });
    await backends.report({ ...report, reported_at: LATER, free_capacity_gb: 6 });
    expect((await figures()).free).toBe(6);
  });

  test("leaves an open claim when only the mark is to be forgotten", async () => {
    const open = randomUUID();
    await claim(open, 2);
    await backends.forgetReturned(report.host, open);
    expect((await read()).claims[open]?.size).toBe(2);
  });

  test("on a backend that is gone changes nothing", async () => {
    await backends.returnCapacity("gone@file#pool", volumeId, 4);
    await backends.forgetReturned("gone@file#pool", volumeId);
    expect((await backends.list()).map(({ host }) => host)).not.toContain("gone@file#pool");
  });
});
