import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  applyReport,
  consumeFromVolume,
  poolStateFromReport,
  revertConsumedCapacity,
  type PoolReport,
} from "../../core/scheduling/pool-state.ts";
import { aPool, vectors } from "../support/scheduler-vectors.ts";

function aReport(capability: Record<string, unknown>, timestamp = "2026-01-01T00:00:00.000Z"): PoolReport {
  return { host: "h@b#p", cluster_name: null, availability_zone: "nova", timestamp, capability };
}

describe("a pool's state out of its report, as Cinder has it", () => {
  test.each(vectors.pool_state_defaults)("$name", ({ capability, global_ratio, out }) => {
    expect(poolStateFromReport(aReport(capability), global_ratio)).toMatchObject(out);
  });
});

describe("over-subscription ratio", () => {
  const thin = { thin_provisioning_support: true, total_capacity_gb: 100, free_capacity_gb: 60 };
  test.each([
    [
      "plays no part without thin support",
      { ...thin, thin_provisioning_support: false, max_over_subscription_ratio: 5 },
      1,
    ],
    ["plays no part with unknown free capacity", { ...thin, free_capacity_gb: "unknown" }, 1],
    ["may be text", { ...thin, max_over_subscription_ratio: "2.5" }, 2.5],
    ["of null is the global one", { ...thin, max_over_subscription_ratio: null }, 7],
    ["auto is 20 while nothing is provisioned", { ...thin, max_over_subscription_ratio: "auto" }, 20],
    ["auto follows what is usual", { ...thin, max_over_subscription_ratio: "auto", provisioned_capacity_gb: 82 }, 3],
    [
      "auto takes allocated for provisioned",
      { ...thin, max_over_subscription_ratio: "auto", allocated_capacity_gb: 82 },
      3,
    ],
    [
      "auto without used space to go by allows nothing",
      {
        ...thin,
        max_over_subscription_ratio: "auto",
        free_capacity_gb: 101,
        provisioned_capacity_gb: 5,
      },
      1,
    ],
    [
      "auto with a null figure allows nothing",
      {
        ...thin,
        max_over_subscription_ratio: "auto",
        total_capacity_gb: null,
        provisioned_capacity_gb: 5,
      },
      1,
    ],
    ["that is not a number allows nothing", { ...thin, max_over_subscription_ratio: "much" }, 1],
  ])("%s", (_name, capability, expected) => {
    expect(poolStateFromReport(aReport(capability), "7").max_over_subscription_ratio).toBe(expected);
  });

  test("the global setting may be auto, too", () => {
    expect(poolStateFromReport(aReport(thin), "auto").max_over_subscription_ratio).toBe(20);
  });
});

test("provisioned defaults to allocated, and a reported null stays null", () => {
  const state = poolStateFromReport(aReport({ allocated_capacity_gb: 12, free_capacity_gb: null }), "20.0");
  expect(state).toMatchObject({
    provisioned_capacity_gb: 12,
    free_capacity_gb: null,
    total_capacity_gb: 0,
  });
});

test("a clustered pool is known by its cluster's name", () => {
  const state = poolStateFromReport({ ...aReport({}), cluster_name: "c@b#p" }, "20.0");
  expect(state).toMatchObject({ host: "h@b#p", backend_id: "c@b#p" });
});

