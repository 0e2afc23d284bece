import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { startCinderless } from "../../local/cinderless.ts";
import { type ClaimScale, claimsAtScale } from "./claims.ts";
import { type LockScale, locksAtScale } from "./locks.ts";
import { type ReadScale, readsAtScale } from "./reads.ts";
import { openStore } from "./store.ts";

/** Costs of operations as a deployment grows. */
export type ScaleResult = {
  claims: ClaimScale[];
  locks: LockScale[];
  reads: ReadScale[];
  /** One line for each broken bound; empty if all hold. */
  broken: string[];
};

/** How many claims are open at a time, and how many volumes and backends there are. */
export type ScaleSizes = { openClaims: readonly number[]; volumes: number; backends: number };

const FULL_SIZES: ScaleSizes = { openClaims: [1, 100, 1_000, 10_000], volumes: 10_000, backends: 1_000 };

const OPERATIONS = ["claim", "settle", "release", "return_capacity"] as const;

const COSTS_OF_LOCKS = ["lock", "refuse", "extend", "unlock", "delete", "source_item_bytes"] as const;

/** An operation on claims or locks costs the same whatever is open, up to this share. */
const LARGEST_GROWTH = 0.1;
const LARGEST_BACKEND_BYTES = 4096;
/** Writes that DynamoDB serves for one item, and creates that one backend is to support, a second. */
const UNITS_A_SECOND = 1_000;
const LEAST_CREATES_A_SECOND = 200;

/** Measures a deployment of its own, on the embedded cloud. */
export async function benchScale(sizes: ScaleSizes = FULL_SIZES): Promise<ScaleResult> {
  const directory = mkdtempSync(path.join(tmpdir(), "cinderless-scale-"));
  const local = await startCinderless({ directory, maxHistory: 1, context: {} });
  const store = openStore(local);
  try {
    const claims = await claimsAtScale(store, sizes.openClaims);
    const locks = await locksAtScale(store, sizes.openClaims);
    const reads = await readsAtScale(store, sizes);
    const broken = [...brokenByClaims(claims), ...brokenByLocks(locks), ...reads.flatMap(brokenByRead)];
    return { claims, locks, reads, broken };
  } finally {
    store.client.destroy();
    await local.cloud.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Creates a second that the item of one backend allows: each claims and settles there. */
export function createsPerSecond({ claim, settle }: Pick<ClaimScale, "claim" | "settle">): number {
  return UNITS_A_SECOND / (claim + settle);
}

function brokenByClaims(claims: readonly ClaimScale[]): string[] {
  const [first] = claims;
  return claims.flatMap((each) => [
    ...OPERATIONS.filter((name) => each[name] > (first?.[name] ?? 0) * (1 + LARGEST_GROWTH)).map(
      (name) =>
        `${name} costs ${each[name]} units with ${each.open} open claims, and ${first?.[name]} with ${first?.open}`,
    ),
    ...(each.backend_item_bytes < LARGEST_BACKEND_BYTES
      ? []
      : [
          `the backend's item has ${each.backend_item_bytes} bytes with ${each.open} open claims, not below ${LARGEST_BACKEND_BYTES}`,
        ]),
    ...(createsPerSecond(each) >= LEAST_CREATES_A_SECOND
      ? []
      : [`one backend supports ${createsPerSecond(each).toFixed(0)} creates a second, not ${LEAST_CREATES_A_SECOND}`]),
  ]);
}

function brokenByLocks(locks: readonly LockScale[]): string[] {
  return locks.flatMap((each) => {
    const first = locks.find(({ holders }) => holders === each.holders) ?? each;
    return COSTS_OF_LOCKS.filter((name) => each[name] > first[name] * (1 + LARGEST_GROWTH)).map(
      (name) =>
        `${name} costs ${each[name]} on a volume with ${each.held} ${each.holders}, and ${first[name]} with ${first.held}`,
    );
  });
}

function brokenByRead({ what, of, calls, most_calls: most }: ReadScale): string[] {
  return calls <= most ? [] : [`${what} of ${of} makes ${calls} calls, not at most ${most}`];
}
