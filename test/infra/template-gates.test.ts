import { describe, expect, it } from "vitest";
import { definitionText, inlineTemplate, localFunctionArn, type Template } from "../../infra/inline-template.ts";
import { iamFindings } from "../../verify/template/iam-actions.ts";
import { schemaFindings } from "../../verify/template/resource-schemas.ts";
import { statesLanguageFindings } from "../../verify/template/states-language.ts";

const ORIGINAL = inlineTemplate();

/** The template with one mistake in the properties of the first resource of a type. */
function withMistake(type: string, mistake: (properties: Record<string, unknown>, resource: object) => void): Template {
  const template = structuredClone(ORIGINAL);
  const resource = Object.values(template.Resources).find(({ Type }) => Type === type);
  if (resource?.Properties === undefined) {
    throw new Error(`no resource of type ${type}`);
  }
  mistake(resource.Properties, resource);
  return template;
}

describe("the check against resource schemas", () => {
  it("finds nothing in the synthesised template", () => {
    expect(schemaFindings(ORIGINAL)).toEqual([]);
  });

  it.each<[string, Template, RegExp]>([
    [
      "an unknown type",
      withMistake("AWS::SQS::Queue", (_properties, resource) => Object.assign(resource, { Type: "AWS::SQS::Row" })),
      /there is no resource type AWS::SQS::Row/,
    ],
    [
      "an unknown property",
      withMistake("AWS::SQS::Queue", (properties) => (properties["VisibilityTimeOut"] = 180)),
      /there is no property VisibilityTimeOut/,
    ],
    [
      "an unknown property of a property",
      withMistake("AWS::DynamoDB::Table", (properties) => (properties["SSESpecification"] = { SseEnabled: true })),
      /SSESpecification: there is no property SseEnabled/,
    ],
    [
      "a value of another type",
      withMistake("AWS::Lambda::Function", (properties) => (properties["Timeout"] = "half a minute")),
      /Timeout: a whole number is expected/,
    ],
    [
      "a value in place of a list",
      withMistake("AWS::Lambda::Function", (properties) => (properties["Architectures"] = "arm64")),
      /Architectures: a list is expected/,
    ],
    [
      "a required property that is missing",
      withMistake("AWS::Lambda::Function", (properties) => delete properties["Role"]),
      /Role is required/,
    ],
    [
      "a reference to nothing",
      withMistake("AWS::SNS::TopicPolicy", (properties) => (properties["Topics"] = [{ Ref: "NoSuchTopic" }])),
      /Ref names NoSuchTopic, which does not exist/,
    ],
    [
      "an attribute of nothing",
      withMistake("AWS::Lambda::Function", (properties) => (properties["Role"] = { "Fn::GetAtt": ["NoRole", "Arn"] })),
      /Fn::GetAtt names NoRole, which does not exist/,
    ],
    [
      "an attribute that the type does not have",
      withMistake(
        "AWS::Lambda::Function",
        (properties) => (properties["Role"] = { "Fn::GetAtt": ["ImagesBucket1E86AFB2", "RoleArn"] }),
      ),
      /AWS::S3::Bucket has no attribute RoleArn/,
    ],
    [
      "a dependency on nothing",
      withMistake("AWS::Lambda::Function", (_properties, resource) => Object.assign(resource, { DependsOn: ["Gone"] })),
      /DependsOn names Gone, which does not exist/,
    ],
  ])("finds %s", (_what, template, finding) => {
    expect(schemaFindings(template).join("\n")).toMatch(finding);
  });
});

describe("the check against the list of IAM actions", () => {
  const withStatement = (statement: Record<string, unknown>) =>
    withMistake("AWS::IAM::Policy", (properties) => (properties["PolicyDocument"] = { Statement: [statement] }));

  it("finds nothing in the synthesised template", async () => {
    expect(await iamFindings(ORIGINAL)).toEqual([]);
  });

  it.each<[string, Record<string, unknown>, RegExp]>([
    ["a misspelt action", { Action: "dynamodb:UpdateItems" }, /no IAM action dynamodb:UpdateItems/],
    ["an unknown service", { Action: ["dynamo:GetItem"] }, /no IAM action dynamo:GetItem/],
    ["a pattern that nothing matches", { Action: "sqs:Send*s" }, /no IAM action sqs:Send\*s/],
    [
      "a misspelt condition key",
      { Action: "*", Condition: { StringEquals: { "dynamodb:Attribute": "id" } } },
      /no IAM condition key dynamodb:Attribute/,
    ],
  ])("finds %s", async (_what, statement, finding) => {
    expect((await iamFindings(withStatement(statement))).join("\n")).toMatch(finding);
  });
});

describe("the linters of the states language", () => {
  const definition = definitionText(ORIGINAL, localFunctionArn);

  it("find nothing in the workflow", async () => {
    expect(await statesLanguageFindings(definition)).toEqual([]);
  });

  it("all three find a state that leads nowhere", async () => {
    const parsed = JSON.parse(definition) as { States: Record<string, { Next?: string }> };
    parsed.States["ExtractVolumeRef"] = { ...parsed.States["ExtractVolumeRef"], Next: "NoSuchState" };
    const findings = await statesLanguageFindings(JSON.stringify(parsed));
    for (const linter of ["amazon-states-language-service", "asl-validator", "statelint"]) {
      expect(findings.some((finding) => finding.startsWith(`${linter}: `))).toBe(true);
    }
  });
});
