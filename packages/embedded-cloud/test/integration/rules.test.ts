import { StartExecutionCommand, StopExecutionCommand } from "@aws-sdk/client-sfn";
import { ReceiveMessageCommand } from "@aws-sdk/client-sqs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { deploy, inlineFunction, resource, stateMachine, until } from "../support/fixtures.ts";
import type { CloudUnderTest } from "../support/fixtures.ts";
import { INTERRUPTIBLE } from "../support/running-executions.ts";

const arn = (logicalId: string) => ({ "Fn::GetAtt": [logicalId, "Arn"] });
const lines: string[] = [];
let under: CloudUnderTest;

beforeAll(async () => {
  under = await deploy(
    {
      Sweep: inlineFunction("console.log('sweep ' + JSON.stringify(event));"),
      Failed: { Type: "AWS::SQS::Queue", Properties: {} },
      Details: { Type: "AWS::SQS::Queue", Properties: {} },
      SweepRule: {
        Type: "AWS::Events::Rule",
        Properties: {
          ScheduleExpression: "rate(1 minute)",
          State: "ENABLED",
          Targets: [{ Id: "t", Arn: arn("Sweep"), RetryPolicy: { MaximumRetryAttempts: 1 } }],
        },
      },
      DisabledRule: {
        Type: "AWS::Events::Rule",
        Properties: {
          ScheduleExpression: "rate(1 minute)",
          State: "DISABLED",
          Targets: [{ Id: "t", Arn: arn("Sweep"), Input: '{"disabled":true}' }],
        },
      },
      Machine: INTERRUPTIBLE.Machine,
      Other: stateMachine({ StartAt: "Fail", States: { Fail: { Type: "Fail", Error: "Other" } } }),
      FailureRule: {
        Type: "AWS::Events::Rule",
        Properties: {
          EventPattern: {
            source: ["aws.states"],
            "detail-type": ["Step Functions Execution Status Change"],
            detail: { status: ["FAILED", "ABORTED", "TIMED_OUT"], stateMachineArn: [{ Ref: "Machine" }] },
          },
          Targets: [
            { Id: "whole", Arn: arn("Failed") },
            { Id: "part", Arn: arn("Details"), InputPath: "$.detail.status" },
          ],
        },
      },
    },
    { logSink: (line) => void lines.push(line) },
  );
});

afterAll(() => under.cloud.stop());

async function receiveAll(queue: string, count: number): Promise<string[]> {
  const bodies: string[] = [];
  await until(async () => {
    const { Messages = [] } = await under.sqs.send(
      new ReceiveMessageCommand({
        QueueUrl: resource(under.cloud, queue),
        MaxNumberOfMessages: 10,
        WaitTimeSeconds: 1,
      }),
    );
    bodies.push(...Messages.map(({ Body }) => Body ?? ""));
    return bodies.length >= count;
  });
  return bodies;
}

it("fires a rate once right after the deployment, with a scheduled event", async () => {
  await until(() => lines.some((line) => line.includes("sweep")));
  const event = JSON.parse(lines.find((line) => line.includes("sweep"))?.split("sweep ")[1] ?? "{}") as object;
  expect(event).toMatchObject({
    "detail-type": "Scheduled Event",
    source: "aws.events",
    resources: ["arn:aws:events:us-east-1:000000000000:rule/Stack-SweepRule"],
  });
  expect(lines.filter((line) => line.includes("disabled"))).toEqual([]);
});

it("sends events only for a failed and an aborted execution of the named machine", async () => {
  await under.run("Other");
  const failed = await under.run("Machine", { fail: true }, "fails");
  const { executionArn } = await under.sfn.send(
    new StartExecutionCommand({
      stateMachineArn: resource(under.cloud, "Machine"),
      name: "aborted",
      input: '{"fail":false}',
    }),
  );
  await under.sfn.send(new StopExecutionCommand({ executionArn }));
  const events = (await receiveAll("Failed", 2)).map((body) => JSON.parse(body) as { detail: { name: string } });
  const event = events.find(({ detail }) => detail.name === "fails");
  expect(event).toMatchObject({
    source: "aws.states",
    account: "000000000000",
    region: "us-east-1",
    resources: [failed.executionArn],
    detail: {
      executionArn: failed.executionArn,
      status: "FAILED",
      input: '{"fail":true}',
      output: null,
      error: "Broken",
      cause: "on order",
      stopDate: expect.any(Number) as number,
    },
  });
  expect(events.map(({ detail }) => detail.name).toSorted()).toEqual(["aborted", "fails"]);
  expect((await receiveAll("Details", 2)).toSorted()).toEqual(['"ABORTED"', '"FAILED"']);
});
