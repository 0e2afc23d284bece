import { describe, expect, it } from "vitest";
import { ERROR_ROUTES, errorNamesOf } from "../../core/errors.ts";
import { FUNCTIONS, TASK_NAMES, type TaskFunctionName } from "../../core/settings/functions.ts";
import { localFunctionArn } from "../../infra/inline-template.ts";
import { DEFINITION, DEFINITION_TEXT, type State, stateOf, STATES, TASK_STATES } from "../../simulation/definition.ts";

/** The part of the Amazon States Language that every engine runs alike, and that this workflow keeps to. */
const FIELDS: Record<string, readonly string[]> = {
  Task: ["Type", "Resource", "Parameters", "ResultPath", "TimeoutSeconds", "Retry", "Catch", "Next"],
  Choice: ["Type", "Choices", "Default"],
  Wait: ["Type", "SecondsPath", "Next"],
  Succeed: ["Type"],
  Fail: ["Type", "ErrorPath", "CausePath"],
};

/** The largest timer of the engines, in seconds. */
const LARGEST_TIMEOUT_SECONDS = 2_147_483;

const FINAL = errorNamesOf("final");
const catchesOf = (name: string) => (stateOf(name).Catch ?? []).map(({ ErrorEquals, Next }) => [ErrorEquals, Next]);

describe("the definition keeps to the agreed part of the language", () => {
  it.each(STATES)("%s has no other type or field", (_name, state: State) => {
    expect(Object.keys(FIELDS)).toContain(state.Type);
    expect(FIELDS[state.Type]).toEqual(expect.arrayContaining(Object.keys(state)));
  });

  it("uses no intrinsic function and nothing of the context object but the execution's id", () => {
    expect(DEFINITION_TEXT).not.toMatch(/States\.(Format|Json|String|Array|Math|UUID|Hash|Base64)/);
    const contextPaths = DEFINITION_TEXT.match(/\$\$\.[\w.]+/g) ?? [];
    expect(contextPaths.filter((path) => path !== "$$.Execution.Id")).toEqual([]);
  });

  it("speaks JSONPath", () => {
    expect(DEFINITION_TEXT).not.toContain("QueryLanguage");
    expect(DEFINITION_TEXT).not.toContain("{%");
  });

  it("compares in choices what is always there, by equality only", () => {
    for (const [, { Choices = [] }] of STATES) {
      for (const { Variable, Next, ...tests } of Choices) {
        expect(Variable).toMatch(/^\$(\.\w+)+$/);
        expect(["BooleanEquals", "StringEquals"]).toEqual(expect.arrayContaining(Object.keys(tests)));
        expect(Object.keys(tests)).toHaveLength(1);
        expect(DEFINITION.States).toHaveProperty(Next);
      }
    }
  });

  it("gives every choice a default", () => {
    const choices = STATES.filter(([, { Type }]) => Type === "Choice");
    expect(choices.filter(([, { Default }]) => Default === undefined)).toEqual([]);
  });

  it("has no time-out beyond what every engine can count", () => {
    const timeouts = TASK_STATES.map(([, { TimeoutSeconds = Infinity }]) => TimeoutSeconds);
    expect(Math.max(...timeouts)).toBeLessThan(LARGEST_TIMEOUT_SECONDS);
  });
});

