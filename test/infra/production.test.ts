import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Annotations, Match } from "aws-cdk-lib/assertions";
import { afterAll, describe, expect, it } from "vitest";
import { createCinderlessApp } from "../../infra/cinderless-app.ts";
import { functionNameIn, INLINE_CODE, inlineTemplate } from "../../infra/inline-template.ts";
import { isAllowed, statementsOf } from "../support/iam.ts";

/** Properties of a deployment that no run on one machine shows. */

// An app makes its directory even when it is never synthesised.
const outdir = mkdtempSync(path.join(tmpdir(), "cinderless-production-"));
afterAll(() => rmSync(outdir, { recursive: true, force: true }));

type Resource = { Type: string; Properties?: Record<string, unknown>; DeletionPolicy?: string };

const resourcesOf = (context: Record<string, unknown>, type: string): [string, Resource][] =>
  Object.entries(inlineTemplate(context).Resources as Record<string, Resource>).filter(([, { Type }]) => Type === type);
const propertiesOf = (context: Record<string, unknown>, type: string): Record<string, unknown>[] =>
  resourcesOf(context, type).map(([, { Properties = {} }]) => Properties);

describe("a Glance", () => {
  const GLANCE = { image_services: { glance: { api_servers: ["https://glance.example"], auth: { type: "none" } } } };
  const warningsOf = (context: Record<string, unknown>): unknown[] => {
    const { stack } = createCinderlessApp({ codeOf: INLINE_CODE, outdir, context });
    return Annotations.fromStack(stack)
      .findWarning("*", Match.anyValue())
      .map(({ entry }) => entry.data);
  };

  it("out of reach of the functions in the isolated subnets is warned of, with the way out", () => {
    const [warning, ...others] = warningsOf(GLANCE);
    expect(others).toEqual([]);
    expect(warning).toMatch(/https:\/\/glance\.example cannot be reached .*CopyImageToVolume.*fileSystem=none/);
  });

  it.each([
    ["where no file system is mounted", { ...GLANCE, fileSystem: "none" }],
    ["that is not there", {}],
  ])("is not warned of %s", (_what, context) => {
    expect(warningsOf(context)).toEqual([]);
  });
});

describe("what stays", () => {
  it("is protected from being deleted by hand, and in a stack to be thrown away is not", () => {
    const protectedBy = (context: Record<string, unknown>) =>
      new Set(propertiesOf(context, "AWS::DynamoDB::Table").map((table) => table["DeletionProtectionEnabled"]));
    expect(protectedBy({})).toEqual(new Set([true]));
    expect(protectedBy({ removalPolicy: "destroy" })).toEqual(new Set([false]));
  });

  it("is nothing of a stack to be thrown away, its logs neither", () => {
    const kept = Object.entries(inlineTemplate({ removalPolicy: "destroy" }).Resources as Record<string, Resource>)
      .filter(([, { DeletionPolicy }]) => DeletionPolicy === "Retain")
      .map(([id]) => id);
    expect(kept).toEqual([]);
  });
});

describe("asynchronous events", () => {
  const configured = propertiesOf({}, "AWS::Lambda::EventInvokeConfig").map((properties) => {
    const { Ref } = properties["FunctionName"] as { Ref: string };
    return [functionNameIn(Ref), properties["MaximumRetryAttempts"], properties["MaximumEventAgeInSeconds"]];
  });

  it("come again where they come once, and are dropped where the schedule brings the next", () => {
    expect(configured).toEqual([
      ["ErrorOutFailedExecution", 2, undefined],
      ["SweepOverdueVolumes", 1, 300],
      ["ReportBackends", 1, 300],
      ["AuditBackends", 0, 300],
    ]);
  });
});

it("no queue's burst takes the account's concurrency", () => {
  const sources = propertiesOf({}, "AWS::Lambda::EventSourceMapping");
  expect(sources).toHaveLength(2);
  for (const source of sources) {
    expect(source["ScalingConfig"]).toEqual({ MaximumConcurrency: expect.any(Number) as number });
  }
});

describe("executions, which an alias starts", () => {
  const machine = { Ref: expect.stringMatching(/^WorkflowCreateVolume/) as string };

  it("are seen by the net under either name", () => {
    const rule = propertiesOf({}, "AWS::Events::Rule").find((each) => each["EventPattern"] !== undefined);
    expect(rule?.["EventPattern"]).toMatchObject({
      detail: { stateMachineArn: [machine, { Ref: expect.stringMatching(/^WorkflowLive/) as string }] },
    });
  });

  it("are counted by the alarms with the alias and without", () => {
    type Query = { Expression?: string; MetricStat?: { Metric: { Namespace: string; Dimensions: unknown } } };
    const counted = propertiesOf({}, "AWS::CloudWatch::Alarm")
      .flatMap((alarm) => (alarm["Metrics"] ?? []) as Query[])
      .filter(({ MetricStat }) => MetricStat?.Metric.Namespace === "AWS/States")
      .map(({ MetricStat }) => MetricStat?.Metric.Dimensions);
    const bare = { Name: "StateMachineArn", Value: machine };
    expect(counted.filter((dimensions) => Array.isArray(dimensions) && dimensions.length === 1)).toHaveLength(4);
    expect(counted.filter((dimensions) => Array.isArray(dimensions) && dimensions.length === 2)).toHaveLength(4);
    for (const dimensions of counted) {
      expect(dimensions).toContainEqual(bare);
    }
  });
});

it("the file system policy refuses connections without TLS and allows nothing", () => {
  const [fileSystem] = propertiesOf({}, "AWS::EFS::FileSystem");
  expect(fileSystem?.["FileSystemPolicy"]).toEqual({
    Version: "2012-10-17",
    Statement: [
      {
        Effect: "Deny",
        Principal: { AWS: "*" },
        Action: "*",
        Condition: { Bool: { "aws:SecureTransport": "false" } },
      },
    ],
  });
});

describe("a function in the network", () => {
  const resources = inlineTemplate().Resources as Record<string, Resource>;
  const inNetwork = Object.entries(resources).filter(
    ([, { Type, Properties }]) => Type === "AWS::Lambda::Function" && Properties?.["VpcConfig"] !== undefined,
  );

  it.each(inNetwork.map(([id]) => functionNameIn(id)))(
    "%s cannot use the rights of its network interface itself",
    (name) => {
      const statements = statementsOf(inlineTemplate(), String(name));
      const request = { resource: "*", context: {} };
      const byCode = { "lambda:SourceFunctionArn": ["arn:aws:lambda:us-east-1:111122223333:function:any"] };
      for (const action of ["ec2:CreateNetworkInterface", "ec2:DescribeSubnets", "ec2:DeleteNetworkInterface"]) {
        expect(isAllowed(statements, { ...request, action })).toBe(true);
        expect(isAllowed(statements, { ...request, action, context: byCode })).toBe(false);
      }
    },
  );
});
