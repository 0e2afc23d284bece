import { tmpdir } from "node:os";
import {
  CreateStateMachineCommand,
  DeleteStateMachineCommand,
  DescribeStateMachineCommand,
  GetExecutionHistoryCommand,
  SFNClient,
} from "@aws-sdk/client-sfn";
import { mockClient } from "aws-sdk-client-mock";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type EmbeddedCloud, startEmbeddedCloud } from "@cinderless/embedded-cloud";
import { DEFINITION, DEFINITION_TEXT, type Definition, stateOf, STATES } from "../../simulation/definition.ts";
import { convertedDefinition, createMachines, differences, runByApi } from "./run-by-api.ts";
import type { Scenario } from "./scenario.ts";
import { SCENARIOS } from "./scenarios.ts";
import { fenceOfScenario, scriptedFunctions } from "./scripted-functions.ts";

/** Those without a wait or a retry: over the API both take their time. */
const QUICK = SCENARIOS.flatMap((scenario, index) =>
  (scenario.calls === undefined || Object.values(scenario.calls).every((count) => count === 1)) &&
  !scenario.path.includes("WaitForBackend")
    ? [{ scenario, index }]
    : [],
);

/** Those that only time shows: a function's answer that comes too late, a result that is too large. */
const TIMED = SCENARIOS.flatMap((scenario, index) =>
  Object.values(scenario.answers ?? {}).some((answers) =>
    answers.some((answer) => "sleeps" in answer || "fills" in answer),
  )
    ? [{ scenario, index }]
    : [],
);
const ROLE = "arn:aws:iam::000000000000:role/scenarios";

let cloud: EmbeddedCloud;
let client: SFNClient;
let machineOf: (scenario: Scenario) => string;

/** The fields of each type of state that Step Functions Local 1.7.9 accepts, of those that are used here. */
const LOCAL_FIELDS: Record<string, readonly string[]> = {
  Task: ["Type", "Comment", "Resource", "Parameters", "ResultPath", "TimeoutSeconds", "Retry", "Catch", "Next", "End"],
  Choice: ["Type", "Comment", "Choices", "Default"],
  Wait: ["Type", "Comment", "SecondsPath", "Next"],
  Succeed: ["Type", "Comment"],
};

const create = (name: string, definition: string) =>
  client.send(new CreateStateMachineCommand({ name, definition, roleArn: ROLE }));

beforeAll(async () => {
  cloud = await startEmbeddedCloud({
    // The second half is for the converted definition: the functions count the calls of each.
    template: { Resources: scriptedFunctions([...SCENARIOS, ...SCENARIOS]) },
    assetDirectory: tmpdir(),
    environmentsPerFunction: 1,
  });
  const credentials = { accessKeyId: "local", secretAccessKey: "local" };
  client = new SFNClient({ endpoint: cloud.endpoints.sfn, region: "us-east-1", credentials, maxAttempts: 1 });
  machineOf = await createMachines(client, "create-volume", SCENARIOS, (reason) => {
    throw new Error(reason);
  });
});

afterAll(async () => {
  client.destroy();
  await cloud.stop();
});

describe("by the Step Functions API of the embedded cloud", () => {
  it.concurrent.each([...QUICK, ...TIMED].map((each) => [each.scenario.name, each] as const))(
    "%s",
    async (_name, { scenario, index }) => {
      expect(differences(scenario, await runByApi(client, machineOf(scenario), scenario, index))).toEqual([]);
    },
  );

  it("keeps its history as Step Functions does", async () => {
    const { scenario, index } =
      TIMED.find(({ scenario: { name } }) => name === "a task whose time-out passes once") ?? {};
    if (scenario === undefined || index === undefined) throw new Error("the scenario is gone");
    const executionArn = `${machineOf(scenario).replace(":stateMachine:", ":execution:")}:${fenceOfScenario(index)}`;
    const { events = [] } = await client.send(new GetExecutionHistoryCommand({ executionArn, maxResults: 1000 }));
    expect(events.slice(0, 4).map(({ id, previousEventId }) => [id, previousEventId])).toEqual([
      [1, 0],
      [2, 0],
      [3, 2],
      [4, 3],
    ]);
    const scheduled = events.flatMap((event) => event.lambdaFunctionScheduledEventDetails ?? []);
    const create = scheduled.filter(({ resource = "" }) => resource.endsWith(":CreateVolumeFromSnapshot"));
    expect(create.map(({ timeoutInSeconds }) => timeoutInSeconds)).toEqual([2, 2]);
    expect(scheduled[0]?.timeoutInSeconds).toBe(stateOf("ExtractVolumeRef").TimeoutSeconds);
  });
});

