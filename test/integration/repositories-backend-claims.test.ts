import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { ownerOf } from "../support/records.ts";
import {
  useBackends,
  NOW,
  LATER,
  NO_LIMITS,
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

describe("claim", () => {
  test("holds the size for the attempt", async () => {
    const volumeId = randomUUID();
    const claimed = await claim(volumeId, 4);
    expect(claimed).toEqual(await read());
    expect(claimed).toMatchObject({
      allocated_capacity_gb: 4,
      provisioned_capacity_gb: 4,
      free_capacity_gb: 6,
      claims: { [volumeId]: { attempt: 1, size: 4, claimed_at: NOW.toISOString() } },
    });
  });

  test("is one UpdateItem", async () => {
    tables.calls.clear();
    await claim(randomUUID(), 1, 1, { maxProvisionedCapacityGb: 9, minFreeCapacityGb: 1 });
    expect(Object.fromEntries(tables.calls)).toEqual({ UpdateItemCommand: 1 });
  });

  test("repeated by the same attempt is counted once and returns the backend", async () => {
    const volumeId = randomUUID();
    const first = await claim(volumeId, 4);
    expect(await claim(volumeId, 4)).toEqual(first);
    expect(await figures()).toEqual({ allocated: 4, provisioned: 4, free: 6, claims: 1 });
  });

  test("repeated at the same time is counted once", async () => {
    const volumeId = randomUUID();
    const claimed = await Promise.all(Array.from({ length: 10 }, () => claim(volumeId, 4)));
    expect(claimed.every((record) => record !== undefined)).toBe(true);
    expect(await figures()).toEqual({ allocated: 4, provisioned: 4, free: 6, claims: 1 });
  });

  test("repeated after a new report is still the attempt's", async () => {
    const volumeId = randomUUID();
    await claim(volumeId, 4);
    await backends.report({ ...report, reported_at: LATER });
    expect((await claim(volumeId, 4))?.claims[volumeId]?.attempt).toBe(1);
  });

  test("of a later attempt is counted next to that of an earlier one, which may not be released yet", async () => {
    const volumeId = randomUUID();
    await claim(volumeId, 4);
    expect((await claim(volumeId, 4, 2))?.claims[volumeId]?.attempt).toBe(2);
    expect(await figures()).toEqual({ allocated: 8, provisioned: 8, free: 2, claims: 2 });
    await backends.release(report.host, ref(volumeId, 1));
    await backends.release(report.host, ref(volumeId, 1));
    expect(await figures()).toEqual({ allocated: 4, provisioned: 4, free: 6, claims: 1 });
    expect((await backends.claimOf(report.host, volumeId, 2))?.size).toBe(4);
  });

  test("is refused when the backend has reported since it was read", async () => {
    await backends.report({ ...report, reported_at: LATER });
    expect(await claim(randomUUID(), 1)).toBeUndefined();
    expect((await figures()).allocated).toBe(0);
  });

  test("is refused on a disabled backend", async () => {
    await disable();
    expect(await claim(randomUUID(), 1)).toBeUndefined();
  });

  test("is refused on a backend that is gone, and makes none", async () => {
    const gone = { ...backend, host: "gone@file#pool" };
    expect(await backends.claim(gone, ownerOf(randomUUID()), 1, NO_LIMITS)).toBeUndefined();
    expect((await backends.list()).map(({ host }) => host)).not.toContain("gone@file#pool");
  });

  test("is refused below the least free capacity, and made at it", async () => {
    expect(await claim(randomUUID(), 1, 1, { ...NO_LIMITS, minFreeCapacityGb: 10.5 })).toBeUndefined();
    expect(await claim(randomUUID(), 1, 1, { ...NO_LIMITS, minFreeCapacityGb: 10 })).toBeDefined();
    expect((await figures()).allocated).toBe(1);
  });

  test("is refused above the most provisioned capacity, and made at it", async () => {
    await claim(randomUUID(), 4);
    expect(await claim(randomUUID(), 1, 1, { ...NO_LIMITS, maxProvisionedCapacityGb: 3.5 })).toBeUndefined();
    expect(await claim(randomUUID(), 1, 1, { ...NO_LIMITS, maxProvisionedCapacityGb: 4 })).toBeDefined();
    expect((await figures()).provisioned).toBe(5);
  });

  for (const free of ["infinite", "unknown", null]) {
    test(`leaves a free capacity of ${free} as it is`, async () => {
      await begin({ free_capacity_gb: free });
      expect(await claim(randomUUID(), 4)).toMatchObject({ free_capacity_gb: free, allocated_capacity_gb: 4 });
    });
  }

  test("lets exactly as many of 50 that race for the space have it as fit", async () => {
    await begin({ free_capacity_gb: 20.5, total_capacity_gb: 100 });
    const limits = { ...NO_LIMITS, minFreeCapacityGb: 3 };
    const claims = await Promise.all(Array.from({ length: 50 }, () => claim(randomUUID(), 3, 1, limits)));
    expect(claims.filter((record) => record !== undefined)).toHaveLength(6);
    expect(await figures()).toEqual({ allocated: 18, provisioned: 18, free: 2.5, claims: 6 });
  });

  test("gives the last space to exactly one of 50", async () => {
    const limits = { maxProvisionedCapacityGb: 0, minFreeCapacityGb: 10 };
    const claims = await Promise.all(Array.from({ length: 50 }, () => claim(randomUUID(), 10, 1, limits)));
    expect(claims.filter((record) => record !== undefined)).toHaveLength(1);
    expect(await figures()).toEqual({ allocated: 10, provisioned: 10, free: 0, claims: 1 });
  });
});

describe("settle", () => {
  test("closes the claim and keeps its capacity counted, once", async () => {
    const volumeId = randomUUID();
    await claim(volumeId, 4);
    await backends.settle(report.host, ref(volumeId));
    await backends.settle(report.host, ref(volumeId));
    expect(await figures()).toEqual({ allocated: 4, provisioned: 4, free: 6, claims: 0 });
    await backends.report({ ...report, reported_at: LATER, free_capacity_gb: 6 });
    expect((await figures()).free).toBe(6);
  });

  test("is one UpdateItem", async () => {
    const volumeId = randomUUID();
    await claim(volumeId, 4);
    tables.calls.clear();
    await backends.settle(report.host, ref(volumeId));
    expect(Object.fromEntries(tables.calls)).toEqual({ UpdateItemCommand: 1 });
  });

  test("of a claim or backend that is not there changes nothing", async () => {
    await backends.settle(report.host, ref(randomUUID()));
    await backends.settle("gone@file#pool", ref(randomUUID()));
    expect(await figures()).toEqual({ allocated: 0, provisioned: 0, free: 10, claims: 0 });
    expect((await backends.list()).map(({ host }) => host)).not.toContain("gone@file#pool");
  });

  test("before a release of the same attempt lets the release give nothing back", async () => {
    const volumeId = randomUUID();
    await claim(volumeId, 4);
    await backends.settle(report.host, ref(volumeId));
    await backends.release(report.host, ref(volumeId));
    expect((await figures()).allocated).toBe(4);
  });

  test("and release at the same time close the claim once", async () => {
    const volumeId = randomUUID();
    await claim(volumeId, 4);
    await Promise.all([backends.settle(report.host, ref(volumeId)), backends.release(report.host, ref(volumeId))]);
    const { allocated, provisioned, claims } = await figures();
    expect(claims).toBe(0);
    expect([0, 4]).toContain(allocated);
    expect(provisioned).toBe(allocated);
    await backends.report({ ...report, reported_at: LATER, free_capacity_gb: 10 });
    expect((await figures()).free).toBe(10);
  });
});

describe("a claim is known by the time at which it was made", () => {
  const ANOTHER_TIME = "2026-01-01T00:00:00.000Z";

  test("so neither settle nor release closes one of another time", async () => {
    const volumeId = randomUUID();
    await claim(volumeId, 4);
    await backends.settle(report.host, ref(volumeId, 1, ANOTHER_TIME));
    await backends.settleUnsent(report.host, ref(volumeId, 1, ANOTHER_TIME));
    await backends.release(report.host, ref(volumeId, 1, ANOTHER_TIME));
    expect(await figures()).toEqual({ allocated: 4, provisioned: 4, free: 6, claims: 1 });
    await backends.settle(report.host, ref(volumeId));
    expect(await figures()).toEqual({ allocated: 4, provisioned: 4, free: 6, claims: 0 });
  });

  test("and release of its own time gives back", async () => {
    const volumeId = randomUUID();
    await claim(volumeId, 4);
    await backends.release(report.host, ref(volumeId));
    expect(await read()).toEqual({ ...backend, moves: expect.any(Number) as number });
  });
});

describe("a claim whose notification could not be sent", () => {
  test("stays open and holds nothing, so a report counts the volume once", async () => {
    const volumeId = randomUUID();
    await claim(volumeId, 4);
    await backends.settleUnsent(report.host, ref(volumeId));
    await backends.settleUnsent(report.host, ref(volumeId));
    expect(await figures()).toEqual({ allocated: 4, provisioned: 4, free: 6, claims: 1 });
    await backends.report({ ...report, reported_at: LATER, free_capacity_gb: 6 });
    expect((await figures()).free).toBe(6);
    await backends.settle(report.host, ref(volumeId));
    await backends.report({ ...report, reported_at: "2026-01-01T00:02:00.000Z", free_capacity_gb: 6 });
    expect(await figures()).toEqual({ allocated: 4, provisioned: 4, free: 6, claims: 0 });
  });

  test("gives its capacity back when the volume is deleted", async () => {
    const volumeId = randomUUID();
    await claim(volumeId, 4);
    await backends.settleUnsent(report.host, ref(volumeId));
    await backends.returnCapacity(report.host, ref(volumeId), 4);
    expect(await figures()).toMatchObject({ allocated: 0, provisioned: 0, claims: 0 });
  });
});

describe("release", () => {
  test("gives back what the claim took, once", async () => {
    const volumeId = randomUUID();
    await claim(volumeId, 4);
    await backends.release(report.host, ref(volumeId));
    await backends.release(report.host, ref(volumeId));
    expect(await read()).toEqual({ ...backend, moves: expect.any(Number) as number });
  });

  test("many times at once gives back once", async () => {
    const volumeId = randomUUID();
    await claim(volumeId, 4);
    await claim(randomUUID(), 1);
    await Promise.all(Array.from({ length: 10 }, () => backends.release(report.host, ref(volumeId))));
    expect(await figures()).toEqual({ allocated: 1, provisioned: 1, free: 9, claims: 1 });
  });

  test("by another attempt leaves the claim", async () => {
    const volumeId = randomUUID();
    await claim(volumeId, 4, 2);
    await backends.release(report.host, ref(volumeId, 1));
    expect(await figures()).toEqual({ allocated: 4, provisioned: 4, free: 6, claims: 1 });
  });

  for (const free of ["infinite", null]) {
    test(`leaves a free capacity of ${free} as it is`, async () => {
      await begin({ free_capacity_gb: free });
      const volumeId = randomUUID();
      await claim(volumeId, 4);
      await backends.release(report.host, ref(volumeId));
      expect(await read()).toEqual({ ...backend, moves: expect.any(Number) as number });
    });
  }

  test("while reports change what free is gives back once", async () => {
    const volumeId = randomUUID();
    await claim(volumeId, 4);
    const reports = ["infinite", 8, "unknown", 7, null, 9].map((free, index) =>
      backends.report({ ...report, reported_at: `2026-01-01T00:02:0${index}.000Z`, free_capacity_gb: free }),
    );
    await Promise.all([...reports, backends.release(report.host, ref(volumeId))]);
    expect(await figures()).toMatchObject({ allocated: 0, provisioned: 0, claims: 0 });
    // A report that read the claim before it was released has subtracted it.
    await backends.report({ ...report, reported_at: LATER, free_capacity_gb: 9 });
    expect((await figures()).free).toBe(9);
  });

  test("on a backend that is gone changes nothing", async () => {
    await expect(backends.release("gone@file#pool", ref(randomUUID()))).resolves.toBeUndefined();
  });

  test("lets the volume's next attempt claim the backend", async () => {
    const volumeId = randomUUID();
    await claim(volumeId, 4);
    await backends.release(report.host, ref(volumeId));
    expect((await claim(volumeId, 4, 2))?.claims[volumeId]?.attempt).toBe(2);
  });
});
