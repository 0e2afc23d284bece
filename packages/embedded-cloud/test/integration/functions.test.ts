import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import {
  GetFunctionCommand,
  GetFunctionConfigurationCommand,
  InvokeCommand,
  ListFunctionsCommand,
} from "@aws-sdk/client-lambda";
import type { InvokeCommandOutput } from "@aws-sdk/client-lambda";
import { ReceiveMessageCommand } from "@aws-sdk/client-sqs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  deploy,
  functionWithSource,
  inlineFunction,
  resource,
  temporaryDirectory,
  until,
} from "../support/fixtures.ts";
import type { CloudUnderTest } from "../support/fixtures.ts";

const directory = temporaryDirectory();
const lines: string[] = [];
let under: CloudUnderTest;

/** Writes an asset as `cdk synth` does, and gives the Code property that names it. */
function asset(hash: string, files: Record<string, string>): object {
  const folder = path.join(directory.path, `asset.${hash}`);
  mkdirSync(folder, { recursive: true });
  for (const [name, content] of Object.entries(files)) writeFileSync(path.join(folder, name), content);
  return {
    S3Bucket: { "Fn::Sub": "cdk-assets-${AWS::AccountId}-${AWS::Region}" },
    S3Key: `${hash}.zip`,
  };
}

function writeManifest(hashes: readonly string[]): void {
  const files = Object.fromEntries(
    hashes.map((hash) => [
      hash,
      {
        source: { path: `asset.${hash}`, packaging: "zip" },
        destinations: { current: { bucketName: "b", objectKey: `${hash}.zip` } },
      },
    ]),
  );
  writeFileSync(path.join(directory.path, "Stack.assets.json"), JSON.stringify({ version: "1", files }));
}

beforeAll(async () => {
  const moduleCode = asset("esm", {
    "index.mjs": "import { basename } from 'node:path'; export const handler = async () => basename(import.meta.url);",
  });
  const commonJsCode = asset("cjs", {
    "index.js": "const { sep } = require('node:path'); exports.handler = async () => 'commonjs' + sep;",
  });
  writeFileSync(path.join(directory.path, "package.json"), '{"type":"module"}');
  writeManifest(["esm", "cjs"]);
  under = await deploy(
    {
      Module: inlineFunction("", { Code: moduleCode }),
      CommonJs: inlineFunction("", { Code: commonJsCode }),
      Environment: inlineFunction(
        "return { env: process.env, context: { ...context, remaining: context.getRemainingTimeInMillis() } };",
        {
          Environment: { Variables: { TABLE: "volumes", COUNT: 3 } },
          MemorySize: 256,
          Timeout: 900,
        },
      ),
      ChangesEnvironment: inlineFunction("process.env.TABLE = 'changed'; return process.env.TABLE;"),
      Nothing: inlineFunction("return undefined;"),
      Fails: inlineFunction("throw new RangeError('out of range');"),
      Exits: inlineFunction("if (event.exit) process.exit(1); return 'alive';"),
      Crashes: inlineFunction("setImmediate(() => { throw new Error('later'); }); await new Promise(() => {});"),
      Counts: functionWithSource("let count = 0; exports.handler = async () => ++count;", {
        ReservedConcurrentExecutions: 1,
      }),
      Overlaps: functionWithSource(
        "let active = 0; exports.handler = async () => { active += 1; await new Promise((r) => setTimeout(r, 30)); const seen = active; active -= 1; return seen; };",
      ),
      BrokenImport: functionWithSource("require('./missing.js');"),
      NoHandler: functionWithSource("exports.other = 1;"),
      Callback: functionWithSource("exports.handler = (event, context, callback) => callback(null, 1);"),
      Logs: inlineFunction("console.log('hello %s', event.name); console.error('two\\nlines');"),
      TooBig: inlineFunction("return 'x'.repeat(7 * 1024 * 1024);"),
      Hungry: inlineFunction("const all = []; for (;;) all.push(new Array(100000).fill(all.length));", {
        MemorySize: 128,
        Timeout: 30,
      }),
      FailedEvents: { Type: "AWS::SQS::Queue", Properties: {} },
      FailsConfig: {
        Type: "AWS::Lambda::EventInvokeConfig",
        Properties: {
          FunctionName: { Ref: "Fails" },
          Qualifier: "$LATEST",
          MaximumRetryAttempts: 0,
          DestinationConfig: {
            OnFailure: { Destination: { "Fn::GetAtt": ["FailedEvents", "Arn"] } },
          },
        },
      },
    },
    { assetDirectory: directory.path, logSink: (line) => void lines.push(line) },
  );
});

afterAll(async () => {
  await under.cloud.stop();
  directory[Symbol.dispose]();
});

const invoke = (functionId: string, payload: unknown = {}): Promise<InvokeCommandOutput> =>
  under.lambda.send(
    new InvokeCommand({
      FunctionName: `Stack-${functionId}`,
      Payload: Buffer.from(JSON.stringify(payload)),
    }),
  );

const answer = ({ Payload }: InvokeCommandOutput): unknown => JSON.parse(Buffer.from(Payload ?? []).toString());

