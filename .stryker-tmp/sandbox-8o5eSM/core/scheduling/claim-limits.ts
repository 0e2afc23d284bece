/**
 * The capacity filter turned into bounds on stored numbers, so that a claim can be one conditional write: the store compares,
 * and no other scheduler can take the same space between the filter and the write.
 */
// @ts-nocheck


import { capacityVerdict, type PoolCapacity } from "./capacity.ts";
import type { VolumeType } from "./request.ts";

/**
 * When the capacity filter passes for a pool whose reported constants (total, reserve, ratio, thin support, and whether free
 * is a number at all) stay as they are.
 *
 * It passes exactly if `possible`, and the stored `provisioned_capacity_gb` is at most `maxProvisionedCapacityGb`, and the
 * stored `free_capacity_gb` is at least `minFreeCapacityGb`; a bound that is null does not apply. Both are doubles, exact to
 * the last bit, rounding to two decimals included. A store that computes in decimals may hold a number between two doubles:
 * it is then off by less than the distance of the two.
 */
export type ClaimLimits = {
  possible: boolean;
  minFreeCapacityGb: number | null;
  maxProvisionedCapacityGb: number | null;
};

const LARGEST = Number.MAX_VALUE;

/**
 * The bounds for a new volume of `sizeGib` on this pool. They are searched for among all doubles with the filter itself as the
 * question, so they cannot drift from it: the filter's answer changes at most once as either figure grows, because
 * subtraction and rounding of doubles keep order.
 */
export function claimLimits(
  pool: PoolCapacity,
  sizeGib: number,
  volumeType: VolumeType | null | undefined,
): ClaimLimits {
  const freeIsNumber = typeof pool.free_capacity_gb === "number";
  const roomiestFree = freeIsNumber ? LARGEST : pool.free_capacity_gb;
  const fits = (figures: Pick<PoolCapacity, "free_capacity_gb" | "provisioned_capacity_gb">): boolean =>
    capacityVerdict({ ...pool, ...figures }, sizeGib, volumeType).passes;
  const fitsProvisioned = (provisioned: number): boolean =>
    fits({ free_capacity_gb: roomiestFree, provisioned_capacity_gb: provisioned });
  const fitsFree = (free: number): boolean => fits({ free_capacity_gb: free, provisioned_capacity_gb: -LARGEST });

  if (!fitsProvisioned(-LARGEST)) {
    return { possible: false, minFreeCapacityGb: null, maxProvisionedCapacityGb: null };
  }
  return {
    possible: true,
    minFreeCapacityGb: !freeIsNumber || fitsFree(-LARGEST) ? null : -lastThatHolds((free) => fitsFree(-free)),
    maxProvisionedCapacityGb: fitsProvisioned(LARGEST) ? null : lastThatHolds(fitsProvisioned),
  };
}

/** The greatest double for which a condition holds that holds for the least double, fails for the greatest, and turns once. */
function lastThatHolds(holds: (value: number) => boolean): number {
  let holding = rankOf(-LARGEST);
  let failing = rankOf(LARGEST);
  while (failing - holding > 1n) {
    const middle = (holding + failing) / 2n;
    if (holds(doubleOf(middle))) {
      holding = middle;
    } else {
      failing = middle;
    }
  }
  return doubleOf(holding);
}

const bits = new DataView(new ArrayBuffer(8));
const SIGN_BIT = 1n << 63n;

/** The place of a double in the order of all doubles: IEEE 754 magnitudes are ordered as their bits are. */
function rankOf(value: number): bigint {
  bits.setFloat64(0, value);
  const raw = bits.getBigUint64(0);
  return raw >= SIGN_BIT ? SIGN_BIT - raw : raw;
}

function doubleOf(rank: bigint): number {
  bits.setBigUint64(0, rank < 0n ? SIGN_BIT - rank : rank);
  return bits.getFloat64(0);
}
