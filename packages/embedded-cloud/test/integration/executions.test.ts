import {
  DescribeExecutionCommand,
  DescribeStateMachineCommand,
  GetExecutionHistoryCommand,
  ListExecutionsCommand,
  ListStateMachinesCommand,
  StartExecutionCommand,
  StopExecutionCommand,
} from "@aws-sdk/client-sfn";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { deploy, inlineFunction, resource, stateMachine, task, until } from "../support/fixtures.ts";
import type { CloudUnderTest } from "../support/fixtures.ts";

let under: CloudUnderTest;
let waitingMachine: string;

beforeAll(async () => {
  under = await deploy(
    {
      Echo: inlineFunction("return event;"),
      EchoMachine: stateMachine({ StartAt: "Echo", States: { Echo: task("Echo") } }, ["Echo"]),
      WaitingMachine: stateMachine({
        StartAt: "Wait",
        States: { Wait: { Type: "Wait", Seconds: 60, Next: "Done" }, Done: { Type: "Succeed" } },
      }),
      TimingOutMachine: stateMachine({
        TimeoutSeconds: 1,
        StartAt: "Wait",
        States: { Wait: { Type: "Wait", Seconds: 60, End: true } },
      }),
    },
    { maxHistory: 5 },
  );
  waitingMachine = resource(under.cloud, "WaitingMachine");
});

afterAll(() => under.cloud.stop());

const start = (stateMachineArn: string, name: string, input = "{}") =>
  under.sfn.send(new StartExecutionCommand({ stateMachineArn, name, input }));

describe("StartExecution", () => {
  it("gives the running execution again for the same name and input", async () => {
    const first = await start(waitingMachine, "same", '{"a":1}');
    const second = await start(waitingMachine, "same", '{"a":1}');
    expect(second.executionArn).toBe(first.executionArn);
    expect(second.startDate).toEqual(first.startDate);
  });

  it("refuses a running name with another input", async () => {
    await start(waitingMachine, "taken", '{"a":1}');
    // Step Functions compares texts: equal values in another spelling are another input.
    for (const input of ['{"a":2}', '{ "a": 1 }']) {
      await expect(start(waitingMachine, "taken", input)).rejects.toMatchObject({ name: "ExecutionAlreadyExists" });
    }
  });

  it("refuses the name of an ended execution, even one that was forgotten", async () => {
    await under.run("EchoMachine", {}, "ended");
    for (let index = 0; index < 6; index += 1) await under.run("EchoMachine", {});
    const machine = resource(under.cloud, "EchoMachine");
    await expect(start(machine, "ended")).rejects.toMatchObject({ name: "ExecutionAlreadyExists" });
    const executionArn = `${machine.replace(":stateMachine:", ":execution:")}:ended`;
    await expect(under.sfn.send(new DescribeExecutionCommand({ executionArn }))).rejects.toMatchObject({
      name: "ExecutionDoesNotExist",
    });
  });

  it.each([
    ["a name with a blank", "bad name", "{}", "InvalidName"],
    ["a name of 81 characters", "n".repeat(81), "{}", "InvalidName"],
    ["input that is not valid JSON", "bad-input", "{", "InvalidExecutionInput"],
  ])("refuses %s", async (_what, name, input, error) => {
    await expect(start(waitingMachine, name, input)).rejects.toMatchObject({ name: error });
  });

  it("refuses an unknown and a malformed state machine", async () => {
    await expect(start(`${waitingMachine}x`, "n")).rejects.toMatchObject({
      name: "StateMachineDoesNotExist",
    });
    await expect(start("nothing", "n")).rejects.toMatchObject({ name: "InvalidArn" });
  });
});

describe("GetExecutionHistory", () => {
  it("reports the events of a task by their AWS names", async () => {
    const before = Date.now();
    const { executionArn } = await under.run("EchoMachine", { id: null });
    const { events = [] } = await under.sfn.send(new GetExecutionHistoryCommand({ executionArn }));
    expect(events.map(({ type }) => type)).toEqual([
      "ExecutionStarted",
      "TaskStateEntered",
      "LambdaFunctionScheduled",
      "LambdaFunctionStarted",
      "LambdaFunctionSucceeded",
      "TaskStateExited",
      "ExecutionSucceeded",
    ]);
    expect(events[1]?.stateEnteredEventDetails).toMatchObject({
      name: "Echo",
      input: '{"id":null}',
    });
    expect(events[6]?.executionSucceededEventDetails?.output).toBe('{"id":null}');
    expect(events[6]?.timestamp?.getTime()).toBeGreaterThanOrEqual(before);
  });

  it("pages and reverses", async () => {
    const { executionArn } = await under.run("EchoMachine");
    const first = await under.sfn.send(
      new GetExecutionHistoryCommand({ executionArn, maxResults: 5, reverseOrder: true }),
    );
    const second = await under.sfn.send(
      new GetExecutionHistoryCommand({
        executionArn,
        maxResults: 5,
        reverseOrder: true,
        nextToken: first.nextToken,
      }),
    );
    expect([...(first.events ?? []), ...(second.events ?? [])].map(({ id }) => id)).toEqual([7, 6, 5, 4, 3, 2, 1]);
    expect(second.nextToken).toBeUndefined();
  });
});

