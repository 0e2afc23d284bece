import { isDeepStrictEqual } from "node:util";
import { setTimeout as sleep } from "node:timers/promises";
import {
  CreateStateMachineCommand,
  DescribeExecutionCommand,
  type HistoryEvent,
  paginateGetExecutionHistory,
  type SFNClient,
  StartExecutionCommand,
} from "@aws-sdk/client-sfn";
import { readFailure } from "../../core/fault.ts";
import { forStepFunctionsLocal } from "../../statemachine/step-functions-local.ts";
import { localFunctionArn } from "../../infra/inline-template.ts";
import type { FunctionName } from "../../core/settings/functions.ts";
import { DEFINITION, stateOf } from "../../simulation/definition.ts";
import type { Run } from "./run-scenario.ts";
import { callsOf } from "./run-scenario.ts";
import { inputOf, type Outcome, type Scenario } from "./scenario.ts";
import { fenceOfScenario } from "./scripted-functions.ts";

/** Facts of an execution from its history. */
export type ApiRun = Pick<Run, "path" | "calls" | "outcome">;

const ROLE = "arn:aws:iam::000000000000:role/scenarios";

/** The definition as Step Functions Local takes it. */
export function convertedDefinition(definition: string): string {
  return forStepFunctionsLocal(definition, (name) => localFunctionArn(name as FunctionName));
}

/**
 * Creates the state machines of the scenarios: one for each set of time-outs that a scenario wants.
 *
 * @param report called with the reason when the engine refuses the original definition, which is then converted
 * @returns the ARN of a scenario's machine
 */
export async function createMachines(
  client: SFNClient,
  name: string,
  scenarios: readonly Scenario[],
  report: (reason: string) => void,
): Promise<(scenario: Scenario) => string> {
  const arns = new Map<string, string>();
  let convert = (definition: string): string => definition;
  for (const scenario of scenarios) {
    const definition = definitionFor(scenario);
    if (arns.has(definition)) continue;
    const create = async (): Promise<string> => {
      const request = { name: `${name}-${arns.size}`, roleArn: ROLE, definition: convert(definition) };
      return (await client.send(new CreateStateMachineCommand(request))).stateMachineArn ?? "";
    };
    const arn = await create().catch((error: unknown) => {
      if (!(error instanceof Error) || error.name !== "InvalidDefinition" || convert === convertedDefinition)
        throw error;
      report(error.message);
      convert = convertedDefinition;
      return create();
    });
    arns.set(definition, arn);
  }
  return (scenario) => arns.get(definitionFor(scenario)) ?? "";
}

/** The definition with the time-outs that a scenario wants. */
function definitionFor({ timeoutSeconds = {} }: Scenario): string {
  const states = Object.entries(DEFINITION.States).map(([name, state]) => {
    const seconds = (timeoutSeconds as Record<string, number>)[name];
    return [name, seconds === undefined ? state : { ...state, TimeoutSeconds: seconds }];
  });
  return JSON.stringify({ ...DEFINITION, States: Object.fromEntries(states) as object });
}

const POLL_MILLISECONDS = 250;
const LONGEST_SECONDS = 300;

/** Runs a scenario by the Step Functions API. */
export async function runByApi(
  client: SFNClient,
  stateMachineArn: string,
  scenario: Scenario,
  index: number,
): Promise<ApiRun> {
  const fence = fenceOfScenario(index);
  const input = JSON.stringify(inputOf(scenario, fence));
  const { executionArn = "" } = await client.send(new StartExecutionCommand({ stateMachineArn, name: fence, input }));
  await untilEnded(client, executionArn);
  const events: HistoryEvent[] = [];
  for await (const page of paginateGetExecutionHistory({ client }, { executionArn, maxResults: 1000 })) {
    events.push(...(page.events ?? []));
  }
  return runOf(events);
}

async function untilEnded(client: SFNClient, executionArn: string): Promise<void> {
  const deadline = Date.now() + LONGEST_SECONDS * 1000;
  for (;;) {
    const { status } = await client.send(new DescribeExecutionCommand({ executionArn }));
    if (status !== "RUNNING") {
      return;
    }
    if (Date.now() > deadline) {
      throw new Error(`${executionArn} still runs after ${LONGEST_SECONDS} s`);
    }
    await sleep(POLL_MILLISECONDS);
  }
}

function runOf(events: readonly HistoryEvent[]): ApiRun {
  const path: string[] = [];
  const calls: Record<string, number> = {};
  let outcome: Outcome | undefined;
  for (const event of events) {
    const { type, stateEnteredEventDetails: entered, executionFailedEventDetails: failed } = event;
    if (entered?.name !== undefined) {
      path.push(entered.name);
    } else if (type === "LambdaFunctionScheduled") {
      const state = path.at(-1) ?? "";
      // The task that Step Functions Local has in place of a Fail state calls none of the workflow's functions.
      if (stateOf(state).Type === "Fail") continue;
      calls[state] = (calls[state] ?? 0) + 1;
    } else if (type === "ExecutionSucceeded") {
      outcome = { status: "SUCCEEDED" };
    } else if (failed !== undefined) {
      outcome = { status: "FAILED", ...readFailureOf(failed.error ?? "", failed.cause ?? "") };
    }
  }
  return { path, calls, outcome: outcome ?? { status: "FAILED", error: "no end in the history", cause: "" } };
}

function readFailureOf(Error: string, Cause: string): { error: string; cause: string } {
  const { error, cause } = readFailure({ Error, Cause });
  return { error, cause };
}

/** Differences between an execution and its scenario, a line each. */
export function differences(scenario: Scenario, run: ApiRun): string[] {
  const pairs: [string, unknown, unknown][] = [
    ["path", scenario.path, run.path],
    ["calls", callsOf(scenario), run.calls],
    ["outcome", scenario.outcome, run.outcome],
  ];
  return pairs.flatMap(([what, expected, found]) =>
    isDeepStrictEqual(expected, found)
      ? []
      : [`${what}: expected ${JSON.stringify(expected)}, found ${JSON.stringify(found)}`],
  );
}
