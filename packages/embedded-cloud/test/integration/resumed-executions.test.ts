import { StartExecutionCommand } from "@aws-sdk/client-sfn";
import { describe, expect, it, vi } from "vitest";
import {
  type CloudUnderTest,
  deploy,
  inlineFunction,
  resource,
  stateMachine,
  task,
  temporaryDirectory,
  until,
} from "../support/fixtures.ts";

/** Executions that run when the cloud is stopped, and continue at the next start. */

const First = inlineFunction("return { first: event.n ?? null };");
const Last = inlineFunction("return { last: event };");
/** Works for half a minute, but stops at the next opportunity when it has no time left, as a long copy does. */
const Long = inlineFunction(
  `const end = Date.now() + 30000;
   while (Date.now() < end) {
     if (context.getRemainingTimeInMillis() < 20000) return { done: false };
     await new Promise((resolve) => setTimeout(resolve, 20));
   }
   return { done: true };`,
  { Timeout: 60 },
);

const machine = (wait: object, fields: object = {}) =>
  stateMachine(
    {
      StartAt: "First",
      States: {
        First: task("First", { Next: "Wait" }),
        Wait: { Type: "Wait", ...wait, Next: "Last" },
        Last: task("Last"),
      },
      ...fields,
    },
    ["First", "Last"],
  );

const LONG = stateMachine(
  { StartAt: "Long", States: { Long: task("Long", { TimeoutSeconds: 90, Next: "Last" }), Last: task("Last") } },
  ["Long", "Last"],
);

async function start({ cloud, sfn }: CloudUnderTest, input: unknown = {}, name = "one"): Promise<string> {
  const stateMachineArn = resource(cloud, "Machine");
  const { executionArn = "" } = await sfn.send(
    new StartExecutionCommand({ stateMachineArn, name, input: JSON.stringify(input) }),
  );
  return executionArn;
}

const statusOf = ({ cloud }: CloudUnderTest, arn: string) => cloud.executions.describe(arn).status;
const typesOf = ({ cloud }: CloudUnderTest, arn: string) => cloud.executions.history(arn).map(({ type }) => type);
const callsOf = ({ cloud }: CloudUnderTest, id: string) => cloud.counters.lambdaInvocations[resource(cloud, id)];

const CALL = ["TaskStateEntered", "LambdaFunctionScheduled", "LambdaFunctionStarted"];
const RETURN = ["LambdaFunctionSucceeded", "TaskStateExited"];

it("waits no longer than it would have, and its time-out does not run while the cloud is stopped", async () => {
  using directory = temporaryDirectory();
  const resources = { First, Last, Machine: machine({ Seconds: 3600 }, { TimeoutSeconds: 3660 }) };
  let arn = "";
  {
    await using first = await deploy(resources, { dataDirectory: directory.path });
    arn = await start(first);
    await until(() => typesOf(first, arn).includes("WaitStateEntered"));
  }
  const twoHoursLater = Date.now() + 7_200_000;
  const clock = vi.spyOn(Date, "now").mockReturnValue(twoHoursLater);
  await using next = await deploy(resources, { dataDirectory: directory.path });
  clock.mockRestore();
  await until(() => statusOf(next, arn) !== "RUNNING");
  expect(statusOf(next, arn)).toBe("SUCCEEDED");
});

