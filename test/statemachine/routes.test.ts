import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ERROR_ROUTES } from "../../core/errors.ts";
import { parseTaskInput } from "../../core/workflow/input.ts";
import { stateOf } from "../../simulation/definition.ts";
import { runScenario } from "./run-scenario.ts";
import { failing, SCENARIOS, TASK_NAMES } from "./scenarios.ts";

/** The error must not lead to another backend: the request itself is wrong, or the backend may hold the volume. */
const FINAL = [
  "InvalidInput",
  "VolumeNotFound",
  "SnapshotNotFound",
  "VolumeTypeNotFound",
  "VolumeTypeNotFoundByName",
  "UnreadableRecord",
  "InvalidVolume",
  "InvalidSnapshot",
  "ImageNotFound",
  "ImageNotAuthorized",
  "InvalidImageRef",
  "ImageCopyFailure",
  "ImageUnacceptable",
  "ImageTooBig",
  "ImageConversionNotAllowed",
  "ImageSignatureVerificationException",
  "InvalidSignatureImage",
  "MetadataCopyFailure",
  "MetadataCreateFailure",
  "MetadataUpdateFailure",
  "NoValidBackend",
  "FenceLost",
  "VolumeDeleteRequested",
  "BackendNotCleared",
  "AttemptClosed",
];

/** The backend has refused: another one may succeed, at once. */
const RESCHEDULABLE = ["VolumeBackendAPIException", "VolumeDriverException", "DriverNotInitialized"];

/** The work may have been done or not: it is tried again, and then on another backend. Some of these have no row in the table. */
const UNCERTAIN = [
  "GlanceConnectionFailed",
  "BackendNotAnswering",
  "NotificationNotSent",
  "States.Timeout",
  "Sandbox.Timedout",
  "Lambda.Unknown",
  "Error",
  "TypeError",
  "ProvisionedThroughputExceededException",
  "AnErrorOfNextYear",
];

const ERRORS = [...FINAL, ...RESCHEDULABLE, ...UNCERTAIN];
const isFinal = (error: string): boolean => FINAL.includes(error);

/** An error whose answer is known is not asked for again; any other is, twice. */
const callsFor = (error: string): number => (UNCERTAIN.includes(error) ? 3 : 1);

it("every error of the table is in one of these lists", () => {
  expect(ERRORS).toEqual(expect.arrayContaining(Object.keys(ERROR_ROUTES)));
});

describe.each(TASK_NAMES)("%s", (task) => {
  it.each(ERRORS)("takes the route of %s", async (error) => {
    const scenario = failing(task, error, callsFor(error), isFinal(error));
    const run = await runScenario(scenario);
    expect(run.path).toEqual(scenario.path);
    expect(run.calls[task]).toBe(callsFor(error));
    expect(run.outcome).toEqual(scenario.outcome);
  });
});

it("after the backend holds the volume, no error of the rest leads to a reschedule", async () => {
  for (const task of ["CopyImageToVolume", "HandleBootableVolume", "CreateVolumeOnFinish"] as const) {
    for (const error of ERRORS) {
      const { path } = await runScenario(failing(task, error, callsFor(error), isFinal(error)));
      expect(path).not.toContain("RescheduleVolume");
    }
  }
});

it("no error of a notification fails a create", async () => {
  for (const error of ERRORS) {
    const run = await runScenario(failing("NotifyCreateStart", error, callsFor(error), isFinal(error)));
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
