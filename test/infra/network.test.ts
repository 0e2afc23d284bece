import { describe, expect, it } from "vitest";
import { FUNCTION_NAMES } from "../../core/settings/functions.ts";
import { functionNameIn, inlineTemplate } from "../../infra/inline-template.ts";
import { statementsOf } from "../support/iam.ts";

function propertiesOf(context: Record<string, unknown>, type: string): Record<string, unknown>[] {
  return Object.values(inlineTemplate(context).Resources).flatMap(({ Type, Properties = {} }) =>
    Type === type ? [Properties] : [],
  );
}

describe("the network of the file system", () => {
  it("logs rejected connections only", () => {
    expect(propertiesOf({}, "AWS::EC2::FlowLog").map(({ TrafficType }) => TrafficType)).toEqual(["REJECT"]);
  });

  it("has the range of the setting vpcCidr, or the one of earlier releases", () => {
    const range = (context: Record<string, unknown>) => propertiesOf(context, "AWS::EC2::VPC")[0]?.["CidrBlock"];
    expect(range({})).toBe("10.0.0.0/16");
    expect(range({ vpcCidr: "192.168.42.0/23" })).toBe("192.168.42.0/23");
    const subnets = propertiesOf({ vpcCidr: "192.168.42.0/23" }, "AWS::EC2::Subnet").map(({ CidrBlock }) => CidrBlock);
    expect(subnets).toEqual(["192.168.42.0/24", "192.168.43.0/24"]);
  });

  it.each([
    "10.0.0.0/24",
    "10.0.0.0/15",
    "10.0.1.0/16",
    "8.8.0.0/16",
    "10.0.0/16",
    "10.0.0.256/16",
    "172.32.0.0/16",
    7,
  ])("refuses the range %j", (vpcCidr) => {
    expect(() => inlineTemplate({ vpcCidr })).toThrow("context vpcCidr must be a private IPv4 network");
  });

  it.each<[string, Record<string, unknown>]>([
    ["by default", {}],
    [
      "with Glance and a secret",
      {
        image_services: {
          glance: { api_servers: ["https://glance.example"], auth: { type: "fixed_token", secret: "s" } },
        },
      },
    ],
  ])("has endpoints that carry requests of this account to this account only, %s", (_what, context) => {
    const endpoints = propertiesOf(context, "AWS::EC2::VPCEndpoint");
    expect(endpoints.length).toBeGreaterThan(0);
    for (const { PolicyDocument } of endpoints) {
      const account = { Ref: "AWS::AccountId" };
      expect(PolicyDocument).toEqual({
        Version: "2012-10-17",
        Statement: [
          {
            Effect: "Allow",
            Principal: { AWS: "*" },
            Action: "*",
            Resource: "*",
            Condition: { StringEquals: { "aws:PrincipalAccount": account, "aws:ResourceAccount": account } },
          },
        ],
      });
    }
  });
});

describe("a function in the network of the file system", () => {
  /** Lambda itself sends what it gives up to a function's dead-letter queue, and writes logs and traces, without that network. */
  const BY_LAMBDA = /^(logs|xray|ec2|elasticfilesystem):|^sqs:SendMessage on EventsDeadLetters$/;

  function reached(context: Record<string, unknown>): Map<string, string[]> {
    const template = inlineTemplate(context);
    return new Map(
      FUNCTION_NAMES.filter((name) =>
        Object.entries(template.Resources).some(
          ([id, { Properties }]) => functionNameIn(id) === name && Properties?.["VpcConfig"] !== undefined,
        ),
      ).map((name) => {
        const actions = statementsOf(template, name)
          .filter(({ Effect }) => Effect === "Allow")
          .flatMap(({ Action, Resource }) => {
            const queue = JSON.stringify(Resource).includes("MessagingEventsDeadLetterQueue");
            return [Action].flat().map((action) => (queue ? `${action} on EventsDeadLetters` : action));
          });
        const services = actions
          .filter((action) => !BY_LAMBDA.test(action))
          .map((action) => action.slice(0, action.indexOf(":")));
        return [name, [...new Set(services)].toSorted()];
      }),
    );
  }

  it("calls DynamoDB and S3 only, which have gateways", () => {
    const functions = reached({});
    expect(functions.size).toBeGreaterThan(10);
    expect([...functions.values()].flat().filter((service) => !["dynamodb", "s3"].includes(service))).toEqual([]);
    expect(functions.get("CallDriver")).toEqual([]);
    for (const name of ["RescheduleVolume", "ErrorOutVolume", "ErrorOutFailedExecution", "SweepOverdueVolumes"]) {
      expect(functions.has(name)).toBe(false);
    }
  });

  it("also calls Secrets Manager, which then has an endpoint, if it reads images of a Glance with credentials", () => {
    const auth = { type: "fixed_token", secret: "s" };
    const functions = reached({ image_services: { glance: { api_servers: ["https://glance.example"], auth } } });
    const readers = [...functions].filter(([, services]) => services.includes("secretsmanager")).map(([name]) => name);
    expect(readers.toSorted()).toEqual(["CheckBackend", "CloneImage", "CopyImageToVolume"]);
  });
});

describe("with a customer managed key", () => {
  const context = { customerManagedKey: "true" };
  const arn = { "Fn::GetAtt": [expect.stringMatching(/^EncryptionKey/) as string, "Arn"] };

  it("encrypts every log group with it", () => {
    const groups = propertiesOf(context, "AWS::Logs::LogGroup");
    expect(groups.map(({ KmsKeyId }) => KmsKeyId)).toEqual(groups.map(() => arn));
  });

  it("encrypts executions and their histories with it, and the workflow's role may use it", () => {
    expect(propertiesOf(context, "AWS::StepFunctions::StateMachine")).toMatchObject([
      { EncryptionConfiguration: { Type: "CUSTOMER_MANAGED_KMS_KEY", KmsKeyId: arn } },
    ]);
    const policies = propertiesOf(context, "AWS::IAM::Policy").filter(({ PolicyName }) =>
      String(PolicyName).startsWith("WorkflowCreateVolume"),
    );
    expect(JSON.stringify(policies)).toContain('"kms:EncryptionContext:aws:states:stateMachineArn"');
    expect(JSON.stringify(policies)).toContain('"kms:EncryptionContext:SourceArn"');
  });

  it("allows CloudWatch Logs and the delivery of logs to use it", () => {
    const [key] = propertiesOf(context, "AWS::KMS::Key");
    expect(JSON.stringify(key)).toContain('"kms:EncryptionContext:aws:logs:arn"');
    expect(JSON.stringify(key)).toContain("delivery.logs.amazonaws.com");
  });
});

it("logs executions below /aws/vendedlogs/, under a name that no earlier stack has used", () => {
  const groups = propertiesOf({}, "AWS::Logs::LogGroup").flatMap(({ LogGroupName }) => LogGroupName ?? []);
  expect(groups).toHaveLength(1);
  expect(JSON.stringify(groups)).toMatch(/"\/aws\/vendedlogs\/states\/Cinderless-.*AWS::StackId/);
});
