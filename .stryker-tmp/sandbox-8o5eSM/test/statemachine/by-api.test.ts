// @ts-nocheck
import { tmpdir } from "node:os";
import {
  CreateStateMachineCommand,
  DeleteStateMachineCommand,
  DescribeStateMachineCommand,
  SFNClient,
} from "@aws-sdk/client-sfn";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type EmbeddedCloud, startEmbeddedCloud } from "../../local/cloud/embedded-cloud.ts";
import { DEFINITION_TEXT } from "./definition.ts";
import { differences, runByApi } from "./run-by-api.ts";
import { SCENARIOS } from "./scenarios.ts";
import { scriptedFunctions } from "./scripted-functions.ts";

/** Those without a wait or a retry: over the API both take their time. */
const QUICK = SCENARIOS.flatMap((scenario, index) =>
  (scenario.calls === undefined || Object.values(scenario.calls).every((count) => count === 1)) &&
  !scenario.path.includes("WaitForBackend")
    ? [{ scenario, index }]
    : [],
);
const ROLE = "arn:aws:iam::000000000000:role/scenarios";

let cloud: EmbeddedCloud;
let client: SFNClient;
let stateMachineArn: string;

const create = (name: string, definition: string) =>
  client.send(new CreateStateMachineCommand({ name, definition, roleArn: ROLE }));

beforeAll(async () => {
  cloud = await startEmbeddedCloud({
    template: { Resources: scriptedFunctions(SCENARIOS) },
    assetDirectory: tmpdir(),
    environmentsPerFunction: 1,
  });
  const credentials = { accessKeyId: "local", secretAccessKey: "local" };
  client = new SFNClient({ endpoint: cloud.endpoints.sfn, region: "us-east-1", credentials, maxAttempts: 1 });
  ({ stateMachineArn = "" } = await create("create-volume", DEFINITION_TEXT));
}, 60_000);

afterAll(async () => {
  client.destroy();
  await cloud.stop();
});

describe("by the Step Functions API of the embedded cloud", () => {
  it.concurrent.each(QUICK.map((each) => [each.scenario.name, each] as const))(
    "%s",
    async (_name, { scenario, index }) => {
      expect(differences(scenario, await runByApi(client, stateMachineArn, scenario, index))).toEqual([]);
    },
  );
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
