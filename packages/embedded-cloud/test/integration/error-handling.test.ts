import { GetExecutionHistoryCommand } from "@aws-sdk/client-sfn";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { deploy, functionWithSource, inlineFunction, stateMachine, task } from "../support/fixtures.ts";
import type { CloudUnderTest } from "../support/fixtures.ts";

const CATCH_ALL = [{ ErrorEquals: ["States.ALL"], ResultPath: "$.caught", Next: "Caught" }];
const TAIL = { Caught: { Type: "Pass", End: true } };

/** A machine of one task that catches everything into `$.caught`. */
function catching(functionId: string, fields: object = {}): object {
  return stateMachine(
    {
      StartAt: "Do",
      States: { Do: task(functionId, { Catch: CATCH_ALL, End: true, ...fields }), ...TAIL },
    },
    [functionId],
  );
}

let under: CloudUnderTest;

beforeAll(async () => {
  under = await deploy({
    Throws: inlineFunction(
      "class VolumeNotFound extends Error { constructor(m) { super(m); this.name = 'VolumeNotFound'; } } throw new VolumeNotFound('volume ' + event.id);",
    ),
    ThrowsText: inlineFunction("throw 'just text';"),
    Sleeps: inlineFunction("await new Promise((resolve) => setTimeout(resolve, 60000));", {
      Timeout: 1,
    }),
    SleepsLong: inlineFunction("await new Promise((resolve) => setTimeout(resolve, 60000));", {
      Timeout: 60,
    }),
    Exits: inlineFunction("process.exit(3);"),
    Throttled: inlineFunction("return {};", { ReservedConcurrentExecutions: 0 }),
    Big: inlineFunction("return 'x'.repeat(event.size);"),
    Flaky: functionWithSource(
      "const seen = {}; exports.handler = async ({ id, failures }) => { seen[id] = (seen[id] ?? 0) + 1; if (seen[id] <= failures) { const e = new Error('not yet'); e.name = 'Flaky'; throw e; } return seen[id]; };",
      { ReservedConcurrentExecutions: 1 },
    ),
    ThrowsMachine: catching("Throws"),
    UncaughtMachine: stateMachine({ StartAt: "Do", States: { Do: task("Throws") } }, ["Throws"]),
    TextMachine: catching("ThrowsText"),
    SleepsMachine: catching("Sleeps"),
    TaskTimeoutMachine: catching("SleepsLong", { TimeoutSeconds: 1 }),
    TaskFailedTimeoutMachine: catching("SleepsLong", {
      TimeoutSeconds: 1,
      Catch: [{ ErrorEquals: ["States.TaskFailed"], Next: "Caught" }],
    }),
    ExitsMachine: catching("Exits"),
    ThrottledMachine: catching("Throttled"),
    BigMachine: catching("Big"),
    BigRetriedMachine: catching("Big", {
      Retry: [{ ErrorEquals: ["States.ALL"], IntervalSeconds: 1, MaxAttempts: 1 }],
    }),
    MissingVariableMachine: stateMachine({
      StartAt: "Choose",
      States: {
        Choose: {
          Type: "Choice",
          Choices: [{ Variable: "$.absent", StringEquals: "x", Next: "End" }],
          Default: "End",
        },
        End: { Type: "Succeed" },
      },
    }),
    BigNamedMachine: catching("Big", {
      Catch: [{ ErrorEquals: ["States.DataLimitExceeded"], ResultPath: "$.caught", Next: "Caught" }, ...CATCH_ALL],
    }),
    GrowingMachine: stateMachine(
      {
        StartAt: "First",
        States: {
          First: task("Big", { ResultPath: "$.first", Next: "Second" }),
          Second: task("Big", { ResultPath: "$.second", Catch: CATCH_ALL, Next: "Third" }),
          Third: task("Throws"),
          ...TAIL,
        },
      },
      ["Big", "Throws"],
    ),
    FlakyMachine: catching("Flaky", {
      ResultPath: "$.result",
      Retry: [
        {
          ErrorEquals: ["Flaky"],
          IntervalSeconds: 1,
          MaxAttempts: 2,
          // The second of two delays would be longer than a test may take.
          BackoffRate: 1000,
          MaxDelaySeconds: 1,
        },
      ],
    }),
    MissingPathMachine: catching("Throws", { Parameters: { "id.$": "$.missing" } }),
    NullPathMachine: stateMachine({
      StartAt: "Shape",
      States: {
        Shape: {
          Type: "Pass",
          Parameters: { "a.$": "$.a", "id.$": "$$.Execution.Id", "name.$": "$$.Execution.Name" },
          End: true,
        },
      },
    }),
    FailMachine: stateMachine({
      StartAt: "Fail",
      States: { Fail: { Type: "Fail", ErrorPath: "$.caught.Error", CausePath: "$.caught.Cause" } },
    }),
    PresenceMachine: stateMachine({
      StartAt: "Present",
      States: {
        Present: {
          Type: "Choice",
          Choices: [{ Variable: "$.x", IsPresent: false, Next: "Absent" }],
          Default: "There",
        },
        Absent: { Type: "Pass", Result: "absent", End: true },
        There: { Type: "Pass", Result: "there", End: true },
      },
    }),
    WaitPathMachine: stateMachine({
      StartAt: "Wait",
      States: {
        Wait: { Type: "Wait", SecondsPath: "$.seconds", Next: "End" },
        End: { Type: "Succeed" },
      },
    }),
  });
});

