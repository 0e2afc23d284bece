import { randomUUID } from "node:crypto";
import type { UpdateItemCommand, UpdateItemCommandInput } from "@aws-sdk/client-dynamodb";
import { unmarshall } from "@aws-sdk/util-dynamodb";
import fc from "fast-check";
import { expect, it } from "vitest";
import { DynamoDbBackendRepository } from "../../adapters/dynamodb/backend-repository.ts";
import type { DynamoDb } from "../../adapters/dynamodb/table.ts";
import type { ClaimRef } from "../../core/ports.ts";
import type { BackendRecord, CapacityClaim } from "../../core/records.ts";
import { InMemoryDynamoDb } from "../../simulation/dynamodb/in-memory-dynamodb.ts";
import { TABLES } from "../../simulation/dynamodb/tables.ts";
import { Interleaver } from "../support/interleaver.ts";
import { backendReport, ownerOf } from "../support/records.ts";

/**
 * The protocol of claims, request by request: every request to the tables takes its turn in any order with those of other processes, a
 * process may die between two of them, and a write may be sent again after its answer was lost, at any later time. At the end the sums are
 * exactly those of the claims that were counted and not given back.
 */

const NO_LIMITS = { maxProvisionedCapacityGb: null, minFreeCapacityGb: null };
/** Different, so that no error in one makes up for one in another. */
const SIZES: Readonly<Record<string, number>> = { one: 1, two: 10 };
const FILLER_GIB = 100;
const TOTAL_GIB = 100_000;
const RUNS = 60;

const tables = new InMemoryDynamoDb(TABLES);
/** Moves with every look, so that no two claims are of one time. */
let now = Date.parse("2026-01-01T01:00:00.000Z");
const clock = { now: () => new Date((now += 1)) };

/** One backend, and the claims that its sums were made to count. */
type Site = { host: string; backend: BackendRecord; counted: Map<string, ClaimRef & { size: number }> };

function sizeOf(key: string): number {
  return SIZES[key] ?? FILLER_GIB;
}

/** A client that notes the claims that are counted. */
function noting(site: Site): DynamoDb {
  const send = async (command: { input: UpdateItemCommandInput }): Promise<unknown> => {
    const answer: unknown = await tables.client.send(command as unknown as UpdateItemCommand);
    const {
      UpdateExpression: update = "",
      ExpressionAttributeValues: values = {},
      ExpressionAttributeNames,
    } = command.input;
    if (update.includes("#claimed_gb = #claimed_gb + :size")) {
      const { attempt, claimed_at: claimedAt } = unmarshall(values)[":entry"] as CapacityClaim;
      const ref = { key: ExpressionAttributeNames?.["#volume"] ?? "", attempt, claimedAt };
      site.counted.set(JSON.stringify(ref), { ...ref, size: sizeOf(ref.key) });
    }
    return answer;
  };
  return { send: send as DynamoDb["send"] };
}

/** A client that sends each update a second time, as the SDK does when an answer was lost. */
function retrying(client: DynamoDb): DynamoDb {
  const send = async (command: UpdateItemCommand): Promise<unknown> => {
    if (command.constructor.name === "UpdateItemCommand") {
      await client.send(command).catch(() => {});
    }
    return client.send(command);
  };
  return { send: send as DynamoDb["send"] };
}

function repository(client: DynamoDb): DynamoDbBackendRepository {
  return new DynamoDbBackendRepository({ client, tableName: "backends", claimsTableName: "claims", clock });
}

type Action = { name: string; run: (to: DynamoDbBackendRepository, site: Site) => Promise<unknown> };