describe("a function", () => {
  it("runs from the module of its asset directory", async () => {
    expect(answer(await invoke("Module"))).toBe("index.mjs");
  });

  it("is CommonJS in a .js file, whatever package.json lies above the asset", async () => {
    expect(answer(await invoke("CommonJs"))).toBe("commonjs/");
  });

  it("has the template's variables, Lambda's and this cloud's endpoints", async () => {
    const { env, context } = answer(await invoke("Environment")) as {
      env: Record<string, string>;
      context: Record<string, unknown>;
    };
    expect(env).toMatchObject({
      TABLE: "volumes",
      COUNT: "3",
      AWS_LAMBDA_FUNCTION_NAME: "Stack-Environment",
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "256",
      AWS_REGION: "us-east-1",
      AWS_ENDPOINT_URL_DYNAMODB: under.cloud.endpoints.dynamodb,
      AWS_ENDPOINT_URL_SFN: under.cloud.endpoints.sfn,
      AWS_EXECUTION_ENV: "AWS_Lambda_nodejs24.x",
    });
    expect(context).toMatchObject({
      functionName: "Stack-Environment",
      memoryLimitInMB: "256",
      invokedFunctionArn: "arn:aws:lambda:us-east-1:000000000000:function:Stack-Environment",
    });
    expect(context["remaining"]).toBeGreaterThan(600_000);
    expect(context["remaining"]).toBeLessThanOrEqual(900_000);
  });

  it("shares no variables with this process", async () => {
    expect(answer(await invoke("ChangesEnvironment"))).toBe("changed");
    expect(process.env["TABLE"]).toBeUndefined();
  });

  it("that returns nothing answers null", async () => {
    expect(answer(await invoke("Nothing"))).toBeNull();
  });

  it("keeps its module between invocations", async () => {
    const count = Number(answer(await invoke("Counts")));
    expect(answer(await invoke("Counts"))).toBe(count + 1);
  });

  it("runs one invocation at a time in an environment", async () => {
    const results = await Promise.all(Array.from({ length: 6 }, () => invoke("Overlaps")));
    expect(results.map(answer)).toEqual([1, 1, 1, 1, 1, 1]);
  });

  it("writes its log lines to the sink under its name", async () => {
    await invoke("Logs", { name: "volume" });
    await until(() => lines.includes("Stack-Logs: lines"));
    expect(lines).toEqual(expect.arrayContaining(["Stack-Logs: hello volume", "Stack-Logs: two"]));
  });
});

describe("a failing function", () => {
  it("answers with X-Amz-Function-Error and its error", async () => {
    const output = await invoke("Fails");
    expect(output.FunctionError).toBe("Unhandled");
    expect(answer(output)).toMatchObject({ errorType: "RangeError", errorMessage: "out of range" });
  });

  it("that exits is Runtime.ExitError, and the next invocation has a new environment", async () => {
    expect(answer(await invoke("Exits", { exit: true }))).toMatchObject({
      errorType: "Runtime.ExitError",
    });
    expect(answer(await invoke("Exits"))).toBe("alive");
  });

  it.each([
    ["Crashes", "Error", "later"],
    ["BrokenImport", "Runtime.ImportModuleError", "missing"],
    ["NoHandler", "Runtime.HandlerNotFound", "index.handler is undefined or not exported"],
    ["Callback", "Runtime.CallbackHandlerDeprecated", "callback"],
    ["TooBig", "Function.ResponseSizeTooLarge", "exceeded maximum allowed payload size"],
    ["Hungry", "Runtime.ExitError", "signal: killed"],
  ])("%s is reported as %s", async (functionId, errorType, message) => {
    const output = await invoke(functionId);
    expect(output.FunctionError).toBe("Unhandled");
    expect(answer(output)).toMatchObject({
      errorType,
      errorMessage: expect.stringContaining(message) as string,
    });
  });
});

describe("the Lambda API", () => {
  it("takes an ARN and describes functions", async () => {
    const FunctionName = "arn:aws:lambda:us-east-1:000000000000:function:Stack-Environment";
    const configuration = await under.lambda.send(new GetFunctionConfigurationCommand({ FunctionName }));
    expect(configuration).toMatchObject({
      MemorySize: 256,
      Timeout: 900,
      Environment: { Variables: { TABLE: "volumes" } },
    });
    expect((await under.lambda.send(new GetFunctionCommand({ FunctionName }))).Configuration?.FunctionArn).toBe(
      FunctionName,
    );
    const { Functions = [] } = await under.lambda.send(new ListFunctionsCommand({}));
    expect(Functions.map((item) => item.FunctionName)).toContain(resource(under.cloud, "Counts"));
  });

  it("refuses an unknown function and a payload that is not valid JSON", async () => {
    await expect(invoke("Missing")).rejects.toMatchObject({ name: "ResourceNotFoundException" });
    const command = new InvokeCommand({ FunctionName: "Stack-Nothing", Payload: Buffer.from("{") });
    await expect(under.lambda.send(command)).rejects.toMatchObject({
      name: "InvalidRequestContentException",
    });
  });

  it("refuses a payload above 6 MB", async () => {
    await expect(invoke("Nothing", "x".repeat(6 * 1024 * 1024))).rejects.toMatchObject({
      name: "RequestTooLargeException",
    });
  });

  it("sends an asynchronous event that failed to the last attempt to its destination", async () => {
    const output = await under.lambda.send(
      new InvokeCommand({
        FunctionName: "Stack-Fails",
        InvocationType: "Event",
        Payload: Buffer.from('{"id":1}'),
      }),
    );
    expect(output.StatusCode).toBe(202);
    const { Messages = [] } = await under.sqs.send(
      new ReceiveMessageCommand({
        QueueUrl: resource(under.cloud, "FailedEvents"),
        WaitTimeSeconds: 20,
      }),
    );
    expect(JSON.parse(Messages[0]?.Body ?? "{}")).toMatchObject({
      requestPayload: { id: 1 },
      responsePayload: { errorType: "RangeError" },
    });
  });

  it("runs nothing on a dry run", async () => {
    const before = under.cloud.counters.lambdaInvocations["Stack-Nothing"];
    const command = new InvokeCommand({ FunctionName: "Stack-Nothing", InvocationType: "DryRun" });
    expect((await under.lambda.send(command)).StatusCode).toBe(204);
    expect(under.cloud.counters.lambdaInvocations["Stack-Nothing"]).toBe(before);
  });
});
