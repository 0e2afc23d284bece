// @ts-nocheck
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CINDER_SETTINGS } from "../../core/scheduling/settings.ts";
import { WEIGHERS, weighPools } from "../../core/scheduling/weighers/index.ts";
import { normalize } from "../../core/scheduling/weighers/normalize.ts";
import type { Weigher } from "../../core/scheduling/weighers/weigher.ts";
import { aPool, vectors } from "../support/scheduler-vectors.ts";

function weighersNamed(names: readonly string[]): Weigher[] {
  return names.map((name) => WEIGHERS.get(name) ?? expect.fail(`no weigher ${name}`));
}

const capacity = weighersNamed(["CapacityWeigher"]);

describe("the weighers answer as Cinder's did", () => {
  test.each(vectors.weighers)("$name", (vector) => {
    const pools = vector.backends_in_order.map(([host, figures]) => aPool({ ...figures, host }));
    const best = weighPools(weighersNamed(vector.weighers), pools, vector.weight_properties, vector);
    const answer = best.map(({ pool, weight }) => [pool.host, weight]);
    // Where Cinder raised, all are equal.
    expect(answer).toEqual(
      "result" in vector.out_best_first ? vector.out_best_first.result : pools.map(({ host }) => [host, 0]),
    );
  });

  test.each(vectors.normalize)("normalising $weights", ({ weights, min, max, out }) => {
    expect(normalize(weights, min, max)).toEqual(out);
  });
});

describe("normalising", () => {
  test("nothing gives nothing", () => {
    expect(normalize([])).toEqual([]);
  });

  test("goes by the given bounds rather than the list's", () => {
    expect(normalize([1, 2], 0, 4)).toEqual([0.25, 0.5]);
  });

  test("keeps the order and ends at 0 and 1", () => {
    const weights = fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 2 });
    fc.assert(
      fc.property(weights, (list) => {
        fc.pre(new Set(list).size > 1);
        const normalized = normalize(list);
        expect([Math.min(...normalized), Math.max(...normalized)]).toEqual([0, 1]);
        const byWeight = list
          .map((weight, index) => [weight, normalized[index] ?? NaN] as const)
          .toSorted(([a], [b]) => a - b);
        const inOrder = byWeight.map(([, value]) => value);
        expect(inOrder).toEqual(inOrder.toSorted((a, b) => a - b));
      }),
    );
  });

  test("takes more weights than a call takes arguments", () => {
    expect(normalize(Array.from({ length: 200_000 }, (_, index) => index % 2)).slice(0, 2)).toEqual([0, 1]);
  });
});

describe("capacity weigher", () => {
  test.each([-1, 0])("candidates of which none is finite are all equal under the multiplier %d", (multiplier) => {
    const pools = [
      aPool({ host: "a", free_capacity_gb: "infinite" }),
      aPool({ host: "b", total_capacity_gb: "unknown" }),
    ];
    const weighed = weighPools(capacity, pools, {}, { ...CINDER_SETTINGS, capacity_weight_multiplier: multiplier });
    expect(weighed.map(({ pool, weight }) => [pool.host, weight])).toEqual([
      ["a", 0],
      ["b", 0],
    ]);
  });

  test.each([1, -1])("a broken figure loses against every finite one under the multiplier %d", (multiplier) => {
    const pools = [
      aPool({ host: "broken", free_capacity_gb: null }),
      aPool({ host: "a" }),
      aPool({ host: "b", free_capacity_gb: 5 }),
    ];
    const weighed = weighPools(capacity, pools, {}, { ...CINDER_SETTINGS, capacity_weight_multiplier: multiplier });
    expect(weighed.at(-1)?.pool.host).toBe("broken");
  });

  test("unknown pools among equal finite ones lose under a negative multiplier, too", () => {
    const pools = [aPool({ host: "unknown", free_capacity_gb: "unknown" }), aPool({ host: "a" }), aPool({ host: "b" })];
    const weighed = weighPools(capacity, pools, {}, { ...CINDER_SETTINGS, capacity_weight_multiplier: -1 });
    expect(weighed.map(({ pool, weight }) => [pool.host, weight])).toEqual([
      ["a", 0],
      ["b", 0],
      ["unknown", -1],
    ]);
  });
});

test("an allocated capacity that is not reported weighs as 0", () => {
  const pools = [aPool({ host: "a", allocated_capacity_gb: 3 }), aPool({ host: "b", allocated_capacity_gb: null })];
  const weighed = weighPools(weighersNamed(["AllocatedCapacityWeigher"]), pools, {}, CINDER_SETTINGS);
  expect(weighed.map(({ pool }) => pool.host)).toEqual(["b", "a"]);
});

describe("the order of the candidates", () => {
  const figure = fc.oneof(fc.integer({ min: 0, max: 4 }), fc.constantFrom("infinite", "unknown", null));
  const pools = fc
    .array(
      fc.record({
        free_capacity_gb: figure,
        allocated_capacity_gb: fc.integer({ min: 0, max: 2 }),
      }),
    )
    .map((list) => list.map((figures, index) => aPool({ ...figures, host: `h${index}` })));
  const multiplier = fc.constantFrom(-2, -1, 0, 0.5, 1);

  test("is by weight, and by entry between equals", () => {
    fc.assert(
      fc.property(pools, multiplier, multiplier, (candidates, one, other) => {
        const settings = {
          capacity_weight_multiplier: one,
          allocated_capacity_weight_multiplier: other,
        };
        const weighed = weighPools([...WEIGHERS.values()], candidates, {}, settings);
        expect(weighed.map(({ pool }) => pool.host).toSorted()).toEqual(candidates.map(({ host }) => host).toSorted());
        for (const [index, { pool, weight }] of weighed.entries()) {
          const next = weighed[index + 1];
          const keepsEntryOrder = next === undefined || candidates.indexOf(pool) < candidates.indexOf(next.pool);
          expect(next === undefined || weight > next.weight || (weight === next.weight && keepsEntryOrder)).toBe(true);
        }
      }),
    );
  });
});
