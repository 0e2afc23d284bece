import {
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  ScanCommand,
  UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";
import { PublishCommand, SNSClient } from "@aws-sdk/client-sns";
import { unmarshall } from "@aws-sdk/util-dynamodb";
import type { SQSBatchResponse } from "aws-lambda";
import { mockClient } from "aws-sdk-client-mock";
import { afterAll, beforeEach, describe, expect, it, vi } from "vitest";
import { volumeItem } from "../../adapters/dynamodb/volume-item.ts";
import { aMessage, aVolume, VOLUME_ID } from "../support/builders.ts";
import { FUNCTION_ENVIRONMENT, invoke } from "../support/lambda.ts";
import { watchMetrics } from "../support/metrics.ts";

for (const [name, value] of Object.entries(FUNCTION_ENVIRONMENT)) {
  vi.stubEnv(name, value);
}
vi.stubEnv("POWERTOOLS_DEV", "true");
vi.stubEnv("POWERTOOLS_LOG_LEVEL", "INFO");
const written: string[] = [];
for (const level of ["info", "warn", "error"] as const) {
  vi.spyOn(console, level).mockImplementation((line: string) => void written.push(line));
}
const metrics = watchMetrics();
vi.resetModules();
const { handler } = await import("../../lambdas/keep-dead-letters.ts");

const dynamodb = mockClient(DynamoDBClient);
const sns = mockClient(SNSClient);

beforeEach(() => {
  written.length = 0;
  metrics.forget();
  dynamodb.reset();
  sns.reset();
  dynamodb.on(PutItemCommand).resolves({});
  dynamodb.on(ScanCommand).resolves({ Items: [] });
  dynamodb.on(GetItemCommand).resolves({ Item: volumeItem(aVolume()) });
  dynamodb.on(UpdateItemCommand).resolves({ Attributes: volumeItem(aVolume({ status: "error" })) });
  sns.on(PublishCommand).resolves({});
});
afterAll(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  vi.resetModules();
});

const SENT = 1_767_225_600_000;

function record(messageId: string, body: string, reason?: string) {
  return {
    messageId,
    body,
    eventSource: "aws:sqs",
    attributes: { ApproximateReceiveCount: "6", SentTimestamp: String(SENT) },
    messageAttributes: reason === undefined ? {} : { reason: { stringValue: reason, dataType: "String" } },
  };
}

async function deliver(...Records: ReturnType<typeof record>[]): Promise<string[]> {
  const response = (await invoke(handler as never, { Records })) as SQSBatchResponse;
  return response.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);
}

const kept = () => dynamodb.commandCalls(PutItemCommand).map(({ args }) => unmarshall(args[0].input.Item ?? {}));

describe("a batch of dead letters", () => {
  it("is stored, each with SQS's attributes", async () => {
    const failed = await deliver(
      record("m1", JSON.stringify(aMessage())),
      record("m2", "{ no", "the message is not valid JSON"),
    );
    expect(failed).toEqual([]);
    expect(kept()).toMatchObject([
      { id: "m1", volume_id: VOLUME_ID, received_count: 6, sent_at: new Date(SENT).toISOString() },
      {
        id: "m2",
        reason: "the message is not valid JSON",
        body: expect.stringMatching(/^4 bytes that are not a message, SHA-256 [0-9a-f]{64}, beginning with: /),
      },
    ]);
  });

  it("gives back the one alone that could not be kept, so that it comes again", async () => {
    dynamodb
      .on(PutItemCommand)
      .rejectsOnce(Object.assign(new Error("slow down"), { name: "ThrottlingException" }))
      .resolves({});
    expect(await deliver(record("m1", "a"), record("m2", "b"))).toEqual(["m1"]);
  });

  it("gives back all of them when the table is out, without failing the function", async () => {
    dynamodb.on(PutItemCommand).rejects(new Error("out"));
    expect(await deliver(record("m1", "a"), record("m2", "b"))).toEqual(["m1", "m2"]);
  });

  it("counts each letter that is kept, by which an alarm goes off, and none that comes again", async () => {
    dynamodb.on(PutItemCommand).rejectsOnce(new Error("slow down")).resolves({});
    await deliver(record("m1", "a"), record("m2", "b"), record("m3", "c"));
    const one = { service: "cinderless", DeadLetters: 1 };
    expect(metrics.written()).toEqual([one, one]);
  });

  it("says which letter and volume, and writes no token to the log", async () => {
    const body = JSON.stringify(aMessage({ context: { auth_token: "s3cr3t" } }));
    await deliver(record("m1", body));
    const log = written.join("\n");
    expect(log).toContain("m1");
    expect(log).toContain(VOLUME_ID);
    expect(log).not.toContain("s3cr3t");
  });
});
