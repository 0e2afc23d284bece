import { CloudFormationClient, DescribeStacksCommand } from "@aws-sdk/client-cloudformation";
import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CloudUnderTest, deploy, inlineFunction, resource } from "../support/fixtures.ts";

/** Services that the embedded cloud does not have: a request for one must not leave the machine. */

let under: CloudUnderTest;

beforeAll(async () => {
  const Variables = inlineFunction("return process.env;");
  under = await deploy({ Variables });
});

afterAll(() => under.cloud.stop());

const credentials = { accessKeyId: "local", secretAccessKey: "local" };
const clientOptions = () => ({
  endpoint: under.cloud.environment["AWS_ENDPOINT_URL"] ?? "",
  region: "us-east-1",
  credentials,
  maxAttempts: 1,
});

/** The body of an answer to a request that is signed for the service. */
async function ask(service: string, headers: Record<string, string>, body: string): Promise<Response> {
  const authorization = `AWS4-HMAC-SHA256 Credential=local/20000101/us-east-1/${service}/aws4_request, SignedHeaders=host, Signature=0`;
  return fetch(under.cloud.environment["AWS_ENDPOINT_URL"] ?? "", {
    method: "POST",
    headers: { authorization, ...headers },
    body,
  });
}

describe("AWS_ENDPOINT_URL", () => {
  it("is an address of the cloud, for functions too", async () => {
    const { AWS_ENDPOINT_URL: endpoint } = under.cloud.environment;
    expect(Object.values(under.cloud.endpoints)).toContain(endpoint);
    const response = await fetch(
      `${under.cloud.endpoints.lambda}/2015-03-31/functions/${resource(under.cloud, "Variables")}/invocations`,
      { method: "POST", body: "{}" },
    );
    expect(await response.json()).toMatchObject({ AWS_ENDPOINT_URL: endpoint });
  });

  it("answers every protocol with an error that the SDK shows", async () => {
    const secrets = new SecretsManagerClient(clientOptions());
    await expect(secrets.send(new GetSecretValueCommand({ SecretId: "x" }))).rejects.toMatchObject({
      name: "NotEmulated",
      message: expect.stringMatching(
        /^secretsmanager is not emulated here \(secretsmanager\.GetSecretValue\).*Nothing was sent to AWS\.$/,
      ) as string,
    });
    const cloudFormation = new CloudFormationClient(clientOptions());
    await expect(cloudFormation.send(new DescribeStacksCommand({}))).rejects.toMatchObject({
      name: "NotEmulated",
      message: expect.stringContaining("cloudformation is not emulated here (DescribeStacks)") as string,
    });
  });

  it("answers EC2 and services whose errors are XML in their own form", async () => {
    const form = { "content-type": "application/x-www-form-urlencoded; charset=utf-8" };
    const ec2 = await ask("ec2", form, "Action=DescribeInstances&Version=2016-11-15");
    expect(ec2.status).toBe(400);
    expect(await ec2.text()).toMatch(
      /^<Response><Errors><Error><Code>NotEmulated<\/Code><Message>ec2 is not emulated here \(DescribeInstances\)/,
    );
    const route53 = await ask("route53", { "content-type": "application/xml" }, "<x/>");
    expect(await route53.text()).toMatch(/^<ErrorResponse><Error><Type>Sender<\/Type><Code>NotEmulated<\/Code>/);
  });

  it("does not repeat what was asked unchecked", async () => {
    const response = await ask("evil", { "x-amz-target": "<script>" }, "");
    const text = await response.text();
    expect(text).not.toContain("<script>");
    expect(text).toContain("evil is not emulated here (POST /)");
  });
});
