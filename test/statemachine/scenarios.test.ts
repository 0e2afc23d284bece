import { beforeAll, describe, expect, it } from "vitest";
import { STATES, stateOf } from "../../simulation/definition.ts";
import { callsOf, type Run, runScenario } from "./run-scenario.ts";
import { SCENARIOS } from "./scenarios.ts";

/** Each scenario as it runs, by its name. */
let runs: ReadonlyMap<string, Run>;

beforeAll(async () => {
  const all = await Promise.all(
    SCENARIOS.map(async (scenario) => [scenario.name, await runScenario(scenario)] as const),
  );
  runs = new Map(all);
});

/** Everything of one kind that the scenarios have taken. */
const takenBy = (partOf: (run: Run) => Iterable<string>) =>
  new Set([...runs.values()].flatMap((run) => [...partOf(run)]));

describe("a scenario", () => {
  it.each(SCENARIOS.map((scenario) => [scenario.name, scenario] as const))("%s", (_name, scenario) => {
    const run = runs.get(scenario.name);
    expect(run?.path).toEqual(scenario.path);
    expect(run?.calls).toEqual(callsOf(scenario));
    expect(run?.outcome).toEqual(scenario.outcome);
  });

  it("has a name of its own", () => {
    expect(new Set(SCENARIOS.map(({ name }) => name)).size).toBe(SCENARIOS.length);
  });
});

describe("the scenarios take", () => {
  it("every state", () => {
    const taken = takenBy(({ path }) => path);
    expect(STATES.map(([name]) => name).filter((name) => !taken.has(name))).toEqual([]);
  });

  it("every step and every branch of every choice", () => {
    const steps = STATES.flatMap(([name, { Next, Choices = [], Default }]) =>
      [Next, Default, ...Choices.map((choice) => choice.Next)].flatMap((next) =>
        next === undefined ? [] : [`${name} -> ${next}`],
      ),
    );
    const taken = takenBy(({ path }) => path.map((state, index) => `${state} -> ${path[index + 1] ?? "end"}`));
    expect(steps.filter((step) => !taken.has(step))).toEqual([]);
  });

  it("every Catch", () => {
    const catchers = STATES.flatMap(([name, { Catch = [] }]) => Catch.map((_catcher, index) => `${name}/${index}`));
    const taken = takenBy((run) => run.catchers);
    expect(catchers.filter((catcher) => !taken.has(catcher))).toEqual([]);
  });

  it("every Retry", () => {
    const retriers = STATES.flatMap(([name, { Retry = [] }]) => Retry.map((_retrier, index) => `${name}/${index}`));
    const taken = takenBy((run) => run.retriers);
    expect(retriers.filter((retrier) => !taken.has(retrier))).toEqual([]);
  });
});

it("each branch of a choice has another target, so that the path identifies the branch", () => {
  for (const [, { Choices = [], Default }] of STATES.filter(([, { Type }]) => Type === "Choice")) {
    const targets = [...Choices.map(({ Next }) => Next), Default];
    expect(new Set(targets).size).toBe(targets.length);
  }
});

it("a raw create takes ten transitions at most", () => {
  const [raw] = SCENARIOS;
  // Each state that is entered is one, and so is the start.
  expect((raw?.path.length ?? 99) + 1).toBeLessThanOrEqual(10);
  expect(raw?.path.every((state) => stateOf(state))).toBe(true);
});
