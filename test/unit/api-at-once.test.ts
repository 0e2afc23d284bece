import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ApiSite, type Step, stepsArbitrary } from "../support/api-model.ts";

/** Runs the steps, then lets the nets act. Returns what was ever beyond a limit, what disagrees at rest, and how often an audit corrected. */
async function run(steps: readonly Step[]) {
  const site = new ApiSite();
  await site.begin();
  const excesses: string[] = [];
  for (const step of steps) {
    await site.step(step);
    excesses.push(...site.excesses());
  }
  const audits = await site.rest();
  const corrections = audits.reduce((sum, { corrected, removed, renamed }) => sum + corrected + removed + renamed, 0);
  return { problems: [...excesses, ...site.problems()], corrections };
}

describe("random requests to the API at once leave quotas, lists and records that agree", () => {
  it("with stores that fail and functions that die", async () => {
    await fc.assert(
      fc.asyncProperty(stepsArbitrary(160), async (steps) => {
        expect((await run(steps)).problems).toEqual([]);
      }),
      { numRuns: 20 },
    );
  });

  it("and without failures only renames at once leave an audit anything to correct", async () => {
    const steps = stepsArbitrary(120, { calm: true }).map((each) =>
      each.filter(([kind]) => !kind.startsWith("rename")),
    );
    await fc.assert(
      fc.asyncProperty(steps, async (each) => {
        expect(await run(each)).toEqual({ problems: [], corrections: 0 });
      }),
      { numRuns: 12 },
    );
  });
});