describe("every task", () => {
  it("is one of the functions, and the other way round", () => {
    expect(TASK_STATES.map(([name]) => name).toSorted()).toEqual(TASK_NAMES.toSorted());
  });

  it.each(TASK_STATES)(
    "%s calls its function's ARN directly, with plain paths",
    (name, { Resource, Parameters = {} }) => {
      expect(Resource).toBe(localFunctionArn(name as TaskFunctionName));
      for (const [key, path] of Object.entries(Parameters)) {
        expect(path).toBe(`$.${key.replace(/\.\$$/, "")}`);
        expect(key).toMatch(/^\w+\.\$$/);
      }
    },
  );

  it.each(TASK_STATES)("%s waits longer than its function may run", (name, { TimeoutSeconds }) => {
    expect(TimeoutSeconds).toBeGreaterThan(FUNCTIONS[name as TaskFunctionName].timeoutSeconds);
  });

  it.each(TASK_STATES)(
    "%s survives throttling, asks again what is uncertain, and nothing else",
    (_name, { Retry = [] }) => {
      const [transient, decided, uncertain] = Retry;
      expect(Retry).toHaveLength(3);
      expect(transient).toMatchObject({ IntervalSeconds: 2, MaxAttempts: 6, BackoffRate: 2, MaxDelaySeconds: 60 });
      expect(transient?.ErrorEquals).toEqual(
        expect.arrayContaining([
          "Lambda.TooManyRequestsException",
          "Lambda.ServiceException",
          "Lambda.AWSLambdaException",
          "Lambda.SdkClientException",
          "Lambda.ClientExecutionTimeoutException",
        ]),
      );
      expect(decided).toEqual({ ErrorEquals: [...FINAL, ...errorNamesOf("reschedulable")], MaxAttempts: 0 });
      expect(uncertain).toEqual({ ErrorEquals: ["States.ALL"], IntervalSeconds: 2, MaxAttempts: 2, BackoffRate: 2 });
    },
  );

  it.each(TASK_STATES)("%s keeps the state document, or adds one key to it", (_name, { ResultPath }) => {
    expect(ResultPath === null || /^\$\.\w+$/.test(ResultPath ?? "")).toBe(true);
  });
});

describe("the Catch lists are the error table", () => {
  it("which has a row for each name exactly once", () => {
    const rows = [...FINAL, ...errorNamesOf("reschedulable"), ...errorNamesOf("uncertain")];
    expect(rows.toSorted()).toEqual(Object.keys(ERROR_ROUTES).toSorted());
  });

  it.each([
    "ExtractVolumeRef",
    "ExtractVolumeSpec",
    "CreateRawVolume",
    "CreateVolumeFromSnapshot",
    "CreateClonedVolume",
    "CloneImage",
    "CreateVolumeForImage",
    "CheckBackend",
  ])("before the backend holds the volume: %s", (name) => {
    expect(catchesOf(name)).toEqual([
      [FINAL, "ErrorOutVolume"],
      [["States.ALL"], "CanReschedule"],
    ]);
  });

  it.each(["CopyImageToVolume", "HandleBootableVolume"])("after the backend holds the volume: %s", (name) => {
    expect(catchesOf(name)).toEqual([
      [FINAL, "ErrorOutVolume"],
      [["States.ALL"], "ErrorOutVolume"],
    ]);
  });

  it("where a notification is all that can be missing", () => {
    expect(catchesOf("NotifyCreateStart")).toEqual([[["States.ALL"], "CreateVolumeFromSpec"]]);
    expect(catchesOf("CreateVolumeOnFinish")).toEqual([
      [["NotificationNotSent"], "VolumeCreated"],
      [FINAL, "ErrorOutVolume"],
      [["States.ALL"], "ErrorOutVolume"],
    ]);
  });

  it("where a failure is being answered", () => {
    expect(catchesOf("RescheduleVolume")).toEqual([[["States.ALL"], "ErrorOutVolume"]]);
    expect(catchesOf("ErrorOutVolume")).toEqual([[["States.ALL"], "VolumeCreateFailed"]]);
  });

  it("keeps the failure that is the volume's fault in one place, which only the first may write", () => {
    const written = TASK_STATES.flatMap(([name, { Catch = [] }]) =>
      Catch.map(({ Next, ResultPath }) => [name, Next, ResultPath] as const),
    );
    const answered = written.filter(([, Next]) => ["ErrorOutVolume", "CanReschedule"].includes(Next));
    const elsewhere = answered.filter(([, , path]) => path !== "$.failure");
    expect(elsewhere).toEqual([["RescheduleVolume", "ErrorOutVolume", "$.reschedule_failure"]]);
    expect(stateOf("VolumeCreateFailed")).toMatchObject({ ErrorPath: "$.failure.Error", CausePath: "$.failure.Cause" });
  });
});
