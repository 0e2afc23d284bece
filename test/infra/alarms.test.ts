import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Template } from "aws-cdk-lib/assertions";
import { describe, expect, it } from "vitest";
import { METRICS, METRICS_NAMESPACE } from "../../core/metrics.ts";
import { inlineTemplate } from "../../infra/inline-template.ts";
import { SAVED_QUERIES } from "../../infra/observability.ts";

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

  it("all notify a topic", () => {
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

it("may be published by CloudWatch to their topic, whose own policy has replaced the default one", () => {
  const [topic] = new Set(alarms.flatMap(({ AlarmActions }) => AlarmActions.map((action) => JSON.stringify(action))));
  const policies = Object.values(template.findResources("AWS::SNS::TopicPolicy")).map(
    ({ Properties }) => Properties as { Topics: unknown[]; PolicyDocument: { Statement: Record<string, unknown>[] } },
  );
  const own = policies.filter(({ Topics }) => JSON.stringify(Topics) === `[${topic}]`);
  expect(own.flatMap(({ PolicyDocument }) => PolicyDocument.Statement)).toContainEqual(
    expect.objectContaining({
      Effect: "Allow",
      Action: "sns:Publish",
      Principal: { Service: "cloudwatch.amazonaws.com" },
      Condition: { StringEquals: { "aws:SourceAccount": { Ref: "AWS::AccountId" } } },
    }),
  );
});

it("watches missing volumes in addition to orphans", () => {
  const orphans = alarms.find((alarm) => sectionOf(alarm) === "orphans");
  const watched = orphans?.Metrics?.flatMap(({ MetricStat }) => MetricStat?.Metric.MetricName ?? []) ?? [];
  expect(watched.toSorted()).toEqual([METRICS.damagedVolumes, METRICS.missingVolumes, METRICS.orphans]);
});

describe("the product's own metrics", async () => {
  const lambdas = fileURLToPath(new URL("../../lambdas", import.meta.url));
  const files = (await readdir(lambdas, { recursive: true })).filter((file) => file.endsWith(".ts"));
  const sources = await Promise.all(files.map((file) => readFile(join(lambdas, file), "utf8")));

  it.each(Object.keys(METRICS))("%s is written by a function", (key) => {
    expect(sources.filter((source) => new RegExp(`\\b${key}(:|,| })`).test(source))).not.toEqual([]);
  });
});

it("has a dashboard of metrics that the functions write", () => {
  const dashboards = Object.values(template.findResources("AWS::CloudWatch::Dashboard"));
  const body = dashboards.map(({ Properties }) => JSON.stringify(Properties)).join("");
  const shown = [...body.matchAll(/\\"Cinderless\\",\\"(\w+)\\"/g)].map(([, name]) => name);
  expect(shown).toContain(METRICS.imageCacheHits);
  expect(shown.filter((name) => !(Object.values(METRICS) as (string | undefined)[]).includes(name))).toEqual([]);
});

describe("the saved queries", () => {
  /** Keys of the functions' log lines, and those of CloudWatch, which begin with an @. */
  const LOGGED = ["state", "level", "message", "volume_id", "attempt", "request_id", "error", "cause"];
  const asked = Object.entries(SAVED_QUERIES).map(([name, { fields, filterStatements = [] }]) => {
    const words = filterStatements.flatMap((filter) => /^(?:ispresent\()?([@\w.]+)/.exec(filter)?.[1] ?? []);
    return [name, [...fields, ...words]] as const;
  });

  it.each(asked)("%s asks for what is in the lines", (_name, names) => {
    expect(names.filter((name) => !name.startsWith("@") && !LOGGED.includes(name))).toEqual([]);
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
