import type { SQSBatchResponse, SQSEvent, SQSRecord } from "aws-lambda";
import { bytesOf, LARGEST_MESSAGE_BYTES } from "../core/requests/byte-budget.ts";
import type { Account } from "./account.ts";
import type { QueueSettings } from "./deployment.ts";

/** A message of a queue. */
export type Message = {
  id: string;
  body: string;
  attributes: Record<string, string>;
  receives: number;
  /** Not visible while somebody works on it. */
  isVisible: boolean;
  visit: string;
};

/** A message takes this long to its consumer. */
const DELIVERY_MS = 50;

/**
 * Queues with their visibility time-outs, dead letters and consumers, as the template has them. A message is delivered at least
 * once; what a consumer reports as failed, or leaves behind when it dies, comes again after the visibility time-out.
 */
export class Queues {
  readonly #account: Account;
  readonly #settings: Map<string, QueueSettings>;
  readonly #messages = new Map<string, Message[]>();
  /** Every message that was sent to the scheduler. */
  readonly accepted: { body: string }[] = [];
  /** Bodies of the messages that a fault has taken out of a queue. */
  readonly lost = new Set<string>();
  /** Bodies that the dead-letter queue has ever received. */
  readonly died = new Set<string>();
  #count = 0;

  constructor(account: Account, settings: readonly QueueSettings[]) {
    this.#account = account;
    this.#settings = new Map(settings.map((queue) => [queue.name, queue]));
    for (const { name } of settings) {
      this.#messages.set(name, []);
    }
  }

  /** Casts to the scheduler. */
  send(body: string): void {
    this.#account.note("message", body);
    this.sendTogether([body]);
  }

  /** Several messages that a consumer gets in one batch. */
  sendTogether(bodies: readonly string[]): void {
    for (const body of bodies) {
      this.accepted.push({ body });
      this.#put(this.#schedulerQueue(), body, {});
    }
  }

  sendToDeadLetters(body: string, reason: string): void {
    this.#put(this.#deadLetterQueue(), body, { reason });
  }

  /** Bodies of what lies in the dead-letter queue. */
  get deadLetters(): string[] {
    return this.#of(this.#deadLetterQueue()).map(({ body }) => body);
  }

  /** The messages in the scheduler queue. */
  get waiting(): Message[] {
    return this.#of(this.#schedulerQueue());
  }

  /** Delivers a message once more, as a queue may that delivers at least once. */
  deliverAgain(queueName: string, message: Message): void {
    const { id, body, attributes, visit } = message;
    const again = { id, body, attributes, visit, receives: 0, isVisible: true };
    this.#of(queueName).push(again);
    this.#poll(queueName, DELIVERY_MS);
  }

  #schedulerQueue(): string {
    const queues = [...this.#settings.values()];
    const ends = new Set(queues.map(({ deadLetterQueue }) => deadLetterQueue));
    const queue = queues.find(({ name, deadLetterQueue }) => deadLetterQueue !== null && !ends.has(name));
    if (queue === undefined) {
      throw new Error("the template has no queue that others do not end in");
    }
    return queue.name;
  }