/** The calls that tasks make for the claims of one volume. */
function actionsOf(key: string): Action[] {
  const on = (name: string, run: Action["run"]): Action => ({ name: `${name} ${key}`, run });
  const withClaims = (
    name: string,
    run: (to: DynamoDbBackendRepository, host: string, ref: ClaimRef) => Promise<unknown>,
  ) =>
    on(name, async (to, { host, counted }) => {
      for (const ref of [...counted.values()].filter((each) => each.key === key)) {
        await run(to, host, { key, attempt: ref.attempt, claimedAt: ref.claimedAt });
      }
    });
  return [
    on("claim 1", (to, { backend }) => to.claim(backend, ownerOf(key, 1), sizeOf(key), NO_LIMITS)),
    on("claim 2", (to, { backend }) => to.claim(backend, ownerOf(key, 2), sizeOf(key), NO_LIMITS)),
    withClaims("settle", (to, host, ref) => to.settle(host, ref)),
    withClaims("release", (to, host, ref) => to.release(host, ref)),
    withClaims("return", (to, host, ref) => to.returnCapacity(host, ref, sizeOf(key))),
    on("look for", (to, { host }) => to.claimOf(host, key, 1)),
  ];
}

const OTHERS: Action[] = [
  { name: "tidy", run: (to, { host }) => to.tidy(host) },
  {
    name: "fill",
    // So many that entries are taken off.
    run: async (to, { backend }) => {
      for (let index = 0; index < 9; index += 1) {
        await to.claim(backend, ownerOf(randomUUID()), FILLER_GIB, NO_LIMITS);
      }
    },
  },
];

const ACTIONS = [...actionsOf("one"), ...actionsOf("two"), ...OTHERS];

async function begin(): Promise<Site> {
  const report = backendReport({ free_capacity_gb: TOTAL_GIB, total_capacity_gb: TOTAL_GIB });
  const to = repository(tables.client);
  await to.report(report);
  const backend = await to.get(report.host);
  if (backend === undefined) {
    throw new Error("the backend was not reported");
  }
  const site: Site = { host: report.host, backend, counted: new Map() };
  const client = repository(noting(site));
  await client.claim(backend, ownerOf("one", 1), sizeOf("one"), NO_LIMITS);
  return site;
}

/** The sums of a backend at rest, and those that its claims make. */
async function sumsOf({ host, counted }: Site): Promise<{ found: unknown; expected: unknown }> {
  const to = repository(tables.client);
  await to.report(backendReport({ host, free_capacity_gb: TOTAL_GIB, total_capacity_gb: TOTAL_GIB }));
  let sum = 0;
  for (const { size, ...ref } of counted.values()) {
    sum += (await to.isGivenBack(host, ref)) ? 0 : size;
  }
  const open = (await to.openClaims(host)).reduce((total, { claim }) => total + claim.size, 0);
  const backend = await to.get(host);
  const {
    allocated_capacity_gb: allocated,
    provisioned_capacity_gb: provisioned,
    free_capacity_gb: free,
  } = backend ?? {};
  return {
    found: { allocated, provisioned, free },
    expected: { allocated: sum, provisioned: sum, free: TOTAL_GIB - open },
  };
}

const STEPS = fc.array(
  fc.record({ choice: fc.nat(7), kills: fc.integer({ min: 0, max: 11 }).map((dice) => dice === 0) }),
  { maxLength: 60 },
);
const CHOSEN = fc.array(fc.record({ action: fc.constantFrom(...ACTIONS), retries: fc.boolean() }), {
  minLength: 1,
  maxLength: 6,
});

it("keeps the sums exact in any order of requests, repeats and deaths", { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(CHOSEN, STEPS, async (chosen, steps) => {
      const site = await begin();
      const interleaver = new Interleaver();
      for (const [index, { action, retries }] of chosen.entries()) {
        await interleaver.begin(`${index} ${action.name}`, (gate) => {
          const client = gate(noting(site));
          return action.run(repository(retries ? retrying(client) : client), site);
        });
      }
      for (const { choice, kills } of steps) {
        await (kills ? interleaver.kill(choice) : interleaver.advance(choice));
      }
      await interleaver.finish();
      const { found, expected } = await sumsOf(site);
      expect(found).toEqual(expected);
    }),
    { numRuns: RUNS },
  );
});

