// @ts-nocheck
import { SendMessageCommand, type SQSClient } from "@aws-sdk/client-sqs";
import { MESSAGE_ATTRIBUTES } from "../../core/environment.ts";
import type { SchedulerQueue } from "../../core/ports.ts";
import { attributeText, messageText } from "../message-text.ts";

/** What the queue is made of. */
export type SchedulerQueueOptions = { client: Pick<SQSClient, "send">; queueUrl: string; deadLetterQueueUrl: string };

/**
 * The scheduler queue and its dead letters in SQS, which delivers at least once. Errors of the SDK pass under their own names: a
 * message may have been sent.
 */
export class SqsSchedulerQueue implements SchedulerQueue {
  readonly #options: SchedulerQueueOptions;

  constructor(options: SchedulerQueueOptions) {
    this.#options = options;
  }

  async send(message: Record<string, unknown>): Promise<void> {
    await this.#options.client.send(
      new SendMessageCommand({ QueueUrl: this.#options.queueUrl, MessageBody: messageText(message) }),
    );
  }

  /** A body so long that the reason does not fit beside it is refused by SQS, whose own redrive keeps the message then. */
  async sendToDeadLetters(body: string, reason: string): Promise<void> {
    await this.#options.client.send(
      new SendMessageCommand({
        QueueUrl: this.#options.deadLetterQueueUrl,
        MessageBody: body,
        MessageAttributes: {
          [MESSAGE_ATTRIBUTES.reason]: { DataType: "String", StringValue: attributeText(reason) || "no reason given" },
        },
      }),
    );
  }
}
