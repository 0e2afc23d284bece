import { describe, expect, test } from "vitest";
import { findOutputs, missingVariables, outputOf, selectStack } from "../../cli/outputs.ts";

const FILE = "out/outputs.json";

describe("the outputs file", () => {
  test("gives the outputs of its only stack", () => {
    const outputs = selectStack(FILE, { Cinderless: { VolumesTableName: "volumes", Count: 3 } });
    expect(outputs).toEqual({
      source: "stack Cinderless in out/outputs.json",
      values: { VolumesTableName: "volumes" },
    });
  });

  test("of several stacks takes the one that is this project's", () => {
    const document = { Network: { VpcId: "v" }, Cinderless: { VolumesTableName: "volumes" } };
    expect(selectStack(FILE, document).values).toEqual({ VolumesTableName: "volumes" });
  });

  test("of two deployments takes the one that is named", () => {
    const document = { One: { VolumesTableName: "1" }, Two: { VolumesTableName: "2" } };
    expect(selectStack(FILE, document, "Two").values).toEqual({ VolumesTableName: "2" });
    expect(() => selectStack(FILE, document)).toThrow("out/outputs.json holds several stacks: One, Two");
  });

  test.each([
    [[], undefined, 'out/outputs.json holds no stack: {"StackName": {"Key": "value"}} is expected'],
    ["text", undefined, "holds no stack"],
    [null, undefined, "holds no stack"],
    [{ VolumesTableName: "volumes" }, undefined, "holds no stack"],
    [{ Network: { VpcId: "v" } }, undefined, "no stack in out/outputs.json has the output VolumesTableName"],
    [{ Cinderless: { VolumesTableName: "v" } }, "Other", "out/outputs.json holds no stack Other"],
  ])("%j, stack %s: %s", (document, stack, message) => {
    expect(() => selectStack(FILE, document, stack)).toThrow(message);
  });

  test("an output that is missing is named with its source", () => {
    const outputs = selectStack(FILE, { Cinderless: { VolumesTableName: "volumes" } });
    expect(outputOf(outputs, "VolumesTableName")).toBe("volumes");
    expect(() => outputOf(outputs, "ImagesBucketName")).toThrow(
      "stack Cinderless in out/outputs.json has no output ImagesBucketName",
    );
  });
});

test("--stack alone asks CloudFormation and reads no file", async () => {
  const describeStack = async (name: string) => ({ VolumesTableName: `volumes of ${name}` });
  await expect(findOutputs({ stack: "S" }, {}, describeStack)).resolves.toEqual({
    source: "stack S",
    values: { VolumesTableName: "volumes of S" },
  });
});

describe("the environment next to the outputs", () => {
  const endpoint = { AWS_ENDPOINT_URL_DYNAMODB: "http://127.0.0.1:1" };
  const keys = { AWS_ACCESS_KEY_ID: "local", AWS_SECRET_ACCESS_KEY: "local" };
  const missing = (document: unknown, environment: Record<string, string> = {}) =>
    missingVariables("environment.json", document, environment);

  test("gives endpoints, region and keys", () => {
    const document = { ...endpoint, ...keys, AWS_REGION: "eu-west-1" };
    expect(missing(document)).toEqual(document);
  });

  test("leaves what the process has already", () => {
    expect(missing(endpoint, { AWS_ENDPOINT_URL_DYNAMODB: "http://127.0.0.1:2" })).toEqual({});
  });

  test("an empty variable counts as none", () => {
    expect(missing(endpoint, { AWS_ENDPOINT_URL_DYNAMODB: "" })).toEqual(endpoint);
  });

  test.each(["AWS_PROFILE", "AWS_ACCESS_KEY_ID"])("mixes no keys with one's own %s", (name) => {
    expect(missing({ ...endpoint, ...keys }, { [name]: "mine" })).toEqual(endpoint);
  });

  test.each(["NODE_OPTIONS", "PATH", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "HTTPS_PROXY", "AWS_PROFILE"])(
    "%s is not taken from a file",
    (name) => {
      expect(missing({ [name]: "x" })).toEqual({});
    },
  );

  test("what is not a string, or not an object, is refused by name", () => {
    expect(() => missing({ AWS_REGION: 1 })).toThrow("environment.json: AWS_REGION is not a string");
    expect(() => missing([])).toThrow("environment.json is not an object of variables");
  });
});
