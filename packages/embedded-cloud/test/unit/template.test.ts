import { describe, expect, it } from "vitest";
import { EmbeddedCloudError } from "../../src/errors.ts";
import { planDeployment } from "../../src/plan.ts";
import type { Plan } from "../../src/plan.ts";
import { parameterValues, readTemplate } from "../../src/template.ts";

const CONTEXT = {
  region: "eu-west-1",
  stackName: "Demo",
  httpApiEndpoint: "",
  messagingEndpoint: "http://127.0.0.1:4566",
};

function plan(template: object, parameters: Record<string, string> = {}, assets = new Map<string, string>()): Plan {
  const read = readTemplate(template);
  return planDeployment({ template: read, parameters: parameterValues(read, parameters), context: CONTEXT, assets });
}

function problemsOf(template: object, parameters: Record<string, string> = {}): readonly string[] {
  try {
    plan(template, parameters);
    return [];
  } catch (error) {
    if (error instanceof EmbeddedCloudError) return error.problems;
    throw error;
  }
}

const QUEUE = { Type: "AWS::SQS::Queue" };

/** Resolves one expression as an output of a stack with a queue. */
function output(value: unknown, sections: object = {}): string | undefined {
  return plan({ Resources: { Jobs: QUEUE }, Outputs: { Out: { Value: value } }, ...sections }).outputs["Out"];
}

describe("an expression", () => {
  it.each([
    [{ Ref: "Jobs" }, "http://127.0.0.1:4566/000000000000/Demo-Jobs"],
    [{ "Fn::GetAtt": ["Jobs", "Arn"] }, "arn:aws:sqs:eu-west-1:000000000000:Demo-Jobs"],
    [{ "Fn::GetAtt": "Jobs.QueueName" }, "Demo-Jobs"],
    [{ Ref: "AWS::Region" }, "eu-west-1"],
    [{ Ref: "AWS::StackName" }, "Demo"],
    [{ "Fn::Join": ["-", ["a", { Ref: "AWS::AccountId" }, { Ref: "AWS::NoValue" }]] }, "a-000000000000"],
    [{ "Fn::Sub": "${AWS::Partition}:${Jobs.QueueName}:${!Literal}" }, "aws:Demo-Jobs:${Literal}"],
    [
      { "Fn::Sub": ["${name}@${AWS::URLSuffix}", { name: { "Fn::GetAtt": ["Jobs", "QueueName"] } }] },
      "Demo-Jobs@amazonaws.com",
    ],
    [{ "Fn::Select": ["1", { "Fn::Split": [",", "a,b,c"] }] }, "b"],
    [{ "Fn::Base64": "text" }, "dGV4dA=="],
  ])("%j is %s", (expression, expected) => {
    expect(output(expression)).toBe(expected);
  });

  it("chooses by nested conditions", () => {
    const Conditions = {
      InEurope: { "Fn::Equals": [{ Ref: "AWS::Region" }, "eu-west-1"] },
      Elsewhere: { "Fn::Not": [{ Condition: "InEurope" }] },
      Either: {
        "Fn::Or": [
          { Condition: "Elsewhere" },
          { "Fn::And": [{ Condition: "InEurope" }, { "Fn::Equals": ["a", "a"] }] },
        ],
      },
    };
    expect(output({ "Fn::If": ["Either", "yes", "no"] }, { Conditions })).toBe("yes");
    expect(output({ "Fn::If": ["Elsewhere", "yes", "no"] }, { Conditions })).toBe("no");
  });

  it("looks into mappings", () => {
    const Mappings = { Sizes: { "eu-west-1": { small: 5 } } };
    expect(output({ "Fn::FindInMap": ["Sizes", { Ref: "AWS::Region" }, "small"] }, { Mappings })).toBe("5");
  });

  it.each([
    [{ "Fn::ImportValue": "other" }, "output Out: Fn::ImportValue is not supported by the embedded cloud"],
    [{ Ref: "Nothing" }, "output Out: Ref Nothing names no parameter and no resource"],
    [
      { "Fn::GetAtt": ["Jobs", "Colour"] },
      "output Out: Fn::GetAtt Jobs.Colour: this attribute is not supported by the embedded cloud",
    ],
  ])("%j is refused by name", (expression, problem) => {
    expect(problemsOf({ Resources: { Jobs: QUEUE }, Outputs: { Out: { Value: expression } } })).toEqual([problem]);
  });
});

