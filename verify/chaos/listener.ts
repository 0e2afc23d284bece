import { setTimeout as delay } from "node:timers/promises";
import { SubscribeCommand } from "@aws-sdk/client-sns";
import {
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
} from "@aws-sdk/client-sqs";
import { ifThere } from "../../core/if-there.ts";
import type { Notification } from "../../core/notifications/notifications.ts";
import type { Told } from "./evidence.ts";
import { persist, type Services } from "./services.ts";
import { SECRET } from "./work.ts";

/** Listens to the notifications for the whole run. */
export type Listener = {
  readonly told: Told[];
  /** How many notifications held the token of a request. */
  readonly leaks: () => number;
  /** Resolves when nothing has come for a while. */
  drained(): Promise<void>;
  stop(): void;
};

/**
 * Subscribes a queue to the topic and reads it during the run. At each `volume.create.end` it reads the volume's record at once: a record
 * that is still in the flow then was not available when the event was sent.
 */
export async function listen(services: Services, signal: AbortSignal): Promise<Listener> {
  const { sqs, sns, output } = services;
  const { QueueUrl = "" } = await sqs.send(new CreateQueueCommand({ QueueName: "chaos-notifications" }));
  const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["QueueArn"] }));
  await sns.send(
    new SubscribeCommand({
      TopicArn: output("NotificationsTopicArn"),
      Protocol: "sqs",
      Endpoint: Attributes?.["QueueArn"] ?? "",
      Attributes: { RawMessageDelivery: "true" },
    }),
  );
  const told: Told[] = [];
  let leaks = 0;
  const quiet = { polls: 0 };
  const stopped = new AbortController();
  const ending = AbortSignal.any([signal, stopped.signal]);
  const poll = async (): Promise<void> => {
    while (!ending.aborted) {
      const request = { QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 1 };
      const { Messages = [] } = await persist(signal, () => sqs.send(new ReceiveMessageCommand(request)));
      quiet.polls = Messages.length === 0 ? quiet.polls + 1 : 0;
      leaks += Messages.filter(({ Body = "" }) => Body.includes(SECRET)).length;
      told.push(...(await Promise.all(Messages.map((message) => readMessage(services, message, signal)))));
      await remove(services, QueueUrl, Messages);
    }
  };
  // The run's own calls report the cause of an early stop.
  poll().catch(() => undefined);
  return {
    told,
    leaks: () => leaks,
    drained: async () => {
      quiet.polls = 0;
      while (quiet.polls < 2) {
        signal.throwIfAborted();
        await delay(100);
      }
    },
    stop: () => stopped.abort(),
  };
}

async function readMessage({ volumes }: Services, message: Message, signal: AbortSignal): Promise<Told> {
  const { event_type: eventType, message_id: messageId, payload } = JSON.parse(message.Body ?? "") as Notification;
  const volumeId = String(payload["volume_id"]);
  if (eventType !== "volume.create.end") {
    return { eventType, volumeId, messageId, statusThen: null };
  }
  const record = await persist(signal, () => ifThere(volumes.get(volumeId)));
  return { eventType, volumeId, messageId, statusThen: record?.status ?? null };
}

/** A message that is not removed comes again and counts twice, which is allowed. */
async function remove({ sqs }: Services, QueueUrl: string, messages: readonly Message[]): Promise<void> {
  if (messages.length > 0) {
    const Entries = messages.map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle }));
    await sqs.send(new DeleteMessageBatchCommand({ QueueUrl, Entries })).catch(() => undefined);
  }
}
