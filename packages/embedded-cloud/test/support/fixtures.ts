import { mkdtempDisposableSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { LambdaClient } from "@aws-sdk/client-lambda";
import { S3Client } from "@aws-sdk/client-s3";
import { DescribeExecutionCommand, SFNClient, StartExecutionCommand } from "@aws-sdk/client-sfn";
import type { DescribeExecutionCommandOutput } from "@aws-sdk/client-sfn";
import { SNSClient } from "@aws-sdk/client-sns";
import { SQSClient } from "@aws-sdk/client-sqs";
import { startEmbeddedCloud } from "../../src/embedded-cloud.ts";
import type { EmbeddedCloud, EmbeddedCloudOptions } from "../../src/embedded-cloud.ts";

type Properties = Record<string, unknown>;

/** A function resource with inline code; `code` is the body of `exports.handler`. */
export function inlineFunction(code: string, properties: Properties = {}): object {
  return functionWithSource(`exports.handler = async (event, context) => { ${code} };`, properties);
}

/** A function resource whose whole module is given. */
export function functionWithSource(source: string, properties: Properties = {}): object {
  return {
    Type: "AWS::Lambda::Function",
    Properties: {
      Code: { ZipFile: source },
      Handler: "index.handler",
      Runtime: "nodejs24.x",
      Timeout: 10,
      ...properties,
    },
  };
}

/** A state machine resource; `${LogicalId}` in a Resource stands for the ARN of that function. */
export function stateMachine(definition: object, functionIds: readonly string[] = []): object {
  return {
    Type: "AWS::StepFunctions::StateMachine",
    Properties: {
      RoleArn: "arn:aws:iam::000000000000:role/machine",
      DefinitionString: JSON.stringify(definition),
      DefinitionSubstitutions: Object.fromEntries(functionIds.map((id) => [id, { "Fn::GetAtt": [id, "Arn"] }])),
    },
  };
}

/** A Task state that calls the function resource of this logical id. */
export function task(functionId: string, fields: object = { End: true }): object {
  return { Type: "Task", Resource: `\${${functionId}}`, TimeoutSeconds: 30, ...fields };
}

export interface CloudUnderTest extends AsyncDisposable {
  readonly cloud: EmbeddedCloud;
  readonly dynamodb: DynamoDBClient;
  readonly sqs: SQSClient;
  readonly sns: SNSClient;
  readonly s3: S3Client;
  readonly sfn: SFNClient;
  readonly lambda: LambdaClient;
  /** Problems that the cloud reported behind its APIs. */
  readonly problems: string[];
  /** Runs a state machine, by logical id, to its end. */
  run(machineId: string, input?: unknown, name?: string): Promise<DescribeExecutionCommandOutput>;
}

/** Deploys resources and gives real SDK clients for them. */
export async function deploy(
  resources: Record<string, object>,
  options: Partial<EmbeddedCloudOptions> = {},
): Promise<CloudUnderTest> {
  const problems: string[] = [];
  const cloud = await startEmbeddedCloud({
    template: { Resources: resources },
    assetDirectory: tmpdir(),
    problemSink: (line) => void problems.push(line),
    ...options,
  });
  const client = (endpoint: string) => ({
    endpoint,
    region: "us-east-1",
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
    maxAttempts: 1,
  });
  const sfn = new SFNClient(client(cloud.endpoints.sfn));
  return {
    cloud,
    problems,
    sfn,
    dynamodb: new DynamoDBClient(client(cloud.endpoints.dynamodb)),
    sqs: new SQSClient(client(cloud.endpoints.sqs)),
    sns: new SNSClient(client(cloud.endpoints.sns)),
    s3: new S3Client(client(cloud.endpoints.s3)),
    lambda: new LambdaClient(client(cloud.endpoints.lambda)),
    run: async (machineId, input = {}, name) => {
      const { executionArn } = await sfn.send(
        new StartExecutionCommand({
          stateMachineArn: resource(cloud, machineId),
          input: JSON.stringify(input),
          ...(name ? { name } : {}),
        }),
      );
      const arn = executionArn ?? "";
      await until(() => cloud.executions.describe(arn).status !== "RUNNING");
      return sfn.send(new DescribeExecutionCommand({ executionArn: arn }));
    },
    [Symbol.asyncDispose]: () => cloud.stop(),
  };
}

/** Physical id of a resource. */
export function resource(cloud: EmbeddedCloud, logicalId: string): string {
  const ref = cloud.resources[logicalId];
  if (ref === undefined) throw new Error(`no resource ${logicalId}`);
  return ref;
}

/** Milliseconds between two looks at a condition. Each wait is a third longer than the one before, because a look may cost much. */
const FIRST_WAIT = 5;
const LONGEST_WAIT = 50;

/** All waits for one condition: two minutes, without the looks, which take longer on a busy machine. */
const LONGEST = 120_000;

/** Waits until a condition holds; fails after two minutes of waiting. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  let waited = 0;
  for (let wait = FIRST_WAIT; !(await condition()); wait = Math.min(LONGEST_WAIT, wait * 1.33)) {
    if (waited > LONGEST) throw new Error(`not reached in ${LONGEST} ms: ${condition.toString()}`);
    await delay(wait);
    waited += wait;
  }
}

/** A directory of its own for a test, removed at the end of the scope. */
export function temporaryDirectory(): Disposable & { readonly path: string } {
  return mkdtempDisposableSync(path.join(tmpdir(), "cloud-test-"));
}