  #deadLetterQueue(): string {
    return this.#settings.get(this.#schedulerQueue())?.deadLetterQueue ?? "";
  }

  #of(queueName: string): Message[] {
    return this.#messages.get(queueName) ?? [];
  }

  /** @throws InvalidMessageContents, as SQS does, for a message that is too large */
  #put(queueName: string, body: string, attributes: Record<string, string>, movedId?: string): void {
    requireMessageSize(body, attributes);
    const consumer = this.#settings.get(queueName)?.consumer;
    if (queueName === this.#deadLetterQueue()) {
      this.died.add(body);
    }
    const visit = consumer === null || consumer === undefined ? "" : this.#account.nextVisit(consumer.functionName);
    this.#count += 1;
    const message = { id: movedId ?? `message-${this.#count}`, body, attributes, receives: 0, isVisible: true, visit };
    if (visit === "") {
      this.#of(queueName).push(message);
      return;
    }
    this.#account.repeatLater(visit, () => this.deliverAgain(queueName, message));
    if (this.#account.visitFault(visit, ["never delivered"]) === undefined) {
      this.#of(queueName).push(message);
      this.#poll(queueName, DELIVERY_MS);
    } else {
      this.lost.add(body);
    }
  }

  #poll(queueName: string, ms: number): void {
    this.#account.time.after(ms, () => void this.#receive(queueName));
  }

  async #receive(queueName: string): Promise<void> {
    const settings = this.#settings.get(queueName);
    if (settings?.consumer === null || settings === undefined) {
      return;
    }
    const { consumer } = settings;
    const batch: Message[] = [];
    for (const message of this.#of(queueName).filter(({ isVisible }) => isVisible)) {
      if (settings.maxReceiveCount !== null && message.receives >= settings.maxReceiveCount) {
        this.#moveToDeadLetters(settings, message);
      } else if (batch.length < consumer.batchSize) {
        batch.push(message);
      }
    }
    const [first] = batch;
    if (first === undefined) {
      return;
    }
    for (const message of batch) {
      message.isVisible = false;
      message.receives += 1;
    }
    const visibleAgainAt = this.#account.time.nowMs + settings.visibilitySeconds * 1000;
    const failed = await this.#consume(consumer, batch, first);
    for (const message of batch) {
      if (failed.has(message.id)) {
        this.#account.time.after(visibleAgainAt - this.#account.time.nowMs, () => {
          message.isVisible = true;
          void this.#receive(queueName);
        });
      } else {
        const messages = this.#of(queueName);
        messages.splice(messages.indexOf(message), 1);
      }
    }
  }

  /** Ids of the messages that failed. */
  async #consume(
    consumer: NonNullable<QueueSettings["consumer"]>,
    batch: readonly Message[],
    first: Message,
  ): Promise<Set<string>> {
    const everything = new Set(batch.map(({ id }) => id));
    try {
      const event: SQSEvent = { Records: batch.map(recordOf) };
      const answer = await this.#account.invoke(consumer.functionName, event, first.visit);
      if (!consumer.reportsFailures) {
        return new Set();
      }
      const { batchItemFailures = [] } = (answer ?? {}) as Partial<SQSBatchResponse>;
      return new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
    } catch {
      return everything;
    }
  }

  #moveToDeadLetters(settings: QueueSettings, message: Message): void {
    const messages = this.#of(settings.name);
    messages.splice(messages.indexOf(message), 1);
    this.#put(settings.deadLetterQueue ?? "", message.body, message.attributes, message.id);
  }
}

function recordOf(message: Message): SQSRecord {
  return {
    messageId: message.id,
    receiptHandle: message.id,
    body: message.body,
    attributes: {
      ApproximateReceiveCount: String(message.receives),
      SentTimestamp: "0",
      SenderId: "simulated",
      ApproximateFirstReceiveTimestamp: "0",
    },
    messageAttributes: Object.fromEntries(
      Object.entries(message.attributes).map(([key, stringValue]) => [key, { stringValue, dataType: "String" }]),
    ),
    md5OfBody: "",
    eventSource: "aws:sqs",
    eventSourceARN: "arn:aws:sqs:us-east-1:000000000000:simulated",
    awsRegion: "us-east-1",
  };
}

/**
 * The limit of SQS and SNS, for a body with the names, types and values of its attributes.
 *
 * @throws InvalidMessageContents
 */
export function requireMessageSize(body: string, attributes: Readonly<Record<string, string>> = {}): void {
  const bytes = Object.entries(attributes).reduce(
    (sum, [name, value]) => sum + bytesOf(name) + bytesOf("String") + bytesOf(value),
    bytesOf(body),
  );
  if (bytes > LARGEST_MESSAGE_BYTES) {
    const message = `a message of ${bytes} bytes is larger than ${LARGEST_MESSAGE_BYTES}`;
    throw Object.assign(new Error(message), { name: "InvalidMessageContents" });
  }
}