describe("consumption", () => {
  test.each(vectors.consume_from_volume)(
    "from a free capacity of $free_before",
    ({ free_before, size, after, raises }) => {
      const { allocated, provisioned, free } = {
        allocated: after.allocated - size,
        provisioned: after.provisioned - size,
        free: free_before,
      };
      const before = aPool({
        allocated_capacity_gb: allocated,
        provisioned_capacity_gb: provisioned,
        free_capacity_gb: free,
      });
      const consumed = consumeFromVolume(before, size, "2026-01-02T00:00:00.000Z");
      expect(consumed).toMatchObject({
        allocated_capacity_gb: after.allocated,
        provisioned_capacity_gb: after.provisioned,
        free_capacity_gb: after.free,
      });
      // Where Cinder raised half-way, the consumption is whole.
      expect(consumed.updated_at !== before.updated_at).toBe(raises === null ? after.updated_moved : true);
    },
  );

  test("may take free capacity below zero", () => {
    expect(consumeFromVolume(aPool({ free_capacity_gb: 1 }), 3, "2026-01-02T00:00:00.000Z").free_capacity_gb).toBe(-2);
  });

  test("counts a missing figure from 0", () => {
    const consumed = consumeFromVolume(
      aPool({ allocated_capacity_gb: null, provisioned_capacity_gb: null }),
      3,
      "2026-01-02T00:00:00.000Z",
    );
    expect(consumed).toMatchObject({ allocated_capacity_gb: 3, provisioned_capacity_gb: 3 });
  });

  test("does not change the state it was given", () => {
    const before = Object.freeze(aPool());
    expect(consumeFromVolume(before, 3, "2026-01-02T00:00:00.000Z")).not.toBe(before);
  });

  test("is undone by giving the size back, but for the time", () => {
    const gib = fc.integer({ min: 0, max: 1e6 });
    fc.assert(
      fc.property(
        gib,
        gib,
        fc.oneof(gib, fc.constant("infinite"), fc.constant(null)),
        gib,
        (allocated, provisioned, free, size) => {
          const before = aPool({
            allocated_capacity_gb: allocated,
            provisioned_capacity_gb: provisioned,
            free_capacity_gb: free,
          });
          const now = "2026-01-02T00:00:00.000Z";
          expect(revertConsumedCapacity(consumeFromVolume(before, size, now), size)).toEqual({
            ...before,
            updated_at: now,
          });
        },
      ),
    );
  });
});

describe("reports after a consumption", () => {
  test.each(vectors.consume_then_reports)("an older one changes no figure, a newer one all, as Cinder", (vector) => {
    const reported = poolStateFromReport(
      aReport({ total_capacity_gb: 100, free_capacity_gb: vector.free_reported }),
      "20.0",
    );
    const consumed = consumeFromVolume(reported, vector.consumed, "2026-01-01T00:01:00.000Z");
    const older = applyReport(
      consumed,
      aReport({ free_capacity_gb: vector.free_reported }, "2026-01-01T00:00:30.000Z"),
      "20.0",
    );
    expect(older.free_capacity_gb).toBe(vector.free_after_an_older_report);
    const newer = applyReport(older, aReport({ free_capacity_gb: 9 }, "2026-01-01T00:01:30.000Z"), "20.0");
    expect(newer.free_capacity_gb).toBe(vector.free_after_a_newer_report_of_9);
  });

  const consumed = consumeFromVolume(aPool({ capabilities: { qos: 1 } }), 10, "2026-01-01T00:01:00.000Z");

  test("one made before the consumption still brings its capabilities", () => {
    const applied = applyReport(consumed, aReport({ qos: 2 }, "2026-01-01T00:00:30.000Z"), "20.0");
    expect(applied).toMatchObject({
      capabilities: { qos: 2 },
      free_capacity_gb: 990,
      updated_at: consumed.updated_at,
    });
  });

  test("one that was overtaken by a newer report changes nothing", () => {
    expect(applyReport(consumed, aReport({ qos: 0 }, "2025-12-31T23:59:59.000Z"), "20.0")).toBe(consumed);
  });

  test("one of the same moment replaces the figures", () => {
    expect(applyReport(consumed, aReport({ free_capacity_gb: 5 }, consumed.updated_at), "20.0").free_capacity_gb).toBe(
      5,
    );
  });

  test("times are compared as times, whatever their precision", () => {
    const report = aReport({ free_capacity_gb: 5 }, "2026-01-01T00:01:00Z");
    expect(applyReport(consumed, report, "20.0").free_capacity_gb).toBe(5);
  });
});