it("keeps the sums exact however late a process acts on what it has read", { timeout: 120_000 }, async () => {
  const late = fc.record({ action: fc.constantFrom(...actionsOf("one")), retries: fc.boolean(), requests: fc.nat(8) });
  await fc.assert(
    fc.asyncProperty(late, CHOSEN, async ({ action, retries, requests }, meanwhile) => {
      const site = await begin();
      const interleaver = new Interleaver();
      await interleaver.begin("late", (gate) => {
        const client = gate(noting(site));
        return action.run(repository(retries ? retrying(client) : client), site);
      });
      for (let request = 0; request < requests; request += 1) {
        await interleaver.advance(0);
      }
      for (const other of [...meanwhile.map((each) => each.action), ...OTHERS]) {
        await other.run(repository(noting(site)), site);
      }
      await interleaver.finish();
      const { found, expected } = await sumsOf(site);
      expect(found).toEqual(expected);
    }),
    { numRuns: RUNS },
  );
});

it.each(ACTIONS.map((action) => [action.name, action] as const))(
  "%s that dies after any request and is repeated leaves exact sums",
  { timeout: 120_000 },
  async (name, { run }) => {
    let isOver = false;
    for (let survived = 0; !isOver && survived < 60; survived += 1) {
      const site = await begin();
      const interleaver = new Interleaver();
      await interleaver.begin(name, (gate) => run(repository(gate(noting(site))), site));
      for (let request = 0; request < survived; request += 1) {
        await interleaver.advance(0);
      }
      isOver = interleaver.waiting === 0;
      interleaver.killAll(name);
      await run(repository(noting(site)), site);
      const { found, expected } = await sumsOf(site);
      expect(found).toEqual(expected);
    }
  },
);

it("counts a claim once whose write is sent again after its entry was taken off", async () => {
  const site = await begin();
  const other = repository(noting(site));
  let sent = 0;
  const client = noting(site);
  const send = async (command: UpdateItemCommand): Promise<unknown> => {
    const answer = await client.send(command);
    if (command.constructor.name === "UpdateItemCommand" && (sent += 1) === 1) {
      await other.tidy(site.host);
      return client.send(command);
    }
    return answer;
  };
  const backend = await other.get(site.host);
  const claimed =
    backend && (await repository({ send: send as DynamoDb["send"] }).claim(backend, ownerOf("two", 1), 10, NO_LIMITS));
  expect(claimed?.claims["two"]?.size).toBe(10);
  expect(claimed?.allocated_capacity_gb).toBe(11);
  expect(await other.claimOf(site.host, "two", 1)).toEqual(claimed?.claims["two"]);
});

it("finds a claim that has an item of its own", async () => {
  const site = await begin();
  const to = repository(noting(site));
  const claim = await to.claimOf(site.host, "one", 1);
  await to.tidy(site.host);
  expect((await to.get(site.host))?.claims).toEqual({});
  expect(await to.claimOf(site.host, "one", 1)).toEqual(claim);
  expect(await to.openClaims(site.host)).toEqual([{ host: site.host, volumeId: "one", claim }]);
});

it("leaves the entry of a release that died, however late a tidy acts that has read the claim as open", async () => {
  const site = await begin();
  const [ref] = [...site.counted.values()];
  const interleaver = new Interleaver();
  await interleaver.begin("tidy", (gate) => repository(gate(noting(site))).tidy(site.host));
  // The backend's item, and the claims' items.
  await interleaver.advance(0);
  await interleaver.advance(0);
  await interleaver.begin("release", (gate) => repository(gate(noting(site))).release(site.host, ref as ClaimRef));
  // Behind the tidy: the backend's item, the claim's item, the sums.
  for (let request = 0; request < 3; request += 1) {
    await interleaver.advance(1);
  }
  interleaver.killAll("release");
  await interleaver.finish();
  await repository(noting(site)).release(site.host, ref as ClaimRef);
  const { found, expected } = await sumsOf(site);
  expect(found).toEqual(expected);
  expect(found).toMatchObject({ allocated: 0 });
});
