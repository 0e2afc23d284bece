import { expect, it } from "vitest";
import { DynamoDbBackendRepository } from "../../adapters/dynamodb/backend-repository.ts";
import { toItem } from "../../adapters/dynamodb/table.ts";
import type { BackendRecord, CapacityClaim } from "../../core/records.ts";
import { InMemoryDynamoDb } from "../../simulation/dynamodb/in-memory-dynamodb.ts";
import { TABLES } from "../../simulation/dynamodb/tables.ts";
import { backendReport, ownerOf } from "../support/records.ts";

/** DynamoDB takes expressions of 4 KiB: one that names each of some 200 entries is refused, however small the item is. */

const NO_LIMITS = { maxProvisionedCapacityGb: null, minFreeCapacityGb: null };
const CLAIMED_AT = "2026-01-01T00:00:00.000Z";
const ENTRIES = 1000;

let now = new Date("2026-01-01T01:00:00.000Z");
const clock = { now: () => now };

/** A backend on whose item so many open claims lie, as a burst or an earlier release leaves them. */
async function crowded(): Promise<{ store: InMemoryDynamoDb; to: DynamoDbBackendRepository; backend: BackendRecord }> {
  const store = new InMemoryDynamoDb(TABLES);
  const to = new DynamoDbBackendRepository({
    client: store.client,
    tableName: "backends",
    claimsTableName: "claims",
    clock,
  });
  const { host } = backendReport({});
  await to.report(backendReport({ host }));
  const [[key, item] = ["", {}]] = [...store.table("backends").items];
  const claims = Object.fromEntries(
    Array.from({ length: ENTRIES }, (_, index): [string, CapacityClaim] => [
      `volume-${index}`,
      { attempt: 1, size: 1, claimed_at: CLAIMED_AT },
    ]),
  );
  const sums = { claims, allocated_capacity_gb: ENTRIES, provisioned_capacity_gb: ENTRIES, claimed_gb: ENTRIES };
  store.table("backends").put(key, { ...item, ...toItem(sums) });
  const backend = await to.get(host);
  if (backend === undefined) {
    throw new Error("the backend was not reported");
  }
  return { store, to, backend };
}

it("a backend with 1,000 entries takes another claim, which stays the only new one", async () => {
  const { to, backend } = await crowded();
  const claimed = await to.claim(backend, ownerOf("another", 1), 5, NO_LIMITS);
  expect(claimed?.claims["another"]?.size).toBe(5);
  expect(claimed?.allocated_capacity_gb).toBe(ENTRIES + 5);
  expect(await to.openClaims(backend.host)).toHaveLength(ENTRIES + 1);
});

it("a claim behind 1,000 entries is given back, also after another claim of its key", async () => {
  const { to, backend } = await crowded();
  const old = { key: `volume-${ENTRIES - 1}`, attempt: 1, claimedAt: CLAIMED_AT };
  const next = await to.claim(backend, ownerOf(old.key, 2), 7, NO_LIMITS);
  expect(next?.claims[old.key]).toMatchObject({ attempt: 2, size: 7 });
  await to.release(backend.host, old);
  expect((await to.get(backend.host))?.allocated_capacity_gb).toBe(ENTRIES - 1 + 7);
  expect(await to.claimOf(backend.host, old.key, 2)).toMatchObject({ size: 7 });
});

it("the sweep takes 1,000 entries off at once, and the claims stay open", async () => {
  const { to, backend } = await crowded();
  await to.tidy(backend.host);
  expect((await to.get(backend.host))?.claims).toEqual({});
  expect(await to.openClaims(backend.host)).toHaveLength(ENTRIES);
});

it("a removal that is repeated for days gives capacity back once, although DynamoDB removes closed claims", async () => {
  const { store, to, backend } = await crowded();
  const ref = { key: "volume-0", attempt: 1, claimedAt: CLAIMED_AT };
  for (let hours = 0; hours < 240; hours += 24) {
    now = new Date(Date.parse("2026-01-01T01:00:00.000Z") + hours * 3_600_000);
    await to.returnCapacity(backend.host, ref, 1);
    await to.tidy(backend.host);
    const claims = store.table("claims");
    const expired = [...claims.items].filter(
      ([, item]) => Number(item["expires_at"]?.N ?? Infinity) < now.getTime() / 1000,
    );
    expired.forEach(([key]) => claims.delete(key));
  }
  expect((await to.get(backend.host))?.allocated_capacity_gb).toBe(ENTRIES - 1);
});
