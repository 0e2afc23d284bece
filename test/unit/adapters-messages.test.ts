import { SFNClient, StartExecutionCommand } from "@aws-sdk/client-sfn";
import { PublishCommand, SNSClient } from "@aws-sdk/client-sns";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { mockClient } from "aws-sdk-client-mock";
import { beforeEach, describe, expect, test } from "vitest";
import { messageText } from "../../core/requests/byte-budget.ts";
import { attributeText } from "../../adapters/message-text.ts";
import { SfnWorkflowStarter } from "../../adapters/sfn/workflow-starter.ts";
import { SnsNotifier } from "../../adapters/sns/notifier.ts";
import { SqsSchedulerQueue } from "../../adapters/sqs/scheduler-queue.ts";
import { InvalidInput, NotificationNotSent } from "../../core/errors.ts";
import type { WorkflowInput } from "../../core/requests/messages.ts";
import { buildNotification } from "../../core/notifications/notifications.ts";
import { queuedVolume } from "../support/records.ts";

const sqsClient = new SQSClient({ region: "us-east-1" });
const snsClient = new SNSClient({ region: "us-east-1" });
const sfnClient = new SFNClient({ region: "us-east-1" });
const sqs = mockClient(sqsClient);
const sns = mockClient(snsClient);
const sfn = mockClient(sfnClient);

const queue = new SqsSchedulerQueue({ client: sqsClient, queueUrl: "queue", deadLetterQueueUrl: "dead-letters" });
const notifier = new SnsNotifier({ client: snsClient, topicArn: "topic" });
const starter = new SfnWorkflowStarter({ client: sfnClient, stateMachineArn: "machine" });

const context = { request_id: "req", user_id: "user", project_id: "project", is_admin: false, roles: [] };

/** An error as the SDK throws it. */
function sdkError(name: string, message = "no"): Error {
  return Object.assign(new Error(message), { name });
}

beforeEach(() => {
  sqs.reset();
  sns.reset();
  sfn.reset();
});

describe("text of a message", () => {
  test("is JSON that holds only characters which SQS allows, and reads back the same", () => {
    const message = { text: "\u0000\u001F\uFFFE\uFFFF\uD800é😀" };
    const text = messageText(message);
    expect(text).not.toMatch(/[^\u0020-\uD7FF\uE000-\uFFFD]/);
    expect(JSON.parse(text)).toEqual(message);
  });
});

describe("text of an attribute", () => {
  test("is one line of allowed characters", () => {
    expect(attributeText(" a\u0000b\nc\uFFFFd\uD800😀 ")).toBe("a b c d\uFFFD😀");
  });

  test("is at most 512 long, and is cut in no character's middle", () => {
    expect(attributeText(`${"x".repeat(511)}😀`)).toBe(`${"x".repeat(511)}\uFFFD`);
  });
});

describe("the scheduler queue", () => {
  test("is sent the message as JSON", async () => {
    await queue.send({ volume_id: "v" });
    expect(sqs.commandCalls(SendMessageCommand)[0]?.args[0].input).toEqual({
      QueueUrl: "queue",
      MessageBody: '{"volume_id":"v"}',
    });
  });

  test("keeps the name of an error of the SDK", async () => {
    sqs.on(SendMessageCommand).rejects(sdkError("TimeoutError"));
    await expect(queue.send({})).rejects.toMatchObject({ name: "TimeoutError" });
  });

  test("keeps dead letters as they came, with the reason", async () => {
    await queue.sendToDeadLetters("{not json", "the message is\nnot valid JSON");
    expect(sqs.commandCalls(SendMessageCommand)[0]?.args[0].input).toEqual({
      QueueUrl: "dead-letters",
      MessageBody: "{not json",
      MessageAttributes: { reason: { DataType: "String", StringValue: "the message is not valid JSON" } },
    });
  });

  for (const reason of ["", "\u0000"]) {
    test(`gives a dead letter a reason also for ${JSON.stringify(reason)}, because SQS refuses an empty one`, async () => {
      await queue.sendToDeadLetters("x", reason);
      const [call] = sqs.commandCalls(SendMessageCommand);
      expect(call?.args[0].input.MessageAttributes?.["reason"]?.StringValue).toBe("no reason given");
    });
  }
});

describe("the notifier", () => {
  const volume = queuedVolume();
  const notification = buildNotification(
    "volume.create.error",
    volume,
    1,
    context,
    new Date("2026-01-01T00:00:00.000Z"),
  );

  test("publishes the notification with attributes to filter by", async () => {
    await notifier.publish(notification);
    const input = sns.commandCalls(PublishCommand)[0]?.args[0].input;
    expect(JSON.parse(input?.Message ?? "")).toEqual(notification);
    expect(input).toMatchObject({
      TopicArn: "topic",
      MessageAttributes: {
        event_type: { DataType: "String", StringValue: "volume.create.error" },
        priority: { DataType: "String", StringValue: "ERROR" },
        project_id: { DataType: "String", StringValue: "project" },
      },
    });
  });

  for (const projectId of [null, "", "\u0000"]) {
    test(`leaves out the project when it is ${JSON.stringify(projectId)}`, async () => {
      await notifier.publish({ ...notification, _context_project_id: projectId });
      const attributes = sns.commandCalls(PublishCommand)[0]?.args[0].input.MessageAttributes ?? {};
      expect(Object.keys(attributes)).toEqual(["event_type", "priority"]);
    });
  }

  test("says NotificationNotSent for every failure, with a bounded reason", async () => {
    sns.on(PublishCommand).rejects(sdkError("EndpointError", "x".repeat(10_000)));
    const sending = notifier.publish(notification);
    await expect(sending).rejects.toThrow(NotificationNotSent);
    await expect(sending).rejects.toThrow(/^Notification volume.create.error was not sent: EndpointError: x{497}$/);
  });
});

describe("the workflow starter", () => {
  const input: WorkflowInput = {
    context,
    volume_id: "v",
    attempt: 1,
    fence: "v-a1",
    host: "h",
    image_id: null,
    snapshot_id: null,
    source_volid: null,
    request_spec: {},
    filter_properties: {},
    allow_reschedule: false,
    reschedule_failure: null,
  };

  test("names the execution by the fence", async () => {
    await starter.start(input);
    expect(sfn.commandCalls(StartExecutionCommand)[0]?.args[0].input).toEqual({
      stateMachineArn: "machine",
      name: "v-a1",
      input: JSON.stringify(input),
    });
  });

  test("succeeds when the execution was started before", async () => {
    sfn.on(StartExecutionCommand).rejects(sdkError("ExecutionAlreadyExists"));
    await expect(starter.start(input)).resolves.toBeUndefined();
  });

  test("keeps the name of any other error of the SDK", async () => {
    sfn.on(StartExecutionCommand).rejects(sdkError("ExecutionLimitExceeded"));
    await expect(starter.start(input)).rejects.toMatchObject({ name: "ExecutionLimitExceeded" });
  });

  test("refuses an input that is too long in bytes, and starts nothing", async () => {
    const long = { ...input, request_spec: { text: "é".repeat(131_072) } };
    await expect(starter.start(long)).rejects.toThrow(InvalidInput);
    expect(sfn.calls()).toHaveLength(0);
  });
});
