import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { LambdaClient } from "@aws-sdk/client-lambda";
import { SQSClient } from "@aws-sdk/client-sqs";
import { describe, expect, it, test } from "vitest";
import {
  dynamoDbEndpoint,
  lambdaEndpoint,
  type ServiceEndpointParameters,
  sqsEndpoint,
} from "../../lambdas/runtime/service-endpoints.ts";

type Resolver = (parameters: ServiceEndpointParameters) => { url: URL; properties: object; headers: object };

/** The SDK's own rules, as clients that are not bundled have them. */
const RULES: [string, Resolver, Resolver][] = [
  ["DynamoDB", dynamoDbEndpoint, new DynamoDBClient({ region: "us-east-1" }).config.endpointProvider as Resolver],
  ["SQS", sqsEndpoint, new SQSClient({ region: "us-east-1" }).config.endpointProvider as Resolver],
  ["Lambda", lambdaEndpoint, new LambdaClient({ region: "us-east-1" }).config.endpointProvider as Resolver],
];

const REGIONS = [
  "us-east-1",
  "eu-west-3",
  "aws-global",
  "cn-north-1",
  "us-gov-west-1",
  "us-gov-east-1",
  "us-iso-east-1",
  "us-isob-east-1",
  "eusc-de-east-1",
  "eu-new-7",
  "mars-1",
];
const FLAGS: ServiceEndpointParameters[] = [false, true].flatMap((UseFIPS) =>
  [false, true].map((UseDualStack) => ({ UseFIPS, UseDualStack })),
);
const ENDPOINTS = ["http://127.0.0.1:4566", "http://[::1]:4566/", "https://aws.example.com:9000/base/path"];

/** Where a request goes, or that it goes nowhere: the words of the refusal are each side's own. */
function endOf(resolve: Resolver, parameters: ServiceEndpointParameters): unknown {
  try {
    const { url, properties, headers } = resolve(parameters);
    return { url: url.href, properties, headers: headers ?? {} };
  } catch {
    return "refused";
  }
}

describe.each(RULES)("the endpoint of %s", (_name, ours, theirs) => {
  const cases: ServiceEndpointParameters[] = FLAGS.flatMap((flags) => [
    ...REGIONS.map((Region) => ({ Region, ...flags })),
    ...ENDPOINTS.map((Endpoint) => ({ Region: "eu-west-1", Endpoint, ...flags })),
  ]);

  test.each(cases)("%j is where the SDK's rules say", (parameters) => {
    expect(endOf(ours, parameters)).toEqual(endOf(theirs, parameters));
  });

  it.each([undefined, "", "eu-west-1.evil.example/", "eu west"])("does not exist in region %j", (region) => {
    expect(() => ours(region === undefined ? {} : { Region: region })).toThrow("needs a region");
  });
});

describe("endpoints by account of DynamoDB", () => {
  it.each(["preferred", "disabled"])("are not used where they are %s and no account is known", (mode) => {
    const parameters = { Region: "eu-west-1", AccountIdEndpointMode: mode, UseFIPS: false, UseDualStack: false };
    const [[, ours, theirs] = []] = RULES;
    expect(ours && endOf(ours, parameters)).toEqual(theirs && endOf(theirs, parameters));
  });

  it("are refused where they are required", () => {
    expect(() => dynamoDbEndpoint({ Region: "eu-west-1", AccountIdEndpointMode: "required" })).toThrow("by account");
  });
});
