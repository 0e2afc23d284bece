import { CloudWatchClient, DescribeAlarmsCommand, ListMetricsCommand } from "@aws-sdk/client-cloudwatch";
import { InvokeCommand } from "@aws-sdk/client-lambda";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { deploy, inlineFunction } from "../support/fixtures.ts";
import type { CloudUnderTest } from "../support/fixtures.ts";

/** CloudWatch's DescribeAlarms of the embedded cloud, by the AWS SDK. */

const own = {
  Namespace: "Shop",
  MetricName: "Lost",
  Dimensions: [{ Name: "service", Value: "shop" }],
  Statistic: "Sum",
  Period: 300,
  EvaluationPeriods: 1,
  Threshold: 2,
  ComparisonOperator: "GreaterThanOrEqualToThreshold",
  TreatMissingData: "notBreaching",
};

const alarm = (properties: object) => ({ Type: "AWS::CloudWatch::Alarm", Properties: { ...own, ...properties } });

const WRITES_METRIC = `
  const metric = { Namespace: "Shop", Dimensions: [["service"]], Metrics: [{ Name: "Lost", Unit: "Count" }] };
  process.stdout.write(JSON.stringify({ _aws: { Timestamp: 0, CloudWatchMetrics: [metric] }, service: "shop", Lost: event.lost }) + "\\n");
  if (event.fails) throw new Error("on order");
`;

describe("DescribeAlarms", () => {
  let under: CloudUnderTest;
  let client: CloudWatchClient;

  beforeAll(async () => {
    under = await deploy({
      Worker: inlineFunction(WRITES_METRIC),
      People: { Type: "AWS::SNS::Topic", Properties: {} },
      Lost: alarm({ AlarmName: "lost", AlarmDescription: "things are lost", AlarmActions: [{ Ref: "People" }] }),
      Errors: alarm({
        AlarmName: "errors",
        Namespace: "AWS/Lambda",
        MetricName: "Errors",
        Dimensions: [{ Name: "FunctionName", Value: { Ref: "Worker" } }],
        Threshold: 1,
      }),
    });
    client = new CloudWatchClient({
      region: "us-east-1",
      endpoint: under.cloud.environment["AWS_ENDPOINT_URL_CLOUDWATCH"] ?? "",
      credentials: { accessKeyId: "local", secretAccessKey: "local" },
    });
  });

  afterAll(async () => {
    client.destroy();
    await under[Symbol.asyncDispose]();
  });

  const invoke = (event: object) =>
    under.lambda.send(
      new InvokeCommand({ FunctionName: under.cloud.resources["Worker"], Payload: Buffer.from(JSON.stringify(event)) }),
    );
  const states = async (request = {}) => {
    const { MetricAlarms = [] } = await client.send(new DescribeAlarmsCommand(request));
    return Object.fromEntries(MetricAlarms.map(({ AlarmName = "", StateValue }) => [AlarmName, StateValue]));
  };

  it("derives the state of each alarm from the functions' metrics", async () => {
    await invoke({ lost: 1 });
    expect(await states()).toEqual({ lost: "OK", errors: "OK" });
    await invoke({ lost: 1, fails: true });
    await expect.poll(() => states()).toEqual({ lost: "ALARM", errors: "ALARM" });
    const { MetricAlarms } = await client.send(new DescribeAlarmsCommand({ AlarmNames: ["lost"] }));
    expect(MetricAlarms).toMatchObject([
      { AlarmDescription: "things are lost", Threshold: 2, StateReason: "1 period(s) of 300 s: 2; threshold 2" },
    ]);
    expect(MetricAlarms?.[0]?.StateTransitionedTimestamp).toBeInstanceOf(Date);
  });

  it("finds the alarms of a topic, of a prefix and of a state", async () => {
    expect(Object.keys(await states({ ActionPrefix: under.cloud.resources["People"] }))).toEqual(["lost"]);
    expect(Object.keys(await states({ AlarmNamePrefix: "err" }))).toEqual(["errors"]);
    expect(Object.keys(await states({ StateValue: "INSUFFICIENT_DATA" }))).toEqual([]);
  });

  it("is all of CloudWatch that is here", async () => {
    await expect(client.send(new ListMetricsCommand({}))).rejects.toThrow(/is not emulated here/);
  });
});
