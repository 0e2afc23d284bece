import {
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
} from "@aws-sdk/client-sqs";
import { PublishCommand } from "@aws-sdk/client-sns";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { deploy, functionWithSource, resource, until } from "../support/fixtures.ts";
import type { CloudUnderTest } from "../support/fixtures.ts";

const getAtt = (logicalId: string, attribute = "Arn") => ({ "Fn::GetAtt": [logicalId, attribute] });

/** A function that logs each batch as a line of JSON and answers as the first record's body asks. */
const CONSUMER = `exports.handler = async ({ Records }) => {
  console.log(JSON.stringify(Records.map(({ messageId, body, attributes, messageAttributes, eventSourceARN }) => ({ messageId, body, attributes, messageAttributes, eventSourceARN }))));
  const failing = Records.filter(({ body }) => body.startsWith('bad'));
  if (Records.some(({ body }) => body === 'explode')) throw new Error('whole batch');
  if (Records.some(({ body }) => body === 'nonsense')) return { batchItemFailures: [{ itemIdentifier: 'unknown' }] };
  return { batchItemFailures: failing.map(({ messageId }) => ({ itemIdentifier: messageId })) };
};`;

interface LoggedRecord {
  body: string;
  messageId: string;
  attributes: Record<string, string>;
  messageAttributes: Record<string, object>;
  eventSourceARN: string;
}

/** A queue that the consumer takes from, whose messages come back a while after a call that did not take them. */
const retried = (queue: string, visibilitySeconds: number): Record<string, object> => ({
  [queue]: {
    Type: "AWS::SQS::Queue",
    Properties: {
      VisibilityTimeout: visibilitySeconds,
      RedrivePolicy: { deadLetterTargetArn: getAtt(`${queue}DeadLetters`), maxReceiveCount: 2 },
    },
  },
  [`${queue}DeadLetters`]: { Type: "AWS::SQS::Queue", Properties: {} },
  [`${queue}Source`]: {
    Type: "AWS::Lambda::EventSourceMapping",
    Properties: {
      EventSourceArn: getAtt(queue),
      FunctionName: { Ref: "Consumer" },
      BatchSize: 10,
      FunctionResponseTypes: ["ReportBatchItemFailures"],
      ScalingConfig: { MaximumConcurrency: 2 },
    },
  },
});

/** Long enough for a call of the consumer on a busy machine. */
const COMES_BACK_AFTER = 5;

let under: CloudUnderTest;
const lines: string[] = [];
const batches = (): LoggedRecord[][] =>
  lines.map((line) => JSON.parse(line.slice(line.indexOf(": ") + 2)) as LoggedRecord[]);
const received = (body: string): LoggedRecord[] =>
  batches()
    .flat()
    .filter((record) => record.body === body);

beforeAll(async () => {
  under = await deploy(
    {
      Consumer: functionWithSource(CONSUMER),
      ...retried("Jobs", 120),
      ...retried("SomeFail", COMES_BACK_AFTER),
      ...retried("AllFail", COMES_BACK_AFTER),
      ...retried("NothingKnown", COMES_BACK_AFTER),
      Windowed: { Type: "AWS::SQS::Queue", Properties: {} },
      WindowedSource: {
        Type: "AWS::Lambda::EventSourceMapping",
        Properties: {
          EventSourceArn: getAtt("Windowed"),
          FunctionName: getAtt("Consumer"),
          BatchSize: 12,
          MaximumBatchingWindowInSeconds: 300,
        },
      },
      SoonOver: { Type: "AWS::SQS::Queue", Properties: {} },
      SoonOverSource: {
        Type: "AWS::Lambda::EventSourceMapping",
        Properties: {
          EventSourceArn: getAtt("SoonOver"),
          FunctionName: getAtt("Consumer"),
          BatchSize: 100,
          MaximumBatchingWindowInSeconds: 1,
        },
      },
      DisabledQueue: { Type: "AWS::SQS::Queue", Properties: {} },
      DisabledSource: {
        Type: "AWS::Lambda::EventSourceMapping",
        Properties: {
          EventSourceArn: getAtt("DisabledQueue"),
          FunctionName: { Ref: "Consumer" },
          Enabled: false,
        },
      },
      Topic: { Type: "AWS::SNS::Topic", Properties: {} },
      Errors: { Type: "AWS::SQS::Queue", Properties: {} },
      ErrorsPolicy: {
        Type: "AWS::SQS::QueuePolicy",
        Properties: { Queues: [{ Ref: "Errors" }], PolicyDocument: {} },
      },
      Subscription: {
        Type: "AWS::SNS::Subscription",
        Properties: {
          TopicArn: { Ref: "Topic" },
          Protocol: "sqs",
          Endpoint: getAtt("Errors"),
          RawMessageDelivery: true,
          FilterPolicy: { priority: ["ERROR"] },
        },
      },
    },
    { logSink: (line) => void lines.push(line), environmentsPerFunction: 2 },
  );
});

afterAll(() => under.cloud.stop());

