import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { capacityVerdict, virtualFreeCapacity } from "../../core/scheduling/capacity.ts";
import { capacityFilter } from "../../core/scheduling/filters/capacity-filter.ts";
import { aPool, vectors, type CapacityVector } from "../support/scheduler-vectors.ts";

/** Cinder's filter as recorded; where it raised, the pool fails. */
function expectRecordedAnswer({ state, filter_properties: filterProperties, out }: CapacityVector): void {
  const verdict = capacityFilter.passes(aPool(state), filterProperties);
  expect(verdict.passes).toBe("result" in out ? out.result : false);
}

describe("the capacity filter answers as Cinder's did", () => {
  test.each(vectors.capacity_filter_named)("$name", expectRecordedAnswer);

  test.each(vectors.capacity_filter_random.map((vector, index) => ({ ...vector, index })))(
    "random case $index",
    expectRecordedAnswer,
  );
});

describe("a broken figure fails the pool and not the request", () => {
  test.each([
    ["thin, all reserved", { thin_provisioning_support: true, reserved_percentage: 100 }],
    [
      "thin, all reserved, negative provisioned",
      { thin_provisioning_support: true, reserved_percentage: 100, provisioned_capacity_gb: -9 },
    ],
    ["total is null", { total_capacity_gb: null }],
    ["total is not a number", { total_capacity_gb: "lots" }],
    ["total is not a number", { total_capacity_gb: "nan" }],
    ["reserve is null", { reserved_percentage: null }],
    ["provisioned is null", { provisioned_capacity_gb: null }],
    ["thick free is not a number", { free_capacity_gb: "lots" }],
    ["thin ratio is null", { thin_provisioning_support: true, max_over_subscription_ratio: null }],
  ])("%s", (_name, figures) => {
    expect(capacityVerdict(aPool(figures), 1, null)).toEqual({
      passes: false,
      reason: expect.stringMatching(/\w/),
    });
  });

  test("numeric text is read as a number wherever it stands", () => {
    const pool = aPool({
      total_capacity_gb: "100",
      free_capacity_gb: "50",
      provisioned_capacity_gb: "60",
    });
    expect(virtualFreeCapacity(pool, null)).toBe(40);
  });

  test("a request without a size fits nowhere with a finite capacity", () => {
    expect(capacityFilter.passes(aPool(), {}).passes).toBe(false);
    expect(capacityFilter.passes(aPool(), { new_size: 5 }).passes).toBe(false);
  });
});

describe("what the filter asks for", () => {
  const full = aPool({ free_capacity_gb: 0 });

  test("a pool that has the volume already is not asked for room", () => {
    expect(capacityFilter.passes(full, { size: 5, vol_exists_on: full.backend_id }).passes).toBe(true);
    expect(capacityFilter.passes(full, { size: 5, vol_exists_on: "h@b" }).passes).toBe(false);
  });

  test("an extension asks for the growth only", () => {
    const pool = aPool({ free_capacity_gb: 5 });
    expect(capacityFilter.passes(pool, { size: 10, new_size: 15 }).passes).toBe(true);
    expect(capacityFilter.passes(pool, { size: 10, new_size: 16 }).passes).toBe(false);
  });

  test("a new size of 0 counts as not set", () => {
    expect(capacityFilter.passes(aPool({ free_capacity_gb: 5 }), { size: 10, new_size: 0 }).passes).toBe(false);
  });
});

test("the reserve is a share that is divided first: 29 % of 100 GiB reserves 28", () => {
  const pool = aPool({ total_capacity_gb: 100, free_capacity_gb: 100, reserved_percentage: 29 });
  expect(virtualFreeCapacity(pool, null)).toBe(72);
});

describe("the reason says what is missing", () => {
  test.each([
    [aPool({ free_capacity_gb: 3.5 }), "has 3.5 GiB left of 5 wanted"],
    [aPool({ free_capacity_gb: null }), "reports no free capacity"],
    [
      aPool({ total_capacity_gb: "unknown", reserved_percentage: 10 }),
      "reserves 10 % of a total capacity that is unknown",
    ],
    [aPool({ total_capacity_gb: 0 }), "reports a total capacity of 0 GiB"],
    [
      aPool({ thin_provisioning_support: true, max_over_subscription_ratio: 0.5 }),
      "has a max_over_subscription_ratio of 0.5, below 1",
    ],
  ])("case %#", (pool, reason) => {
    expect(capacityVerdict(pool, 5, null)).toEqual({ passes: false, reason });
  });
});

describe("whatever the figures", () => {
  const gib = fc.oneof(
    fc.double({ min: 0, max: 1e6, noNaN: true }),
    fc.integer({ min: 0, max: 1000 }),
    fc.constant(0.125),
  );
  const pool = fc.record({
    total_capacity_gb: gib,
    free_capacity_gb: gib,
    provisioned_capacity_gb: gib,
    reserved_percentage: fc.integer({ min: 0, max: 100 }),
    max_over_subscription_ratio: fc.double({ min: 1, max: 30, noNaN: true }),
    thin_provisioning_support: fc.boolean(),
  });
  const size = fc.integer({ min: 1, max: 1000 });

  test("a pool that takes a volume takes a smaller one", () => {
    fc.assert(
      fc.property(pool, size, size, (figures, one, other) => {
        fc.pre(capacityVerdict(figures, Math.max(one, other), null).passes);
        expect(capacityVerdict(figures, Math.min(one, other), null).passes).toBe(true);
      }),
    );
  });

  test("a pool that takes a volume takes it with more free and less provisioned, too", () => {
    fc.assert(
      fc.property(pool, size, gib, gib, (figures, requested, moreFree, lessProvisioned) => {
        fc.pre(capacityVerdict(figures, requested, null).passes);
        const roomier = {
          ...figures,
          free_capacity_gb: figures.free_capacity_gb + moreFree,
          provisioned_capacity_gb: figures.provisioned_capacity_gb - lessProvisioned,
        };
        expect(capacityVerdict(roomier, requested, null).passes).toBe(true);
      }),
    );
  });

  test("a thick type is never given more than the reported free space, to the half of a hundredth", () => {
    fc.assert(
      fc.property(pool, size, (figures, requested) => {
        fc.pre(capacityVerdict(figures, requested, { extra_specs: { "provisioning:type": "thick" } }).passes);
        expect(figures.free_capacity_gb).toBeGreaterThanOrEqual(requested - 0.005);
      }),
    );
  });
});