// Each waits most of the time. The one before is apart, for it changes the time of all.
describe.concurrent("an execution that runs when the cloud is stopped", () => {
  it("continues at the next start: what was done is not done again, and its history is one", async () => {
    using directory = temporaryDirectory();
    const resources = { First, Last, Machine: machine({ Seconds: 2 }) };
    let arn = "";
    {
      await using first = await deploy(resources, { dataDirectory: directory.path });
      arn = await start(first, { n: 1 });
      await until(() => typesOf(first, arn).includes("WaitStateEntered"));
    }
    await using next = await deploy(resources, { dataDirectory: directory.path });
    await until(() => statusOf(next, arn) !== "RUNNING");
    expect(next.cloud.executions.describe(arn)).toMatchObject({
      status: "SUCCEEDED",
      output: JSON.stringify({ last: { first: 1 } }),
    });
    expect([callsOf(next, "First"), callsOf(next, "Last")]).toEqual([0, 1]);
    expect(typesOf(next, arn)).toEqual([
      "ExecutionStarted",
      ...CALL,
      ...RETURN,
      "WaitStateEntered",
      "WaitStateExited",
      ...CALL,
      ...RETURN,
      "ExecutionSucceeded",
    ]);
    const ids = next.cloud.executions.history(arn).map(({ id }) => id);
    expect(ids).toEqual(ids.map((_, index) => index + 1));
  });

  it("lets a call of a function end within the grace, which hears that its time is almost over", async () => {
    using directory = temporaryDirectory();
    const resources = { Long, Last, Machine: LONG };
    const first = await deploy(resources, { dataDirectory: directory.path });
    const arn = await start(first);
    await until(() => typesOf(first, arn).includes("LambdaFunctionStarted"));
    await first.cloud.stop(15_000);

    await using next = await deploy(resources, { dataDirectory: directory.path });
    await until(() => statusOf(next, arn) !== "RUNNING");
    expect(next.cloud.executions.describe(arn).output).toBe(JSON.stringify({ last: { done: false } }));
    expect(callsOf(next, "Long")).toBe(0);
    expect(typesOf(next, arn)).toEqual([
      "ExecutionStarted",
      ...CALL,
      ...RETURN,
      ...CALL,
      ...RETURN,
      "ExecutionSucceeded",
    ]);
  });

  it("calls a function again that had not ended", async () => {
    using directory = temporaryDirectory();
    const resources = { Long, Last, Machine: LONG };
    let arn = "";
    {
      await using first = await deploy(resources, { dataDirectory: directory.path });
      arn = await start(first);
      await until(() => typesOf(first, arn).includes("LambdaFunctionStarted"));
    }
    const Quick = inlineFunction("return { done: true };");
    await using next = await deploy({ ...resources, Long: Quick }, { dataDirectory: directory.path });
    await until(() => statusOf(next, arn) !== "RUNNING");
    expect(next.cloud.executions.describe(arn).output).toBe(JSON.stringify({ last: { done: true } }));
    expect(typesOf(next, arn)).toEqual([
      "ExecutionStarted",
      ...CALL,
      ...CALL.slice(1),
      ...RETURN,
      ...CALL,
      ...RETURN,
      "ExecutionSucceeded",
    ]);
  });

  it("keeps the definition that it was started with", async () => {
    using directory = temporaryDirectory();
    let arn = "";
    {
      const resources = { First, Last, Machine: machine({ Seconds: 1 }) };
      await using first = await deploy(resources, { dataDirectory: directory.path });
      arn = await start(first, { n: 2 });
      await until(() => typesOf(first, arn).includes("WaitStateEntered"));
    }
    const Other = stateMachine({ StartAt: "Other", States: { Other: { Type: "Succeed" } } });
    await using next = await deploy({ First, Last, Machine: Other }, { dataDirectory: directory.path });
    await until(() => statusOf(next, arn) !== "RUNNING");
    expect(next.cloud.executions.describe(arn).output).toBe(JSON.stringify({ last: { first: 2 } }));
  });

  it("is not overtaken by a schedule that looks for what stands still: that waits for its period", async () => {
    using directory = temporaryDirectory();
    const rule = (id: string) => ({
      Type: "AWS::Events::Rule",
      Properties: {
        ScheduleExpression: "rate(1 minute)",
        Targets: [{ Id: "function", Arn: { "Fn::GetAtt": [id, "Arn"] } }],
      },
    });
    const Machine = stateMachine({ StartAt: "Wait", States: { Wait: { Type: "Wait", Seconds: 60, End: true } } });
    const resources = { Watch: First, Report: Last, WatchRule: rule("Watch"), ReportRule: rule("Report"), Machine };
    const options = { dataDirectory: directory.path, isLateAfterResumption: (name: string) => name.includes("Watch") };
    {
      await using first = await deploy(resources, options);
      await until(() => callsOf(first, "Watch") === 1 && callsOf(first, "Report") === 1);
      await start(first);
    }
    await using next = await deploy(resources, options);
    await until(() => callsOf(next, "Report") === 1);
    expect(callsOf(next, "Watch")).toBe(0);
  });

  it("has the very input of its state again, whatever that is", async () => {
    using directory = temporaryDirectory();
    const inputs = [null, 0, false, "", "text", [], { $: 1 }];
    const States = { Wait: { Type: "Wait", Seconds: 1, Next: "Done" }, Done: { Type: "Succeed" } };
    const Machine = stateMachine({ StartAt: "Wait", States });
    const arns: string[] = [];
    {
      await using first = await deploy({ Machine }, { dataDirectory: directory.path });
      for (const [index, input] of inputs.entries()) arns.push(await start(first, input, `input-${index}`));
      await until(() => arns.every((arn) => typesOf(first, arn).includes("WaitStateEntered")));
    }
    await using next = await deploy({ Machine }, { dataDirectory: directory.path });
    await until(() => arns.every((arn) => statusOf(next, arn) !== "RUNNING"));
    expect(arns.map((arn) => next.cloud.executions.describe(arn).output)).toEqual(
      inputs.map((input) => JSON.stringify(input)),
    );
  });
});

describe("executions that have ended", () => {
  const resources = { First, Machine: stateMachine({ StartAt: "First", States: { First: task("First") } }, ["First"]) };

  it("are there after a restart, with their output and history, as many as are kept", async () => {
    using directory = temporaryDirectory();
    const options = { dataDirectory: directory.path, maxHistory: 2 };
    const kept: object[] = [];
    {
      await using first = await deploy(resources, options);
      for (const name of ["a", "b", "c"]) await first.run("Machine", { n: name }, name);
      const { executions } = first.cloud;
      const known = executions.list().map((one) => ({ ...one, history: executions.history(one.executionArn) }));
      kept.push(...known.map(({ name, status, output, history }) => ({ name, status, output, history })));
      expect(kept).toMatchObject([{ name: "c" }, { name: "b" }]);
    }
    for (let restart = 0; restart < 2; restart += 1) {
      await using next = await deploy(resources, options);
      const { executions } = next.cloud;
      const known = executions.list().map((one) => ({ ...one, history: executions.history(one.executionArn) }));
      expect(known.map(({ name, status, output, history }) => ({ name, status, output, history }))).toEqual(kept);
      await expect(next.run("Machine", {}, "a")).rejects.toMatchObject({ name: "ExecutionAlreadyExists" });
    }
  });
});
