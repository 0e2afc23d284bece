import { readFile } from "node:fs/promises";
import { Template } from "aws-cdk-lib/assertions";
import { describe, expect, it } from "vitest";
import { METRICS, METRICS_NAMESPACE } from "../../core/metrics.ts";
import { inlineTemplate } from "../../infra/inline-template.ts";

type AlarmProperties = {
  AlarmDescription: string;
  AlarmActions: unknown[];
  Namespace?: string;
  MetricName?: string;
  Metrics?: { MetricStat?: { Metric: { Namespace: string; MetricName: string } } }[];
};

const template = Template.fromJSON(inlineTemplate({ fileSystem: "none" }));
const alarms = Object.values(template.findResources("AWS::CloudWatch::Alarm")).map(
  ({ Properties }) => Properties as AlarmProperties,
);
const runbook = await readFile(new URL("../../docs/runbook.md", import.meta.url), "utf8");
const sections = [...runbook.matchAll(/^## (.+)$/gm)].map(([, heading = ""]) => heading.toLowerCase());

/** The section of the runbook that an alarm names. */
const sectionOf = ({ AlarmDescription }: AlarmProperties): string | undefined =>
  /docs\/runbook\.md#(\S+)$/.exec(AlarmDescription)?.[1];

describe("the alarms", () => {
  it.each(alarms.map((alarm) => [alarm.AlarmDescription, alarm] as const))(
    "%s leads to its section",
    (_text, alarm) => {
      expect(sections).toContain(sectionOf(alarm));
    },
  );

  it("have a section each, and no section is without its alarm", () => {
    expect(alarms.map((alarm) => String(sectionOf(alarm))).toSorted()).toEqual(sections.toSorted());
  });

  it("all tell somebody", () => {
    expect(alarms.filter(({ AlarmActions }) => AlarmActions.length === 0)).toEqual([]);
  });

  it("watch only metrics of the product's own that the functions write", () => {
    const watched = alarms.flatMap(({ Namespace, MetricName, Metrics = [] }) => [
      { Namespace, MetricName },
      ...Metrics.flatMap(({ MetricStat }) => (MetricStat === undefined ? [] : [MetricStat.Metric])),
    ]);
    const own = watched.filter(({ Namespace }) => Namespace === METRICS_NAMESPACE).map(({ MetricName }) => MetricName);
    expect(own.length).toBeGreaterThan(0);
    expect(own.filter((name) => !(Object.values(METRICS) as (string | undefined)[]).includes(name))).toEqual([]);
  });
});

it("mails the alarms to those who are named", () => {
  const mailed = Template.fromJSON(inlineTemplate({ fileSystem: "none", alarmRecipients: "who@example.org" }));
  const subscription = { Protocol: "email", Endpoint: "who@example.org" };
  expect(Object.values(mailed.findResources("AWS::SNS::Subscription", { Properties: subscription }))).toHaveLength(1);
});

it.each([
  [{ alarmRecipients: "nobody" }, /alarmRecipients must be mail addresses/],
  [{ fileSystem: "nfs" }, /fileSystem must be efs or none, not "nfs"/],
  [{ removalPolicy: "keep" }, /removalPolicy must be retain or destroy/],
  [{ customerManagedKey: "yes" }, /customerManagedKey must be true or false/],
])("refuses %j", (context, message) => {
  expect(() => inlineTemplate(context)).toThrow(message);
});
