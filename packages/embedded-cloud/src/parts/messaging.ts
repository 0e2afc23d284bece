import type { QueueState } from "../monitoring/monitoring.ts";
import { startFailure, startPartThread } from "./part-thread.ts";

export interface QueueDefinition {
  readonly name: string;
  /** SQS queue attributes, all as text, RedrivePolicy as JSON. */
  readonly attributes: Record<string, string>;
}

export interface TopicDefinition {
  readonly name: string;
  readonly attributes: Record<string, string>;
}

export interface SubscriptionDefinition {
  readonly topicArn: string;
  /** ARN of the subscribed queue. */
  readonly endpoint: string;
  readonly attributes: Record<string, string>;
}

export interface ReceiveRequest {
  readonly queueArn: string;
  /** 1 to 10. */
  readonly maxMessages: number;
  /** 0 to 20; the answer comes as soon as one message is available. */
  readonly waitSeconds: number;
}

/** A message in the form in which Lambda passes it to a function. */
export interface SqsRecord {
  messageId: string;
  receiptHandle: string;
  body: string;
  attributes: Record<string, string>;
  messageAttributes: Record<
    string,
    {
      stringValue?: string;
      binaryValue?: string;
      stringListValues: string[];
      binaryListValues: string[];
      dataType: string;
    }
  >;
  md5OfBody: string;
  md5OfMessageAttributes?: string;
  eventSource: "aws:sqs";
  eventSourceARN: string;
  awsRegion: string;
}

/** SQS, SNS and S3 on 127.0.0.1, served by fauxqs in its own thread. The `ensure` methods create or update. */
export interface MessagingPart {
  readonly endpoint: string;
  ensureQueue(definition: QueueDefinition): Promise<void>;
  ensureTopic(definition: TopicDefinition): Promise<void>;
  ensureSubscription(definition: SubscriptionDefinition): Promise<void>;
  ensureBucket(definition: { readonly name: string }): Promise<void>;
  /** Long poll; an empty list when the wait has ended or another poller was faster. */
  receive(request: ReceiveRequest): Promise<SqsRecord[]>;
  deleteMessages(request: { readonly queueArn: string; readonly receiptHandles: readonly string[] }): Promise<void>;
  sendMessage(request: { readonly queueArn: string; readonly body: string }): Promise<void>;
  /** The receivable messages of each queue. */
  queueStates(): Promise<QueueState[]>;
  stop(): Promise<void>;
}

export async function startMessaging(options: {
  port: number;
  region: string;
  directory?: string;
  objectDirectory?: string;
  reportCrash: (line: string) => void;
}): Promise<MessagingPart> {
  const { reportCrash: _reportCrash, ...parameters } = options;
  const thread = startPartThread(
    new URL("./messaging-thread.ts", import.meta.url),
    "messaging",
    {},
    options.reportCrash,
  );
  try {
    const endpoint = await thread.call<string>("start", parameters);
    return {
      endpoint,
      ensureQueue: (definition) => thread.call("ensureQueue", definition),
      ensureTopic: (definition) => thread.call("ensureTopic", definition),
      ensureSubscription: (definition) => thread.call("ensureSubscription", definition),
      ensureBucket: (definition) => thread.call("ensureBucket", definition),
      receive: (request) => thread.call("receive", request),
      deleteMessages: (request) => thread.call("deleteMessages", request),
      sendMessage: (request) => thread.call("sendMessage", request),
      queueStates: () => thread.call("queueStates", {}),
      stop: async () => {
        await thread.call("stop").catch(() => undefined);
        await thread.stop();
      },
    };
  } catch (error) {
    await thread.stop();
    throw startFailure("SQS, SNS and S3", options.port, error);
  }
}
