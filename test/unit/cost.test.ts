import { describe, expect, it } from "vitest";
import { estimate } from "../../cli/cost/estimate.ts";
import { type HistoryEvent, stepsOfExecution } from "../../cli/cost/history.ts";
import prices from "../../cli/cost/prices.json" with { type: "json" };
import { priced } from "../../cli/cost/receipt.ts";
import { addWork, invocation, timesWork, workOf } from "../../cli/cost/work.ts";
import { runCli } from "../support/cli-context.ts";
import { aVolume } from "../support/builders.ts";

describe("the prices", () => {
  it("say of which day they are, and the receipt says so too", async () => {
    expect(new Date(prices.date).toISOString().slice(0, 10)).toBe(prices.date);
    const { stdout } = await runCli(["cost", "--volumes", "1"]);
    expect(stdout).toContain(prices.date);
  });

  it("each say where they are from", () => {
    const priced = [...Object.keys(prices.prices), ...Object.keys(prices.idle)];
    expect(Object.keys(prices.sources).toSorted()).toEqual(priced.toSorted());
  });
});

describe("a receipt", () => {
  it("adds up what its steps cost", () => {
    const steps = [
      { step: "a", times: 2, work: workOf({ state_transition: 3 }) },
      { step: "b", times: 1, work: workOf({ sns_publish: 1, dynamodb_write_unit: 4 }) },
    ];
    const receipt = priced(steps, prices);
    expect(receipt.cost).toBeCloseTo(6 * 0.000025 + 0.0000005 + 4 * 0.000000625, 12);
    expect(receipt.steps.reduce((sum, { cost }) => sum + cost, 0)).toBeCloseTo(receipt.cost, 12);
  });

  it("counts a function's memory for as long as it ran", () => {
    expect(invocation("ExtractVolumeRef", 2000)).toMatchObject({ lambda_request: 1, lambda_gib_second: 1 });
  });
});

describe("an estimate", () => {
  const total = (wish: Parameters<typeof estimate>[0]) =>
    addWork(estimate(wish).steps.map(({ work, times }) => timesWork(work, times)));

  it("of raw volumes is that of one, as often", () => {
    const one = total({ volumes: 1, imageGib: 0, copyMibPerSecond: 100 });
    const many = total({ volumes: 1000, imageGib: 0, copyMibPerSecond: 100 });
    expect(many.state_transition).toBe(1000 * one.state_transition);
    expect(one.state_transition).toBe(8);
  });

  it("of an image grows with its size, in turns of the copy and in bytes", () => {
    const small = total({ volumes: 1, imageGib: 10, copyMibPerSecond: 100 });
    const large = total({ volumes: 1, imageGib: 1000, copyMibPerSecond: 100 });
    expect(large.efs_written_gib).toBe(1000);
    expect(large.lambda_request).toBe(small.lambda_request + Math.ceil(10_240 / 840) - 1);
  });
});

describe("the history of an execution", () => {
  const at = (milliseconds: number) => new Date(milliseconds);
  const event = (type: string, milliseconds: number, stateName?: string): HistoryEvent => ({
    type,
    timestamp: at(milliseconds),
    stateName,
  });

  it("gives each state its transitions and its function's time, retries included", () => {
    const steps = stepsOfExecution([
      event("ExecutionStarted", 0),
      event("TaskStateEntered", 0, "ExtractVolumeRef"),
      event("LambdaFunctionStarted", 10),
      event("LambdaFunctionFailed", 1010),
      event("LambdaFunctionStarted", 3000),
      event("LambdaFunctionSucceeded", 4000),
      event("TaskStateExited", 4000),
      event("ChoiceStateEntered", 4000, "CreateVolumeFromSpec"),
      event("ExecutionSucceeded", 4001),
    ]);
    expect(steps).toMatchObject([
      { step: "ExtractVolumeRef", work: { state_transition: 2, lambda_request: 2, lambda_gib_second: 1 } },
      { step: "CreateVolumeFromSpec", work: { state_transition: 1, lambda_request: 0 } },
    ]);
  });
});

describe("cinderless cost", () => {
  const fence = "4b8f2f3e-5a0e-4f0e-9a7f-0a3b9d1c2e4f-a1";
  const volume = aVolume({
    id: "4b8f2f3e-5a0e-4f0e-9a7f-0a3b9d1c2e4f",
    attempts: { "1": { host: "h@b#p", execution: fence, started_at: "2026-03-04T05:06:07.000Z", outcome: "created" } },
  });

  it("estimates without a deployment", async () => {
    const { status, stdout } = await runCli(["cost", "--volumes", "3", "--json"]);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ total: { state_transition: 24 }, prices: { region: "us-east-1" } });
  });

  it("makes a volume's receipt out of the history of its executions", async () => {
    const asked: string[] = [];
    const history = async (name: string) => {
      asked.push(name);
      return [{ type: "TaskStateEntered", timestamp: new Date(0), stateName: "ExtractVolumeRef" }];
    };
    const { stdout } = await runCli(["cost", volume.id, "--json"], {
      volumes: { get: async () => volume },
      executions: { history },
    });
    expect(asked).toEqual([fence]);
    expect(JSON.parse(stdout)).toMatchObject({ steps: [{ step: "ScheduleVolume" }, { step: "ExtractVolumeRef" }] });
  });

  it("says so when a history has no events of Lambda functions", async () => {
    const notes = async (types: string[]) => {
      const events = types.map((type) => ({ type, timestamp: new Date(0), stateName: "ExtractVolumeRef" }));
      const { stdout } = await runCli(["cost", volume.id], {
        volumes: { get: async () => volume },
        executions: { history: async () => events },
      });
      return stdout;
    };
    expect(await notes(["TaskStateEntered", "TaskStateExited"])).toContain("has no events of Lambda functions");
    expect(await notes(["TaskStateEntered", "LambdaFunctionStarted"])).not.toContain("events of Lambda");
  });

  it("says so when a history is gone", async () => {
    const { stdout } = await runCli(["cost", volume.id], {
      volumes: { get: async () => volume },
      executions: { history: async () => undefined },
    });
    expect(stdout).toContain(`the history of ${fence} is gone`);
  });

  it.each([
    [[], /name a volume, or give --volumes/],
    [[volume.id, "--volumes", "1"], /name a volume, or give --volumes/],
    [["--volumes", "0"], /whole number, 1 or more/],
    [["--volumes", "1", "--image-gib", "-1"], /must be a number, 0 or more/],
    [["--volumes", "1", "--copy-mib-per-second", "0"], /must be above 0/],
  ])("refuses %j", async (args, message) => {
    const { status, stderr } = await runCli(["cost", ...args]);
    expect(status).toBe(2);
    expect(stderr).toMatch(message);
  });
});
