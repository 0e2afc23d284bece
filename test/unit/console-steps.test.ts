import { describe, expect, test } from "vitest";
import { dataOfStep, notificationsOf, stepsOf } from "../../cli/console/steps.ts";
import type { HistoryEvent } from "../../cli/cost/history.ts";

/** Events a second apart; `Type State` enters a state, `Type: Error` fails by one. */
function history(...lines: string[]): HistoryEvent[] {
  return lines.map((line, second) => {
    const [, type = "", state, error] = /^(\w+)(?: (\w+))?(?:: (.+))?$/.exec(line) ?? [];
    const timestamp = new Date(Date.UTC(2026, 0, 1, 0, 0, second));
    return { type, timestamp, stateName: state, ...(error === undefined ? {} : { error, cause: "why" }) };
  });
}

const brief = (events: HistoryEvent[]) =>
  stepsOf(events).map(({ state, outcome, calls, error }) => [state, outcome, calls, error]);

const CALL = ["LambdaFunctionScheduled", "LambdaFunctionStarted"];

describe("the states of an execution", () => {
  test("are done when they were left, and the last one is running until then", () => {
    const events = history(
      "ExecutionStarted",
      "TaskStateEntered One",
      ...CALL,
      "LambdaFunctionSucceeded",
      "TaskStateExited One",
      "ChoiceStateEntered Two",
    );
    expect(brief(events)).toEqual([
      ["One", "done", 1, null],
      ["Two", "running", 0, null],
    ]);
    expect(stepsOf(events)[0]).toMatchObject({
      entered_at: "2026-01-01T00:00:01.000Z",
      left_at: "2026-01-01T00:00:05.000Z",
    });
    expect(stepsOf(events)[1]?.left_at).toBeNull();
  });

  test("are done after a retry with the error of the call before", () => {
    const events = history(
      "TaskStateEntered One",
      ...CALL,
      "LambdaFunctionFailed: Lambda.Unknown",
      ...CALL,
      "LambdaFunctionSucceeded",
      "TaskStateExited One",
    );
    expect(brief(events)).toEqual([["One", "done", 2, "Lambda.Unknown"]]);
  });

  test.each([
    ["with its exit written", ["TaskStateExited One"]],
    ["without", []],
  ])("are caught when the last call failed and another state followed, %s", (_, exit) => {
    const events = history(
      "TaskStateEntered One",
      ...CALL,
      "LambdaFunctionTimedOut: States.Timeout",
      ...exit,
      "TaskStateEntered Two",
      ...CALL,
    );
    expect(brief(events)).toEqual([
      ["One", "caught", 1, "States.Timeout"],
      ["Two", "running", 1, null],
    ]);
  });

  test("end with the execution: by its failure, or by its success", () => {
    expect(brief(history("FailStateEntered End", "ExecutionFailed: ImageTooBig"))).toEqual([
      ["End", "failed", 0, "ImageTooBig"],
    ]);
    expect(brief(history("SucceedStateEntered End", "SucceedStateExited End", "ExecutionSucceeded"))).toEqual([
      ["End", "done", 0, null],
    ]);
    expect(brief(history("TaskStateEntered One", ...CALL, "ExecutionAborted"))).toEqual([["One", "failed", 1, null]]);
  });

  test("are listed each time that they were entered", () => {
    const events = history(
      "WaitStateEntered Wait",
      "WaitStateExited Wait",
      "TaskStateEntered Check",
      "TaskStateExited Check",
      "WaitStateEntered Wait",
    );
    expect(brief(events).map(([state]) => state)).toEqual(["Wait", "Check", "Wait"]);
  });
});

describe("what a state was entered and left with", () => {
  const events = history(
    "TaskStateEntered One",
    ...CALL,
    "TaskStateExited One",
    "TaskStateEntered One",
    "LambdaFunctionFailed: Lambda.Unknown",
    "FailStateEntered Two",
    "ExecutionFailed: Lambda.Unknown",
  ).map((event, index) => ({ ...event, data: `"${index}"` }));

  test("is that of the visit, not of another visit to the same state", () => {
    expect(dataOfStep(events, 0)).toEqual({ input: '"0"', output: '"3"' });
  });

  test("has no output where the state failed", () => {
    expect(dataOfStep(events, 1)).toEqual({ input: '"4"', output: null });
    expect(dataOfStep(events, 2)).toEqual({ input: '"6"', output: null });
  });

  test("is missing for a state that the execution has not entered", () => {
    expect(dataOfStep(events, 3)).toBeUndefined();
    expect(dataOfStep(events, Number.NaN)).toBeUndefined();
  });
});

describe("the notifications of an execution", () => {
  test("are sent when their states are done, and one that failed has its error", () => {
    const steps = stepsOf(
      history(
        "TaskStateEntered NotifyCreateStart",
        ...CALL,
        "LambdaFunctionFailed: NotificationNotSent",
        "TaskStateEntered CreateRawVolume",
        ...CALL,
        "TaskStateExited CreateRawVolume",
        "TaskStateEntered CreateVolumeOnFinish",
        ...CALL,
        "LambdaFunctionFailed: Lambda.Unknown",
        ...CALL,
        "TaskStateExited CreateVolumeOnFinish",
      ),
    );
    expect(notificationsOf(steps)).toMatchObject([
      { event: "volume.create.start", outcome: "caught", error: "NotificationNotSent" },
      { event: "volume.create.end", outcome: "done", error: null },
    ]);
  });
});
