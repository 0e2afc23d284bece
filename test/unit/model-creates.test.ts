import fc from "fast-check";
import { expect, it } from "vitest";
import { BackendsFake } from "../../simulation/stores/backends.ts";
import { commandArbitraries, Site } from "../support/create-model.ts";

/** The clock of its claims moves with every look, so that no two claims are of one time. */
function aSite(): Site {
  let looks = 0;
  return new Site(({ fakes, clock }) => {
    const moving = { now: () => new Date(clock.now().getTime() + (looks += 1)) };
    return { volumes: fakes.volumes, backends: new BackendsFake(moving) };
  });
}

/**
 * After any events in any order, the state at rest keeps the invariants. Each request for a claim takes a turn of its own in
 * `test/unit/claims-protocol.test.ts`; here each call of the repository does.
 */
it("any interleaving of creates, deliveries, deletions, reschedules, sweeps and deaths", async () => {
  await fc.assert(
    fc.asyncProperty(fc.commands(commandArbitraries(), { maxCommands: 60, size: "max" }), async (commands) => {
      const site = aSite();
      await site.create(1);
      await fc.asyncModelRun(() => ({ model: {}, real: site }), commands);
      await site.rest();
      expect(await site.problems()).toEqual([]);
    }),
    { numRuns: Number(process.env["MODEL_RUNS"] ?? 300), endOnFailure: false },
  );
});

it("a create that nothing disturbs becomes available", async () => {
  const site = aSite();
  await site.create(2);
  await site.rest();
  expect(await site.problems()).toEqual([]);
  expect([...site.world.fakes.volumes.records.values()].map(({ status }) => status)).toEqual(["available"]);
});

it("two deletions of one volume give its capacity back once, wherever the second stands when the first ends", async () => {
  for (let rounds = 0; rounds < 8; rounds += 1) {
    const site = aSite();
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
  const site = aSite();
  await site.create(2);
  await site.rest();
  const [id = ""] = site.volumeIds;
  site.world.drivers.get("node@second#pool")?.volumes.set(id, { from: "nothing" });
  expect(await site.problems()).toEqual([expect.stringContaining("node@second#pool holds")]);
});
