import { describe, expect, it } from "vitest";
import { readDeployedBackends } from "../../core/backends/backends.ts";
import { functionNameIn, inlineTemplate } from "../../infra/inline-template.ts";
import { backendsOf } from "../support/code-files.ts";

/** Limits of AWS: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html and the quotas of CloudFormation and IAM. */
const ENVIRONMENT_BYTES = 4_096;
const TEMPLATE_BYTES = 1_000_000;
const RESOURCES = 500;
const ROLE_POLICIES_CHARACTERS = 10_240;

const BACKENDS = Array.from({ length: 1_000 }, (_, index) => ({
  host: `storage-node-${index}@array-${index}`,
  driver: "file",
  options: { directory: `/mnt/volumes/array-${index}`, mount_point: "/mnt/volumes" },
  availability_zone: `zone-${index}`,
  capabilities: { volume_backend_name: `array-${index}`, tier: index % 2 === 0 ? "gold" : "silver" },
}));
const CONTEXT = { backends: BACKENDS, volumeConsumers: { cidrs: ["10.20.0.0/16"] } };

describe("a stack with 1,000 backends", () => {
  const template = inlineTemplate(CONTEXT);
  const resources = Object.entries(template.Resources);

  it("has a template within the limits of CloudFormation", () => {
    expect(JSON.stringify(template).length).toBeLessThan(TEMPLATE_BYTES);
    expect(resources.length).toBeLessThanOrEqual(RESOURCES);
  });

  it("has functions whose environments are within Lambda's limit", () => {
    const bytes = resources.flatMap(([id, { Type, Properties = {} }]) => {
      const { Variables = {} } = (Properties["Environment"] ?? {}) as { Variables?: Record<string, unknown> };
      return Type === "AWS::Lambda::Function" ? [[functionNameIn(id), JSON.stringify(Variables).length] as const] : [];
    });
    expect(bytes.length).toBeGreaterThan(20);
    expect(bytes.filter(([, size]) => size >= ENVIRONMENT_BYTES)).toEqual([]);
  });

  it("has policies within IAM's limit for a role", () => {
    const sizes = resources.flatMap(([id, { Type, Properties = {} }]) =>
      Type === "AWS::IAM::Policy" ? [[id, JSON.stringify(Properties["PolicyDocument"]).length] as const] : [],
    );
    expect(sizes.length).toBeGreaterThan(20);
    expect(sizes.filter(([, size]) => size > ROLE_POLICIES_CHARACTERS)).toEqual([]);
  });

  it("lets reports be written for pools of backends only", () => {
    const policy = resources.find(([id]) => id.startsWith("FunctionsReportBackendsServiceRoleDefaultPolicy"))?.[1];
    expect(JSON.stringify(policy)).toContain('"dynamodb:LeadingKeys":["*@*#*"]');
  });

  it("gives its functions every backend", () => {
    const { backends, unusable } = readDeployedBackends(backendsOf(CONTEXT));
    expect(unusable).toEqual([]);
    expect(backends.map(({ host }) => host)).toEqual(BACKENDS.map(({ host }) => host));
  });
});

it("names each backend in the policy of the reports while the names fit", () => {
  const text = JSON.stringify(inlineTemplate({ backends: BACKENDS.slice(0, 12) }));
  expect(text).toContain('"storage-node-11@array-11#*"');
  expect(text).not.toContain("*@*#*");
});
