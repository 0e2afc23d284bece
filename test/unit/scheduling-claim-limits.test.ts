import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { capacityVerdict } from "../../core/scheduling/capacity.ts";
import { claimLimits, type ClaimLimits } from "../../core/scheduling/claim-limits.ts";
import { aPool } from "../support/scheduler-vectors.ts";

const THICK = { extra_specs: { "provisioning:type": "thick" } };

type Stored = { free_capacity_gb: number | string | null; provisioned_capacity_gb: number };

/** The result of a claim's condition for the stored figures. */
function holds(limits: ClaimLimits, { free_capacity_gb: free, provisioned_capacity_gb: provisioned }: Stored): boolean {
  const { minFreeCapacityGb: least, maxProvisionedCapacityGb: most } = limits;
  const freeSuffices = least === null || (typeof free === "number" && free >= least);
  return limits.possible && freeSuffices && (most === null || provisioned <= most);
}

const gib = fc.oneof(
  fc.integer({ min: -10, max: 3000 }),
  fc.integer({ min: 0, max: 3_000_000 }).map((thousandths) => thousandths / 1000),
  fc.double({ min: -1e6, max: 1e6, noNaN: true }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
);
const word = fc.constantFrom<(string | null)[]>("infinite", "unknown", null, "lots");
const pool = fc.record({
  total_capacity_gb: fc.oneof({ weight: 6, arbitrary: gib }, { weight: 1, arbitrary: word }),
  free_capacity_gb: fc.oneof({ weight: 6, arbitrary: gib }, { weight: 1, arbitrary: word }),
  provisioned_capacity_gb: gib,
  reserved_percentage: fc.oneof(fc.integer({ min: 0, max: 100 }), fc.double({ min: 0, max: 100, noNaN: true })),
  max_over_subscription_ratio: fc.oneof(fc.constantFrom(0.5, 1, 1.5, 20), fc.double({ min: 0, max: 100, noNaN: true })),
  thin_provisioning_support: fc.boolean(),
});
const size = fc.oneof(fc.integer({ min: 1, max: 2000 }), fc.constant(0));
const volumeType = fc.constantFrom(null, {}, THICK);

describe("the bounds say what the capacity filter says", () => {
  test("for the same pool with any other stored figures", () => {
    fc.assert(
      fc.property(pool, size, volumeType, gib, gib, (figures, requested, type, otherFree, otherProvisioned) => {
        const limits = claimLimits(figures, requested, type);
        const stored = {
          free_capacity_gb: typeof figures.free_capacity_gb === "number" ? otherFree : figures.free_capacity_gb,
          provisioned_capacity_gb: otherProvisioned,
        };
        expect(holds(limits, stored)).toBe(capacityVerdict({ ...figures, ...stored }, requested, type).passes);
      }),
      { numRuns: 1000 },
    );
  });

  test("to the last bit: at the bound the filter passes, one double beyond it fails", () => {
    fc.assert(
      fc.property(pool, size, volumeType, (figures, requested, type) => {
        const {
          minFreeCapacityGb: least,
          maxProvisionedCapacityGb: most,
          possible,
        } = claimLimits(figures, requested, type);
        const passes = (changes: Partial<Stored>): boolean =>
          capacityVerdict(
            {
              ...figures,
              free_capacity_gb:
                typeof figures.free_capacity_gb === "number" ? Number.MAX_VALUE : figures.free_capacity_gb,
              provisioned_capacity_gb: -Number.MAX_VALUE,
              ...changes,
            },
            requested,
            type,
          ).passes;
        fc.pre(possible);
        expect(passes({})).toBe(true);
        if (most !== null) {
          expect(passes({ provisioned_capacity_gb: most })).toBe(true);
          expect(passes({ provisioned_capacity_gb: nextUp(most) })).toBe(false);
        }
        if (least !== null) {
          expect(passes({ free_capacity_gb: least })).toBe(true);
          expect(passes({ free_capacity_gb: -nextUp(-least) })).toBe(false);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("on and next to the hundredth that decides the rounding", () => {
    const thin = {
      ...aPool(),
      thin_provisioning_support: true,
      max_over_subscription_ratio: 2,
      total_capacity_gb: 100,
    };
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), fc.integer({ min: -20, max: 20 }), (requested, thousandths) => {
        const stored = {
          free_capacity_gb: 0,
          provisioned_capacity_gb: 200 - requested + thousandths / 1000,
        };
        const passes = capacityVerdict({ ...thin, ...stored }, requested, null).passes;
        expect(holds(claimLimits(thin, requested, null), stored)).toBe(passes);
      }),
    );
  });
});

/** The next double towards positive infinity, for finite values. */
function nextUp(value: number): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value === 0 ? 0 : value);
  const raw = view.getBigInt64(0);
  view.setBigInt64(0, raw >= 0n ? raw + 1n : raw - 1n);
  return view.getFloat64(0);
}

describe("which bounds there are", () => {
  test("a thin pool is bounded by what is provisioned only", () => {
    const pool = aPool({
      thin_provisioning_support: true,
      max_over_subscription_ratio: 2,
      total_capacity_gb: 100,
    });
    const limits = claimLimits(pool, 50, null);
    expect(limits).toEqual({
      possible: true,
      minFreeCapacityGb: null,
      maxProvisionedCapacityGb: expect.closeTo(150.005, 6),
    });
  });

  test("a thick type is bounded by both", () => {
    const pool = aPool({
      thin_provisioning_support: true,
      max_over_subscription_ratio: 2,
      total_capacity_gb: 100,
    });
    expect(claimLimits(pool, 50, THICK)).toEqual({
      possible: true,
      minFreeCapacityGb: expect.closeTo(49.995, 6),
      maxProvisionedCapacityGb: expect.closeTo(50.005, 6),
    });
  });

  test.each([
    ["free is infinite", aPool({ free_capacity_gb: "infinite" }), 5],
    ["total is unknown and nothing is reserved", aPool({ total_capacity_gb: "unknown" }), 5],
    ["the volume is only being managed", aPool({ total_capacity_gb: 0 }), 0],
  ])("none when %s", (_name, pool, requested) => {
    expect(claimLimits(pool, requested, null)).toEqual({
      possible: true,
      minFreeCapacityGb: null,
      maxProvisionedCapacityGb: null,
    });
  });

  test.each([
    ["free is null", aPool({ free_capacity_gb: null })],
    ["the total is 0", aPool({ total_capacity_gb: 0 })],
    ["a thin pool reserves everything", aPool({ thin_provisioning_support: true, reserved_percentage: 100 })],
  ])("impossible when %s", (_name, pool) => {
    expect(claimLimits(pool, 1, null).possible).toBe(false);
  });
});
