import { afterEach, describe, expect, test } from "vitest";
import { callsOf } from "../../cli/replay.ts";
import type { HistoryEvent } from "../../cli/cost/history.ts";
import { differencesOf } from "../../local/replay/compare.ts";
import { createDrivers } from "../../local/replay/recorded-drivers.ts";
import { recordedAnswer, replayed } from "../../local/replay/recording.ts";

function event(type: string, more: Partial<HistoryEvent> = {}): HistoryEvent {
  return { type, timestamp: new Date(0), stateName: undefined, ...more };
}

describe("the recorded calls of a history", () => {
  test("are those of functions, each with its own input, also when one was retried", () => {
    const calls = callsOf([
      event("TaskStateEntered", { stateName: "One", data: "{}" }),
      event("LambdaFunctionScheduled", { data: '{"a":1}' }),
      event("LambdaFunctionStarted"),
      event("LambdaFunctionFailed", { error: "Lambda.Unknown", cause: "crashed" }),
      event("LambdaFunctionScheduled", { data: '{"a":1}' }),
      event("LambdaFunctionSucceeded", { data: "2" }),
      event("TaskStateExited", { stateName: "One", data: "{}" }),
      event("ChoiceStateEntered", { stateName: "Two", data: "{}" }),
      event("TaskStateEntered", { stateName: "Three", data: "{}" }),
      event("LambdaFunctionScheduled", { data: '{"b":1}' }),
      event("LambdaFunctionTimedOut", { error: "States.Timeout" }),
    ]);
    expect(calls).toEqual([
      { state: "One", input: '{"a":1}', output: null, error: "Lambda.Unknown", cause: "crashed" },
      { state: "One", input: '{"a":1}', output: "2", error: null, cause: null },
      { state: "Three", input: '{"b":1}', output: null, error: "States.Timeout", cause: null },
    ]);
  });

  test("are empty in a history without data", () => {
    expect(callsOf([event("LambdaFunctionScheduled"), event("LambdaFunctionSucceeded")])).toEqual([]);
  });
});

describe("the comparison of two answers", () => {
  test("names each path with both values, and passes over times", () => {
    const recorded = { output: { id: "a", at: "2026-01-01T00:00:00.000Z", list: [1, 2], gone: null } };
    const now = { output: { id: "b", at: "2027-02-02T00:00:00Z", list: [1, 3] } };
    expect(differencesOf(recorded, now)).toEqual([
      'output.id: recorded "a", replayed "b"',
      "output.list.1: recorded 2, replayed 3",
      "output.gone: recorded null, replayed nothing",
    ]);
    expect(differencesOf(recorded, structuredClone(recorded))).toEqual([]);
  });

  test.each<[unknown, unknown]>([
    [{ output: null }, { error: "A", message: "b" }],
    [[], {}],
    ["2026-01-01T00:00:00Z", "soon"],
    [0, null],
  ])("distinguishes %j from %j", (recorded, now) => {
    expect(differencesOf(recorded, now)).not.toEqual([]);
  });
});

describe("what a backend answers in a replay", () => {
  afterEach(() => {
    replayed.call = undefined;
  });

  const driver = createDrivers().forHost("any");
  const create = () => driver.createVolume({} as never, {} as never);

  test("is what the function had made of it", async () => {
    const output = '{"done":false,"wait_seconds":3,"checkpoint":{"at":1},"next":"finish","model_update":null}';
    replayed.call = { state: "CreateRawVolume", input: "{}", output, error: null, cause: null };
    expect(await create()).toMatchObject({ done: false, wait_seconds: 3, checkpoint: { at: 1 }, model_update: null });
  });

  test("is the recorded error, by its name and message", async () => {
    const cause = '{"errorType":"VolumeBackendAPIException","errorMessage":"the array is down"}';
    replayed.call = { state: "X", input: "{}", output: null, error: "VolumeBackendAPIException", cause };
    await expect(create()).rejects.toThrow(
      expect.objectContaining({ name: "VolumeBackendAPIException", message: "the array is down" }),
    );
  });

  test("is nothing outside a replay", () => {
    expect(recordedAnswer).toThrow("nothing is being replayed");
  });
});
