import { describe, expect, it } from "vitest";
import { functionNameIn, inlineTemplate } from "../../infra/inline-template.ts";

/** The nets as they are deployed: what would let one be there and never work. */

const resources = Object.entries(inlineTemplate({ fileSystem: "none" }).Resources);

const of = (type: string) => resources.filter(([, { Type }]) => Type === type);

type Target = {
  Arn: { "Fn::GetAtt": [string, string] };
  RetryPolicy?: { MaximumRetryAttempts?: number };
  DeadLetterConfig?: { Arn: { "Fn::GetAtt": [string, string] } };
};

const rules = of("AWS::Events::Rule").map(([, { Properties = {} }]) => {
  const [target, ...others] = Properties["Targets"] as Target[];
  return {
    functionName: functionNameIn(target?.Arn["Fn::GetAtt"][0] ?? ""),
    targets: others.length + 1,
    state: Properties["State"],
    schedule: Properties["ScheduleExpression"],
    statuses: (Properties["EventPattern"] as { detail?: { status?: string[] } } | undefined)?.detail?.status,
    retries: target?.RetryPolicy?.MaximumRetryAttempts,
    deadLetters: target?.DeadLetterConfig?.Arn["Fn::GetAtt"][0],
  };
});

it.each([
  ["SweepOverdueVolumes", { schedule: "rate(1 minute)", retries: 2 }],
  ["ReportBackends", { schedule: "rate(1 minute)", retries: 2 }],
  ["AuditBackends", { schedule: "rate(1 hour)", retries: 0 }],
  ["ErrorOutFailedExecution", { statuses: ["FAILED", "TIMED_OUT", "ABORTED"], retries: 10 }],
])("the rule of %s is enabled, calls it, and keeps what cannot be delivered", (functionName, expected) => {
  expect(rules.filter((rule) => rule.functionName === functionName)).toMatchObject([
    { state: "ENABLED", targets: 1, deadLetters: expect.stringMatching(/EventsDeadLetterQueue/), ...expected },
  ]);
});

it("no other rule is deployed", () => {
  expect(rules).toHaveLength(4);
});

describe("the queues", () => {
  type Queue = {
    MessageRetentionPeriod?: number;
    RedrivePolicy?: { maxReceiveCount: number; deadLetterTargetArn: unknown };
  };
  const queue = (name: string): Queue | undefined =>
    of("AWS::SQS::Queue").find(([id]) => id.startsWith(`Messaging${name}`))?.[1].Properties;
  const DAY = 86_400;

  it("keep a message of the scheduler for four days and deliver it five times", () => {
    expect(queue("SchedulerQueue")).toMatchObject({
      MessageRetentionPeriod: 4 * DAY,
      RedrivePolicy: {
        maxReceiveCount: 5,
        deadLetterTargetArn: { "Fn::GetAtt": [expect.stringMatching(/^MessagingSchedulerDeadLetterQueue/), "Arn"] },
      },
    });
  });

  it("keep dead letters and events that could not be delivered for two weeks", () => {
    expect(queue("SchedulerDeadLetterQueue")?.MessageRetentionPeriod).toBe(14 * DAY);
    expect(queue("EventsDeadLetterQueue")?.MessageRetentionPeriod).toBe(14 * DAY);
  });

  it.each([
    ["ScheduleVolume", "MessagingSchedulerQueue"],
    ["KeepDeadLetters", "MessagingSchedulerDeadLetterQueue"],
  ])("are read by %s, which reports each message that fails", (functionName, queueId) => {
    const mappings = of("AWS::Lambda::EventSourceMapping").map(([, { Properties = {} }]) => Properties);
    const mapping = mappings.find(
      ({ FunctionName }) => functionNameIn((FunctionName as { Ref: string }).Ref) === functionName,
    );
    expect(mapping).toMatchObject({
      EventSourceArn: { "Fn::GetAtt": [expect.stringMatching(new RegExp(`^${queueId}`)), "Arn"] },
      FunctionResponseTypes: ["ReportBatchItemFailures"],
    });
    expect(mapping?.["Enabled"] ?? true).toBe(true);
  });
});

it.each([
  ["SweepOverdueVolumes", { MaximumRetryAttempts: 1, MaximumEventAgeInSeconds: 300 }],
  ["ReportBackends", { MaximumRetryAttempts: 1, MaximumEventAgeInSeconds: 300 }],
  ["AuditBackends", { MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: 300 }],
  ["ErrorOutFailedExecution", { MaximumRetryAttempts: 2 }],
])("a failed invocation of %s comes again as often as it is worth", (name, expected) => {
  const configurations = of("AWS::Lambda::EventInvokeConfig").map(([, { Properties = {} }]) => Properties);
  const found = configurations.find(
    ({ FunctionName }) => functionNameIn((FunctionName as { Ref: string }).Ref) === name,
  );
  expect(found).toMatchObject(expected);
});
