import { createServer } from "node:http";
import { mkdtemp, rm } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import * as dynamodb from "@aws-sdk/client-dynamodb";
import * as lambda from "@aws-sdk/client-lambda";
import * as s3 from "@aws-sdk/client-s3";
import * as secrets from "@aws-sdk/client-secrets-manager";
import * as sfn from "@aws-sdk/client-sfn";
import * as sns from "@aws-sdk/client-sns";
import * as sqs from "@aws-sdk/client-sqs";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BUNDLING } from "../../infra/bundle.ts";

/** Bundles drop parts of the SDK (`infra/trim-sdk.ts`). The rest must read every answer as the whole SDK does. */
const SDK = { dynamodb, lambda, s3, secrets, sfn, sns, sqs };

/** The operations of the functions, as their bundles import them. */
const IMPORTS = `
  import { BatchGetItemCommand, DynamoDBClient, UpdateItemCommand } from "@aws-sdk/client-dynamodb";
  import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
  import { GetObjectCommand, HeadObjectCommand, S3Client } from "@aws-sdk/client-s3";
  import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
  import { SFNClient, StartExecutionCommand } from "@aws-sdk/client-sfn";
  import { PublishCommand, SNSClient } from "@aws-sdk/client-sns";
  import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
  export const trimmed = {
    dynamodb: { BatchGetItemCommand, DynamoDBClient, UpdateItemCommand },
    lambda: { InvokeCommand, LambdaClient },
    s3: { GetObjectCommand, HeadObjectCommand, S3Client },
    secrets: { GetSecretValueCommand, SecretsManagerClient },
    sfn: { SFNClient, StartExecutionCommand },
    sns: { PublishCommand, SNSClient },
    sqs: { SendMessageCommand, SQSClient },
  };
`;

type Sdk = typeof SDK;
type Answer = { status?: number; headers?: Record<string, string>; body?: string };
type Settings = {
  region: string;
  endpoint: string;
  credentials: { accessKeyId: string; secretAccessKey: string };
  maxAttempts: number;
};

const JSON_1_0 = { "content-type": "application/x-amz-json-1.0" };
const XML = { "content-type": "application/xml" };

