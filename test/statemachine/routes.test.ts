import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ERROR_ROUTES, type ErrorName, routeOf } from "../../core/errors.ts";
import { parseTaskInput } from "../../core/workflow/input.ts";
import { stateOf } from "../../simulation/definition.ts";
import { runScenario } from "./run-scenario.ts";
import { failing, SCENARIOS, TASK_NAMES } from "./scenarios.ts";

/** Every error that has a row in the table, and some that have none. */
const ERRORS = [
  ...(Object.keys(ERROR_ROUTES) as ErrorName[]),
  "States.Timeout",
  "Sandbox.Timedout",
  "Lambda.Unknown",
  "Error",
  "TypeError",
  "ProvisionedThroughputExceededException",
  "AnErrorOfNextYear",
];

/** An error whose answer is known is not asked for again; any other is, twice. */
const callsFor = (error: string): number => (routeOf(error) === "uncertain" ? 3 : 1);

describe.each(TASK_NAMES)("%s", (task) => {
  it.each(ERRORS)("takes the route of %s", async (error) => {
    const scenario = failing(task, error, callsFor(error), routeOf(error) === "final");
    const run = await runScenario(scenario);
    expect(run.path).toEqual(scenario.path);
    expect(run.calls[task]).toBe(callsFor(error));
    expect(run.outcome).toEqual(scenario.outcome);
  });
});

it("after the backend holds the volume, no error of the rest leads to a reschedule", async () => {
  for (const task of ["CopyImageToVolume", "HandleBootableVolume", "CreateVolumeOnFinish"] as const) {
    for (const error of ERRORS) {
      const { path } = await runScenario(failing(task, error, callsFor(error), routeOf(error) === "final"));
      expect(path).not.toContain("RescheduleVolume");
    }
  }
});

it("no error of a notification fails a create", async () => {
  for (const error of ERRORS) {
    const run = await runScenario(failing("NotifyCreateStart", error, callsFor(error), routeOf(error) === "final"));
    expect(run.outcome.status).toBe("SUCCEEDED");
    expect(run.path.at(-1)).toBe("VolumeCreated");
  }
});

/** Keys that every task gets: the attempt, and the request's context. */
const OWNER_KEYS = ["volume_id", "fence", "attempt", "host", "context"];

/** The keys that the function of a state asks its frame for, read from its source: the definition must not say what it needs. */
function keysReadBy(task: string): Parameters<typeof parseTaskInput>[1][number][] {
  const file = task.replaceAll(/(?<=.)[A-Z]/g, "-$&").toLowerCase();
  const source = readFileSync(new URL(`../../lambdas/${file}.ts`, import.meta.url), "utf8");
  const list = /taskHandler\(\s*\[([^\]]*)\]/.exec(source)?.[1];
  if (list === undefined) {
    throw new Error(`lambdas/${file}.ts calls no taskHandler with a list of keys`);
  }
  return list.match(/\w+/g)?.map((key) => key as ReturnType<typeof keysReadBy>[number]) ?? [];
}

describe("what the tasks are given", () => {
  it.each(TASK_NAMES)("is exactly what the function of %s reads", (task) => {
    const given = Object.keys(stateOf(task).Parameters ?? {}).map((key) => key.replace(/\.\$$/, ""));
    expect(given.toSorted()).toEqual([...OWNER_KEYS, ...keysReadBy(task)].toSorted());
  });

  it("is what they can read, in every scenario", async () => {
    for (const scenario of SCENARIOS) {
      for (const { state, input } of (await runScenario(scenario)).inputs) {
        expect(() => parseTaskInput(input, keysReadBy(state)), `${scenario.name}: ${state}`).not.toThrow();
      }
    }
  });

  it("has the error that was caught, for those who answer it", async () => {
    const { inputs } = await runScenario(failing("CreateRawVolume", "VolumeDriverException", 1, false));
    expect(inputs.at(-1)).toMatchObject({
      state: "RescheduleVolume",
      input: { failure: { Error: "VolumeDriverException", Cause: expect.stringContaining("errorMessage") } },
    });
  });

  it("has the checkpoint of the turn before, for CheckBackend", async () => {
    const waiting = SCENARIOS.find(({ name }) => name === "a backend that works in the background for two waits");
    const { inputs } = await runScenario(waiting ?? { name: "", path: [], outcome: { status: "SUCCEEDED" } });
    expect(inputs.find(({ state }) => state === "CheckBackend")?.input).toMatchObject({
      creation: { done: false, checkpoint: { turn: 1 } },
    });
  });

  it.each(TASK_NAMES)("is never the whole state document: %s", (task) => {
    const { Parameters = {} } = stateOf(task);
    expect(Object.keys(Parameters)).toContain("volume_id.$");
    expect(Object.values(Parameters)).not.toContain("$");
  });
});