describe("a template", () => {
  it("is deployed in the order of references and DependsOn", () => {
    const { resources } = plan({
      Resources: {
        Last: { ...QUEUE, DependsOn: ["Middle"] },
        Middle: {
          Type: "AWS::SQS::QueuePolicy",
          Properties: { Queues: [{ Ref: "First" }], PolicyDocument: { Sub: { "Fn::Sub": "${Second.Arn}" } } },
        },
        Second: QUEUE,
        First: QUEUE,
      },
    });
    const order = resources.map(({ resource }) => resource.logicalId);
    expect(order.indexOf("Last")).toBe(3);
    expect(order.indexOf("Middle")).toBe(2);
  });

  it("with a circle is refused, the circle named", () => {
    const A = { ...QUEUE, DependsOn: "B" };
    const B = { Type: "AWS::SNS::Topic", DependsOn: "A" };
    expect(problemsOf({ Resources: { A, B } })).toEqual(["circular dependency between resources: A -> B -> A"]);
  });

  it("leaves out a resource whose condition does not hold", () => {
    const Conditions = { Never: { "Fn::Equals": ["a", "b"] } };
    const { resources } = plan({
      Conditions,
      Resources: { Jobs: QUEUE, Metadata: { Type: "AWS::CDK::Metadata", Condition: "Never" } },
    });
    expect(resources.map(({ resource }) => resource.logicalId)).toEqual(["Jobs"]);
  });

  it("takes parameters over defaults and refuses a missing and an unknown one", () => {
    const template = {
      Parameters: { Size: { Type: "Number", Default: 1 }, Needed: { Type: "String" } },
      Resources: {},
      Outputs: { Size: { Value: { Ref: "Size" } } },
    };
    expect(plan(template, { Size: "3", Needed: "x" }).outputs["Size"]).toBe("3");
    expect(problemsOf(template)).toEqual(["parameter Needed has no value and no default"]);
    expect(problemsOf(template, { Needed: "x", Other: "y" })).toEqual([
      "parameter Other is not declared by the template",
    ]);
  });

  it("without resources is refused", () => {
    expect(() => readTemplate({})).toThrow("the template has no Resources section");
  });

  it("gives long names a stable end and buckets lower case", () => {
    const long = "L".repeat(90);
    const { resources } = plan({ Resources: { [long]: QUEUE, Images: { Type: "AWS::S3::Bucket" } } });
    const [queue, bucket] = resources.map(({ identity }) => identity);
    expect(queue?.attributes["QueueName"]).toMatch(/^Demo-L+-[0-9a-f]{8}$/);
    expect(queue?.attributes["QueueName"]).toHaveLength(80);
    expect(bucket?.ref).toBe("demo-images");
  });
});

describe("what is not supported", () => {
  it("is listed all at once, with logical id, type and property", () => {
    const problems = problemsOf({
      Resources: {
        Server: { Type: "AWS::EC2::Instance" },
        Jobs: { ...QUEUE, Properties: { Colour: "red", ServerId: { Ref: "Server" } } },
        Mail: { Type: "AWS::SNS::Subscription", Properties: { TopicArn: "t", Endpoint: "a@b", Protocol: "email" } },
        Stream: {
          Type: "AWS::Lambda::EventSourceMapping",
          Properties: { EventSourceArn: "arn:aws:kinesis:::x", FunctionName: "f", FilterCriteria: {} },
        },
        Python: {
          Type: "AWS::Lambda::Function",
          Properties: { Runtime: "python3.13", Handler: "h.h", Code: { ZipFile: "" } },
        },
        NoAsset: {
          Type: "AWS::Lambda::Function",
          Properties: { Runtime: "nodejs24.x", Handler: "h.h", Code: { S3Key: "abc.zip" } },
        },
        Pattern: {
          Type: "AWS::Events::Rule",
          Properties: {
            EventPattern: { detail: { status: [{ prefix: "F" }] } },
            Targets: [{ Id: "a", Arn: "arn:aws:sqs:::q", InputTransformer: {} }],
          },
        },
        Express: {
          Type: "AWS::StepFunctions::StateMachine",
          Properties: {
            StateMachineType: "EXPRESS",
            DefinitionString: JSON.stringify({
              StartAt: "A",
              States: {
                A: { Type: "Task", Resource: "arn:aws:states:::sqs:sendMessage", HeartbeatSeconds: 1, End: true },
              },
            }),
          },
        },
      },
      Outputs: { Out: { Value: { Ref: "Server" } } },
    });
    const not = "is not supported by the embedded cloud";
    expect(problems).toEqual([
      `Server (AWS::EC2::Instance): resource type ${not}`,
      `Jobs (AWS::SQS::Queue): property Colour ${not}`,
      `Jobs (AWS::SQS::Queue): property ServerId ${not}`,
      `Mail (AWS::SNS::Subscription): property Protocol email ${not}`,
      `Stream (AWS::Lambda::EventSourceMapping): property FilterCriteria ${not}`,
      `Stream (AWS::Lambda::EventSourceMapping): property EventSourceArn arn:aws:kinesis:::x ${not}`,
      `Python (AWS::Lambda::Function): property Runtime python3.13 ${not}`,
      "NoAsset (AWS::Lambda::Function): property Code.S3Key abc.zip names no asset directory of the synthesised app",
      `Pattern (AWS::Events::Rule): EventPattern detail.status: only exact values are supported by the embedded cloud`,
      `Pattern (AWS::Events::Rule): property Targets.InputTransformer ${not}`,
      `Express (AWS::StepFunctions::StateMachine): property StateMachineType EXPRESS ${not}`,
      `Express (AWS::StepFunctions::StateMachine): property DefinitionString: state A: HeartbeatSeconds ${not}`,
      `Express (AWS::StepFunctions::StateMachine): property DefinitionString: state A: Resource arn:aws:states:::sqs:sendMessage ${not}, only the ARN of a function is`,
    ]);
  });
});