/** Answers, each with a call that receives it. */
const CASES: [string, Answer, (sdk: Sdk, settings: Settings) => Promise<unknown>][] = [
  ...[1_767_225_600, 1_767_225_600.123].map((startDate): (typeof CASES)[number] => [
    `the start date ${startDate} of an execution`,
    { headers: JSON_1_0, body: JSON.stringify({ executionArn: "arn:aws:states:x", startDate }) },
    ({ sfn: { SFNClient, StartExecutionCommand } }, settings) =>
      new SFNClient(settings).send(new StartExecutionCommand({ stateMachineArn: "arn:aws:states:y", name: "a" })),
  ]),
  [
    "an execution of the same name",
    {
      status: 400,
      headers: JSON_1_0,
      body: '{"__type":"ExecutionAlreadyExists","message":"Execution Already Exists"}',
    },
    ({ sfn: { SFNClient, StartExecutionCommand } }, settings) =>
      new SFNClient(settings).send(new StartExecutionCommand({ stateMachineArn: "arn:aws:states:y", name: "a" })),
  ],
  [
    "a secret with its dates",
    {
      headers: { "content-type": "application/x-amz-json-1.1" },
      body: '{"ARN":"arn:aws:x","Name":"glance","SecretString":"s","CreatedDate":1.767225600123E9,"VersionStages":["AWSCURRENT"]}',
    },
    ({ secrets: { SecretsManagerClient, GetSecretValueCommand } }, settings) =>
      new SecretsManagerClient(settings).send(new GetSecretValueCommand({ SecretId: "glance" })),
  ],
  [
    "an object with its dates",
    {
      headers: {
        "content-length": "3",
        "last-modified": "Thu, 01 Jan 2026 00:00:00 GMT",
        expires: "Thu, 01 Jan 2026 00:00:00 GMT",
        "x-amz-object-lock-retain-until-date": "2026-01-01T00:00:00.000Z",
        "x-amz-meta-disk-format": "raw",
        etag: '"x"',
      },
      body: "abc",
    },
    async ({ s3: { S3Client, GetObjectCommand } }, settings) => {
      const client = new S3Client({ ...settings, forcePathStyle: true });
      const { Body, ...rest } = await client.send(new GetObjectCommand({ Bucket: "images", Key: "a" }));
      return { ...rest, text: await Body?.transformToString() };
    },
  ],
  [
    "an object that is not there",
    { status: 404, headers: XML, body: "<Error><Code>NoSuchKey</Code><Message>not there</Message></Error>" },
    ({ s3: { S3Client, GetObjectCommand } }, settings) =>
      new S3Client({ ...settings, forcePathStyle: true }).send(new GetObjectCommand({ Bucket: "images", Key: "a" })),
  ],
  [
    "the head of an object that is not there",
    { status: 404 },
    ({ s3: { S3Client, HeadObjectCommand } }, settings) =>
      new S3Client({ ...settings, forcePathStyle: true }).send(new HeadObjectCommand({ Bucket: "images", Key: "a" })),
  ],
  [
    "items",
    {
      headers: JSON_1_0,
      body: '{"Responses":{"volumes":[{"id":{"S":"v"},"size":{"N":"1"},"on":{"BOOL":true},"m":{"M":{"l":{"L":[{"NULL":true}]}}}}]},"ConsumedCapacity":[{"TableName":"volumes","CapacityUnits":1.0}]}',
    },
    ({ dynamodb: { DynamoDBClient, BatchGetItemCommand } }, settings) =>
      new DynamoDBClient(settings).send(
        new BatchGetItemCommand({ RequestItems: { volumes: { Keys: [{ id: { S: "v" } }] } } }),
      ),
  ],
  [
    "a condition that does not hold, with the item",
    {
      status: 400,
      headers: JSON_1_0,
      body: '{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","message":"The conditional request failed","Item":{"id":{"S":"v"}}}',
    },
    ({ dynamodb: { DynamoDBClient, UpdateItemCommand } }, settings) =>
      new DynamoDBClient(settings).send(new UpdateItemCommand({ TableName: "volumes", Key: { id: { S: "v" } } })),
  ],
  [
    "a service that is throttled and says when to come back",
    {
      status: 429,
      headers: { ...JSON_1_0, "retry-after": "Thu, 01 Jan 2026 00:00:00 GMT" },
      body: '{"__type":"ThrottlingException"}',
    },
    ({ dynamodb: { DynamoDBClient, UpdateItemCommand } }, settings) =>
      new DynamoDBClient(settings).send(new UpdateItemCommand({ TableName: "volumes", Key: { id: { S: "v" } } })),
  ],
  [
    "a function's answer and its error",
    {
      headers: { "x-amz-function-error": "Unhandled", "x-amz-executed-version": "$LATEST" },
      body: '{"errorType":"X"}',
    },
    async ({ lambda: { LambdaClient, InvokeCommand } }, settings) => {
      const command = new InvokeCommand({ FunctionName: "call-driver", Payload: "{}" });
      const { Payload, ...rest } = await new LambdaClient(settings).send(command);
      return { ...rest, text: Payload?.transformToString() };
    },
  ],
  [
    "a message's receipt",
    { headers: JSON_1_0, body: '{"MessageId":"1","MD5OfMessageBody":"900150983cd24fb0d6963f7d28e17f72"}' },
    ({ sqs: { SQSClient, SendMessageCommand } }, settings) =>
      new SQSClient(settings).send(
        new SendMessageCommand({ QueueUrl: "https://sqs.eu-west-1.amazonaws.com/1/q", MessageBody: "abc" }),
      ),
  ],
  [
    "a notification's receipt",
    {
      headers: XML,
      body: "<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>",
    },
    ({ sns: { SNSClient, PublishCommand } }, settings) =>
      new SNSClient(settings).send(new PublishCommand({ TopicArn: "arn:aws:sns:eu-west-1:1:t", Message: "abc" })),
  ],
];

let directory: string;
let trimmed: Sdk;

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "cinderless-trim-"));
  const outfile = path.join(directory, "clients.mjs");
  await build({
    ...BUNDLING,
    stdin: { contents: IMPORTS, resolveDir: BUNDLING.absWorkingDir },
    outfile,
    sourcemap: false,
  });
  ({ trimmed } = (await import(pathToFileURL(outfile).href)) as { trimmed: Sdk });
});

afterAll(() => rm(directory, { recursive: true, force: true }));

/** The answer of a call, or its error by the fields that adapters match. */
async function endOf(call: Promise<unknown>): Promise<unknown> {
  try {
    const { $metadata, ...answer } = (await call) as { $metadata: { httpStatusCode: number } };
    return { status: $metadata.httpStatusCode, answer };
  } catch (error) {
    const { name, message, $metadata, Item } = error as Error & {
      $metadata?: { httpStatusCode: number };
      Item?: unknown;
    };
    return { status: $metadata?.httpStatusCode, name, message, Item };
  }
}

describe("a bundle reads as the whole SDK does", () => {
  it.each(CASES)("%s", async (_name, { status = 200, headers = {}, body = "" }, call) => {
    const server = createServer((_request, response) => {
      response.writeHead(status, headers);
      response.end(body);
    });
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve);
    });
    const settings = {
      region: "eu-west-1",
      endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      credentials: { accessKeyId: "local", secretAccessKey: "local" },
      maxAttempts: 1,
    };
    try {
      const whole = await endOf(call(SDK, settings));
      expect(whole).toHaveProperty("status", status);
      expect(await endOf(call(trimmed, settings))).toEqual(whole);
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });
});
