import { expect, it } from "vitest";
import type { BackendRepository, Owner } from "../../core/ports.ts";
import type { BackendRecord } from "../../core/records.ts";
import { DEFAULT_SETTINGS } from "../../core/scheduling/settings.ts";
import { backendView } from "../../core/scheduling/backend-view.ts";
import { claimBackend } from "../../core/scheduling/claim-backend.ts";
import { aWorld, FIRST_HOST } from "../support/builders.ts";
import { ownerOf } from "../support/records.ts";

const MANY = 1_000;

/** Backends of which the last one has the most room, and a count of the calls. */
function manyBackends(of: BackendRecord) {
  const records = Array.from({ length: MANY }, (_, index): BackendRecord => ({
    ...of,
    host: `node@array-${index}#pool`,
    total_capacity_gb: 2 * MANY,
    free_capacity_gb: MANY + index,
  }));
  const calls = { list: 0, claim: 0 };
  const repository: Pick<BackendRepository, "list" | "claim"> = {
    list: async () => {
      calls.list += 1;
      return records;
    },
    claim: async (backend: BackendRecord, { volumeId, attempt }: Owner, size: number) => {
      calls.claim += 1;
      const claim = { attempt, size, claimed_at: of.reported_at };
      return {
        ...backend,
        free_capacity_gb: Number(backend.free_capacity_gb) - size,
        claims: { [volumeId]: claim },
      };
    },
  };
  return { repository, calls };
}

it("chooses the best of 1,000 backends by one read and one claim for each volume", async () => {
  const { fakes, deps } = aWorld();
  const { repository, calls } = manyBackends(fakes.backends.records.get(FIRST_HOST) as BackendRecord);
  const candidates = backendView(repository, deps.clock);
  const hosts: string[] = [];
  for (const name of ["one", "two", "three"]) {
    const owner = ownerOf(name);
    const world = {
      candidates,
      backends: { ...repository, claimOf: async () => undefined },
      clock: deps.clock,
      settings: DEFAULT_SETTINGS,
    };
    hosts.push((await claimBackend(world, owner, 2, { size: 2, request_spec: {} })).host);
  }
  expect(hosts).toEqual(["node@array-999#pool", "node@array-998#pool", "node@array-997#pool"]);
  expect(calls).toEqual({ list: 1, claim: 3 });
});
