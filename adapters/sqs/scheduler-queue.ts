import { SendMessageCommand, type SQSClient } from "@aws-sdk/client-sqs";
import { MESSAGE_ATTRIBUTES } from "../../core/settings/environment.ts";
import type { SchedulerQueue } from "../../core/ports.ts";
import { bytesOf, LARGEST_MESSAGE_BYTES, messageText } from "../../core/requests/byte-budget.ts";
import { attributeText } from "../message-text.ts";

/** Name and type of the attribute count as the message's bytes, too. */
const ATTRIBUTE_OVERHEAD_BYTES = 32;

/** SQS refuses an empty attribute. */
const NO_REASON = "no reason given";

/** In UTF-8. */
const MOST_BYTES_OF_A_UNIT = 3;

/** Dependencies of the queue. */
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

  /** The reason is cut to the space that the body leaves of the message's bound; without any space, the message has no reason. */
  async sendToDeadLetters(body: string, reason: string): Promise<void> {
    const room = LARGEST_MESSAGE_BYTES - bytesOf(body) - ATTRIBUTE_OVERHEAD_BYTES;
    const limit = Math.floor(room / MOST_BYTES_OF_A_UNIT);
    const text = limit < NO_REASON.length ? "" : attributeText(reason, limit) || NO_REASON;
    await this.#options.client.send(
      new SendMessageCommand({
        QueueUrl: this.#options.deadLetterQueueUrl,
        MessageBody: body,
        ...(text !== "" && {
          MessageAttributes: { [MESSAGE_ATTRIBUTES.reason]: { DataType: "String", StringValue: text } },
        }),
      }),
    );
  }
}
