import type { UpdateItemCommandInput } from "@aws-sdk/client-dynamodb";
import { unmarshall } from "@aws-sdk/util-dynamodb";
import { describe, expect, it } from "vitest";
import { DynamoDbBackendRepository } from "../../adapters/dynamodb/backend-repository.ts";
import type { DynamoDb } from "../../adapters/dynamodb/table.ts";
import type { ClaimRef } from "../../core/ports.ts";
import type { BackendRecord, CapacityClaim } from "../../core/records.ts";
import { InMemoryDynamoDb } from "../../simulation/dynamodb/in-memory-dynamodb.ts";
import { TABLES } from "../../simulation/dynamodb/tables.ts";
import { Interleaver } from "../support/interleaver.ts";
import { backendReport, ownerOf } from "../support/records.ts";

/**
 * The claims of one volume, whose requests come in every order of a bounded size: one call stops after each of its requests, up to two other
 * calls run in full, then the first one continues. `test/integration/claims-protocol.test.ts` draws longer orders at random.
 */

const KEY = "volume";
const SIZE_GIB = 8;
const TOTAL_GIB = 1000;
const NO_LIMITS = { maxProvisionedCapacityGb: null, minFreeCapacityGb: null };

type Site = { store: InMemoryDynamoDb; host: string; backend: BackendRecord; counted: Map<string, ClaimRef> };

/** Moves with every look, so that no two claims are of one time. */
let now = Date.parse("2026-01-01T01:00:00.000Z");
const clock = { now: () => new Date((now += 1)) };

function repository(client: DynamoDb): DynamoDbBackendRepository {
  return new DynamoDbBackendRepository({ client, tableName: "backends", claimsTableName: "claims", clock });
}

/** A client that notes the claims that are counted. */
function noting({ store, counted }: Site): DynamoDb {
  const send = async (command: { input: UpdateItemCommandInput }): Promise<unknown> => {
    const answer = await store.send(command);
    const { UpdateExpression: update = "", ExpressionAttributeValues: values = {} } = command.input;
    if (update.includes("#claimed_gb = #claimed_gb + :size")) {
      const { attempt, claimed_at: claimedAt } = unmarshall(values)[":entry"] as CapacityClaim;
      counted.set(`${attempt} ${claimedAt}`, { key: KEY, attempt, claimedAt });
    }
    return answer;
  };
  return { send: send as DynamoDb["send"] };
}

/** A client that sends each update a second time, as the SDK does when an answer was lost. */
function retrying(client: DynamoDb): DynamoDb {
  const send = async (command: { constructor: { name: string } }): Promise<unknown> => {
    if (command.constructor.name === "UpdateItemCommand") {
      await client.send(command as never).catch(() => {});
    }
    return client.send(command as never);
  };
  return { send: send as DynamoDb["send"] };
}

async function begin(prepare: (to: DynamoDbBackendRepository, host: string) => Promise<void>): Promise<Site> {
  const store = new InMemoryDynamoDb(TABLES);
  const report = backendReport({ free_capacity_gb: TOTAL_GIB, total_capacity_gb: TOTAL_GIB });
  await repository(store.client).report(report);
  const backend = await repository(store.client).get(report.host);
  if (backend === undefined) {
    throw new Error("the backend was not reported");
  }
  const site: Site = { store, host: report.host, backend, counted: new Map() };
  const to = repository(noting(site));
  await to.claim(backend, ownerOf(KEY, 1), SIZE_GIB, NO_LIMITS);
  await prepare(to, report.host);
  return site;
}

type Call = (to: DynamoDbBackendRepository, site: Site) => Promise<unknown>;

const forEach =
  (run: (to: DynamoDbBackendRepository, host: string, ref: ClaimRef) => Promise<void>): Call =>
  async (to, { host, counted }) => {
    // Claims that come in between are left out.
    const refs = [...counted.values()];
    for (const ref of refs) {
      await run(to, host, ref);
    }
  };

const CALLS: Readonly<Record<string, Call>> = {
  "a claim of attempt 1": (to, { backend }) => to.claim(backend, ownerOf(KEY, 1), SIZE_GIB, NO_LIMITS),
  "a claim of attempt 2": (to, { backend }) => to.claim(backend, ownerOf(KEY, 2), SIZE_GIB, NO_LIMITS),
  "a settle": forEach((to, host, ref) => to.settle(host, ref)),
  "a release": forEach((to, host, ref) => to.release(host, ref)),
  "a return of capacity": forEach((to, host, ref) => to.returnCapacity(host, ref, SIZE_GIB)),
  "a tidy": (to, { host }) => to.tidy(host),
};

const PREPARATIONS = {
  "has an entry": async () => {},
  "has an item of its own": (to: DynamoDbBackendRepository, host: string) => to.tidy(host),
};

/** The counted claims that are neither open, nor settled, nor given back; and by how much the sums are wrong. */
async function faultsOf({ store, host, counted }: Site): Promise<unknown> {
  const to = repository(store.client);
  const states = new Map(
    [...store.table("claims").items.values()].map((item) => [item["claim"]?.S, item["state"]?.S] as const),
  );
  const open = await to.openClaims(host);
  const lost: string[] = [];
  let expected = 0;
  for (const [name, ref] of counted) {
    const isGivenBack = await to.isGivenBack(host, ref);
    const isOpen = open.some(({ claim }) => claim.claimed_at === ref.claimedAt && claim.attempt === ref.attempt);
    expected += isGivenBack ? 0 : SIZE_GIB;
    if (!isGivenBack && !isOpen && states.get(`${KEY}#${ref.attempt}#${ref.claimedAt}`) !== "settled") {
      lost.push(name);
    }
  }
  const found = (await to.get(host))?.allocated_capacity_gb;
  return { lost, tooMuch: (found ?? 0) - expected };
}

async function countAfterAllWereReturned(site: Site): Promise<unknown> {
  const to = repository(site.store.client);
  for (const ref of site.counted.values()) {
    await to.returnCapacity(site.host, ref, SIZE_GIB);
  }
  return (await to.get(site.host))?.allocated_capacity_gb;
}

/** Orders of up to two of the calls. */
function sequences(): (readonly string[])[] {
  const names = Object.keys(CALLS);
  return [...names.map((name) => [name]), ...names.flatMap((one) => names.map((other) => [one, other]))];
}

describe.each(Object.entries(PREPARATIONS))("a claim that %s", (_title, prepare) => {
  const late = Object.entries(CALLS).flatMap(([name, call]) => [
    [name, call, false] as const,
    [`${name} whose writes are sent twice`, call, true] as const,
  ]);
  it.each(late)("is counted exactly while others are in the middle of %s", async (_name, call, retries) => {
    const problems: unknown[] = [];
    for (const others of sequences()) {
      let isOver = false;
      for (let requests = 1; !isOver && requests < 40; requests += 1) {
        const site = await begin(prepare);
        const interleaver = new Interleaver();
        await interleaver.begin("late", (gate) => {
          const client = gate(noting(site));
          return call(repository(retries ? retrying(client) : client), site);
        });
        for (let request = 0; request < requests; request += 1) {
          await interleaver.advance(0);
        }
        isOver = interleaver.waiting === 0;
        for (const other of others) {
          await CALLS[other]?.(repository(noting(site)), site);
        }
        await interleaver.finish();
        const faults = await faultsOf(site);
        const left = await countAfterAllWereReturned(site);
        if (JSON.stringify([faults, left]) !== JSON.stringify([{ lost: [], tooMuch: 0 }, 0])) {
          problems.push({ others, requests, faults, left });
        }
      }
    }
    expect(problems).toEqual([]);
  });
});