afterAll(() => under.cloud.stop());

async function caught(machine: string, input: unknown = {}): Promise<{ Error: string; Cause: string }> {
  const { output } = await under.run(machine, input);
  return (JSON.parse(output ?? "{}") as { caught: { Error: string; Cause: string } }).caught;
}

describe("a failing function", () => {
  it("gives the error's literal name, and errorType, errorMessage and trace as cause", async () => {
    const { Error: error, Cause: cause } = await caught("ThrowsMachine", { id: 7 });
    expect(error).toBe("VolumeNotFound");
    const parsed = JSON.parse(cause) as {
      errorType: string;
      errorMessage: string;
      trace: string[];
    };
    expect(parsed).toMatchObject({ errorType: "VolumeNotFound", errorMessage: "volume 7" });
    expect(Object.keys(parsed)).toEqual(["errorType", "errorMessage", "trace"]);
    expect(parsed.trace[0]).toContain("volume 7");
  });

  it("fails the execution with the same error and cause when nothing catches it", async () => {
    const described = await under.run("UncaughtMachine", { id: 8 });
    expect(described).toMatchObject({ status: "FAILED", error: "VolumeNotFound" });
    expect(JSON.parse(described.cause ?? "{}")).toMatchObject({ errorMessage: "volume 8" });
    const { events = [] } = await under.sfn.send(
      new GetExecutionHistoryCommand({ executionArn: described.executionArn }),
    );
    expect(events.map(({ type }) => type).slice(-2)).toEqual(["LambdaFunctionFailed", "ExecutionFailed"]);
    expect(events.at(-1)?.executionFailedEventDetails?.error).toBe("VolumeNotFound");
  });

  it("has no frame of more than 300 characters in its cause, and none of the cloud's own text", async () => {
    const { Cause: cause } = await caught("ThrowsMachine");
    const { trace } = JSON.parse(cause) as { trace: string[] };
    expect(trace.length).toBeGreaterThan(1);
    expect(Math.max(...trace.map(({ length }) => length))).toBeLessThanOrEqual(300);
    expect(cause).not.toContain("data:");
    expect(cause.length).toBeLessThan(3000);
  });

  it("reports a thrown text by its type", async () => {
    const { Error: error, Cause: cause } = await caught("TextMachine");
    expect(error).toBe("string");
    expect(JSON.parse(cause)).toMatchObject({ errorType: "string", errorMessage: "just text" });
  });

  it("that exceeds its own time-out is Sandbox.Timedout", async () => {
    const { Error: error, Cause: cause } = await caught("SleepsMachine");
    expect(error).toBe("Sandbox.Timedout");
    expect(cause).toContain("Task timed out after 1.00 seconds");
  });

  it("that exits is Lambda.Unknown", async () => {
    const { Error: error, Cause: cause } = await caught("ExitsMachine");
    expect(error).toBe("Lambda.Unknown");
    expect(cause).toContain("exit status 3");
  });

  it("with no concurrency left is Lambda.TooManyRequestsException", async () => {
    expect((await caught("ThrottledMachine")).Error).toBe("Lambda.TooManyRequestsException");
  });
});

describe.concurrent("a task's TimeoutSeconds", () => {
  it("is States.Timeout, and the history says LambdaFunctionTimedOut", async () => {
    const { executionArn, output } = await under.run("TaskTimeoutMachine");
    expect(JSON.parse(output ?? "{}")).toMatchObject({ caught: { Error: "States.Timeout", Cause: "" } });
    const { events = [] } = await under.sfn.send(new GetExecutionHistoryCommand({ executionArn }));
    expect(events.map(({ type }) => type)).toContain("LambdaFunctionTimedOut");
  });

  it("is not matched by States.TaskFailed", async () => {
    expect(await under.run("TaskFailedTimeoutMachine")).toMatchObject({
      status: "FAILED",
      error: "States.Timeout",
    });
  });
});

