import { describe, expect, it } from "vitest";
import { walk, StateFailure, LARGEST_PAYLOAD_BYTES, type WalkerHost } from "../../simulation/walker.ts";
import { DEFINITION, type Definition } from "../../simulation/definition.ts";
import { runScenario } from "../statemachine/run-scenario.ts";
import { type Answer, inputOf, MESSAGE, ORDINARY, type Scenario } from "../statemachine/scenario.ts";
import { SCENARIOS } from "../statemachine/scenarios.ts";

/** The result of a walk through a scenario, in the terms of the engine's runs. */
async function walkScenario(scenario: Scenario) {
  const path: string[] = [];
  const calls: Record<string, number> = {};
  const inputs: { state: string; input: unknown }[] = [];
  const catchers: string[] = [];
  const host: WalkerHost = {
    entered: (name) => void path.push(name),
    caught: (name, catcher) => void catchers.push(`${name}/${catcher}`),
    wait: async () => {},
    invoke: async (name, _state, input) => {
      inputs.push({ state: name, input });
      calls[name] = (calls[name] ?? 0) + 1;
      const task = name as keyof typeof ORDINARY;
      const answer: Answer = scenario.answers?.[task]?.[(calls[name] ?? 1) - 1] ?? ORDINARY[task];
      if ("returns" in answer) {
        return answer.returns;
      }
      if ("fills" in answer) {
        return "x".repeat(answer.fills);
      }
      if ("sleeps" in answer) {
        throw new StateFailure("States.Timeout", "");
      }
      const cause = { errorType: answer.throws, errorMessage: MESSAGE, trace: [] };
      throw new StateFailure(answer.throws, JSON.stringify(cause));
    },
  };
  const result = await walk(DEFINITION, inputOf(scenario, "scenario"), host);
  return { path, calls, inputs, catchers, result };
}

describe("the walker does what the engine of the embedded cloud does", () => {
  it.each(SCENARIOS.map((scenario) => [scenario.name, scenario] as const))("%s", async (_name, scenario) => {
    const [walked, run] = await Promise.all([walkScenario(scenario), runScenario(scenario)]);
    expect(walked.path).toEqual(run.path);
    expect(walked.calls).toEqual(run.calls);
    expect(walked.inputs).toEqual(run.inputs);
    expect(walked.catchers).toEqual(run.catchers);
    expect(walked.result.status).toBe(run.outcome.status);
    if (walked.result.status === "SUCCEEDED") {
      expect(walked.result.output).toEqual(run.output);
    } else if (run.outcome.status === "FAILED") {
      expect(walked.result.error).toBe(run.outcome.error);
    }
  });
});

/** A machine of one task, with this Retry and Catch, that ends in Caught or Done. */
function machineOf(task: Partial<Definition["States"][string]>): Definition {
  return {
    StartAt: "Task",
    States: {
      Task: { Type: "Task", Resource: "arn", ResultPath: null, Next: "Done", Parameters: {}, ...task },
      Done: { Type: "Succeed" },
      Caught: { Type: "Succeed" },
    },
  };
}

/** Walks a machine whose function always fails, or answers; returns the waits between its tries and the states. */
async function walkMachine(definition: Definition, answer: () => unknown, input: Record<string, unknown> = {}) {
  const waits: number[] = [];
  const path: string[] = [];
  const result = await walk(definition, input, {
    entered: (name) => void path.push(name),
    wait: async (seconds) => void waits.push(seconds),
    invoke: async () => answer(),
  });
  return { waits, path, result };
}

function failingWith(error: string): () => never {
  return () => {
    throw new StateFailure(error, "cause");
  };
}

const CATCH_ALL = [{ ErrorEquals: ["States.ALL"], ResultPath: "$.failure", Next: "Caught" }];

describe("errors", () => {
  it("are retried with growing waits that stay below the longest", async () => {
    const retry = { ErrorEquals: ["E"], IntervalSeconds: 2, MaxAttempts: 4, BackoffRate: 2, MaxDelaySeconds: 10 };
    const { waits, result } = await walkMachine(machineOf({ Retry: [retry] }), failingWith("E"));
    expect(waits).toEqual([2, 4, 8, 10]);
    expect(result).toEqual({ status: "FAILED", error: "E", cause: "cause" });
  });

  it("that a retrier names with no attempts are not retried by the next one", async () => {
    const Retry = [
      { ErrorEquals: ["E"], MaxAttempts: 0 },
      { ErrorEquals: ["States.ALL"], MaxAttempts: 2 },
    ];
    const { waits } = await walkMachine(machineOf({ Retry }), failingWith("E"));
    expect(waits).toEqual([]);
  });

  it("are caught by States.ALL, but for States.Runtime", async () => {
    const machine = machineOf({ Catch: CATCH_ALL });
    const errors = ["E", "States.Timeout", "States.Runtime", "States.DataLimitExceeded"];
    const walks = await Promise.all(errors.map((error) => walkMachine(machine, failingWith(error))));
    expect(walks.map(({ path }) => path.at(-1))).toEqual(["Caught", "Caught", "Task", "Caught"]);
  });

  it("of a time-out are not failures of the task", async () => {
    const Catch = [{ ErrorEquals: ["States.TaskFailed"], ResultPath: "$.failure", Next: "Caught" }];
    expect((await walkMachine(machineOf({ Catch }), failingWith("States.Timeout"))).path).toEqual(["Task"]);
    expect((await walkMachine(machineOf({ Catch }), failingWith("E"))).path).toEqual(["Task", "Caught"]);
  });
});

it("a result over 256 KiB is retried, and caught by States.ALL", async () => {
  const Retry = [{ ErrorEquals: ["States.ALL"], MaxAttempts: 2 }];
  const machine = machineOf({ Retry, Catch: CATCH_ALL });
  const { path, waits, result } = await walkMachine(machine, () => "x".repeat(LARGEST_PAYLOAD_BYTES));
  expect(waits).toHaveLength(2);
  expect(path.at(-1)).toBe("Caught");
  expect(result).toMatchObject({
    status: "SUCCEEDED",
    output: { failure: { Error: "States.DataLimitExceeded" } },
  });
});

it("a state's whole output over 256 KiB fails the execution, and no catcher sees it", async () => {
  const machine = machineOf({ ResultPath: "$.result", Catch: CATCH_ALL });
  const half = "x".repeat(LARGEST_PAYLOAD_BYTES / 2);
  const { result } = await walkMachine(machine, () => half, { half });
  expect(result).toMatchObject({ status: "FAILED", error: "States.DataLimitExceeded" });
});

it("a parameter whose path leads nowhere is States.Runtime", async () => {
  const machine = machineOf({ Parameters: { "key.$": "$.absent" }, Catch: CATCH_ALL });
  expect((await walkMachine(machine, () => null)).result).toMatchObject({ status: "FAILED", error: "States.Runtime" });
});

it("what the walker does not know is refused", async () => {
  const machine: Definition = { StartAt: "Side", States: { Side: { Type: "Parallel", Next: "Done" } } };
  await expect(walkMachine(machine, () => null)).rejects.toThrow("the walker knows no Parallel");
});