const send = (queue: string, ...bodies: string[]) =>
  under.sqs.send(
    new SendMessageBatchCommand({
      QueueUrl: resource(under.cloud, queue),
      Entries: bodies.map((body, index) => ({ Id: String(index), MessageBody: body })),
    }),
  );

async function messageCount(queue: string): Promise<number> {
  const { Attributes = {} } = await under.sqs.send(
    new GetQueueAttributesCommand({
      QueueUrl: resource(under.cloud, queue),
      AttributeNames: ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
    }),
  );
  return (
    Number(Attributes["ApproximateNumberOfMessages"]) + Number(Attributes["ApproximateNumberOfMessagesNotVisible"])
  );
}

describe.concurrent("an event source mapping", () => {
  it("hands messages over in Lambda's form and deletes what succeeded", async () => {
    await under.sqs.send(
      new SendMessageCommand({
        QueueUrl: resource(under.cloud, "Jobs"),
        MessageBody: "plain",
        MessageAttributes: { kind: { DataType: "String", StringValue: "cast" } },
      }),
    );
    await until(() => received("plain").length === 1);
    const [record] = received("plain");
    expect(record?.attributes).toMatchObject({ ApproximateReceiveCount: "1" });
    expect(record?.messageAttributes["kind"]).toMatchObject({
      stringValue: "cast",
      dataType: "String",
    });
    expect(record?.eventSourceARN).toBe("arn:aws:sqs:us-east-1:000000000000:Stack-Jobs");
    await until(async () => (await messageCount("Jobs")) === 0);
  });

  it("wakes up for each message, though its poll lasts twenty seconds", async () => {
    for (let index = 0; index < 20; index += 1) {
      await send("Jobs", `quick-${index}`);
      await until(() => received(`quick-${index}`).length > 0);
      expect(received(`quick-${index}`)).toMatchObject([{ attributes: { ApproximateReceiveCount: "1" } }]);
    }
  });

  it("sends only the failed message of a batch back, and after its last receive to the dead-letter queue", async () => {
    await send("SomeFail", "good-1", "bad-1", "good-2");
    await until(() => received("bad-1").length === 2);
    await until(async () => (await messageCount("SomeFailDeadLetters")) === 1);
    expect(received("good-1")).toHaveLength(1);
    expect(received("good-2")).toHaveLength(1);
    const { Messages = [] } = await under.sqs.send(
      new ReceiveMessageCommand({
        QueueUrl: resource(under.cloud, "SomeFailDeadLetters"),
        VisibilityTimeout: 0,
      }),
    );
    expect(Messages[0]?.Body).toBe("bad-1");
  });

  it.each([
    ["explode", "AllFail"],
    ["nonsense", "NothingKnown"],
  ])("sends the whole batch back when the function answers with %s", async (body, queue) => {
    await send(queue, body, `${body}-neighbour`);
    await until(() => received(body).length === 2);
    await until(async () => (await messageCount(queue)) === 0);
    expect(received(body)).toHaveLength(2);
    expect(received(`${body}-neighbour`).length).toBeGreaterThanOrEqual(1);
  });

  it("gathers messages for the batching window until the batch is full", async () => {
    await send("Windowed", "w-1", "w-2");
    await send("Windowed", ...Array.from({ length: 10 }, (_, index) => `w-${index + 3}`));
    await until(() => received("w-12").length === 1);
    expect(batches().find((batch) => batch.some(({ body }) => body === "w-12"))).toHaveLength(12);
  });

  it("hands over what there is when the batching window is over", async () => {
    await send("SoonOver", "alone");
    await until(() => received("alone").length > 0);
    expect(batches().find((batch) => batch.some(({ body }) => body === "alone"))).toHaveLength(1);
  });

  it("that is disabled takes nothing", async () => {
    await send("DisabledQueue", "ignored");
    await send("Jobs", "sent later");
    await until(() => received("sent later").length > 0);
    expect(received("ignored")).toHaveLength(0);
  });
});

it("delivers what a subscription's filter policy lets through, raw", async () => {
  const publish = (priority: string) =>
    under.sns.send(
      new PublishCommand({
        TopicArn: resource(under.cloud, "Topic"),
        Message: `{"priority":"${priority}"}`,
        MessageAttributes: { priority: { DataType: "String", StringValue: priority } },
      }),
    );
  await publish("INFO");
  await publish("ERROR");
  const { Messages = [] } = await under.sqs.send(
    new ReceiveMessageCommand({
      QueueUrl: resource(under.cloud, "Errors"),
      MaxNumberOfMessages: 10,
      WaitTimeSeconds: 20,
    }),
  );
  expect(Messages.map(({ Body }) => Body)).toEqual(['{"priority":"ERROR"}']);
});

it("gives queue URLs of the address on which it listens", async () => {
  const { QueueUrl } = await under.sqs.send(new GetQueueUrlCommand({ QueueName: "Stack-Jobs" }));
  expect(QueueUrl).toBe(`${under.cloud.endpoints.sqs}/000000000000/Stack-Jobs`);
  expect(QueueUrl).toBe(resource(under.cloud, "Jobs"));
});
