// @ts-nocheck
import { describe, expect, it } from "vitest";
import { STATES, stateOf } from "./definition.ts";
import { callsOf, type Run, runScenario } from "./run-scenario.ts";
import { SCENARIOS } from "./scenarios.ts";

/** The routes that the scenarios of this file have taken. */
const taken = {
  states: new Set<string>(),
  steps: new Set<string>(),
  catchers: new Set<string>(),
  retriers: new Set<string>(),
};

function remember({ path, catchers, retriers }: Run): void {
  for (const [index, state] of path.entries()) {
    taken.states.add(state);
    taken.steps.add(`${state} -> ${path[index + 1] ?? "end"}`);
  }
  catchers.forEach((catcher) => taken.catchers.add(catcher));
  retriers.forEach((retrier) => taken.retriers.add(retrier));
}

describe("a scenario", () => {
  it.each(SCENARIOS.map((scenario) => [scenario.name, scenario] as const))("%s", async (_name, scenario) => {
    const run = await runScenario(scenario);
    remember(run);
    expect(run.path).toEqual(scenario.path);
    expect(run.calls).toEqual(callsOf(scenario));
    expect(run.outcome).toEqual(scenario.outcome);
  });

  it("has a name of its own", () => {
    expect(new Set(SCENARIOS.map(({ name }) => name)).size).toBe(SCENARIOS.length);
  });
});

describe("the scenarios take", () => {
  it("every state", () => {
    expect(STATES.map(([name]) => name).filter((name) => !taken.states.has(name))).toEqual([]);
  });

  it("every step and every branch of every choice", () => {
    const steps = STATES.flatMap(([name, { Next, Choices = [], Default }]) =>
      [Next, Default, ...Choices.map((choice) => choice.Next)].flatMap((next) =>
        next === undefined ? [] : [`${name} -> ${next}`],
      ),
    );
    expect(steps.filter((step) => !taken.steps.has(step))).toEqual([]);
  });

  it("every Catch", () => {
    const catchers = STATES.flatMap(([name, { Catch = [] }]) => Catch.map((_catcher, index) => `${name}/${index}`));
    expect(catchers.filter((catcher) => !taken.catchers.has(catcher))).toEqual([]);
  });

  it("every Retry", () => {
    const retriers = STATES.flatMap(([name, { Retry = [] }]) => Retry.map((_retrier, index) => `${name}/${index}`));
    expect(retriers.filter((retrier) => !taken.retriers.has(retrier))).toEqual([]);
  });
});

it("each branch of a choice leads elsewhere, so that the path tells which one was taken", () => {
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