describe("the data limit of 262,144 bytes", () => {
  it("lets a result of exactly the limit pass", async () => {
    expect((await under.run("BigMachine", { size: 262_142 })).status).toBe("SUCCEEDED");
  });

  it("fails a task whose result exceeds it, which is retried and caught by States.ALL", async () => {
    const { Error: error, Cause: cause } = await caught("BigMachine", { size: 262_143 });
    expect(error).toBe("States.DataLimitExceeded");
    expect(cause).toMatch(
      /^The state\/task 'arn:.*' returned a result with a size exceeding the maximum number of bytes service limit\.$/,
    );
    const { executionArn } = await under.run("BigRetriedMachine", { size: 262_143 });
    const { events = [] } = await under.sfn.send(new GetExecutionHistoryCommand({ executionArn }));
    expect(events.filter(({ type }) => type === "LambdaFunctionFailed")).toHaveLength(2);
  });

  it("can be caught by name", async () => {
    expect((await caught("BigNamedMachine", { size: 300_000 })).Error).toBe("States.DataLimitExceeded");
  });

  it("holds for a state's whole output, and the next state is not run", async () => {
    const before = under.cloud.counters.lambdaInvocations["Stack-Throws"];
    expect(await under.run("GrowingMachine", { size: 150_000 })).toMatchObject({
      status: "FAILED",
      error: "States.DataLimitExceeded",
    });
    expect(under.cloud.counters.lambdaInvocations["Stack-Throws"]).toBe(before);
  });
});

describe("retries", () => {
  it("repeat a task until it succeeds, and count as transitions", async () => {
    const before = under.cloud.counters.stateTransitions;
    const { output, executionArn } = await under.run("FlakyMachine", { id: "a", failures: 1 });
    expect(JSON.parse(output ?? "{}")).toMatchObject({ result: 2 });
    expect(under.cloud.counters.stateTransitions - before).toBe(2);
    const { events = [] } = await under.sfn.send(new GetExecutionHistoryCommand({ executionArn }));
    expect(events.filter(({ type }) => type === "LambdaFunctionScheduled")).toHaveLength(2);
    expect(events.filter(({ type }) => type === "TaskStateEntered")).toHaveLength(1);
  });

  it("end after MaxAttempts in the catcher, with delays capped by MaxDelaySeconds", async () => {
    const started = performance.now();
    expect((await caught("FlakyMachine", { id: "b", failures: 9 })).Error).toBe("Flaky");
    expect(performance.now() - started).toBeGreaterThanOrEqual(1990);
  });
});

describe("paths", () => {
  it("that lead nowhere are States.Runtime, which States.ALL does not catch", async () => {
    expect(await under.run("MissingPathMachine", {})).toMatchObject({
      status: "FAILED",
      error: "States.Runtime",
      cause: expect.stringMatching(
        /^An error occurred while executing the state '\w+' \(entered at the event id #2\)\. The JSONPath '\$\.\w+' specified for the field '\w+\.\$' could not be found in the input '\{\}'$/,
      ) as string,
    });
  });

  it("of a Choice that lead nowhere are States.Runtime with the path", async () => {
    expect(await under.run("MissingVariableMachine", {})).toMatchObject({
      status: "FAILED",
      error: "States.Runtime",
      cause:
        "An error occurred while executing the state 'Choose' (entered at the event id #2). Invalid path '$.absent': The choice state's condition path references an invalid value.",
    });
  });

  it.each([null, "", 0, false, [], {}, [1], { b: null }].map((value) => [value]))(
    "carry %j as it is",
    async (value) => {
      const { output, name, executionArn } = await under.run("NullPathMachine", { a: value });
      expect(JSON.parse(output ?? "{}")).toEqual({ a: value, id: executionArn, name });
    },
  );

  it("give a Fail state its error and cause", async () => {
    const described = await under.run("FailMachine", {
      caught: { Error: "ImageCopyFailure", Cause: "sha512 differs" },
    });
    expect(described).toMatchObject({
      status: "FAILED",
      error: "ImageCopyFailure",
      cause: "sha512 differs",
    });
  });

  it.each([
    [{}, "absent"],
    [{ x: null }, "there"],
  ])("distinguish presence in %j", async (input, expected) => {
    expect((await under.run("PresenceMachine", input)).output).toBe(JSON.stringify(expected));
  });

  it("give a Wait its seconds", async () => {
    const started = performance.now();
    expect(await under.run("WaitPathMachine", { seconds: 1 })).toMatchObject({ status: "SUCCEEDED" });
    expect(performance.now() - started).toBeGreaterThanOrEqual(990);
    expect(await under.run("WaitPathMachine", { seconds: 0 })).toMatchObject({ status: "SUCCEEDED" });
  });
});