describe("ListExecutions", () => {
  it("filters by status and pages without showing one twice", async () => {
    await under.run("EchoMachine");
    await under.run("EchoMachine");
    const stateMachineArn = resource(under.cloud, "EchoMachine");
    const first = await under.sfn.send(
      new ListExecutionsCommand({ stateMachineArn, statusFilter: "SUCCEEDED", maxResults: 1 }),
    );
    const newer = await under.run("EchoMachine");
    const second = await under.sfn.send(
      new ListExecutionsCommand({
        stateMachineArn,
        statusFilter: "SUCCEEDED",
        maxResults: 1,
        nextToken: first.nextToken,
      }),
    );
    const listed = [...(first.executions ?? []), ...(second.executions ?? [])].map(({ name }) => name);
    expect(new Set(listed).size).toBe(2);
    expect(listed).not.toContain(newer.name);
  });
});

describe("StopExecution", () => {
  it("aborts a running execution with the given error and cause", async () => {
    const { executionArn } = await start(waitingMachine, "stopped");
    await under.sfn.send(new StopExecutionCommand({ executionArn, error: "Operator", cause: "maintenance" }));
    const described = await under.sfn.send(new DescribeExecutionCommand({ executionArn }));
    expect(described).toMatchObject({ status: "ABORTED", error: "Operator", cause: "maintenance" });
    expect(described.stopDate).toBeInstanceOf(Date);
  });

  it("leaves an ended execution as it was", async () => {
    const { executionArn } = await under.run("EchoMachine");
    await under.sfn.send(new StopExecutionCommand({ executionArn, error: "late" }));
    const described = await under.sfn.send(new DescribeExecutionCommand({ executionArn }));
    expect(described.status).toBe("SUCCEEDED");
    expect(described.error).toBeUndefined();
  });
});

it("ends an execution that exceeds the machine's TimeoutSeconds as TIMED_OUT", async () => {
  expect((await under.run("TimingOutMachine")).status).toBe("TIMED_OUT");
});

it("describes and lists the deployed state machines", async () => {
  const described = await under.sfn.send(new DescribeStateMachineCommand({ stateMachineArn: waitingMachine }));
  expect(described).toMatchObject({
    name: "Stack-WaitingMachine",
    type: "STANDARD",
    status: "ACTIVE",
  });
  expect(JSON.parse(described.definition ?? "")).toMatchObject({ StartAt: "Wait" });
  const { stateMachines = [] } = await under.sfn.send(new ListStateMachinesCommand({}));
  expect(stateMachines.map(({ name }) => name)).toContain("Stack-EchoMachine");
});

it("counts transitions and invocations and sends each event to listeners", async () => {
  const before = under.cloud.counters;
  const seen: string[] = [];
  const off = under.cloud.executions.onTransition(({ name }, { type }) => void (name === "counted" && seen.push(type)));
  await under.run("EchoMachine", {}, "counted");
  off();
  const after = under.cloud.counters;
  expect(after.stateTransitions - before.stateTransitions).toBe(1);
  expect((after.lambdaInvocations["Stack-Echo"] ?? 0) - (before.lambdaInvocations["Stack-Echo"] ?? 0)).toBe(1);
  expect(seen.at(-1)).toBe("ExecutionSucceeded");
});

it("comes to rest when every execution has ended", async () => {
  const { executionArn } = await start(resource(under.cloud, "EchoMachine"), "rest");
  await until(() => under.cloud.executions.describe(executionArn ?? "").status !== "RUNNING");
  for (const { executionArn: running } of under.cloud.executions.list({ status: "RUNNING" })) {
    await under.sfn.send(new StopExecutionCommand({ executionArn: running }));
  }
  await expect(under.cloud.quiesce(2000)).resolves.toBeUndefined();
});