describe("the definition for Step Functions Local", () => {
  const converted = JSON.parse(convertedDefinition(DEFINITION_TEXT)) as Definition;

  it("has nothing that its versions up to 1.7.9 refuse", () => {
    for (const state of Object.values(converted.States)) {
      expect(LOCAL_FIELDS[state.Type]).toEqual(expect.arrayContaining(Object.keys(state)));
      for (const retrier of state.Retry ?? []) {
        expect(["ErrorEquals", "IntervalSeconds", "MaxAttempts", "BackoffRate"]).toEqual(
          expect.arrayContaining(Object.keys(retrier)),
        );
      }
    }
  });

  it("has the same states, routes and errors", () => {
    expect(Object.keys(converted.States)).toEqual(Object.keys(DEFINITION.States));
    for (const [name, { Next, Choices, Default, Catch, Retry = [] }] of STATES) {
      const state = converted.States[name];
      expect(state).toMatchObject({ ...(Next && { Next }), ...(Choices && { Choices }), ...(Default && { Default }) });
      expect(state?.Catch).toEqual(Catch);
      expect((state?.Retry ?? []).map(({ ErrorEquals }) => ErrorEquals)).toEqual(Retry.map((each) => each.ErrorEquals));
    }
  });

  it("takes every scenario the same way", async () => {
    const { stateMachineArn: arn = "" } = await create("converted", convertedDefinition(DEFINITION_TEXT));
    const wrong = await Promise.all(
      QUICK.map(async ({ scenario, index }) =>
        differences(scenario, await runByApi(client, arn, scenario, SCENARIOS.length + index)),
      ),
    );
    expect(wrong.flat()).toEqual([]);
  });

  it("is used when the engine refuses the definition as it is", async () => {
    const mock = mockClient(SFNClient);
    const reason =
      "Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: Field is not supported at /States/X/Retry[0]/MaxDelaySeconds'";
    mock.on(CreateStateMachineCommand).callsFake(({ name, definition = "" }: { name: string; definition?: string }) => {
      if (/MaxDelaySeconds|ErrorPath|CausePath/.test(definition))
        throw Object.assign(new Error(reason), { name: "InvalidDefinition" });
      return { stateMachineArn: `arn:${name}` };
    });
    const reasons: string[] = [];
    const machine = await createMachines(
      new SFNClient({ region: "us-east-1" }),
      "m",
      SCENARIOS,
      (why) => void reasons.push(why),
    );
    mock.restore();
    expect(reasons).toEqual([reason]);
    expect(new Set(SCENARIOS.map(machine))).toEqual(new Set(["arn:m-0", "arn:m-1", "arn:m-2"]));
  });
});

describe("a state machine that is created by a call", () => {
  const MINIMAL = JSON.stringify({ StartAt: "Done", States: { Done: { Type: "Succeed" } } });

  it("is the same one when the call is repeated, and another definition is refused", async () => {
    const first = await create("repeated", MINIMAL);
    expect((await create("repeated", MINIMAL)).stateMachineArn).toBe(first.stateMachineArn);
    await expect(create("repeated", DEFINITION_TEXT)).rejects.toMatchObject({ name: "StateMachineAlreadyExists" });
  });

  it.each(["{", "{}", JSON.stringify({ StartAt: "X", States: { X: { Type: "Tape" } } })])(
    "is refused with a definition that cannot run: %s",
    async (definition) => {
      await expect(create("broken", definition)).rejects.toMatchObject({ name: "InvalidDefinition" });
    },
  );

  it("is gone when it is deleted, and may be deleted again", async () => {
    const { stateMachineArn: arn } = await create("deleted", MINIMAL);
    await client.send(new DeleteStateMachineCommand({ stateMachineArn: arn }));
    await client.send(new DeleteStateMachineCommand({ stateMachineArn: arn }));
    await expect(client.send(new DescribeStateMachineCommand({ stateMachineArn: arn }))).rejects.toMatchObject({
      name: "StateMachineDoesNotExist",
    });
  });
});
