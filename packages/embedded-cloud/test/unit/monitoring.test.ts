import { afterEach, describe, expect, it } from "vitest";
import type { AlarmProperties } from "../../src/monitoring/alarms.ts";
import { Metrics } from "../../src/monitoring/metrics.ts";
import { type Monitoring, type QueueState, startMonitoring } from "../../src/monitoring/monitoring.ts";

const MINUTE = 60_000;
const START = Date.parse("2026-03-04T05:06:00.000Z");

describe("a line of a function's log in the embedded metric format", () => {
  const line = (extra: object) =>
    JSON.stringify({
      _aws: {
        Timestamp: 0,
        CloudWatchMetrics: [
          {
            Namespace: "Own",
            Dimensions: [["service"], ["service", "kind"]],
            Metrics: [{ Name: "Lost", Unit: "Count" }],
          },
        ],
      },
      service: "shop",
      kind: "a",
      ...extra,
    });
  const span = [START, START + MINUTE] as const;

  it("is recorded under each set of dimensions, and a list of values one by one", () => {
    const metrics = new Metrics();
    metrics.recordLine(`Worker: ${line({ Lost: 2 })}`, START);
    metrics.recordLine(line({ Lost: [3, 4] }), START + 1);
    expect(metrics.statistic("Own/Lost", { service: "shop" }, "Sum", span)).toBe(9);
    expect(metrics.statistic("Own/Lost", { kind: "a", service: "shop" }, "Maximum", span)).toBe(4);
    expect(metrics.statistic("Own/Lost", { service: "shop" }, "SampleCount", span)).toBe(3);
  });

  it("is missing for other dimensions, other minutes and other metrics", () => {
    const metrics = new Metrics();
    metrics.recordLine(line({ Lost: 2 }), START);
    expect(metrics.statistic("Own/Lost", {}, "Sum", span)).toBeUndefined();
    expect(
      metrics.statistic("Own/Lost", { service: "shop" }, "Sum", [START + MINUTE, START + 2 * MINUTE]),
    ).toBeUndefined();
    expect(metrics.statistic("Own/Found", { service: "shop" }, "Sum", span)).toBeUndefined();
  });

  it.each(["{}", '{"_aws":', '{"_aws":1}', '{"_aws":{"CloudWatchMetrics":[{"Metrics":1}]}}', "INFO a line of text"])(
    "is passed over when it is %s",
    (text) => {
      expect(() => new Metrics().recordLine(text, START)).not.toThrow();
    },
  );

  it("is forgotten after the longest window of an alarm", () => {
    const metrics = new Metrics();
    for (let minute = 0; minute < 300; minute += 1) metrics.record("A/b", {}, 1, START + minute * MINUTE);
    expect(metrics.statistic("A/b", {}, "Sum", [START, START + 300 * MINUTE])).toBeLessThan(250);
  });
});

describe("an alarm of a template", () => {
  const ALARM: AlarmProperties = {
    Namespace: "AWS/Lambda",
    MetricName: "Errors",
    Dimensions: [{ Name: "FunctionName", Value: "Net" }],
    Statistic: "Sum",
    Period: 300,
    Threshold: 1,
    ComparisonOperator: "GreaterThanOrEqualToThreshold",
    EvaluationPeriods: 1,
    TreatMissingData: "notBreaching",
  };
  let monitoring: Monitoring;
  let now = START;
  let queues: QueueState[] = [];

  function start(changes: Partial<AlarmProperties> = {}): void {
    now = START;
    queues = [];
    monitoring = startMonitoring({ now: () => now, queues: async () => queues });
    monitoring.addAlarm("one", "arn:one", { ...ALARM, ...changes });
  }

  const stateAfter = async (minutes: number) => {
    now = START + minutes * MINUTE;
    return (await monitoring.alarms())[0]?.state;
  };

  afterEach(() => monitoring.stop());

  it("goes off by an error of the function, and off again when its period is over", async () => {
    start();
    monitoring.invoked("Net", true);
    monitoring.invoked("Other", true);
    expect(await stateAfter(1)).toBe("ALARM");
    const [alarm] = await monitoring.alarms();
    expect(alarm).toMatchObject({ since: START + MINUTE, reason: "1 period(s) of 300 s: 1; threshold 1" });
    expect(await stateAfter(6)).toBe("OK");
  });

  it("stays off by a success", async () => {
    start();
    monitoring.invoked("Net", false);
    expect(await stateAfter(1)).toBe("OK");
  });

  it("that takes missing data for a breach waits until its window has passed since the start", async () => {
    const silent = { EvaluationPeriods: 2, TreatMissingData: "breaching", Threshold: 1, Statistic: "SampleCount" };
    start({ ...silent, ComparisonOperator: "LessThanThreshold" });
    expect(await stateAfter(1)).toBe("INSUFFICIENT_DATA");
    expect(await stateAfter(11)).toBe("ALARM");
    monitoring.invoked("Net", false);
    expect(await stateAfter(12)).toBe("OK");
  });

  it("that keeps its state without data keeps it", async () => {
    start({ TreatMissingData: "ignore" });
    monitoring.invoked("Net", true);
    expect(await stateAfter(1)).toBe("ALARM");
    expect(await stateAfter(200)).toBe("ALARM");
  });

  it("counts executions by their state machine, in a formula", async () => {
    const metric = (MetricName: string) => ({
      Metric: { Namespace: "AWS/States", MetricName, Dimensions: [{ Name: "StateMachineArn", Value: "arn:machine" }] },
      Stat: "Sum",
      Period: 300,
    });
    const { Namespace: _n, MetricName: _m, Dimensions: _d, Statistic: _s, Period: _p, ...rest } = ALARM;
    start();
    monitoring.addAlarm("one", "arn:one", {
      ...rest,
      Metrics: [
        { Id: "e", Expression: "FILL(aborted, 0) + FILL(late, 0)" },
        { Id: "aborted", MetricStat: metric("ExecutionsAborted"), ReturnData: false },
        { Id: "late", MetricStat: metric("ExecutionsTimedOut"), ReturnData: false },
      ],
    });
    monitoring.executionStatusChanged({ stateMachineArn: "arn:machine", status: "SUCCEEDED" });
    expect(await stateAfter(1)).toBe("OK");
    monitoring.executionStatusChanged({ stateMachineArn: "arn:machine", status: "ABORTED" });
    expect(await stateAfter(1)).toBe("ALARM");
  });

  it("looks at what a queue holds when it is evaluated", async () => {
    const ofQueue = { Namespace: "AWS/SQS", Dimensions: [{ Name: "QueueName", Value: "q" }], Statistic: "Maximum" };
    start({ ...ofQueue, MetricName: "ApproximateNumberOfMessagesVisible" });
    queues = [{ name: "q", visible: 3, oldestAgeSeconds: 1 }];
    expect(await stateAfter(1)).toBe("ALARM");
  });

  it.each<[string, Partial<AlarmProperties>]>([
    ["statistic", { Statistic: "p99" }],
    ["number of data points", { EvaluationPeriods: 3, DatapointsToAlarm: 2 }],
  ])("with an unknown %s has no state, and says so", async (_what, changes) => {
    start(changes);
    expect(await stateAfter(30)).toBe("INSUFFICIENT_DATA");
    expect((await monitoring.alarms())[0]?.reason).toContain("cannot be evaluated");
  });
});
