import fc from "fast-check";
import { expect, it } from "vitest";
import { StoredBackends } from "../../simulation/stored-records.ts";
import { commandArbitraries, Site } from "../support/create-model.ts";

/** After any events in any order, the state at rest keeps the invariants. */
it("any interleaving of creates, deliveries, deletions, reschedules, sweeps and deaths", async () => {
  await fc.assert(
    fc.asyncProperty(fc.commands(commandArbitraries(), { maxCommands: 60, size: "max" }), async (commands) => {
      const site = new Site(({ fakes }) => fakes);
      await site.create(1);
      await fc.asyncModelRun(() => ({ model: {}, real: site }), commands);
      await site.rest();
      expect(await site.problems()).toEqual([]);
    }),
    { numRuns: Number(process.env["MODEL_RUNS"] ?? 300), endOnFailure: false },
  );
});

/** Each request for a claim takes a turn of its own in `test/unit/claims-protocol.test.ts`; here each call of the repository does. */
it("any interleaving over the records of claims that the product stores", async () => {
  await fc.assert(
    fc.asyncProperty(fc.commands(commandArbitraries(), { maxCommands: 40, size: "max" }), async (commands) => {
      const site = new Site(({ fakes, clock }) => ({ volumes: fakes.volumes, backends: new StoredBackends(clock) }));
      await site.create(1);
      await fc.asyncModelRun(() => ({ model: {}, real: site }), commands);
      await site.rest();
      expect(await site.problems()).toEqual([]);
    }),
    { numRuns: 40 },
  );
});

it("a create that nothing disturbs becomes available", async () => {
  const site = new Site(({ fakes }) => fakes);
  await site.create(2);
  await site.rest();
  expect(await site.problems()).toEqual([]);
  expect([...site.world.fakes.volumes.records.values()].map(({ status }) => status)).toEqual(["available"]);
});

it("two deletions of one volume give its capacity back once, wherever the second stands when the first ends", async () => {
  for (let rounds = 0; rounds < 8; rounds += 1) {
    const site = new Site(({ fakes }) => fakes);
    await site.create(2);
    await site.rest();
    await site.delete(0);
    await site.delete(0);
    for (let call = 0; call < 2 * rounds; call += 1) {
      await site.interleaver.advance(0);
    }
    // The first of the two continues to its end: each of its calls comes after the other's.
    await site.interleaver.advance(0);
    while (site.interleaver.waiting > 1) {
      await site.interleaver.advance(1);
    }
    await site.rest();
    expect(await site.problems(), `after ${rounds} calls of each`).toEqual([]);
    expect(site.world.fakes.volumes.records.size).toBe(0);
  }
});

it("what is left of a volume on a backend that is not its own is found", async () => {
  const site = new Site(({ fakes }) => fakes);
  await site.create(2);
  await site.rest();
  const [id = ""] = site.volumeIds;
  site.world.drivers.get("node@second#pool")?.volumes.set(id, { from: "nothing" });
  expect(await site.problems()).toEqual([expect.stringContaining("node@second#pool holds")]);
});
